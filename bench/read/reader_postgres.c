#include "bench/read/reader_postgres.h"

#include "bench/read/grown.h"

#include <inttypes.h>
#include <stdio.h>

enum { SQL_MAX = 1024, NUMBER_MAX = 32 };

enum column {
    COLUMN_GLOBAL_POSITION,
    COLUMN_POSITION,
    COLUMN_TIME,
    COLUMN_ID,
    COLUMN_STREAM,
    COLUMN_TYPE,
    COLUMN_DATA,
    COLUMN_METADATA,
    COLUMNS
};

static const char stream_statement[] = "read_stream";
static const char category_statement[] = "read_category";

/* ---- asking ---- */

static weir_status fail_postgres(const PGconn *conn, struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_ERROR, "PostgreSQL: %s", PQerrorMessage(conn));
}

static weir_status ask(PGconn *conn, const struct read_plan *plan, size_t start, PGresult **result,
                       struct weir_error *err)
{
    const struct dataset_selection *selection = plan->selection;
    const struct dataset_message *first = selection->messages[plan->first[start]];
    const bool is_stream = selection->selector == WEIR_SELECT_STREAM;
    char from[NUMBER_MAX];
    char batch[NUMBER_MAX];
    (void)snprintf(from, sizeof from, "%" PRId64,
                   is_stream ? first->position : first->global_position);
    (void)snprintf(batch, sizeof batch, "%zu", plan->batch);
    const char *values[] = {(const char *)selection->name.p, from, batch};
    *result = PQexecPrepared(conn, is_stream ? stream_statement : category_statement, 3, values,
                             NULL, NULL, 1);
    if (PQresultStatus(*result) == PGRES_TUPLES_OK) {
        return WEIR_OK;
    }
    PQclear(*result);
    return fail_postgres(conn, err);
}

/* ---- floor ---- */

static weir_status read_floor(struct reader *base, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err)
{
    struct postgres_reader *reader = (struct postgres_reader *)base;
    PGresult *result = NULL;
    *reply = (struct read_reply){.message = NULL};
    const weir_status status = ask(reader->conn, plan, start, &result, err);
    if (status != WEIR_OK) {
        return status;
    }
    uint64_t seen = 0;
    const int rows = PQntuples(result);
    for (int row = 0; row < rows; row++) {
        for (int c = 0; c < COLUMNS; c++) {
            const int n = PQgetlength(result, row, c);
            seen ^= n > 0 ? (uint8_t)PQgetvalue(result, row, c)[0] : 0u;
            reply->text_bytes += (uint64_t)n;
        }
    }
    volatile uint64_t sink = seen;  // keeps the compiler from removing the column reads
    (void)sink;
    reply->rows = (size_t)rows;
    PQclear(result);
    return WEIR_OK;
}

/* ---- grown ---- */

/* Reads a bigint in PostgreSQL's binary form, which is big-endian. */
static int64_t int64_at(const PGresult *result, int row, int column)
{
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, row, column);
    uint64_t value = 0;
    for (int b = 0; b < 8; b++) {
        value = value << 8 | bytes[b];
    }
    return (int64_t)value;
}

static bool take_texts(const PGresult *result, int row, Weir__V1__Message *message)
{
    message->id = grown_id(PQgetvalue(result, row, COLUMN_ID));
    message->stream_name = grown_text(PQgetvalue(result, row, COLUMN_STREAM),
                                      (size_t)PQgetlength(result, row, COLUMN_STREAM));
    message->type = grown_text(PQgetvalue(result, row, COLUMN_TYPE),
                               (size_t)PQgetlength(result, row, COLUMN_TYPE));
    bool is_ok = message->id != NULL && message->stream_name != NULL && message->type != NULL;
    if (is_ok && PQgetisnull(result, row, COLUMN_DATA) == 0) {
        is_ok = grown_data(PQgetvalue(result, row, COLUMN_DATA),
                           (size_t)PQgetlength(result, row, COLUMN_DATA), &message->has_data,
                           &message->data);
    }
    if (is_ok && PQgetisnull(result, row, COLUMN_METADATA) == 0) {
        is_ok = grown_data(PQgetvalue(result, row, COLUMN_METADATA),
                           (size_t)PQgetlength(result, row, COLUMN_METADATA),
                           &message->has_metadata, &message->metadata);
    }
    return is_ok;
}

