/* SQL on the connections of the store under test (`fx` of tests/store/store_fixture.h), of which
 * there may be one in all. */
#ifndef WEIR_TESTS_TIMESCALE_FIXTURE_H
#define WEIR_TESTS_TIMESCALE_FIXTURE_H

#include "tests/store/store_fixture.h"

#include <libpq-fe.h>

/* The caller's to clear; values come in binary, texts as they are. */
PGresult *ts_run(const char *text);

/* The fixture's store on disk, with no policy that compresses chunks before the test does. */
void ts_begin(void);

#endif
