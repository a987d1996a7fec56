#include "bench/read/statements.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEN_MAX = 32, PRAGMA_MAX = 64 };

/* The pragma by which the store sizes the page cache of a connection. */
static const char cache_pragma[] = "PRAGMA cache_size";

/* Statements seen since the last clear_seen(). Static, because SQLite passes no context to hooks
 * that are set for all connections. */
static struct {
    size_t n;
    char *sql[SEEN_MAX];  // with their values; allocated by SQLite
    char *file;
    char cache[PRAGMA_MAX];  // the pragma as the store executed it
} seen;

static void clear_seen(void)
{
    for (size_t i = 0; i < seen.n; i++) {
        sqlite3_free(seen.sql[i]);
    }
    free(seen.file);
    seen.n = 0;
    seen.file = NULL;
}

static int on_statement(unsigned what, void *context, void *statement, void *text)
{
    (void)what;
    (void)context;
    (void)text;
    char *sql = sqlite3_expanded_sql(statement);
    if (sql == NULL) {
        return 0;
    }
    if (strncmp(sql, cache_pragma, sizeof cache_pragma - 1) == 0) {
        (void)snprintf(seen.cache, sizeof seen.cache, "%s", sql);
    }
    if (seen.n < SEEN_MAX) {
        seen.sql[seen.n++] = sql;
    } else {
        sqlite3_free(sql);
    }
    if (seen.file == NULL) {
        seen.file = strdup(sqlite3_db_filename(sqlite3_db_handle(statement), "main"));
    }
    return 0;
}

static int trace_connection(sqlite3 *db, char **text, const struct sqlite3_api_routines *api)
{
    (void)text;
    (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

/* The cast is required: sqlite3_auto_extension declares another signature than it calls. */
static void watch_new_connections(bool is_on)
{
    void (*entry)(void) = (void (*)(void))trace_connection;
    if (is_on) {
        (void)sqlite3_auto_extension(entry);
    } else {
        (void)sqlite3_cancel_auto_extension(entry);
    }
}

static weir_status fail_sqlite(struct statements *statements, struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_ERROR, "SQLite: %s",
                     statements->db == NULL ? "out of memory" : sqlite3_errmsg(statements->db));
}

/* Opens a connection with the page cache size of the store's connections. */
static weir_status connect_to(struct statements *statements, const char *file,
                              struct weir_error *err)
{
    const int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(file, &statements->db, flags, NULL) != SQLITE_OK ||
        sqlite3_exec(statements->db, seen.cache, NULL, NULL, NULL) != SQLITE_OK) {
        return fail_sqlite(statements, err);
    }
    return WEIR_OK;
}

/* The store collects rows with the function weir_take, a condition of the search that receives the
 * columns as arguments. Returns a statement that instead stops at each row, so that the floor can
 * look at the columns, or NULL if `sql` is not such a statement. The caller frees it with
 * sqlite3_free. */
static char *stepping_select(const char *sql, size_t rows)
{
    static const char begin[] = "SELECT 1 ";
    static const char take[] = "weir_take(";
    const char *call = strstr(sql, take);
    const char *columns = call == NULL ? NULL : call + sizeof take - 1;
    const char *end = call == NULL ? NULL : strchr(columns, ')');
    if (end == NULL || strncmp(sql, begin, sizeof begin - 1) != 0) {
        return NULL;
    }
    const char *from = sql + sizeof begin - 1;
    return sqlite3_mprintf("SELECT %.*s %.*s1%s LIMIT %llu", (int)(end - columns), columns,
                           (int)(call - from), from, end + 1, (unsigned long long)rows);
}

static size_t count_rows(sqlite3_stmt *statement)
{
    size_t rows = 0;
    while (sqlite3_step(statement) == SQLITE_ROW) {
        rows++;
    }
    (void)sqlite3_reset(statement);
    return rows;
}

