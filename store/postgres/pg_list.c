/* Versions of streams, heads, totals and listings: one statement of fixed text for each. */
#include "store/postgres/pg_list.h"

#include "store/postgres/pg_session.h"

enum { PREFIX_BYTES = 1100 };  // more than the longest name

/* A statement of fixed text, its parameters and its result. */
struct question {
    struct pg_session *session;
    enum pg_fixed which;
    struct pg_params params;
    PGresult *result;
};

static weir_status put(struct pg_conn *conn, void *context, struct weir_error *err)
{
    struct question *q = context;
    return weir_pg_run_fixed(q->session, conn, q->which, &q->params, &q->result, err);
}

/* On success the caller clears the result. */
static weir_status ask(struct question *q, struct weir_error *err)
{
    const struct pg_work work = {put, q};
    return weir_pg_session_run(q->session, &work, err);
}

static weir_status fail_damaged(const struct question *q, struct weir_error *err)
{
    weir_backend_report(&q->session->backend->base, "%s: the namespace's counters are damaged",
                        q->session->ns.schema);
    return weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are damaged");
}

static void question_init(struct question *q, struct weir_session *base, enum pg_fixed which)
{
    q->session = (struct pg_session *)base;
    q->which = which;
    q->result = NULL;
    weir_pg_params_init(&q->params, NULL);
}

/* ---- numbers ---- */

weir_status weir_pg_stream_version(struct weir_session *base, struct weir_slice stream,
                                   int64_t *version, struct weir_error *err)
{
    struct question q;
    question_init(&q, base, PG_FIXED_VERSION);
    weir_pg_param_slice(&q.params, stream);
    weir_status status = ask(&q, err);
    if (status == WEIR_OK && PQntuples(q.result) == 0) {
        *version = -1;
    } else if (status == WEIR_OK && !weir_pg_int8(q.result, 0, 0, version)) {
        status = fail_damaged(&q, err);
    }
    PQclear(q.result);
    return status;
}

weir_status weir_pg_head(struct weir_session *base, struct weir_head *head, struct weir_error *err)
{
    struct question q;
    question_init(&q, base, PG_FIXED_HEAD);
    weir_status status = ask(&q, err);
    if (status == WEIR_OK &&
        (PQntuples(q.result) != 1 || !weir_pg_int8(q.result, 0, 0, &head->position) ||
         !weir_pg_int8(q.result, 0, 1, &head->messages))) {
        status = fail_damaged(&q, err);
    }
    /* Message DB's writers commit in another order than that of their positions. */
    head->is_in_order = !((struct pg_session *)base)->ns.layout->is_adopted;
    PQclear(q.result);
    return status;
}

weir_status weir_pg_totals(struct weir_session *base, struct weir_namespace_totals *totals,
                           struct weir_error *err)
{
    struct question q;
    question_init(&q, base, PG_FIXED_TOTALS);
    weir_status status = ask(&q, err);
    if (status == WEIR_OK) {
        const bool is_good = PQntuples(q.result) == 1 &&
                             weir_pg_int8(q.result, 0, 0, &totals->message_count) &&
                             weir_pg_int8(q.result, 0, 1, &totals->stream_count);
        if (!is_good || !weir_pg_time(q.result, 0, 2, &totals->last_activity_us)) {
            totals->last_activity_us = 0;
        }
        status = is_good ? WEIR_OK : fail_damaged(&q, err);
    }
    PQclear(q.result);
    return status;
}

/* ---- streams ---- */

static weir_status copy_streams(const struct question *q, struct weir_arena *arena,
                                struct weir_stream_info *infos, size_t n, struct weir_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct weir_slice name = weir_pg_slice(q->result, (int)i, 0);
        if (name.p == NULL || !weir_pg_int8(q->result, (int)i, 1, &infos[i].version) ||
            !weir_pg_time(q->result, (int)i, 2, &infos[i].last_activity_us)) {
            return fail_damaged(q, err);
        }
        if (!weir_arena_copy(arena, name, &infos[i].name)) {
            return weir_arena_fail(arena, err);
        }
    }
    return WEIR_OK;
}

/* Returns the lowest text that begins with the prefix. A prefix may end inside a character, which
 * PostgreSQL would not take as text; the lowest continuation bytes complete it. Names are bounded,
 * so a longer prefix may be cut. */
static struct weir_slice lowest_text(struct weir_slice prefix, uint8_t area[PREFIX_BYTES])
{
    size_t n = prefix.n < PREFIX_BYTES - 4 ? prefix.n : PREFIX_BYTES - 4;
    memcpy(area, prefix.p, n);
    size_t head = n;
    while (head > 0 && n - head < 3 && (area[head - 1] & 0xc0) == 0x80) {
        head--;
    }
    if (head == 0 || area[head - 1] < 0xc0) {
        return weir_slice(area, n);
    }
    const uint8_t first = area[head - 1];
    const size_t wanted = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    for (size_t have = n - head; have < wanted; have++) {
        area[n++] = have > 0 ? 0x80 : first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    }
    return weir_slice(area, n);
}

weir_status weir_pg_list_streams(struct weir_session *base, const struct weir_page_query *query,
                                 struct weir_arena *arena, struct weir_stream_page *page,
                                 struct weir_error *err)
{
    struct question q;
    uint8_t lowest[PREFIX_BYTES];
    question_init(&q, base, PG_FIXED_LIST_STREAMS);
    weir_pg_param_slice(&q.params, lowest_text(query->prefix, lowest));
    weir_pg_param_slice(&q.params, query->after);
    weir_pg_param_int8(&q.params, (int64_t)query->limit + 1);
    weir_pg_param_slice(&q.params, query->prefix);
    weir_status status = ask(&q, err);
    if (status == WEIR_OK) {
        const size_t got = (size_t)PQntuples(q.result);
        page->is_more = got > query->limit;
        page->n = page->is_more ? query->limit : got;
        page->streams = weir_arena_array(arena, page->n, sizeof *page->streams);
        status = page->streams == NULL ? weir_arena_fail(arena, err)
                                       : copy_streams(&q, arena, page->streams, page->n, err);
    }
    PQclear(q.result);
    return status;
}

/* ---- categories ---- */

static weir_status copy_categories(const struct question *q, struct weir_arena *arena,
                                   struct weir_category_info *infos, size_t n,
                                   struct weir_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct weir_slice name = weir_pg_slice(q->result, (int)i, 0);
        if (name.p == NULL || !weir_pg_int8(q->result, (int)i, 1, &infos[i].stream_count) ||
            !weir_pg_int8(q->result, (int)i, 2, &infos[i].message_count)) {
            return fail_damaged(q, err);
        }
        if (!weir_arena_copy(arena, name, &infos[i].name)) {
            return weir_arena_fail(arena, err);
        }
    }
    return WEIR_OK;
}

weir_status weir_pg_list_categories(struct weir_session *base, struct weir_arena *arena,
                                    struct weir_category_list *list, struct weir_error *err)
{
    struct question q;
    question_init(&q, base, PG_FIXED_LIST_CATEGORIES);
    weir_status status = ask(&q, err);
    if (status == WEIR_OK) {
        list->n = (size_t)PQntuples(q.result);
        list->categories = weir_arena_array(arena, list->n, sizeof *list->categories);
        status = list->categories == NULL
                     ? weir_arena_fail(arena, err)
                     : copy_categories(&q, arena, list->categories, list->n, err);
    }
    PQclear(q.result);
    return status;
}
