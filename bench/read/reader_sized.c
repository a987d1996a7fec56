#include "bench/read/reader.h"

#include "server/calls/reply_rows.h"
#include "weir/wire/frame.h"

enum {
    /* The limits that the server sets for its calls. */
    ARENA_CAP_BYTES = 256 * 1024 * 1024,
    ARENA_KEEP_BYTES = 4 * 1024 * 1024,
    REPLY_BYTES = 16 * 1024 * 1024
};

/* Makes the store's query for a plan. */
static void query_of(const struct read_plan *plan, size_t start, struct weir_query *query)
{
    const struct dataset_selection *selection = plan->selection;
    int64_t from = 0;
    if (selection->n > 0) {
        const struct dataset_message *first = selection->messages[plan->first[start]];
        from = selection->selector == WEIR_SELECT_STREAM ? first->position : first->global_position;
    }
    *query = (struct weir_query){.selector = selection->selector,
                                 .name = selection->name,
                                 .from = from,
                                 .max_messages = (int64_t)plan->batch,
                                 .max_bytes = REPLY_BYTES,
                                 .deadline_us = INT64_MAX};
}

/* Packs the reply with the server's code into a message of the exact size. */
static weir_status pack(const struct weir_rows *rows, nng_msg **message, struct weir_error *err)
{
    const size_t payload_n = weir_rows_measure(rows);
    if (nng_msg_alloc(message, weir_response_ok_size(payload_n)) != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    (void)weir_rows_pack(rows, weir_response_ok_head(payload_n, nng_msg_body(*message)));
    return WEIR_OK;
}

static weir_status read_sized(struct reader *base, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err)
{
    struct sized_reader *reader = (struct sized_reader *)base;
    struct weir_query query;
    struct weir_rows rows;
    *reply = (struct read_reply){.message = NULL};
    query_of(plan, start, &query);
    weir_arena_reset(&reader->arena);
    weir_status status = weir_read(reader->ns, &query, &reader->arena, &rows, err);
    if (status == WEIR_OK) {
        reply->rows = rows.n;
        status = pack(&rows, &reply->message, err);
    }
    return status;
}

void sized_reader_init(struct sized_reader *reader, struct weir_namespace *ns)
{
    *reader = (struct sized_reader){.base = {read_sized}, .ns = ns};
    weir_arena_init(&reader->arena, ARENA_CAP_BYTES, ARENA_KEEP_BYTES);
}

void sized_reader_fini(struct sized_reader *reader)
{
    weir_arena_fini(&reader->arena);
}
