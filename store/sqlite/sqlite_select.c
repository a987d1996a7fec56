/* The SELECTs of reads. The text for a shape is composed of constant pieces; its statement is
 * prepared once and kept by the session. */
#include "store/sqlite/sqlite_reading.h"

#include <assert.h>

/* ---- the text ---- */

struct text {
    char *at;
    size_t left;
};

static void add(struct text *text, const char *piece)
{
    const size_t n = strlen(piece);
    assert(n < text->left);
    memcpy(text->at, piece, n + 1);
    text->at += n;
    text->left -= n;
}

/* Adds FROM and WHERE with the index whose order is the order of the rows, so that nothing is
 * sorted and the first row that is not taken ends the search. */
static void add_source(struct text *text, const struct sqlite_shape *shape)
{
    if (shape->selector == WEIR_SELECT_STREAM) {
        add(text, " FROM messages AS m INDEXED BY messages_by_stream WHERE m.stream_id = ?1");
        return;
    }
    const char *search = " WHERE ?1 = 0";
    add(text, " FROM messages AS m");
    if (shape->has_correlation) {
        add(text, " INDEXED BY messages_by_correlation");
        search = " WHERE m.correlation = ?3";
    } else if (shape->selector == WEIR_SELECT_CATEGORY) {
        add(text, " INDEXED BY messages_by_category");
        search = " WHERE m.category_id = ?1";
    }
    /* The hash for consumer groups stands with the stream, unlike its name, which each message
     * has. */
    add(text, shape->has_group ? " CROSS JOIN streams AS s ON s.stream_id = m.stream_id" : "");
    add(text, search);
}

/* Returns whether an index can search for the start of the read. A stream's index is in the order
 * of positions, and no index has both the stream and global positions. */
static bool is_start_searched(const struct sqlite_shape *shape)
{
    return shape->selector != WEIR_SELECT_STREAM || !shape->is_from_global;
}

static void add_start(struct text *text, const struct sqlite_shape *shape)
{
    const bool is_by_position = shape->selector == WEIR_SELECT_STREAM && is_start_searched(shape);
    add(text, is_by_position ? " AND m.position" : " AND m.global_position");
    add(text, shape->is_backward ? " <= ?2" : " >= ?2");
}

/* Adds the conditions that no index searches by. */
static void add_filters(struct text *text, const struct sqlite_shape *shape)
{
    if (!is_start_searched(shape)) {
        add_start(text, shape);
    }
    if (shape->selector == WEIR_SELECT_CATEGORY && shape->has_correlation) {
        add(text, " AND m.category_id = ?1");
    }
    add(text, shape->has_group ? " AND abs(s.cardinal_hash % ?4) = ?5" : "");
    add(text, shape->has_types ? " AND " WEIR_SQLITE_HAS_TYPE "(m.packed)" : "");
}

static void add_take(struct text *text, const struct sqlite_shape *shape)
{
    add(text, " " WEIR_SQLITE_TAKE "(m.global_position, m.position, m.packed, ");
    add(text, shape->is_headers_only ? "NULL)" : "m.large)");
}

/* The SELECT takes its rows by a condition in WHERE, so that SQLite does not return at each row:
 * returning, and fetching each column, took a fifth of a read's time. SQLite promises no order in
 * which conditions are evaluated, so CASE puts the filters first: it does not evaluate a branch
 * that is not chosen. */
void weir_sqlite_select_text(const struct sqlite_shape *shape, char text[WEIR_SQLITE_SELECT_BYTES])
{
    struct text t = {text, WEIR_SQLITE_SELECT_BYTES};
    char filters[WEIR_SQLITE_SELECT_BYTES] = "";
    add_filters(&(struct text){filters, sizeof filters}, shape);
    const bool has_filters = filters[0] != '\0';
    add(&t, "SELECT 1");
    add_source(&t, shape);
    if (is_start_searched(shape)) {
        add_start(&t, shape);
    }
    add(&t, " AND");
    add(&t, has_filters ? " CASE WHEN 1" : "");
    add(&t, filters);
    add(&t, has_filters ? " THEN" : "");
    add_take(&t, shape);
    add(&t, has_filters ? " END" : "");
    add(&t, shape->selector == WEIR_SELECT_STREAM ? " ORDER BY m.position"
                                                  : " ORDER BY m.global_position");
    add(&t, shape->is_backward ? " DESC" : "");
}

/* ---- the statement ---- */

static uint32_t key_of(const struct sqlite_shape *shape)
{
    const uint32_t flags =
        (uint32_t)shape->is_backward << 0 | (uint32_t)shape->is_from_global << 1 |
        (uint32_t)shape->is_headers_only << 2 | (uint32_t)shape->has_correlation << 3 |
        (uint32_t)shape->has_group << 4 | (uint32_t)shape->has_types << 5;
    /* The highest bit is set so that no key is 0. */
    return UINT32_C(1) << 31 | (uint32_t)shape->selector << 8 | flags;
}

int weir_sqlite_select(struct sqlite_session *session, const struct sqlite_shape *shape,
                       sqlite3_stmt **statement)
{
    const uint32_t key = key_of(shape);
    for (size_t s = 0; s < WEIR_SQLITE_SELECTS; s++) {
        if (session->selects[s].key == key) {
            *statement = session->selects[s].statement;
            return SQLITE_OK;
        }
    }
    char text[WEIR_SQLITE_SELECT_BYTES];
    weir_sqlite_select_text(shape, text);
    sqlite3_stmt *prepared = NULL;
    const int rc =
        sqlite3_prepare_v3(session->db, text, -1, SQLITE_PREPARE_PERSISTENT, &prepared, NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }
    struct sqlite_select *entry = &session->selects[session->next_select];
    session->next_select = (session->next_select + 1) % WEIR_SQLITE_SELECTS;
    (void)sqlite3_finalize(entry->statement);
    *entry = (struct sqlite_select){key, prepared};
    *statement = prepared;
    return SQLITE_OK;
}
