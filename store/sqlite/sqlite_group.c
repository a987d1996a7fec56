#include "store/sqlite/sqlite_group.h"

#include "weir/base/table_hash.h"
#include "weir/rules/stream_name.h"

#include <stdlib.h>

enum { ARENA_KEEP_BYTES = 256 * 1024 };

/* More than the number of positions that can be imported. */
#define COUNT_MAX (INT64_C(1) << 62)

struct sqlite_group *weir_sqlite_group_new(void)
{
    struct sqlite_group *group = calloc(1, sizeof *group);
    if (group != NULL) {
        /* No cap: the memory of a group is bounded by its writes. */
        weir_arena_init(&group->arena, SIZE_MAX / 2, ARENA_KEEP_BYTES);
        group->is_empty = true;
        sqlite3_randomness(sizeof group->hash_seed, &group->hash_seed);
    }
    return group;
}

void weir_sqlite_group_free(struct sqlite_group *group)
{
    if (group != NULL) {
        weir_arena_fini(&group->arena);
        free(group);
    }
}

/* Returns whether the counters are possible values; damaged ones must not be calculated with. */
static bool is_sound(const struct sqlite_group *group)
{
    return group->next_global_position >= 1 && group->message_count >= 0 &&
           group->message_count < COUNT_MAX && group->stream_count >= 0 &&
           group->stream_count < COUNT_MAX;
}

