/* A token as programs are given it, before anybody knows whether it is one. */
#ifndef WEIR_RULES_TOKEN_TEXT_H
#define WEIR_RULES_TOKEN_TEXT_H

#include <stdbool.h>

/* More than the longest token, so that what is longer, or has been cut to it, is none. */
enum { WEIR_TOKEN_TEXT_MAX_BYTES = 512 };

/* The file's first line, without what blanks and line ends stand at its end. False with errno set
 * where the file cannot be read, 0 where there is nothing in that line; the text is "" then. */
bool weir_token_read_file(const char *path, char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1]);

#endif
