#include "store/postgres/pg_sqlstate.h"

#include <string.h>

struct entry {
    const char *code;  // five characters, or the two of a class
    struct pg_verdict verdict;
};

/* The first match counts, so a code stands before its class. */
static const struct entry entries[] = {
    {"22003", {WEIR_OUT_OF_POSITIONS, PG_REMEDY_NONE}},          // numeric value out of range
    {"22008", {WEIR_INVALID_REQUEST, PG_REMEDY_NONE}},           // datetime field overflow
    {"22021", {WEIR_INVALID_REQUEST, PG_REMEDY_NONE}},           // character not in repertoire
    {"23505", {WEIR_BACKEND_ERROR, PG_REMEDY_UNIQUE}},           // unique violation
    {"25006", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // read-only: this is a standby
    {"25P03", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // idle in transaction time-out
    {"25P04", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // transaction time-out
    {"26000", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // prepared statement is gone
    {"3D000", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE}},       // the database does not exist
    {"3F000", {WEIR_BACKEND_ERROR, PG_REMEDY_MISSING}},          // invalid schema name
    {"40003", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // completion unknown
    {"42501", {WEIR_BACKEND_ERROR, PG_REMEDY_NONE}},             // insufficient privilege
    {"42703", {WEIR_BACKEND_ERROR, PG_REMEDY_MISSING}},          // undefined column
    {"42883", {WEIR_BACKEND_ERROR, PG_REMEDY_MISSING}},          // undefined function
    {"42P01", {WEIR_BACKEND_ERROR, PG_REMEDY_MISSING}},          // undefined table
    {"42P06", {WEIR_BACKEND_ERROR, PG_REMEDY_INTERNAL}},         // duplicate schema
    {"55P03", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_WAIT}},       // lock not available
    {"57014", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE}},       // cancelled, or statement time-out
    {"WR001", {WEIR_POSITION_EXISTS, PG_REMEDY_RAISED}},         // a record cannot be imported
    {"XX000", {WEIR_BACKEND_ERROR, PG_REMEDY_INTERNAL}},         // internal error
    {"XX001", {WEIR_DATA_CORRUPT, PG_REMEDY_NONE}},              // data corrupted
    {"XX002", {WEIR_DATA_CORRUPT, PG_REMEDY_NONE}},              // index corrupted
    {"08", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},     // connection exceptions
    {"28", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},     // authorization
    {"40", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_AGAIN}},         // serialization failure, deadlock
    {"53", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE}},          // disk full, memory, connections
    {"54", {WEIR_LIMIT_EXCEEDED, PG_REMEDY_NONE}},               // program limits
    {"57", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT}},  // shutdown, crash, cannot connect now
    {"58", {WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_NONE}},       // the operating system
};

struct pg_verdict weir_pg_sqlstate(const char *sqlstate)
{
    if (sqlstate == NULL || sqlstate[0] == '\0') {
        return (struct pg_verdict){WEIR_BACKEND_UNAVAILABLE, PG_REMEDY_RECONNECT};
    }
    for (size_t e = 0; e < WEIR_COUNTOF(entries); e++) {
        if (strncmp(sqlstate, entries[e].code, strlen(entries[e].code)) == 0) {
            return entries[e].verdict;
        }
    }
    return (struct pg_verdict){WEIR_BACKEND_ERROR, PG_REMEDY_NONE};
}
