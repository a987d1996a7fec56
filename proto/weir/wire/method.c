#include "weir/wire/method.h"

#include <string.h>

size_t weir_method_find(struct weir_slice name)
{
    for (size_t i = 0; i < weir_methods_n; i++) {
        if (name.n == weir_methods[i].name_n && memcmp(name.p, weir_methods[i].name, name.n) == 0) {
            return i;
        }
    }
    return weir_methods_n;
}
