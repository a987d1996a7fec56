/* Imports: messages that come with positions, ids and times. The import function stores all records
 * of a write or none, and names the first that cannot be stored in the detail of its error. */
#include "store/postgres/pg_write.h"

#include "store/append_rules.h"

#include <stdlib.h>

/* ---- parameters ---- */

enum field {
    FIELD_GLOBAL,
    FIELD_POSITION,
    FIELD_TIME,
    FIELD_HASH,
    FIELD_ID,
    FIELD_STREAM,
    FIELD_TYPE,
    FIELD_CORRELATION,
    FIELD_DATA,
    FIELD_METADATA,
    FIELD_COUNT
};

static const enum pg_element elements[FIELD_COUNT] = {
    [FIELD_GLOBAL] = PG_INT8,   [FIELD_POSITION] = PG_INT8,    [FIELD_TIME] = PG_TIMESTAMP,
    [FIELD_HASH] = PG_INT8,     [FIELD_ID] = PG_UUID,          [FIELD_STREAM] = PG_TEXT,
    [FIELD_TYPE] = PG_TEXT,     [FIELD_CORRELATION] = PG_TEXT, [FIELD_DATA] = PG_TEXT,
    [FIELD_METADATA] = PG_TEXT,
};

/* Returns the value of a field that is bytes; absent for numbers. */
static struct weir_slice bytes_of(const struct weir_import_record *record, enum field field)
{
    switch (field) {
    case FIELD_ID:
        return weir_slice(record->message.id.bytes, WEIR_UUID_BYTES);
    case FIELD_STREAM:
        return record->stream;
    case FIELD_TYPE:
        return record->message.type;
    case FIELD_CORRELATION:
        return record->message.correlation;
    case FIELD_DATA:
        return record->message.data;
    case FIELD_METADATA:
        return record->message.metadata;
    default:
        return weir_slice(NULL, 0);
    }
}

static bool is_number(enum field field)
{
    return field <= FIELD_HASH;
}

static void add_value(struct pg_array *array, const struct weir_import_record *record,
                      enum field field)
{
    switch (field) {
    case FIELD_GLOBAL:
        weir_pg_array_int8(array, record->global_position);
        break;
    case FIELD_POSITION:
        weir_pg_array_int8(array, record->position);
        break;
    case FIELD_TIME:
        weir_pg_array_int8(array, weir_pg_time_to_binary(record->time_us));
        break;
    case FIELD_HASH:
        weir_pg_array_hash(array, record->stream);
        break;
    case FIELD_DATA:
    case FIELD_METADATA:
        weir_pg_array_json(array, bytes_of(record, field));
        break;
    default:
        weir_pg_array_slice(array, bytes_of(record, field));
        break;
    }
}

static void bind_field(const struct weir_import *import, struct pg_params *params, enum field field)
{
    size_t bytes = is_number(field) ? 8 * import->n : 0;
    for (size_t r = 0; !is_number(field) && r < import->n; r++) {
        bytes += bytes_of(&import->records[r], field).n;
    }
    struct pg_array array = weir_pg_array_open(params, elements[field], import->n, bytes);
    for (size_t r = 0; r < import->n; r++) {
        add_value(&array, &import->records[r], field);
    }
    weir_pg_array_close(params, &array);
}

static void bind(const struct weir_import *import, struct pg_session *session,
                 struct pg_params *params)
{
    size_t largest = 0;
    for (size_t r = 0; r < import->n; r++) {
        const struct weir_import_record *record = &import->records[r];
        const size_t size = weir_pg_message_size(&record->message, record->stream);
        largest = size > largest ? size : largest;
    }
    weir_pg_params_begin(session, &session->arena, params);
    weir_pg_param_int4(params, largest > INT32_MAX ? INT32_MAX : (int32_t)largest);
    for (int field = 0; field < FIELD_COUNT; field++) {
        bind_field(import, params, (enum field)field);
    }
}

/* ---- conflicts ---- */

/* Reads a number of the detail and moves *at behind the blank that follows; -1 if there is none. */
static int64_t next_number(const char **at)
{
    char *end = NULL;
    const long long number = strtoll(*at, &end, 10);
    const bool is_number = end != *at;
    *at = *end == ' ' ? end + 1 : end;
    return is_number ? number : -1;
}

/* Tells the write which record conflicts. The detail is "position NUMBER", or "id NUMBER POSITION
 * GLOBAL STREAM" with the place of the message that has the id. Returns false for another
 * detail. */
static bool tell_conflict(struct weir_write *write, const char *detail)
{
    const struct weir_import *import = &write->of.import;
    const bool is_id = strncmp(detail, "id ", 3) == 0;
    const char *at = strchr(detail, ' ');
    if (at == NULL) {
        return false;
    }
    at++;
    const int64_t number = next_number(&at);
    if (number < 1 || (uint64_t)number > import->n) {
        return false;
    }
    const struct weir_import_record *record = &import->records[number - 1];
    if (!is_id) {
        weir_fail_position(write->err, record, (size_t)number);
        return true;
    }
    struct weir_row row = {.position = next_number(&at)};
    row.global_position = next_number(&at);
    row.stream = weir_slice_of(at);
    weir_fail_id(write->err, &record->message.id, &row);
    weir_error_detail(write->err, "record", "%lld", (long long)number);
    return true;
}

weir_status weir_pg_import(const struct pg_run *run, struct pg_conn *conn, struct weir_error *err)
{
    struct pg_session *session = run->session;
    struct weir_import *import = &(*run->first)->of.import;
    import->imported = 0;
    import->skipped_identical = 0;
    if (import->n == 0) {
        return WEIR_OK;
    }
    weir_arena_reset(&session->arena);
    struct pg_params params;
    bind(import, session, &params);
    weir_status status = weir_pg_params_check(&params, err);
    PGresult *result = NULL;
    if (status == WEIR_OK) {
        status = weir_pg_run_fixed(session, conn, PG_FIXED_IMPORT, &params, &result, err);
    }
    status = weir_pg_check_confirmed(conn, status, err);
    if (status == WEIR_OK && !weir_pg_int8(result, 0, 0, &import->imported)) {
        status =
            weir_fail(err, WEIR_BACKEND_ERROR, "the import function returned an unexpected result");
    } else if (status == WEIR_OK) {
        import->skipped_identical = (int64_t)import->n - import->imported;
    } else if (conn->remedy == PG_REMEDY_RAISED && tell_conflict(*run->first, conn->detail)) {
        status = WEIR_OK;
    }
    PQclear(result);
    return status;
}
