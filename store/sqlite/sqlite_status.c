#include "store/sqlite/sqlite_status.h"

#include <sqlite3.h>

/* Extended codes whose meaning differs from that of their primary code. */
static bool is_exception(int rc, weir_status *status)
{
    switch (rc) {
    case SQLITE_IOERR_CORRUPTFS:
    case SQLITE_IOERR_DATA:
        *status = WEIR_DATA_CORRUPT;
        return true;
    default:
        return false;
    }
}

weir_status weir_sqlite_status(int rc)
{
    weir_status status = WEIR_BACKEND_ERROR;
    if (is_exception(rc, &status)) {
        return status;
    }
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return WEIR_OK;
    case SQLITE_INTERRUPT:  // only the deadline interrupts
        return WEIR_DEADLINE_EXCEEDED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_DATA_CORRUPT;
    case SQLITE_TOOBIG:
        return WEIR_LIMIT_EXCEEDED;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_NOLFS:
        return WEIR_BACKEND_UNAVAILABLE;
    default:
        return WEIR_BACKEND_ERROR;
    }
}

bool weir_sqlite_is_breaking(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_FULL:
        return false;
    default:
        return true;
    }
}

weir_status weir_sqlite_fail(struct weir_error *err, int rc, const char *what)
{
    weir_status status = weir_sqlite_status(rc);
    if (status == WEIR_OK) {  // a statement gave a row, or none, where it must not
        status = WEIR_BACKEND_ERROR;
    }
    if (status == WEIR_DEADLINE_EXCEEDED) {
        return weir_fail(err, status, "the deadline passed");
    }
    return weir_fail(err, status, "the store cannot %s: %s", what, sqlite3_errstr(rc));
}
