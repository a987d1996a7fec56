/* Writes JSON to a stdio stream. Errors stay in the stream (ferror). */
#ifndef WEIR_CLIENT_JSON_OUT_H
#define WEIR_CLIENT_JSON_OUT_H

#include "weir/base/slice.h"

#include <stdio.h>

/* Writes a JSON string with its quotes. Escapes what JSON demands and all other control characters,
 * so that no name can control the terminal that shows it. */
void json_put_string(FILE *out, struct weir_slice text);

/* Writes text for people: control characters escaped as in json_put_string, without quotes; quotes
 * and backslashes stay as they are. */
void json_put_plain(FILE *out, struct weir_slice text);

/* Writes a JSON text on one line: line ends and tabs between its tokens become blanks. Of the other
 * control characters a JSON text can hold only U+007F..U+009F, in its strings; they are escaped if
 * `out` is a terminal, which they could control. */
void json_put_text(FILE *out, struct weir_slice json);

/* Writes a JSON text for people: as json_put_text, always with control characters escaped. */
void json_put_plain_text(FILE *out, struct weir_slice json);

#endif
