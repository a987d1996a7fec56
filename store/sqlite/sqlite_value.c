#include "store/sqlite/sqlite_value.h"

/* Takes the bytes of a value of the given type. sqlite3_value_blob returns the bytes of text as
 * they are stored, without converting their encoding; for an empty value it returns NULL, which
 * must not become an absent slice. */
static bool take_bytes(sqlite3_value *value, int type, struct weir_slice *bytes)
{
    const int found = sqlite3_value_type(value);
    if (found == SQLITE_NULL) {
        *bytes = weir_slice(NULL, 0);
        return true;
    }
    if (found != type) {
        return false;
    }
    const void *p = sqlite3_value_blob(value);
    const int n = sqlite3_value_bytes(value);
    *bytes = n == 0 ? weir_slice("", 0) : weir_slice(p, (size_t)n);
    return bytes->p != NULL;
}

bool weir_sqlite_value_text(sqlite3_value *value, struct weir_slice *text)
{
    return take_bytes(value, SQLITE_TEXT, text);
}

bool weir_sqlite_value_blob(sqlite3_value *value, struct weir_slice *blob)
{
    return take_bytes(value, SQLITE_BLOB, blob);
}

bool weir_sqlite_value_id(sqlite3_value *value, struct weir_uuid *id)
{
    struct weir_slice bytes;
    if (!weir_sqlite_value_blob(value, &bytes) || bytes.n != WEIR_UUID_BYTES) {
        return false;
    }
    memcpy(id->bytes, bytes.p, WEIR_UUID_BYTES);
    return true;
}