int weir_sqlite_group_begin(struct sqlite_session *session, bool *is_there)
{
    struct sqlite_group *group = session->group;
    if (!group->is_empty) {
        memset(group->streams, 0, sizeof group->streams);
        memset(group->categories, 0, sizeof group->categories);
    }
    weir_arena_reset(&group->arena);
    group->is_empty = true;
    group->is_changed = false;
    group->touched_streams = NULL;
    group->touched_categories = NULL;
    group->next_stream_id = 0;
    group->next_category_id = 0;

    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_COUNTERS_GET, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(statement);
    *is_there = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        group->next_global_position = sqlite3_column_int64(statement, 0);
        group->last_write_us = sqlite3_column_int64(statement, 1);
        group->message_count = sqlite3_column_int64(statement, 2);
        group->stream_count = sqlite3_column_int64(statement, 3);
        rc = is_sound(group) ? SQLITE_ROW : SQLITE_CORRUPT;
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* ---- finding ---- */

static int load_stream(struct sqlite_session *session, struct group_stream *stream)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_STREAM_GET, &statement);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_bind_text(statement, 1, stream->name);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        stream->is_stored = true;
        stream->stream_id = sqlite3_column_int64(statement, 0);
        stream->category_id = sqlite3_column_int64(statement, 1);
        stream->version = sqlite3_column_int64(statement, 2);
        stream->last_time_us = sqlite3_column_int64(statement, 3);
        stream->is_damaged = stream->version < 0 || stream->version == INT64_MAX;
    }
    (void)sqlite3_reset(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int weir_sqlite_group_stream(struct sqlite_session *session, struct weir_slice name,
                             struct group_stream **stream)
{
    struct sqlite_group *group = session->group;
    const uint64_t hash = weir_table_hash(group->hash_seed, name);
    struct group_stream **bucket = &group->streams[hash % GROUP_BUCKETS];
    for (struct group_stream *s = *bucket; s != NULL; s = s->next_in_bucket) {
        if (s->hash == hash && weir_slice_equal(s->name, name)) {
            *stream = s;
            return SQLITE_OK;
        }
    }
    struct group_stream *fresh = weir_arena_array(&group->arena, 1, sizeof *fresh);
    if (fresh == NULL) {
        return SQLITE_NOMEM;
    }
    fresh->name = name;
    fresh->hash = hash;
    fresh->version = -1;
    const int rc = load_stream(session, fresh);
    if (rc != SQLITE_OK) {
        return rc;
    }
    fresh->next_in_bucket = *bucket;
    *bucket = fresh;
    fresh->next_touched = group->touched_streams;
    group->touched_streams = fresh;
    group->is_empty = false;
    *stream = fresh;
    return SQLITE_OK;
}

/* Allots the id after the highest one in a table, which is read once for each group. */
static int allot(struct sqlite_session *session, enum sqlite_statement highest, int64_t *next,
                 int64_t *id)
{
    if (*next == 0) {
        sqlite3_stmt *statement = NULL;
        int rc = weir_sqlite_statement(session, highest, &statement);
        if (rc != SQLITE_OK) {
            return rc;
        }
        rc = sqlite3_step(statement);
        const int64_t last = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        (void)sqlite3_reset(statement);
        if (rc != SQLITE_ROW) {
            return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
        }
        if (last < 0 || last >= COUNT_MAX) {
            return SQLITE_CORRUPT;
        }
        *next = last + 1;
    }
    *id = (*next)++;
    return SQLITE_OK;
}

static int load_category(struct sqlite_session *session, struct group_category *category)
{
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_CATEGORY_GET, &statement);
    if (rc == SQLITE_OK) {
        rc = weir_sqlite_bind_text(statement, 1, category->name);
    }
    if (rc != SQLITE_OK) {
        return rc;
    }
    rc = sqlite3_step(statement);
    category->is_stored = rc == SQLITE_ROW;
    category->category_id = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    (void)sqlite3_reset(statement);
    if (rc == SQLITE_DONE) {
        return allot(session, STATEMENT_CATEGORY_LAST_ID, &session->group->next_category_id,
                     &category->category_id);
    }
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Finds a category by its name, reading it on first use. `known_id` is its id if a stored stream
 * has told it; 0: it is looked up by its name. */
static int find_category(struct sqlite_session *session, struct weir_slice name, int64_t known_id,
                         struct group_category **category)
{
    struct sqlite_group *group = session->group;
    const uint64_t hash = weir_table_hash(group->hash_seed, name);
    struct group_category **bucket = &group->categories[hash % GROUP_BUCKETS];
    for (struct group_category *c = *bucket; c != NULL; c = c->next_in_bucket) {
        if (c->hash == hash && weir_slice_equal(c->name, name)) {
            *category = c;
            return SQLITE_OK;
        }
    }
    struct group_category *fresh = weir_arena_array(&group->arena, 1, sizeof *fresh);
    if (fresh == NULL) {
        return SQLITE_NOMEM;
    }
    fresh->name = name;
    fresh->hash = hash;
    fresh->category_id = known_id;
    fresh->is_stored = known_id != 0;
    const int rc = known_id != 0 ? SQLITE_OK : load_category(session, fresh);
    if (rc != SQLITE_OK) {
        return rc;
    }
    fresh->next_in_bucket = *bucket;
    *bucket = fresh;
    fresh->next_touched = group->touched_categories;
    group->touched_categories = fresh;
    group->is_empty = false;
    *category = fresh;
    return SQLITE_OK;
}

int weir_sqlite_group_name_ids(struct sqlite_session *session, struct group_stream *stream)
{
    if (stream->category != NULL) {
        return SQLITE_OK;
    }
    struct group_category *category = NULL;
    int rc = find_category(session, weir_name_category(stream->name),
                           stream->is_stored ? stream->category_id : 0, &category);
    if (rc == SQLITE_OK && stream->stream_id == 0) {
        rc = allot(session, STATEMENT_STREAM_LAST_ID, &session->group->next_stream_id,
                   &stream->stream_id);
    }
    if (rc == SQLITE_OK) {
        stream->category = category;
        stream->category_id = category->category_id;
    }
    return rc;
}

void weir_sqlite_group_count(struct sqlite_group *group, struct group_stream *stream,
                             int64_t version, int64_t messages, int64_t last_time_us)
{
    if (version >= stream->version) {
        stream->version = version;
        stream->last_time_us = last_time_us;
    }
    if (!stream->is_stored && stream->messages_added == 0) {
        stream->category->streams_added++;
        group->stream_count++;
    }
    stream->messages_added += messages;
    stream->category->messages_added += messages;
    group->message_count += messages;
    group->is_changed = true;
}

/* ---- writing ---- */

static int add_stream(struct sqlite_session *session, struct group_stream *stream)
{
    const struct weir_slice cardinal_id = weir_name_cardinal_id(stream->name);
    sqlite3_stmt *statement = NULL;
    int rc = weir_sqlite_statement(session, STATEMENT_STREAM_ADD, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, stream->stream_id);
    rc = weir_sqlite_bind_text(statement, 2, stream->name);
    (void)sqlite3_bind_int64(statement, 3, stream->category_id);
    if (cardinal_id.p == NULL) {
        (void)sqlite3_bind_null(statement, 4);
    } else {
        (void)sqlite3_bind_int64(statement, 4, weir_hash_64(cardinal_id));
    }
    (void)sqlite3_bind_int64(statement, 5, stream->version);
    (void)sqlite3_bind_int64(statement, 6, stream->messages_added);
    (void)sqlite3_bind_int64(statement, 7, stream->last_time_us);
    return rc != SQLITE_OK ? rc : weir_sqlite_run(statement);
}

static int set_stream(struct sqlite_session *session, struct group_stream *stream)
{
    sqlite3_stmt *statement = NULL;
    const int rc = weir_sqlite_statement(session, STATEMENT_STREAM_SET, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, stream->stream_id);
    (void)sqlite3_bind_int64(statement, 2, stream->version);
    (void)sqlite3_bind_int64(statement, 3, stream->messages_added);
    (void)sqlite3_bind_int64(statement, 4, stream->last_time_us);
    return weir_sqlite_run(statement);
}

static int flush_streams(struct sqlite_session *session)
{
    int rc = SQLITE_OK;
    for (struct group_stream *s = session->group->touched_streams; rc == SQLITE_OK && s != NULL;
         s = s->next_touched) {
        if (s->messages_added > 0) {
            rc = s->is_stored ? set_stream(session, s) : add_stream(session, s);
            s->is_stored = true;
            s->messages_added = 0;
        }
    }
    return rc;
}

static int write_category(struct sqlite_session *session, struct group_category *category)
{
    sqlite3_stmt *statement = NULL;
    int rc = SQLITE_OK;
    if (category->is_stored) {
        rc = weir_sqlite_statement(session, STATEMENT_CATEGORY_SET, &statement);
        if (rc != SQLITE_OK) {
            return rc;
        }
        (void)sqlite3_bind_int64(statement, 1, category->category_id);
        (void)sqlite3_bind_int64(statement, 2, category->streams_added);
        (void)sqlite3_bind_int64(statement, 3, category->messages_added);
        return weir_sqlite_run(statement);
    }
    rc = weir_sqlite_statement(session, STATEMENT_CATEGORY_ADD, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, category->category_id);
    rc = weir_sqlite_bind_text(statement, 2, category->name);
    (void)sqlite3_bind_int64(statement, 3, category->streams_added);
    (void)sqlite3_bind_int64(statement, 4, category->messages_added);
    return rc != SQLITE_OK ? rc : weir_sqlite_run(statement);
}

static int flush_categories(struct sqlite_session *session)
{
    int rc = SQLITE_OK;
    for (struct group_category *c = session->group->touched_categories;
         rc == SQLITE_OK && c != NULL; c = c->next_touched) {
        if (c->messages_added > 0) {
            rc = write_category(session, c);
            c->is_stored = true;
            c->streams_added = 0;
            c->messages_added = 0;
        }
    }
    return rc;
}

static int flush_counters(struct sqlite_session *session)
{
    const struct sqlite_group *group = session->group;
    sqlite3_stmt *statement = NULL;
    const int rc = weir_sqlite_statement(session, STATEMENT_COUNTERS_SET, &statement);
    if (rc != SQLITE_OK) {
        return rc;
    }
    (void)sqlite3_bind_int64(statement, 1, group->next_global_position);
    (void)sqlite3_bind_int64(statement, 2, group->last_write_us);
    (void)sqlite3_bind_int64(statement, 3, group->message_count);
    (void)sqlite3_bind_int64(statement, 4, group->stream_count);
    return weir_sqlite_run(statement);
}

int weir_sqlite_group_flush(struct sqlite_session *session)
{
    if (!session->group->is_changed) {
        return SQLITE_OK;
    }
    int rc = flush_streams(session);
    if (rc == SQLITE_OK) {
        rc = flush_categories(session);
    }
    if (rc == SQLITE_OK) {
        rc = flush_counters(session);
    }
    session->group->is_changed = rc != SQLITE_OK;
    return rc;
}

int weir_sqlite_group_clear(struct sqlite_session *session)
{
    session->group->message_count = 0;
    session->group->stream_count = 0;
    const int rc = flush_counters(session);
    bool is_there = false;
    return rc != SQLITE_OK ? rc : weir_sqlite_group_begin(session, &is_there);
}