/* Prepares, from the statements seen, the one that returns the rows of the read. */
static weir_status prepare_rows(struct statements *statements, const struct read_plan *plan,
                                sqlite3_stmt **prepared, struct weir_error *err)
{
    for (size_t i = 0; i < seen.n; i++) {
        sqlite3_stmt *statement = NULL;
        char *sql = stepping_select(seen.sql[i], plan->rows);
        if (sql == NULL) {
            continue;  // another statement of the read, or a setting of a new connection
        }
        const int rc = sqlite3_prepare_v3(statements->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                          &statement, NULL);
        sqlite3_free(sql);
        if (rc != SQLITE_OK) {
            return fail_sqlite(statements, err);
        }
        if (count_rows(statement) == plan->rows) {
            *prepared = statement;
            return WEIR_OK;
        }
        (void)sqlite3_finalize(statement);
    }
    return weir_fail(err, WEIR_BACKEND_ERROR,
                     "none of the %zu statements that the store runs for a read gives its %zu rows",
                     seen.n, plan->rows);
}

static enum read_column column_of(const char *name)
{
    static const struct {
        const char *name;
        enum read_column column;
    } columns[] = {
        {"global_position", READ_COLUMN_GLOBAL_POSITION},
        {"position", READ_COLUMN_POSITION},
        {"packed", READ_COLUMN_PACKED},
        {"large", READ_COLUMN_LARGE},
    };
    for (size_t i = 0; i < WEIR_COUNTOF(columns); i++) {
        if (strcmp(columns[i].name, name) == 0) {
            return columns[i].column;
        }
    }
    return READ_COLUMN_OTHER;
}

static weir_status learn_columns(struct read_plan *plan, struct weir_error *err)
{
    plan->columns_n = sqlite3_column_count(plan->statements[0]);
    if (plan->columns_n > READ_COLUMNS_MAX) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "the store reads more than %d columns",
                         READ_COLUMNS_MAX);
    }
    for (int c = 0; c < plan->columns_n; c++) {
        plan->columns[c] = column_of(sqlite3_column_name(plan->statements[0], c));
    }
    return WEIR_OK;
}

static weir_status learn_read(struct statements *statements, struct dataset *dataset,
                              struct read_plan *plan, size_t start, struct weir_error *err)
{
    struct sized_reader reader;
    struct read_reply reply;
    clear_seen();
    sized_reader_init(&reader, dataset->ns);
    weir_status status = reader.base.read(&reader.base, plan, start, &reply, err);
    nng_msg_free(reply.message);
    sized_reader_fini(&reader);
    if (status == WEIR_OK && seen.file == NULL) {
        status = weir_fail(err, WEIR_BACKEND_ERROR, "the store does not read with this SQLite");
    }
    if (status == WEIR_OK && statements->db == NULL) {
        status = connect_to(statements, seen.file, err);
    }
    return status == WEIR_OK ? prepare_rows(statements, plan, &plan->statements[start], err)
                             : status;
}

static weir_status learn_plan(struct statements *statements, struct dataset *dataset,
                              struct read_plan *plan, struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t start = 0; status == WEIR_OK && start < READ_STARTS; start++) {
        status = learn_read(statements, dataset, plan, start, err);
    }
    return status == WEIR_OK ? learn_columns(plan, err) : status;
}

static weir_status learn_all(struct statements *statements, struct dataset *dataset,
                             struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t p = 0; status == WEIR_OK && p < statements->plans_n; p++) {
        /* A read that finds nothing has no rows to step. */
        if (statements->plans[p].rows > 0) {
            status = learn_plan(statements, dataset, &statements->plans[p], err);
        }
    }
    return status;
}

weir_status statements_learn(struct statements *statements, struct dataset *dataset,
                             const char *url, struct weir_error *err)
{
    watch_new_connections(true);
    weir_status status = dataset_reopen(dataset, url, err);
    if (status == WEIR_OK) {
        status = learn_all(statements, dataset, err);
    }
    watch_new_connections(false);
    clear_seen();
    return status == WEIR_OK ? dataset_reopen(dataset, url, err) : status;
}

void statements_close(struct statements *statements)
{
    for (size_t p = 0; p < statements->plans_n; p++) {
        sqlite3_stmt **prepared = statements->plans[p].statements;
        for (size_t start = 0; start < READ_STARTS; start++) {
            (void)sqlite3_finalize(prepared[start]);
            prepared[start] = NULL;
        }
    }
    (void)sqlite3_close(statements->db);
    statements->db = NULL;
}
