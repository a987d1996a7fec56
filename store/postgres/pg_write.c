/* What several kinds of writes share: parameters, sizes of messages, failures. */
#include "store/postgres/pg_write.h"

#include "store/read_rules.h"
#include "weir/rules/json_text.h"
#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

void weir_pg_params_begin(const struct pg_session *session, struct weir_arena *arena,
                          struct pg_params *params)
{
    weir_pg_params_init(params, arena);
    weir_pg_param_int4(params, WEIR_PG_LOCK_SLICE_MS);
    weir_pg_param_int8(params, weir_pg_time_to_binary(session->ns.created_at_us));
}

size_t weir_pg_message_size(const struct weir_new_message *message, struct weir_slice stream)
{
    return message->type.n + message->data.n + message->metadata.n + stream.n +
           WEIR_PACKED_REST_BYTES;
}

void weir_pg_array_hash(struct pg_array *array, struct weir_slice name)
{
    const struct weir_slice id = weir_name_cardinal_id(name);
    if (id.p == NULL) {
        weir_pg_array_null(array);
    } else {
        weir_pg_array_int8(array, weir_hash_64(id));
    }
}

weir_status weir_pg_check_confirmed(struct pg_conn *conn, weir_status status,
                                    struct weir_error *err)
{
    if (status != WEIR_OK || !conn->has_warned) {
        return status;
    }
    conn->remedy = PG_REMEDY_RECONNECT;
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the commit was not confirmed");
}

weir_status weir_pg_confirm(struct pg_session *session, struct pg_conn *conn,
                            struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    const weir_status status =
        weir_pg_run_fixed(session, conn, PG_FIXED_CONFIRM, &none, &result, err);
    PQclear(result);
    return weir_pg_check_confirmed(conn, status, err);
}

/* ---- limits ---- */

static size_t correlation_bytes(const struct weir_new_message *message)
{
    struct weir_slice key;
    struct weir_slice value;
    size_t at = 0;
    size_t bytes = 0;
    while (weir_json_next_member(message->metadata, &at, &key, &value)) {
        bytes = weir_slice_is(key, "correlationStreamName") ? value.n : bytes;
    }
    return bytes;
}

static size_t max_of(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t max_correlation_bytes(const struct weir_write *write)
{
    size_t most = 0;
    if (write->kind == WEIR_WRITE_IMPORT) {
        for (size_t r = 0; r < write->of.import.n; r++) {
            most = max_of(most, correlation_bytes(&write->of.import.records[r].message));
        }
    } else if (write->kind == WEIR_WRITE_APPEND) {
        for (size_t s = 0; s < write->of.append.n; s++) {
            const struct weir_stream_append *stream = &write->of.append.streams[s];
            for (size_t m = 0; m < stream->n; m++) {
                most = max_of(most, correlation_bytes(&stream->messages[m]));
            }
        }
    }
    return most;
}

/* A correlation name is no longer than that, but Message DB indexes whatever stands in its
 * place. */
void weir_pg_explain_limit(const struct pg_run *run, struct weir_error *err)
{
    size_t most = 0;
    for (const struct weir_write *w = *run->first; w != run->end; w = w->next) {
        most = weir_pg_is_open(w) ? max_of(most, max_correlation_bytes(w)) : most;
    }
    if (run->session->ns.layout->is_adopted && most > WEIR_CORRELATION_BYTES_MAX) {
        (void)weir_fail_limit(err,
                              "size of correlationStreamName in bytes (an index of Message DB "
                              "holds no more)",
                              WEIR_CORRELATION_BYTES_MAX, most);
    }
}
