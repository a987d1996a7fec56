#include "tests/postgres/pg_fixture.h"

#include "tests/lib/remove_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SQL_BYTES = 2048 };

const char *server_dir(void)
{
    const char *dir = getenv("WEIR_TEST_PG_DIR");
    ck_assert_msg(dir != NULL, "run by tests/lib/with_postgres.sh");
    return dir;
}

PGconn *sql_connect(void)
{
    PGconn *conn = PQconnectdb(getenv("WEIR_TEST_SQL"));
    ck_assert_msg(PQstatus(conn) == CONNECTION_OK, "%s", PQerrorMessage(conn));
    PQclear(PQexec(conn, "SET client_min_messages = error"));
    return conn;
}

static const char *first_value(PGconn *conn, const char *text)
{
    static _Thread_local char value[SQL_BYTES];
    PGresult *result = PQexec(conn, text);
    const ExecStatusType status = PQresultStatus(result);
    ck_assert_msg(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK, "%s: %s", text,
                  PQerrorMessage(conn));
    const bool has_value = PQntuples(result) > 0 && PQnfields(result) > 0;
    (void)snprintf(value, sizeof value, "%s", has_value ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

static const char *run(const char *text, int n)
{
    ck_assert_int_lt(n, SQL_BYTES);
    PGconn *conn = sql_connect();
    const char *value = first_value(conn, text);
    PQfinish(conn);
    return value;
}

const char *sql(const char *format, ...)
{
    char text[SQL_BYTES];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return run(text, n);
}

int64_t sql_int(const char *format, ...)
{
    char text[SQL_BYTES];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return strtoll(run(text, n), NULL, 10);
}

void sql_on(PGconn *conn, const char *text)
{
    (void)first_value(conn, text);
}

static bool is_vacuumed(const char *table)
{
    return sql_int("SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = '%s'::regclass",
                   table) > 0;
}

void begin_vacuum(const char *table)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    sql("ALTER TABLE %s SET (autovacuum_vacuum_insert_threshold = 0,"
        " autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_cost_delay = 100,"
        " autovacuum_vacuum_cost_limit = 1)",
        table);
    sql("ALTER SYSTEM SET autovacuum_naptime = 1");
    sql("SELECT pg_reload_conf()");
    while (!is_vacuumed(table)) {
        (void)nanosleep(&pause, NULL);
    }
}

void end_vacuum(const char *table)
{
    sql("ALTER SYSTEM RESET autovacuum_naptime");
    sql("SELECT pg_reload_conf()");
    sql("ALTER TABLE %s RESET (autovacuum_vacuum_insert_threshold,"
        " autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_cost_delay,"
        " autovacuum_vacuum_cost_limit)",
        table);
}

const char *schema_of(const char *id)
{
    static _Thread_local char schema[64];
    (void)snprintf(schema, sizeof schema, "%s",
                   sql("SELECT schema_name FROM weir_registry.namespaces WHERE id = '%s'", id));
    return schema;
}

int64_t stored(const char *stream)
{
    return sql_int("SELECT count(*) FROM %s.stored WHERE stream_name = '%s'", schema_of("test"),
                   stream);
}

void make_dir(char dir[64])
{
    const char *tmp = getenv("TMPDIR");
    (void)snprintf(dir, 64, "%s/weir-pg-test-XXXXXX", tmp == NULL ? "/tmp" : tmp);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

struct pg_proxy *proxy;
char proxy_url[256];
static char proxy_dir[64];

void fixture_through_proxy(size_t connections)
{
    fixture_on_disk();
    close_all();
    make_dir(proxy_dir);
    proxy = pg_proxy_start(server_dir(), proxy_dir);
    (void)snprintf(proxy_url, sizeof proxy_url, "postgresql://postgres@/weir?host=%s", proxy_dir);
    fx.store = open_store(proxy_url, connections);
    fx.ns = must_open(fx.store, "test");
}

void fixture_through_proxy_end(void)
{
    fixture_end();
    pg_proxy_stop(proxy);
    remove_tree(proxy_dir);
}

void fixture_of_two(void)
{
    fixture_on_disk();
    open_second();
}
