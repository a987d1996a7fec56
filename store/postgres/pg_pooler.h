/* Poolers between weir and PostgreSQL. */
#ifndef WEIR_STORE_POSTGRES_PG_POOLER_H
#define WEIR_STORE_POSTGRES_PG_POOLER_H

#include "store/postgres/pg_conn.h"

/* Refuses a pooler that does not keep the connection's session, as far as a second connection,
 * which is closed again, can show that. PRECONDITION. */
weir_status weir_pg_check_pooler(struct pg_conn *conn, struct weir_error *err);

#endif
