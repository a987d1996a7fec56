/* Whether a database's file was being written or synced for a while: in WAL mode that is a
 * checkpoint, and nothing else. Commits write to the WAL.
 *
 * The program has the C library's calls in its own name, in front of SQLite, and tells the file by
 * what is written: whole pages at their place, while frames of a WAL are longer than a page. */
#ifndef WEIR_BENCH_DATABASE_CALLS_H
#define WEIR_BENCH_DATABASE_CALLS_H

#include <stdbool.h>
#include <stddef.h>

/* The calls there have been until a moment. */
struct database_calls {
    size_t begun, ended;
};

struct database_calls database_calls_now(void);

/* Whether one was under way then, or has begun since. Thread-safe. */
bool database_calls_since(const struct database_calls *then);

#endif
