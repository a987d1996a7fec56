/* Maps PostgreSQL's error codes (SQLSTATE) to the status for the caller, and to the remedy for the
 * code that ran the statement. */
#ifndef WEIR_STORE_POSTGRES_PG_SQLSTATE_H
#define WEIR_STORE_POSTGRES_PG_SQLSTATE_H

#include "weir/base/fail.h"

enum pg_remedy {
    PG_REMEDY_NONE,       // the statement was refused and would be refused again
    PG_REMEDY_WAIT,       // a lock was not obtained in time; nothing was done
    PG_REMEDY_AGAIN,      // gave way to other transactions; nothing was done
    PG_REMEDY_RECONNECT,  // the connection is lost or unusable; a commit may have taken place
    PG_REMEDY_INTERNAL,   // an object that PostgreSQL relied on is missing, or one is in the way,
                          // perhaps because it is being dropped: one more attempt decides; nothing
                          // was done
    PG_REMEDY_MISSING,    // a schema, table or function does not exist
    PG_REMEDY_UNIQUE,     // a unique key exists already
    PG_REMEDY_RAISED      // raised by a function of weir's schema
};

struct pg_verdict {
    weir_status status;
    enum pg_remedy remedy;
};

/* The SQLSTATEs that code asks for beside the verdict, by PostgreSQL's names of the conditions. */
#define PG_STATE_FEATURE_NOT_SUPPORTED     "0A000"
#define PG_STATE_DATETIME_FIELD_OVERFLOW   "22008"
#define PG_STATE_READ_ONLY_SQL_TRANSACTION "25006"
#define PG_STATE_INSUFFICIENT_PRIVILEGE    "42501"
#define PG_STATE_SYNTAX_ERROR              "42601"
#define PG_STATE_UNDEFINED_OBJECT          "42704"
#define PG_STATE_DUPLICATE_OBJECT          "42710"
#define PG_STATE_UNDEFINED_TABLE           "42P01"
#define PG_STATE_DUPLICATE_SCHEMA          "42P06"
#define PG_STATE_LOCK_NOT_AVAILABLE        "55P03"

/* Returns the verdict on any SQLSTATE. NULL and "" stand for a connection that broke. */
struct pg_verdict weir_pg_sqlstate(const char *sqlstate);

#endif
