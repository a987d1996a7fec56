/* The same read done in three ways, to be measured side by side:
 *
 *   floor   steps the rows and looks at their columns, and does nothing else
 *   sized   runs weir-server's own code: the store fills an array that is sized before the first
 *           row arrives, from one arena, and the reply is packed once, at its exact size
 *   grown   is a careless implementation: an array that doubles, a malloc for each string and
 *           message, a packed payload that is copied into the reply
 *
 * On SQLite, floor and grown step the statements that the store executes for the read, values
 * included, on a read-only connection of their own to the same file. On PostgreSQL they ask for the
 * same rows with statements of their own. One thread at a time uses a reader. */
#ifndef WEIR_BENCH_READER_H
#define WEIR_BENCH_READER_H

#include "bench/read/dataset.h"

#include <nng/nng.h>
#include <sqlite3.h>

enum { READ_STARTS = 4 };

/* The meaning of a column in the store's statement. */
enum read_column {
    READ_COLUMN_OTHER,
    READ_COLUMN_GLOBAL_POSITION,
    READ_COLUMN_POSITION,
    READ_COLUMN_PACKED,
    READ_COLUMN_LARGE
};

enum { READ_COLUMNS_MAX = 16 };

/* A read, repeated from several starts in turn. */
struct read_plan {
    const struct dataset_selection *selection;
    size_t batch;               // requested
    size_t rows;                // returned: the batch, or 0 if nothing is selected
    size_t first[READ_STARTS];  // index in the selection
    sqlite3_stmt *statements[READ_STARTS];
    int columns_n;
    enum read_column columns[READ_COLUMNS_MAX];  // of each statement
};

struct read_reply {
    nng_msg *message;  // a packed Response; NULL from the floor
    size_t rows;
    uint64_t text_bytes;  // only from the floor: text in the columns it looked at
};

struct reader;

/* Runs the read that starts at first[start]. The caller owns the reply. */
typedef weir_status reader_read(struct reader *reader, const struct read_plan *plan, size_t start,
                                struct read_reply *reply, struct weir_error *err);

struct reader {
    reader_read *read;
};

struct sized_reader {
    struct reader base;
    struct weir_namespace *ns;
    struct weir_arena arena;  // of a call; reused by the next one, as in the server
};

void sized_reader_init(struct sized_reader *reader, struct weir_namespace *ns);
void sized_reader_fini(struct sized_reader *reader);

extern const struct reader floor_reader;
extern const struct reader grown_reader;

/* Checks that a reply holds exactly the requested messages, byte for byte. Returns BACKEND_ERROR
 * and what differs otherwise. */
weir_status reader_check(const struct read_plan *plan, size_t start, const struct read_reply *reply,
                         struct weir_error *err);

#endif
