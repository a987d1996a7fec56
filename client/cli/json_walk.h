/* Walks the members or elements of a JSON text without copying it, so that values keep their text.
 *
 * The walk only finds where each value ends. The caller checks the values (weir_json_check), which
 * so may be nested as deeply as if they stood alone. Pure functions; they read no byte beyond the
 * text. */
#ifndef WEIR_CLIENT_JSON_WALK_H
#define WEIR_CLIENT_JSON_WALK_H

#include "weir/base/slice.h"

/* Gives the next member of an object: the raw text of its key, with quotes, and of its value. Start
 * with *at = 0. False at the end, with *fault NULL, and if the text is no object, with the reason
 * in *fault. */
bool json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                      struct weir_slice *value, const char **fault);

/* Gives the next element of an array; else as json_next_member. */
bool json_next_element(struct weir_slice text, size_t *at, struct weir_slice *value,
                       const char **fault);

#endif
