/* The registry: the list of namespaces, one table that all servers share. A namespace is created or
 * deleted in one transaction over its row in the list and its schema. A change whose answer was
 * lost is tried again, and the new attempt recognises what the earlier one committed. */
#include "store/postgres/pg_adopt.h"
#include "store/postgres/pg_metadata.h"
#include "store/postgres/pg_schema.h"
#include "store/postgres/pg_write.h"

#include <stdio.h>
#include <stdlib.h>

static weir_status run(struct weir_backend *base, const struct pg_work *work, int64_t deadline_us,
                       struct weir_error *err)
{
    return weir_pg_run((struct pg_backend *)base, 0, weir_pg_call_deadline(deadline_us), work, err);
}

/* Runs a change. `is_begun` tells whether an attempt may have been committed. */
static weir_status run_change(struct weir_backend *base, const struct pg_work *work,
                              int64_t deadline_us, const bool *is_begun, struct weir_error *err)
{
    const weir_status status = run(base, work, deadline_us, err);
    return status == WEIR_DEADLINE_EXCEEDED && *is_begun
               ? weir_fail(err, status,
                           "the deadline passed; whether the change was made is not known")
               : status;
}

/* ---- reading ---- */

#define RECORD_COLUMNS "id, token_hash, description, metadata, created_at"
enum { RECORD_ID, RECORD_TOKEN, RECORD_DESCRIPTION, RECORD_METADATA, RECORD_CREATED };

static weir_status copy_record(const PGresult *result, int row, struct weir_arena *arena,
                               struct weir_namespace_record *record, struct weir_error *err)
{
    const struct weir_slice id = weir_pg_slice(result, row, RECORD_ID);
    const struct weir_slice token = weir_pg_slice(result, row, RECORD_TOKEN);
    const struct weir_slice description = weir_pg_slice(result, row, RECORD_DESCRIPTION);
    const struct weir_slice metadata = weir_pg_slice(result, row, RECORD_METADATA);
    if (token.p == NULL || token.n != sizeof record->token_hash.bytes ||
        !weir_pg_time(result, row, RECORD_CREATED, &record->created_at_us)) {
        return weir_fail(err, WEIR_DATA_CORRUPT, "the list of namespaces is damaged");
    }
    memcpy(record->token_hash.bytes, token.p, token.n);
    if (!weir_arena_copy(arena, id, &record->id) ||
        !weir_arena_copy(arena, description, &record->description) ||
        !weir_arena_copy(arena, metadata, &record->metadata)) {
        return weir_arena_fail(arena, err);
    }
    return WEIR_OK;
}

struct finding {
    struct weir_slice id;
    struct weir_arena *arena;
    struct weir_namespace_record *record;
};

