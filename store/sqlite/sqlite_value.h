/* Reading SQLite's values with a check of their types. Pure functions. */
#ifndef WEIR_STORE_SQLITE_VALUE_H
#define WEIR_STORE_SQLITE_VALUE_H

#include "weir/base/slice.h"
#include "weir/rules/uuid.h"

#include <sqlite3.h>

/* Sets *text to the bytes of a value, valid as long as the value; absent for NULL. False for a
 * value that is neither text nor NULL. */
bool weir_sqlite_value_text(sqlite3_value *value, struct weir_slice *text);

/* Sets *blob to the bytes of a value, valid as long as the value; absent for NULL. False for a
 * value that is neither a blob nor NULL. */
bool weir_sqlite_value_blob(sqlite3_value *value, struct weir_slice *blob);

/* Copies the id from a value. False for a value that is not a blob of 16 bytes. */
bool weir_sqlite_value_id(sqlite3_value *value, struct weir_uuid *id);

#endif
