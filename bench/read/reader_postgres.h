/* The readers floor and grown on PostgreSQL: a separate connection, the same index and the same
 * columns as the store uses, one prepared statement for streams and one for categories, results in
 * binary form. */
#ifndef WEIR_BENCH_READ_READER_POSTGRES_H
#define WEIR_BENCH_READ_READER_POSTGRES_H

#include "bench/read/reader.h"

#include <libpq-fe.h>

struct postgres_reader {
    struct reader base;
    PGconn *conn;  // shared by both readers
};

/* Connects and prepares the statements for a namespace. On failure `conn` is NULL. */
weir_status postgres_readers_open(struct postgres_reader *floor, struct postgres_reader *grown,
                                  const char *url, const char *namespace_id,
                                  struct weir_error *err);
void postgres_readers_close(struct postgres_reader *floor);

#endif
