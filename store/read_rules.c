#include "store/read_rules.h"

#include <string.h>

bool weir_query_is_by_position(const struct weir_query *query)
{
    return query->selector == WEIR_SELECT_STREAM && !query->is_from_global;
}

int64_t weir_query_lowest(const struct weir_query *query)
{
    return weir_query_is_by_position(query) ? 0 : 1;
}

int64_t weir_query_start(const struct weir_query *query)
{
    const int64_t lowest = weir_query_lowest(query);
    return query->from < lowest ? lowest : query->from;
}

static bool is_stream_from_global(const struct weir_query *query)
{
    return query->selector == WEIR_SELECT_STREAM && query->is_from_global;
}

/* Nothing is behind INT64_MAX, which no store allots but another program may have stored. */
static int64_t behind(int64_t at)
{
    return at == INT64_MAX ? INT64_MAX : at + 1;
}

/* Returns the next position of a backward read. A read that returns nothing stays at its start; in
 * a stream read from a global position, no position is left then. */
static int64_t next_backward(const struct weir_query *query, const struct weir_row *last,
                             int64_t last_at, int64_t end)
{
    if (last != NULL) {
        return last_at - 1;
    }
    if (query->is_from_newest) {
        return end;
    }
    return is_stream_from_global(query) ? -1 : query->from;
}

/* As the protocol defines it: behind the last message returned or, if everything was examined,
 * behind the end of the snapshot, but never before the start. */
int64_t weir_rows_next_position(const struct weir_query *query, const struct weir_rows *rows,
                                int64_t end, bool is_all_examined)
{
    const struct weir_row *last = rows->n > 0 ? &rows->rows[rows->n - 1] : NULL;
    const int64_t last_at = last == NULL                            ? -1
                            : query->selector == WEIR_SELECT_STREAM ? last->position
                                                                    : last->global_position;
    if (query->is_backward) {
        return next_backward(query, last, last_at, end);
    }
    if (last != NULL && !is_all_examined) {
        return behind(last_at);
    }
    /* A start by global position says nothing about positions of the stream. */
    const int64_t start = is_stream_from_global(query) ? 0 : weir_query_start(query);
    const int64_t next = behind(end > last_at ? end : last_at);
    return next > start ? next : start;
}

bool weir_rows_are_full(const struct weir_query *query, size_t n, size_t bytes_so_far, size_t bytes)
{
    return n > 0 && (bytes_so_far > query->max_bytes || bytes > query->max_bytes - bytes_so_far);
}

static void move(struct weir_slice *slice, uint8_t **to)
{
    if (slice->p != NULL) {
        memcpy(*to, slice->p, slice->n);
        slice->p = *to;
        *to += slice->n;
    }
}

void weir_row_move(struct weir_row *row, bool with_stream, uint8_t **to)
{
    if (with_stream) {
        move(&row->stream, to);
    }
    move(&row->type, to);
    move(&row->data, to);
    move(&row->metadata, to);
}

weir_status weir_fail_damaged(struct weir_error *err, int64_t global_position)
{
    (void)weir_fail(err, WEIR_DATA_CORRUPT, "the message at global position %lld is damaged",
                    (long long)global_position);
    weir_error_detail(err, "global_position", "%lld", (long long)global_position);
    return WEIR_DATA_CORRUPT;
}
