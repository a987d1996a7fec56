/* What PostgreSQL's error codes mean to a caller, and to the code that made the call. */
#ifndef WEIR_STORE_POSTGRES_PG_SQLSTATE_H
#define WEIR_STORE_POSTGRES_PG_SQLSTATE_H

#include "weir/base/status.h"

enum pg_remedy {
    PG_REMEDY_NONE,       // the statement was refused; it would be refused again
    PG_REMEDY_WAIT,       // a lock was not got in time; nothing was done
    PG_REMEDY_AGAIN,      // given up in favour of others; nothing was done
    PG_REMEDY_RECONNECT,  // the connection is lost or of no use; a commit may have taken place
    PG_REMEDY_INTERNAL,   // PostgreSQL did not find what it relied on, or found what should not be
                          // there, perhaps because it is being dropped: once more tells; nothing
                          // was done
    PG_REMEDY_MISSING,    // a schema, table or function is not there
    PG_REMEDY_UNIQUE,     // something of that key is there already
    PG_REMEDY_RAISED      // by a function of our schema
};

struct pg_verdict {
    weir_status status;
    enum pg_remedy remedy;
};

/* The verdict on a SQLSTATE; NULL or "" stands for a connection that broke. Total. */
struct pg_verdict weir_pg_sqlstate(const char *sqlstate);

#endif
