#include "tests/timescale/ts_fixture.h"

#include "store/postgres/pg_backend.h"
#include "store/postgres/pg_namespace.h"
#include "store/store_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

PGresult *ts_run(const char *text)
{
    struct pg_conn *conn = NULL;
    struct pg_params none;
    PGresult *result = NULL;
    weir_pg_params_init(&none, NULL);
    ck_assert_int_eq(
        weir_pg_acquire((struct pg_backend *)fx.store->backend, 1, INT64_MAX, &conn, &fx.err),
        WEIR_OK);
    ck_assert_msg(weir_pg_query(conn, text, &none, &result, &fx.err) == WEIR_OK, "%s\n%s",
                  fx.report, text);
    weir_pg_release(conn);
    return result;
}

PGresult *ts_run_format(const char *format, ...)
{
    char text[2001];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ck_assert(n >= 0 && (size_t)n < sizeof text);
    return ts_run(text);
}

const char *ts_schema(void)
{
    static struct pg_namespace ns;
    weir_pg_namespace_name(weir_slice_of("test"), &ns);
    return ns.schema;
}

void ts_begin(void)
{
    fixture_on_disk();
    PQclear(ts_run("SELECT a.job_id FROM timescaledb_information.jobs AS j, LATERAL alter_job("
                   " j.job_id, scheduled => false) AS a WHERE j.hypertable_schema LIKE 'weir!_%'"
                   " ESCAPE '!'"));
    /* A job that has already started could still compress the chunks that the test makes. */
    if (getenv("WEIR_TEST_PG_DIR") != NULL) {
        PQclear(ts_run("SELECT _timescaledb_functions.stop_background_workers()"));
    }
}
