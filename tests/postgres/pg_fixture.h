/* Fixture of the PostgreSQL tests: direct SQL on the test's own server
 * (tests/lib/with_postgres.sh), next to the store under test, which is `fx` of
 * tests/store/store_fixture.h. A failed statement fails the test. */
#ifndef WEIR_TESTS_POSTGRES_FIXTURE_H
#define WEIR_TESTS_POSTGRES_FIXTURE_H

#include "tests/lib/pg_proxy.h"
#include "tests/store/store_fixture.h"

#include <libpq-fe.h>

/* Returns the directory of the server's Unix socket. */
const char *server_dir(void);

/* Run SQL on a separate connection, as another program would. Return the first value of the result:
 * as text ("" for none), in static storage, or as an integer. */
const char *sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t sql_int(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Open a connection that stays open, for example to hold a transaction, and run SQL on it. */
PGconn *sql_connect(void);
void sql_on(PGconn *conn, const char *text);

/* Makes autovacuum vacuum a table so slowly that it would take minutes, and returns once it has
 * begun. The test must call end_vacuum whatever happens to the table. */
void begin_vacuum(const char *table);
void end_vacuum(const char *table);

/* Return the schema of a namespace, in static storage, and the number of messages that a stream of
 * "test" has in the database. */
const char *schema_of(const char *id);
int64_t stored(const char *stream);

/* Calls fixture_on_disk and open_second. */
void fixture_of_two(void);

/* The store under test behind a proxy (tests/lib/pg_proxy.h), with this many connections. */
extern struct pg_proxy *proxy;
extern char proxy_url[256];

void fixture_through_proxy(size_t connections);
void fixture_through_proxy_end(void);

/* Makes a temporary directory, which the test removes with remove_tree(). */
void make_dir(char dir[64]);

#endif
