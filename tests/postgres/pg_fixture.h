/* A PostgreSQL of the test's own (tests/lib/with_postgres.sh), asked directly beside the store.
 *
 * Built on tests/store/store_fixture.h, whose `fx` is the store under test. */
#ifndef WEIR_TESTS_POSTGRES_FIXTURE_H
#define WEIR_TESTS_POSTGRES_FIXTURE_H

#include "tests/lib/pg_proxy.h"
#include "tests/store/store_fixture.h"

#include <libpq-fe.h>

/* The directory of the server's socket. */
const char *server_dir(void);

/* Runs SQL as another program would, on a connection of its own; the first value of the result as
 * text, "" if none, in static storage. */
const char *sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
int64_t sql_int(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same on a connection that stays open: to hold a transaction. */
PGconn *sql_connect(void);
void sql_on(PGconn *conn, const char *text);

/* Has the database vacuum a table by itself, so slowly that it would take minutes. Returns when
 * that has begun. Whatever has happened to the table, end it. */
void begin_vacuum(const char *table);
void end_vacuum(const char *table);

/* The schema of a namespace, in static storage; and how many messages a stream of "test" has. */
const char *schema_of(const char *id);
int64_t stored(const char *stream);

/* As fixture_on_disk, with open_second. */
void fixture_of_two(void);

/* The store under test through a proxy (tests/lib/pg_proxy.h), with so many connections. */
extern struct pg_proxy *proxy;
extern char proxy_url[256];

void fixture_through_proxy(size_t connections);
void fixture_through_proxy_end(void);

/* A directory of the test's own, to be removed by remove_tree(). */
void make_dir(char dir[64]);

#endif
