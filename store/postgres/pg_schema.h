/* The schemas of the registry and of namespaces: created and brought up to date behind locks, by
 * any number of servers at the same time. */
#ifndef WEIR_STORE_POSTGRES_PG_SCHEMA_H
#define WEIR_STORE_POSTGRES_PG_SCHEMA_H

#include "store/postgres/pg_conn.h"
#include "store/postgres/pg_namespace.h"

/* Refuses a database that lacks the extension of the dialect: PRECONDITION. Reports to the operator
 * if other roles may create functions in the extension's schema. */
weir_status weir_pg_check_extension(struct pg_conn *conn, struct weir_error *err);

/* Creates the registry unless there is one. PRECONDITION if it is newer than this program, or if
 * the database has a schema of its name that is not weir's or does not let weir create one. */
weir_status weir_pg_registry_prepare(struct pg_conn *conn, struct weir_error *err);

/* Waits for the lock of the namespace's writers, which is then held until the transaction ends. The
 * wait is as short as that of writers, because a waiter holds a connection. */
weir_status weir_pg_namespace_lock(struct pg_conn *conn, const struct pg_namespace *ns,
                                   struct weir_error *err);

/* Brings the namespace's schema, of `version` (0: empty), up to date inside the caller's
 * transaction. */
weir_status weir_pg_bring_up_to_date(struct pg_conn *conn, const struct pg_namespace *ns,
                                     int version, struct weir_error *err);

/* Finds a registered namespace and brings its schema up to date. A namespace in the cache is not
 * looked up again. NAMESPACE_NOT_FOUND; BACKEND_UNAVAILABLE if this program cannot use the
 * namespace. */
weir_status weir_pg_namespace_locate(struct pg_backend *backend, struct weir_slice id,
                                     int64_t deadline_us, struct pg_namespace *ns,
                                     struct weir_error *err);

#endif