static bool take_row(const PGresult *result, int row, struct grown *grown)
{
    /* The epoch of PostgreSQL's timestamps, 2000-01-01. */
    static const int64_t epoch_us = INT64_C(946684800) * 1000000;
    Weir__V1__Message *message = grown_add(grown);
    if (message == NULL) {
        return false;
    }
    message->has_global_position = message->has_position = message->has_time_us = true;
    message->global_position = int64_at(result, row, COLUMN_GLOBAL_POSITION);
    message->position = int64_at(result, row, COLUMN_POSITION);
    message->time_us = int64_at(result, row, COLUMN_TIME) + epoch_us;
    return take_texts(result, row, message);
}

static weir_status read_grown(struct reader *base, const struct read_plan *plan, size_t start,
                              struct read_reply *reply, struct weir_error *err)
{
    struct postgres_reader *reader = (struct postgres_reader *)base;
    struct grown grown = {.messages = NULL};
    PGresult *result = NULL;
    *reply = (struct read_reply){.message = NULL};
    weir_status status = ask(reader->conn, plan, start, &result, err);
    if (status != WEIR_OK) {
        return status;
    }
    bool is_ok = true;
    for (int row = 0; is_ok && row < PQntuples(result); row++) {
        is_ok = take_row(result, row, &grown);
    }
    PQclear(result);
    reply->rows = grown.n;
    status = is_ok ? grown_pack(&grown, &reply->message, err)
                   : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    grown_free(&grown);
    return status;
}

/* ---- opening ---- */

static const char columns[] =
    "global_position, position, time, id, stream_name, type, data, metadata";

static bool prepare(PGconn *conn, const char *name, const char *schema, const char *where)
{
    char sql[SQL_MAX];
    (void)snprintf(sql, sizeof sql, "SELECT %s FROM %s.stored WHERE %s LIMIT $3::int8", columns,
                   schema, where);
    PGresult *result = PQprepare(conn, name, sql, 0, NULL);
    const bool is_ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return is_ok;
}

/* Returns the quoted name of the schema that holds the namespace, to be freed with PQfreemem, or
 * NULL if none does. */
static char *find_schema(PGconn *conn, const char *namespace_id)
{
    const char *values[] = {namespace_id};
    PGresult *result =
        PQexecParams(conn, "SELECT schema_name FROM weir_registry.namespaces WHERE id = $1", 1,
                     NULL, values, NULL, NULL, 0);
    char *schema = NULL;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        const char *name = PQgetvalue(result, 0, 0);
        schema = PQescapeIdentifier(conn, name, strlen(name));
    }
    PQclear(result);
    return schema;
}

static bool prepare_both(PGconn *conn, const char *namespace_id)
{
    static const char by_category[] =
        "(split_part(stream_name, '-', 1), global_position) >= ($1::text, $2::int8) AND "
        "(split_part(stream_name, '-', 1), global_position) <= ($1::text, 9223372036854775807) "
        "ORDER BY split_part(stream_name, '-', 1), global_position";
    char *schema = find_schema(conn, namespace_id);
    const bool is_ok =
        schema != NULL &&
        prepare(conn, stream_statement, schema,
                "stream_name = $1::text AND position >= $2::int8 ORDER BY position") &&
        prepare(conn, category_statement, schema, by_category);
    PQfreemem(schema);
    return is_ok;
}

/* Replaces the scheme that libpq does not know. */
static PGconn *connect_to(const char *url)
{
    static const char other[] = "timescaledb://";
    char text[1024];
    if (strncmp(url, other, sizeof other - 1) != 0) {
        return PQconnectdb(url);
    }
    (void)snprintf(text, sizeof text, "postgresql://%s", url + sizeof other - 1);
    return PQconnectdb(text);
}

weir_status postgres_readers_open(struct postgres_reader *floor, struct postgres_reader *grown,
                                  const char *url, const char *namespace_id, struct weir_error *err)
{
    *floor = (struct postgres_reader){{read_floor}, connect_to(url)};
    if (PQstatus(floor->conn) != CONNECTION_OK || !prepare_both(floor->conn, namespace_id)) {
        (void)fail_postgres(floor->conn, err);
        PQfinish(floor->conn);
        floor->conn = NULL;
        return err->status;
    }
    *grown = (struct postgres_reader){{read_grown}, floor->conn};
    return WEIR_OK;
}

void postgres_readers_close(struct postgres_reader *floor)
{
    PQfinish(floor->conn);
    floor->conn = NULL;
}
