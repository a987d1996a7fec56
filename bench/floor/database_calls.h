/* Tells whether a database file was written or synced during an interval. In WAL mode that means a
 * checkpoint, since commits write to the WAL.
 *
 * The program defines the C library's calls itself, so that SQLite calls them. The size of a write
 * identifies the file: the database is written in whole pages, and a WAL frame is longer than a
 * page. */
#ifndef WEIR_BENCH_DATABASE_CALLS_H
#define WEIR_BENCH_DATABASE_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* The number of calls up to a moment. */
struct database_calls {
    size_t begun, ended;
};

struct database_calls database_calls_now(void);

/* Returns whether a call was in progress at `then` or has begun since. Thread-safe. */
bool database_calls_since(const struct database_calls *then);

#endif
