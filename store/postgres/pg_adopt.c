/* Checks whether Message DB's schema can be adopted: its version, its table, and the rights on
 * it. */
#include "store/postgres/pg_adopt.h"

#include "weir/rules/message_db.h"

static weir_status ask(struct pg_conn *conn, const char *text, bool *is_so, struct weir_error *err)
{
    struct pg_params none;
    weir_pg_params_init(&none, NULL);
    PGresult *result = NULL;
    int32_t number = 0;
    const weir_status status = weir_pg_query(conn, text, &none, &result, err);
    *is_so = status == WEIR_OK && PQntuples(result) == 1 && weir_pg_int4(result, 0, 0, &number) &&
             number == 1;
    PQclear(result);
    return status;
}

static weir_status fail_rights(struct weir_error *err)
{
    return weir_fail(err, WEIR_PRECONDITION,
                     "weir's role may not use Message DB's schema: GRANT USAGE ON SCHEMA "
                     "message_store, GRANT SELECT, INSERT, TRUNCATE ON message_store.messages, and "
                     "GRANT SELECT, UPDATE ON SEQUENCE message_store.messages_global_position_seq");
}

/* More rights than Message DB's own functions need: a writer locks the table, for which PostgreSQL
 * demands a right to change it, such as TRUNCATE, and moves the sequence. */
static weir_status check_rights(struct pg_conn *conn, struct weir_error *err)
{
    bool is_allowed = false;
    const weir_status status =
        ask(conn,
            "SELECT bool_and(has_table_privilege('message_store.messages', p.name)"
            " AND has_sequence_privilege('message_store.messages_global_position_seq',"
            " 'SELECT') AND has_sequence_privilege('message_store.messages_global_position_seq',"
            " 'UPDATE'))::int4"
            " FROM unnest(ARRAY['SELECT', 'INSERT', 'TRUNCATE']) AS p (name)",
            &is_allowed, err);
    return status == WEIR_OK && !is_allowed ? fail_rights(err) : status;
}

static weir_status check_schema(struct pg_conn *conn, struct weir_error *err)
{
    bool is_there = false;
    bool is_alike = false;
    weir_status status =
        ask(conn,
            "SELECT (to_regclass('message_store.messages') IS NOT NULL AND to_regprocedure("
            "'message_store.message_store_version()') IS NOT NULL)::int4",
            &is_there, err);
    if (status == WEIR_OK && !is_there) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "the database has no schema message_store of Message DB to adopt");
    }
    if (status == WEIR_OK) {
        status = ask(conn,
                     "SELECT (message_store.message_store_version() = '" WEIR_MESSAGE_DB_VERSION
                     "' AND (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid ="
                     " 'message_store.messages'::regclass AND NOT a.attisdropped"
                     " AND (a.attname, a.atttypid) IN (('global_position', 'bigint'::regtype),"
                     " ('position', 'bigint'::regtype), ('time', 'timestamp'::regtype),"
                     " ('stream_name', 'text'::regtype), ('type', 'text'::regtype),"
                     " ('data', 'jsonb'::regtype), ('metadata', 'jsonb'::regtype),"
                     " ('id', 'uuid'::regtype))) = 8"
                     " AND to_regclass('message_store.messages_global_position_seq') IS NOT NULL"
                     ")::int4",
                     &is_alike, err);
    }
    if (status == WEIR_OK && !is_alike) {
        return weir_fail(
            err, WEIR_PRECONDITION,
            "the schema message_store is not that of Message DB " WEIR_MESSAGE_DB_VERSION
            ": update it first");
    }
    return status;
}

/* Without a right to use the schema, the checks themselves fail. */
weir_status weir_pg_check_adoption(struct pg_conn *conn, struct weir_error *err)
{
    weir_status status = check_schema(conn, err);
    if (status == WEIR_OK) {
        status = check_rights(conn, err);
    }
    return status != WEIR_OK && strcmp(conn->sqlstate, PG_STATE_INSUFFICIENT_PRIVILEGE) == 0
               ? fail_rights(err)
               : status;
}
