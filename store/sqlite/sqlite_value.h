/* What a value that SQLite holds says, where it is of the right type. Pure functions. */
#ifndef WEIR_STORE_SQLITE_VALUE_H
#define WEIR_STORE_SQLITE_VALUE_H

#include "weir/base/slice.h"
#include "weir/rules/uuid.h"

#include <sqlite3.h>

/* The bytes of a value, valid as long as it is; absent for NULL, false for another type than text.
 */
bool weir_sqlite_value_text(sqlite3_value *value, struct weir_slice *text);

/* The same of a blob. */
bool weir_sqlite_value_blob(sqlite3_value *value, struct weir_slice *blob);

bool weir_sqlite_value_id(sqlite3_value *value, struct weir_uuid *id);

#endif
