/* Text of manual pages, for the build's programs that write them. */
#ifndef WEIR_BASE_ROFF_H
#define WEIR_BASE_ROFF_H

#include <stddef.h>
#include <stdio.h>

/* Writes `n` bytes of text, escaped for troff: the text does not begin with a request, backslashes
 * stay themselves, and hyphens are ones that can be copied to a command line. Errors stay in the
 * stream. */
void weir_roff_put(FILE *out, const char *text, size_t n);

#endif
