/* Text of manual pages, for the programs of the build that write them. */
#ifndef WEIR_BASE_ROFF_H
#define WEIR_BASE_ROFF_H

#include <stddef.h>
#include <stdio.h>

/* Writes the text as troff has it: no line begins with a request, and a hyphen that may be typed is
 * one. Errors stay in the stream. */
void weir_roff_put(FILE *out, const char *text, size_t n);

#endif
