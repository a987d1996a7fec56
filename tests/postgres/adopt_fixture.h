/* A namespace "adopted", fx.ns, whose storage is Message DB's own schema in the database under
 * test, with two messages written by Message DB: one in stream a-1, one in b-1+x. */
#ifndef WEIR_TESTS_POSTGRES_ADOPT_FIXTURE_H
#define WEIR_TESTS_POSTGRES_ADOPT_FIXTURE_H

#include "store/store.h"

/* Stands before SQL that calls Message DB's functions or names its table. */
#define MESSAGE_DB "SET search_path = message_store, public; "

/* Creates a namespace with this metadata; the error is in fx.err. */
weir_status try_adopt(struct weir_store *store, const char *id, const char *metadata);

/* The setup of a test; fixture_end is its teardown. */
void begin_adopted(void);

#endif
