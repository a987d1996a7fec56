/* The one mapping from SQLite's result codes to outcomes. Pure functions. */
#ifndef WEIR_STORE_SQLITE_STATUS_H
#define WEIR_STORE_SQLITE_STATUS_H

#include "weir/base/fail.h"

/* Returns the outcome for an extended result code, whatever its value. */
weir_status weir_sqlite_status(int rc);

/* Returns whether a connection must not be used any more after this code, because its view of the
 * file may be wrong. */
bool weir_sqlite_is_breaking(int rc);

/* Fails with "the store cannot <what>: <reason>"; the text contains neither SQL nor paths. */
weir_status weir_sqlite_fail(struct weir_error *err, int rc, const char *what);

#endif
