#include "weir/rules/token_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool weir_token_read_file(const char *path, char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1])
{
    text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    errno = 0;
    const bool is_read = fgets(text, WEIR_TOKEN_TEXT_MAX_BYTES + 1, file) != NULL;
    const int fault = is_read ? 0 : errno;
    (void)fclose(file);
    size_t n = is_read ? strlen(text) : 0;
    while (n > 0 && is_blank(text[n - 1])) {
        n--;
    }
    text[n] = '\0';
    errno = fault;
    return n > 0;
}
