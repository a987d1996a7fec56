/* The adoption of Message DB's schema as a namespace. */
#ifndef WEIR_STORE_POSTGRES_PG_ADOPT_H
#define WEIR_STORE_POSTGRES_PG_ADOPT_H

#include "store/postgres/pg_conn.h"

/* Checks that the database has a schema of Message DB that weir may adopt. PRECONDITION if there is
 * none, its version is another, or weir's role lacks rights. */
weir_status weir_pg_check_adoption(struct pg_conn *conn, struct weir_error *err);

#endif