static weir_status find_record(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct finding *finding = context;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, finding->id);
    PGresult *result = NULL;
    weir_status status =
        weir_pg_query(conn, "SELECT " RECORD_COLUMNS " FROM weir_registry.namespaces WHERE id = $1",
                      &params, &result, err);
    if (status == WEIR_OK) {
        status = PQntuples(result) == 0
                     ? weir_fail_no_namespace(err, finding->id)
                     : copy_record(result, 0, finding->arena, finding->record, err);
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_namespace_find(struct weir_backend *base, struct weir_namespace_record *record,
                                   int64_t deadline_us, struct weir_arena *arena,
                                   struct weir_error *err)
{
    struct pg_backend *backend = (struct pg_backend *)base;
    struct finding finding = {record->id, arena, record};
    const struct pg_work work = {find_record, &finding};
    struct pg_namespace ns;
    weir_pg_namespace_name(record->id, &ns);
    const weir_status status = run(base, &work, deadline_us, err);
    if (status == WEIR_OK) {
        weir_pg_namespace_check(backend, &ns, record->created_at_us);
    } else if (status == WEIR_NAMESPACE_NOT_FOUND) {
        weir_pg_namespace_forget(backend, &ns);
    }
    return status;
}

struct listing {
    const struct weir_registry_query *query;
    struct weir_arena *arena;
    struct weir_registry_page *page;
};

static weir_status copy_records(const PGresult *result, struct listing *listing,
                                struct weir_error *err)
{
    const struct weir_registry_query *query = listing->query;
    struct weir_registry_page *page = listing->page;
    const size_t rows = (size_t)PQntuples(result);
    *page = (struct weir_registry_page){
        .records = weir_arena_array(listing->arena, rows, sizeof *page->records)};
    if (page->records == NULL) {
        return weir_arena_fail(listing->arena, err);
    }
    weir_status status = WEIR_OK;
    size_t bytes = 0;
    for (size_t i = 0; status == WEIR_OK && !page->is_more && i < rows; i++) {
        status = copy_record(result, (int)i, listing->arena, &page->records[i], err);
        bytes += weir_namespace_record_bytes(&page->records[i]);
        page->is_more = i == query->limit || (i > 0 && bytes > query->max_bytes);
        page->n += page->is_more ? 0 : 1;
    }
    return status;
}

/* The database sums up the sizes, so that it gives the records that fit and the first that does
 * not. */
static weir_status list_records(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct listing *listing = context;
    const struct weir_registry_query *query = listing->query;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, query->after);
    weir_pg_param_int8(&params, (int64_t)query->limit + 1);
    weir_pg_param_int8(&params, (int64_t)query->max_bytes);
    PGresult *result = NULL;
    weir_status status = weir_pg_query(
        conn,
        "SELECT " RECORD_COLUMNS " FROM (SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before"
        " FROM (SELECT *, octet_length(id) + coalesce(octet_length(description), 0)"
        " + coalesce(octet_length(metadata), 0) AS bytes FROM weir_registry.namespaces"
        " WHERE id > $1 ORDER BY id LIMIT $2::int8) AS n) AS m WHERE before <= $3::int8 ORDER BY "
        "id",
        &params, &result, err);
    if (status == WEIR_OK) {
        status = copy_records(result, listing, err);
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_namespace_list(struct weir_backend *base,
                                   const struct weir_registry_query *query,
                                   struct weir_arena *arena, struct weir_registry_page *page,
                                   struct weir_error *err)
{
    struct listing listing = {query, arena, page};
    const struct pg_work work = {list_records, &listing};
    return run(base, &work, query->deadline_us, err);
}

/* ---- changing ---- */

/* Changes nothing. A change that an earlier attempt made is acknowledged by this commit, which a
 * synchronous standby must confirm like the change itself. */
#define CONFIRM "UPDATE weir_registry.about SET schema_version = schema_version"

static weir_status commit_by(struct pg_conn *conn, const char *text, struct weir_error *err)
{
    return weir_pg_check_confirmed(conn, weir_pg_script(conn, text, err), err);
}

struct rotation {
    struct weir_slice id;
    const struct weir_token_hash *hash;
    bool is_begun;
};

static weir_status set_token(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct rotation *rotation = context;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, rotation->id);
    weir_pg_param_slice(&params, weir_slice(rotation->hash->bytes, sizeof rotation->hash->bytes));
    PGresult *result = NULL;
    rotation->is_begun = true;
    weir_status status = weir_pg_query(
        conn, "UPDATE weir_registry.namespaces SET token_hash = $2 WHERE id = $1 RETURNING 1::int4",
        &params, &result, err);
    status = weir_pg_check_confirmed(conn, status, err);
    if (status == WEIR_OK && PQntuples(result) == 0) {
        status = weir_fail_no_namespace(err, rotation->id);
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_namespace_set_token(struct weir_backend *base, struct weir_slice id,
                                        const struct weir_token_hash *hash, int64_t deadline_us,
                                        struct weir_error *err)
{
    struct rotation rotation = {.id = id, .hash = hash};
    const struct pg_work work = {set_token, &rotation};
    return run_change(base, &work, deadline_us, &rotation.is_begun, err);
}

/* ---- creating ---- */

struct creation {
    struct weir_namespace_record *record;
    struct pg_namespace ns;
    struct pg_create_options options;
    bool *is_same;
    bool is_begun;     // an earlier attempt may have been committed
    bool is_unlisted;  // a schema of the name exists
};

/* Inserts nothing if one of the table's keys exists. With ON CONFLICT (id) PostgreSQL would still
 * fail on another key, if the same namespace is inserted while it looks. */
static weir_status insert_record(struct pg_conn *conn, struct creation *creation, bool *is_new,
                                 struct weir_error *err)
{
    struct weir_namespace_record *record = creation->record;
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, record->id);
    weir_pg_param_slice(&params, weir_slice_of(creation->ns.schema));
    weir_pg_param_slice(&params, weir_slice_of(creation->ns.layout->name));
    weir_pg_param_int4(&params, creation->ns.layout->version);
    weir_pg_param_slice(&params,
                        weir_slice(record->token_hash.bytes, sizeof record->token_hash.bytes));
    weir_pg_param_slice(&params, record->description);
    weir_pg_param_slice(&params, record->metadata);
    PGresult *result = NULL;
    weir_status status = weir_pg_query(
        conn,
        "INSERT INTO weir_registry.namespaces (id, schema_name, layout, schema_version,"
        " token_hash, description, metadata, created_at)"
        " VALUES ($1, $2, $3, $4::int4, $5, $6, $7, clock_timestamp())"
        " ON CONFLICT DO NOTHING RETURNING created_at",
        &params, &result, err);
    *is_new = status == WEIR_OK && PQntuples(result) == 1 &&
              weir_pg_time(result, 0, 0, &record->created_at_us);
    PQclear(result);
    return status;
}

/* The row in the way has another id, or was deleted since: another attempt tells. */
static weir_status fail_without_twin(struct pg_conn *conn, const struct creation *creation,
                                     struct weir_error *err)
{
    conn->remedy = PG_REMEDY_AGAIN;
    return creation->ns.layout->is_adopted
               ? weir_fail(err, WEIR_PRECONDITION,
                           "the schema of Message DB is already adopted by another namespace")
               : weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "a namespace of this id was deleted while this one was being created");
}

/* Compares the namespace that exists with the one to be created: they are the same if the token
 * is. */
static weir_status compare_existing(struct pg_conn *conn, struct creation *creation,
                                    struct weir_error *err)
{
    struct weir_namespace_record *record = creation->record;
    struct weir_arena arena;
    weir_arena_init(&arena, WEIR_NAMESPACE_RECORD_BYTES_MAX, 0);
    struct weir_namespace_record stored;
    struct finding finding = {record->id, &arena, &stored};
    const weir_status status = find_record(conn, &finding, err);
    weir_arena_fini(&arena);
    if (status == WEIR_NAMESPACE_NOT_FOUND) {
        return fail_without_twin(conn, creation, err);
    }
    if (status != WEIR_OK) {
        return status;
    }
    *creation->is_same = weir_token_hash_equal(&stored.token_hash, &record->token_hash);
    record->created_at_us = stored.created_at_us;
    return *creation->is_same ? WEIR_OK : weir_fail_namespace_exists(err, record->id);
}

/* Creates the schema and what is in it. PostgreSQL may find a schema in the session's catalogue
 * cache although it has only just waited for its deletion; one that another attempt finds too is
 * there. */
static weir_status create_schema(struct pg_conn *conn, struct creation *creation,
                                 struct weir_error *err)
{
    const struct pg_namespace *ns = &creation->ns;
    char text[WEIR_PG_SCHEMA_BYTES + 16];
    (void)snprintf(text, sizeof text, "CREATE SCHEMA %s", ns->schema);
    weir_status status = weir_pg_script(conn, text, err);
    creation->is_unlisted =
        status != WEIR_OK && strcmp(conn->sqlstate, PG_STATE_DUPLICATE_SCHEMA) == 0;
    if (creation->is_unlisted) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "storage of a namespace of this id already exists, but is not listed");
    }
    return status == WEIR_OK ? weir_pg_bring_up_to_date(conn, ns, 0, err) : status;
}

