/* Taking a JSON text apart without a copy, so that its values stay the text they were.
 *
 * Nothing is checked beyond where an element ends: a value may be nested as deeply as a value may
 * be although it stands in something else. Whoever uses a value checks it (weir_json_check). Pure
 * functions; no byte beyond the text is read. */
#ifndef WEIR_CLIENT_JSON_WALK_H
#define WEIR_CLIENT_JSON_WALK_H

#include "weir/base/slice.h"

/* The members of an object, one after the other: start with *at = 0. Gives the raw text of the key,
 * with its quotes, and of the value. False at the end, with *fault NULL, and where the text is no
 * object, with *fault saying why. */
bool json_next_member(struct weir_slice text, size_t *at, struct weir_slice *key,
                      struct weir_slice *value, const char **fault);

/* The same for the elements of an array. */
bool json_next_element(struct weir_slice text, size_t *at, struct weir_slice *value,
                       const char **fault);

#endif
