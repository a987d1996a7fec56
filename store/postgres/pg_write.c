/* What everything that writes needs. */
#include "store/postgres/pg_write.h"

#include "store/read_rules.h"
#include "weir/rules/stream_name.h"

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

weir_status weir_pg_fail_unconfirmed(struct pg_conn *conn, struct weir_error *err)
{
    conn->remedy = PG_REMEDY_RECONNECT;
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the commit was not confirmed");
}
