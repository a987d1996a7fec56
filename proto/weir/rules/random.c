/* For getrandom, which is not POSIX. */
#define _DEFAULT_SOURCE

#include "weir/rules/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

bool weir_random_bytes(void *bytes, size_t n)
{
    uint8_t *at = bytes;
    while (n > 0) {
        const ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR) {
            return false;
        }
        if (got > 0) {
            at += got;
            n -= (size_t)got;
        }
    }
    return true;
}
