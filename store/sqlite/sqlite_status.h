/* What SQLite's result codes mean to a caller. */
#ifndef WEIR_STORE_SQLITE_STATUS_H
#define WEIR_STORE_SQLITE_STATUS_H

#include "weir/base/status.h"

/* The outcome for an extended result code. Total. */
weir_status weir_sqlite_status(int rc);

/* Whether a connection must not be used any more after this code: what it believes about the file
 * may be wrong. */
bool weir_sqlite_is_breaking(int rc);

/* "the store cannot <what>: <reason>"; neither SQL nor a path gets into the text. */
weir_status weir_sqlite_fail(struct weir_error *err, int rc, const char *what);

#endif
