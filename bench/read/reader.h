/* The same read done in three ways, so that they can be measured side by side:
 *
 *   floor   steps the rows and looks at their columns, and does nothing with them
 *   sized   what weir-server does, by its own code: the store fills an array sized before the first
 *           row comes, from one arena, and the reply is packed once, at its exact size
 *   grown   what one writes without thinking of it: an array that doubles, a malloc for each string
 *           and message, a packed payload that is copied into the reply
 *
 * Floor and grown step the statements that the store was seen to execute for the read, values
 * included, on a read-only connection of their own to the same file. Used by one thread. */
#ifndef WEIR_BENCH_READER_H
#define WEIR_BENCH_READER_H

#include "bench/read/dataset.h"

#include <nng/nng.h>
#include <sqlite3.h>

enum { READ_STARTS = 4 };

/* What a column of the store's statement is. */
enum read_column {
    READ_COLUMN_OTHER,
    READ_COLUMN_GLOBAL_POSITION,
    READ_COLUMN_POSITION,
    READ_COLUMN_PACKED,
    READ_COLUMN_LARGE
};

enum { READ_COLUMNS_MAX = 16 };

/* A read, begun at different places in turn. */
struct read_plan {
    const struct dataset_selection *selection;
    size_t batch;               // asked for
    size_t rows;                // returned: the batch, or 0 where nothing is selected
    size_t first[READ_STARTS];  // in the selection
    sqlite3_stmt *statements[READ_STARTS];
    int columns_n;
    enum read_column columns[READ_COLUMNS_MAX];  // of each of the statements
};

struct read_reply {
    nng_msg *message;  // a packed Response; NULL from the floor
    size_t rows;
    uint64_t text_bytes;  // of the columns that were looked at; the floor's
};

struct reader;

/* Runs the read that begins at first[start]. The reply is the caller's. */
typedef weir_status reader_read(struct reader *reader, const struct read_plan *plan, size_t start,
                                struct read_reply *reply, struct weir_error *err);

struct reader {
    const char *name;
    reader_read *read;
};

struct sized_reader {
    struct reader base;
    struct weir_namespace *ns;
    struct weir_arena arena;  // of the call; kept from one to the next, as the server does
};

void sized_reader_init(struct sized_reader *reader, struct weir_namespace *ns);
void sized_reader_fini(struct sized_reader *reader);

extern const struct reader floor_reader;
extern const struct reader grown_reader;

/* Whether a reply holds exactly the messages that were asked for, each byte as it was written:
 * BACKEND_ERROR with what differs otherwise. */
weir_status reader_check(const struct read_plan *plan, size_t start, const struct read_reply *reply,
                         struct weir_error *err);

#endif
