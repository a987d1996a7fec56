/* Stream names, their parts, and consumer groups: pure functions shared by the server, every
 * backend and the client.
 *
 * A name is `category[-id]`; the cardinal id is the id up to its first '+'. These are Message DB's
 * rules, bytewise and without a locale. Returned slices point into the name. Absent (p == NULL) and
 * empty slices are different answers. */
#ifndef WEIR_RULES_STREAM_NAME_H
#define WEIR_RULES_STREAM_NAME_H

#include "weir/base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the part before the first '-', or the whole name if there is none. Never absent for a
 * present name. */
struct weir_slice weir_name_category(struct weir_slice name);

/* Returns the part after the first '-', possibly empty; absent if there is no '-'. */
struct weir_slice weir_name_id(struct weir_slice name);

/* Returns the id up to its first '+', possibly empty; absent if there is no id. */
struct weir_slice weir_name_cardinal_id(struct weir_slice name);

/* Whether the name contains no '-'. */
bool weir_name_is_category(struct weir_slice name);

/* Eventide's conventions inside a category, for clients: `entity:type1+type2-id`. weir_name_entity
 * returns the category up to its first ':', weir_name_category_type the rest of the category,
 * absent without ':'. */
struct weir_slice weir_name_entity(struct weir_slice name);
struct weir_slice weir_name_category_type(struct weir_slice name);

/* Walks the parts of `list` between '+' signs: "a+b" has the parts "a" and "b", "" one empty part,
 * an absent list none. Start with *at = 0; false after the last part. Given a category type it
 * walks the types, given an id the ids of a compound id. */
bool weir_name_next_part(struct weir_slice list, size_t *at, struct weir_slice *part);

/* Returns the first 8 bytes of the MD5 of the bytes as a big-endian two's complement number.
 * hash_64("") = -3162216497309240828. */
int64_t weir_hash_64(struct weir_slice bytes);

/* Returns |hash rem size| with the truncating remainder, defined for every hash including
 * INT64_MIN. size >= 1. */
int64_t weir_hash_member(int64_t hash, int64_t size);

/* Returns the member of a group of `size` that a stream belongs to; -1 if the name has no id: such
 * a stream belongs to no member. */
int64_t weir_name_member(struct weir_slice name, int64_t size);

#ifdef __cplusplus
}
#endif

#endif