static weir_status set_chunk_interval(struct pg_conn *conn, const struct creation *creation,
                                      struct weir_error *err)
{
    char *text = weir_pg_expand(&creation->ns, creation->ns.layout->set_chunk_interval);
    if (text == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int8(&params, creation->options.chunk_interval_us);
    PGresult *result = NULL;
    const weir_status status = weir_pg_query(conn, text, &params, &result, err);
    PQclear(result);
    free(text);
    return status;
}

/* Creates the namespace in one transaction. Another creation of the same id waits at the insert. */
static weir_status create_namespace(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct creation *creation = context;
    bool is_new = false;
    creation->is_unlisted = false;
    weir_status status = weir_pg_script(conn, "BEGIN", err);
    if (status == WEIR_OK) {
        status = insert_record(conn, creation, &is_new, err);
    }
    if (status == WEIR_OK && !is_new) {
        status = compare_existing(conn, creation, err);
    } else if (status == WEIR_OK) {
        status = creation->ns.layout->is_adopted ? weir_pg_check_adoption(conn, err) : WEIR_OK;
        if (status == WEIR_OK) {
            status = create_schema(conn, creation, err);
        }
        if (status == WEIR_OK && creation->options.chunk_interval_us != 0) {
            status = set_chunk_interval(conn, creation, err);
        }
    }
    if (status == WEIR_OK) {
        creation->is_begun = creation->is_begun || is_new;
        status = commit_by(conn, is_new ? "COMMIT" : CONFIRM ";COMMIT", err);
    }
    if (status != WEIR_OK) {
        weir_pg_roll_back(conn);
    } else if (!creation->is_begun) {
        return weir_fail_namespace_exists(err, creation->record->id);
    }
    return status;
}

weir_status weir_pg_namespace_create(struct weir_backend *base,
                                     struct weir_namespace_record *record, int64_t deadline_us,
                                     bool *is_same, struct weir_error *err)
{
    const struct pg_backend *backend = (const struct pg_backend *)base;
    struct creation creation = {.record = record, .is_same = is_same};
    const struct pg_work work = {create_namespace, &creation};
    *is_same = false;
    weir_pg_namespace_name(record->id, &creation.ns);
    if (!weir_pg_read_metadata(record->metadata, backend->dialect, &creation.options, err)) {
        return err->status;
    }
    creation.ns.layout =
        creation.options.is_adoption ? &weir_pg_adopted_layout : backend->dialect->layouts[0];
    const weir_status status = run_change(base, &work, deadline_us, &creation.is_begun, err);
    if (status == WEIR_PRECONDITION && creation.is_unlisted) {
        weir_backend_report(base,
                            "schema %s exists, but its namespace is not listed: rename the schema",
                            creation.ns.schema);
    }
    return status;
}

/* ---- deleting ---- */

struct deletion {
    struct weir_slice id;
    struct pg_namespace ns;  // layout as in the list; NULL if this program does not have it
    int64_t messages;
    /* An earlier attempt, which may have been committed, was about the namespace of that time. */
    bool is_begun;
    int64_t created_at_us;
    bool is_found;
};

static weir_status delete_record(struct pg_conn *conn, struct deletion *deletion,
                                 struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_slice(&params, deletion->id);
    PGresult *result = NULL;
    weir_status status = weir_pg_query(
        conn, "DELETE FROM weir_registry.namespaces WHERE id = $1 RETURNING created_at, layout",
        &params, &result, err);
    int64_t created_at_us = 0;
    deletion->is_found =
        status == WEIR_OK && PQntuples(result) == 1 && weir_pg_time(result, 0, 0, &created_at_us);
    if (deletion->is_found) {
        deletion->ns.layout =
            weir_pg_find_layout(conn->backend->dialect, weir_pg_slice(result, 0, 1));
    }
    PQclear(result);
    if (status != WEIR_OK) {
        return status;
    }
    if (!deletion->is_found && !deletion->is_begun) {
        return weir_fail_no_namespace(err, deletion->id);
    }
    if (deletion->is_begun && created_at_us != deletion->created_at_us) {
        deletion->is_found = false;  // deleted by that attempt, and created anew since
    }
    deletion->created_at_us = deletion->is_begun ? deletion->created_at_us : created_at_us;
    return WEIR_OK;
}

/* Counts the messages that the deletion removes. A damaged schema has no count and is deleted as
 * well; adopted messages stay. */
static weir_status count_messages(struct pg_conn *conn, struct deletion *deletion,
                                  struct weir_error *err)
{
    if (deletion->ns.layout != NULL && deletion->ns.layout->is_adopted) {
        return WEIR_OK;
    }
    char text[WEIR_PG_SCHEMA_BYTES + 64];
    (void)snprintf(text, sizeof text, "SELECT message_count FROM %s.counters", deletion->ns.schema);
    weir_status status = weir_pg_script(conn, "SAVEPOINT count", err);
    if (status != WEIR_OK) {
        return status;
    }
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    status = weir_pg_query(conn, text, &none, &result, err);
    if (status == WEIR_OK && PQntuples(result) == 1) {
        (void)weir_pg_int8(result, 0, 0, &deletion->messages);
    }
    PQclear(result);
    if (status != WEIR_OK && conn->remedy == PG_REMEDY_MISSING) {
        status = weir_pg_script(conn, "ROLLBACK TO count", err);
    }
    return status;
}

static weir_status drop_schema(struct pg_conn *conn, struct deletion *deletion,
                               struct weir_error *err)
{
    char text[WEIR_PG_SCHEMA_BYTES + 48];
    (void)snprintf(text, sizeof text, "DROP SCHEMA IF EXISTS %s CASCADE", deletion->ns.schema);
    weir_status status = count_messages(conn, deletion, err);
    if (status == WEIR_OK) {
        status = weir_pg_script(conn, text, err);
    }
    if (status == WEIR_OK) {
        deletion->is_begun = true;
        status = commit_by(conn, "COMMIT", err);
    }
    return status;
}

/* Deletes the namespace behind its lock, so that writes under way are finished before. */
static weir_status delete_namespace(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct deletion *deletion = context;
    weir_status status = weir_pg_begin_long(conn, err);
    if (status == WEIR_OK) {
        status = weir_pg_namespace_lock(conn, &deletion->ns, err);
    }
    if (status == WEIR_OK) {
        status = delete_record(conn, deletion, err);
    }
    if (status == WEIR_OK && deletion->is_found) {
        status = drop_schema(conn, deletion, err);
    }
    if (status != WEIR_OK || !deletion->is_found) {
        weir_pg_roll_back(conn);
    }
    return status == WEIR_OK && !deletion->is_found ? commit_by(conn, CONFIRM, err) : status;
}

weir_status weir_pg_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                     int64_t deadline_us, int64_t *messages_deleted,
                                     struct weir_error *err)
{
    struct deletion deletion = {.id = id};
    const struct pg_work work = {delete_namespace, &deletion};
    weir_pg_namespace_name(id, &deletion.ns);
    weir_pg_namespace_forget((struct pg_backend *)base, &deletion.ns);
    const weir_status status = run_change(base, &work, deadline_us, &deletion.is_begun, err);
    *messages_deleted = deletion.messages;
    return status;
}
