/* Stream names, their parts, and consumer groups: pure functions shared by the server, every
 * backend and the client.
 *
 * A name is `category[-id]`; the cardinal id is the id up to its first '+': Message DB's rules,
 * byte by byte, no locale. Returned slices point into the name. "Absent" (p == NULL) and
 * "empty" are different answers. */
#ifndef WEIR_RULES_STREAM_NAME_H
#define WEIR_RULES_STREAM_NAME_H

#include "weir/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What stands before the first '-'; the whole name where there is none. Never absent for a present
 * name. */
struct weir_slice weir_name_category(struct weir_slice name);

/* What stands after the first '-', possibly empty; absent where there is none. */
struct weir_slice weir_name_id(struct weir_slice name);

/* The id up to its first '+', possibly empty; absent where there is no id. */
struct weir_slice weir_name_cardinal_id(struct weir_slice name);

/* True where the name contains no '-'. */
bool weir_name_is_category(struct weir_slice name);

/* Eventide's conventions inside a category, for clients: `entity:type1+type2-id`. */
struct weir_slice weir_name_entity(struct weir_slice name);  // category up to its first ':'
struct weir_slice
weir_name_category_type(struct weir_slice name);  // the rest of it; absent without ':'

/* Walks the parts of `list` between '+' signs ("a+b" gives "a", then "b"; "" gives one empty part;
 * absent none). Start with *at = 0. With the category type it walks the category types, with the id
 * the ids of a compound id. */
bool weir_name_next_part(struct weir_slice list, size_t *at, struct weir_slice *part);

/* The first 8 bytes of the MD5 of the bytes, big-endian, two's complement. hash_64("") =
 * -3162216497309240828. */
int64_t weir_hash_64(struct weir_slice bytes);

/* |hash rem size| with the truncating remainder, defined for every hash, INT64_MIN included.
 * size >= 1. */
int64_t weir_hash_member(int64_t hash, int64_t size);

/* The member of a group of `size` that a stream belongs to; -1 where it has no id (then: nobody).
 */
int64_t weir_name_member(struct weir_slice name, int64_t size);

#ifdef __cplusplus
}
#endif

#endif
