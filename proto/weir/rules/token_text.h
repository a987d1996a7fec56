/* Reads a token from a file, without checking that it is one. */
#ifndef WEIR_RULES_TOKEN_TEXT_H
#define WEIR_RULES_TOKEN_TEXT_H

#include <stdbool.h>

/* More than the longest token, so that a text of this length, cut or not, is no valid token. */
enum { WEIR_TOKEN_TEXT_MAX_BYTES = 512 };

/* Reads the first line of a file, without trailing blanks and line end. False, with the text "", if
 * the file cannot be read (errno set) or the line is empty (errno 0). */
bool weir_token_read_file(const char *path, char text[WEIR_TOKEN_TEXT_MAX_BYTES + 1]);

#endif
