/* Fixture of the TimescaleDB tests: runs SQL on the connections of the store under test (`fx` of
 * tests/store/store_fixture.h), since the database may accept only one connection. */
#ifndef WEIR_TESTS_TIMESCALE_FIXTURE_H
#define WEIR_TESTS_TIMESCALE_FIXTURE_H

#include "tests/store/store_fixture.h"

#include <libpq-fe.h>

/* Runs SQL and returns the result, which the caller clears. Values are binary, texts
 * unconverted. */
PGresult *ts_run(const char *text);

/* As ts_run, with SQL of at most 2,000 bytes made by a printf format. */
PGresult *ts_run_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Returns the schema of namespace "test". */
const char *ts_schema(void);

/* Opens the fixture's store on disk, without a policy that could compress chunks before the test
 * does. */
void ts_begin(void);

#endif
