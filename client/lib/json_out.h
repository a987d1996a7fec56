/* Writing JSON to a stream. Errors stay in the stream (ferror). */
#ifndef WEIR_CLIENT_JSON_OUT_H
#define WEIR_CLIENT_JSON_OUT_H

#include "weir/base/slice.h"

#include <stdio.h>

/* A JSON string with its quotes. Escaped are what JSON demands and all other control characters, so
 * that nothing in a name can steer the terminal it is shown on. */
void json_put_string(FILE *out, struct weir_slice text);

/* The same escapes without the quotes; quotes and backslashes as they are. For people. */
void json_put_plain(FILE *out, struct weir_slice text);

/* A JSON text, as it is but for line ends between its tokens, which become blanks: one line. Other
 * control characters stand in no JSON text but U+007F..U+009F, in its strings: to a terminal, which
 * they could steer, they are escaped. */
void json_put_text(FILE *out, struct weir_slice json);

/* The same, escaped wherever it goes. For people. */
void json_put_plain_text(FILE *out, struct weir_slice json);

#endif
