#include "tests/lib/fake_backend.h"

#include "weir/base/monotonic.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

enum { WAIT_US = 20 * 1000 };  // interval of the checks while a call waits

struct fake_backend fake;

struct fake_session {
    struct weir_session base;
};

static void lock(void)
{
    (void)pthread_mutex_lock(&fake.mutex);
}

static void unlock(void)
{
    (void)pthread_mutex_unlock(&fake.mutex);
}

static const struct weir_store_ops fake_ops;

void fake_backend_reset(void)
{
    fake = (struct fake_backend){.base = {.ops = &fake_ops}, .namespaces = {"test"}};
    (void)pthread_mutex_init(&fake.mutex, NULL);
    weir_cond_init(&fake.changed);
}

struct weir_store *fake_store_open(size_t max_sessions)
{
    const struct weir_store_options options = {.url = "fake:", .max_sessions = max_sessions};
    struct weir_store *store = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_int_eq(weir_store_open_on(&fake_ops, &options, &store, &err), WEIR_OK);
    return store;
}

/* ---- the gate ---- */

/* Waits at the gate. Returns false if the deadline passes first. */
static bool pass_gate_locked(int64_t deadline_us)
{
    bool is_late = false;
    fake.at_gate++;
    (void)pthread_cond_broadcast(&fake.changed);
    while (fake.is_gate_shut && fake.let_through == 0 && !is_late) {
        unlock();
        weir_backend_waits(&fake.base);
        lock();
        is_late = weir_monotonic_us() >= deadline_us;
        if (!is_late && fake.is_gate_shut && fake.let_through == 0) {
            (void)weir_cond_wait_until(&fake.changed, &fake.mutex, weir_monotonic_us() + WAIT_US);
        }
    }
    if (fake.is_gate_shut && !is_late) {
        fake.let_through--;
        (void)pthread_cond_broadcast(&fake.changed);
    }
    fake.at_gate--;
    return !is_late;
}

void fake_calls_fail(weir_status status)
{
    lock();
    fake.call_fails = status;
    unlock();
}

void fake_gate_shut(void)
{
    lock();
    fake.is_gate_shut = true;
    unlock();
}

void fake_gate_open(void)
{
    lock();
    fake.is_gate_shut = false;
    (void)pthread_cond_broadcast(&fake.changed);
    unlock();
}

void fake_gate_wait(size_t calls)
{
    lock();
    while (fake.at_gate < calls) {
        (void)pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    unlock();
}

void fake_gate_let_one_through(void)
{
    lock();
    fake.let_through = 1;
    (void)pthread_cond_broadcast(&fake.changed);
    while (fake.let_through > 0) {
        (void)pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    unlock();
}

/* ---- sessions ---- */

static void session_close(struct weir_session *session)
{
    lock();
    fake.open--;
    fake.closed++;
    unlock();
    free(session);
}

/* Common part of every session call: waits at the gate, fails, or breaks the session. */
static weir_status answer_within(struct weir_session *session, int64_t deadline_us,
                                 struct weir_error *err)
{
    lock();
    const bool is_late = !pass_gate_locked(deadline_us);
    const weir_status status = is_late ? WEIR_DEADLINE_EXCEEDED : fake.call_fails;
    session->is_broken = fake.breaks;
    fake.breaks = false;
    unlock();
    return status == WEIR_OK ? WEIR_OK : weir_fail(err, status, "as the test wants it");
}

static weir_status answer(struct weir_session *session, struct weir_error *err)
{
    return answer_within(session, INT64_MAX, err);
}

static void session_commit(struct weir_session *session, struct weir_write **first)
{
    struct weir_write *group = *first;
    struct weir_error err;
    weir_error_init(&err);
    const weir_status status = answer(session, &err);
    size_t n = 0;
    for (struct weir_write *w = group; w != NULL; w = w->next) {
        n++;
        if (status != WEIR_OK) {
            weir_error_copy(w->err, &err);
        }
    }
    lock();
    if (fake.groups < FAKE_GROUPS_MAX) {
        fake.group_sizes[fake.groups] = n;
    }
    fake.groups++;
    unlock();
}

static void find_message(size_t bytes, struct weir_arena *arena, struct weir_rows *rows)
{
    uint8_t *data = weir_arena_array(arena, bytes, 1);
    struct weir_row *row = weir_arena_array(arena, 1, sizeof *row);
    ck_assert(data != NULL && row != NULL);
    row->stream = weir_slice_of("s-1");
    row->type = weir_slice_of("T");
    row->data = weir_slice(data, bytes);
    rows->rows = row;
    rows->n = 1;
}

/* Gives a forward read of everything those of fake.rows that it finds. */
static void find_rows_locked(const struct weir_query *query, struct weir_arena *arena,
                             struct weir_rows *rows)
{
    rows->rows = weir_arena_array(arena, FAKE_ROWS_MAX, sizeof *rows->rows);
    ck_assert_ptr_nonnull(rows->rows);
    for (size_t i = 0; i < fake.rows_n && (int64_t)rows->n < query->max_messages; i++) {
        if (fake.rows[i].global_position >= query->from) {
            rows->rows[rows->n++] = fake.rows[i];
        }
    }
}

static weir_status session_read(struct weir_session *session, const struct weir_query *query,
                                struct weir_arena *arena, struct weir_rows *rows,
                                struct weir_error *err)
{
    *rows = (struct weir_rows){.next_position = query->from};
    lock();
    const size_t row_bytes = fake.row_bytes;
    if (query->selector == WEIR_SELECT_ALL && fake.rows_n > 0) {
        find_rows_locked(query, arena, rows);
    }
    unlock();
    if (row_bytes > 0) {
        find_message(row_bytes, arena, rows);
    }
    return answer_within(session, query->deadline_us, err);
}

static void session_read_group(struct weir_session *session, struct weir_read *group)
{
    size_t n = 0;
    for (const struct weir_read *read = group; read != NULL; read = read->next) {
        n++;
    }
    lock();
    if (fake.read_groups < FAKE_GROUPS_MAX) {
        fake.read_group_sizes[fake.read_groups] = n;
    }
    fake.read_groups++;
    unlock();
    weir_read_singly(session, group);
}

static weir_status session_stream_version(struct weir_session *session, struct weir_slice stream,
                                          int64_t *version, struct weir_error *err)
{
    (void)stream;
    *version = -1;
    return answer_within(session, session->deadline_us, err);
}

static weir_status session_head(struct weir_session *session, struct weir_head *head,
                                struct weir_error *err)
{
    lock();
    *head = fake.head;
    const bool passes = fake.heads_pass;
    const struct timespec pause = {.tv_nsec = (long)fake.head_takes_us * 1000};
    unlock();
    (void)nanosleep(&pause, NULL);
    return passes ? WEIR_OK : answer(session, err);
}

static weir_status session_totals(struct weir_session *session,
                                  struct weir_namespace_totals *totals, struct weir_error *err)
{
    *totals = (struct weir_namespace_totals){.message_count = 0};
    return answer(session, err);
}

static weir_status session_list_streams(struct weir_session *session,
                                        const struct weir_page_query *query,
                                        struct weir_arena *arena, struct weir_stream_page *page,
                                        struct weir_error *err)
{
    (void)query;
    (void)arena;
    *page = (struct weir_stream_page){.n = 0};
    return answer_within(session, session->deadline_us, err);
}

static weir_status session_list_categories(struct weir_session *session, struct weir_arena *arena,
                                           struct weir_category_list *list, struct weir_error *err)
{
    (void)arena;
    *list = (struct weir_category_list){.n = 0};
    return answer_within(session, session->deadline_us, err);
}

static const struct weir_session_ops session_ops = {
    .close = session_close,
    .commit = session_commit,
    .read = session_read,
    .read_group = session_read_group,
    .stream_version = session_stream_version,
    .head = session_head,
    .totals = session_totals,
    .list_streams = session_list_streams,
    .list_categories = session_list_categories,
    .chunks = weir_chunks_unsupported,
};

/* ---- the backend ---- */

static weir_status backend_open(const struct weir_store_options *options,
                                struct weir_backend **backend, struct weir_error *err)
{
    (void)options;
    (void)err;
    *backend = &fake.base;
    return WEIR_OK;
}

static void backend_close(struct weir_backend *backend)
{
    (void)backend;
}

static int backend_schema_version(const struct weir_backend *backend)
{
    (void)backend;
    return 1;
}

static weir_status backend_ping(struct weir_backend *backend, int64_t deadline_us,
                                struct weir_error *err)
{
    (void)backend;
    lock();
    fake.pings++;
    const bool is_late = !pass_gate_locked(fake.is_ping_endless ? INT64_MAX : deadline_us);
    const weir_status fails = is_late ? WEIR_DEADLINE_EXCEEDED : fake.call_fails;
    unlock();
    return fails == WEIR_OK ? WEIR_OK : weir_fail(err, fails, "as the test wants it");
}

static const char **place_locked(const char *name, size_t n)
{
    for (size_t i = 0; i < FAKE_NAMESPACES_MAX; i++) {
        const char *found = fake.namespaces[i];
        if (name == NULL ? found == NULL
                         : found != NULL && strlen(found) == n && memcmp(found, name, n) == 0) {
            return &fake.namespaces[i];
        }
    }
    return NULL;
}

static bool is_registered(struct weir_slice id)
{
    lock();
    const bool is_found = place_locked((const char *)id.p, id.n) != NULL;
    unlock();
    return is_found;
}

static weir_status backend_create(struct weir_backend *backend,
                                  struct weir_namespace_record *record, int64_t deadline_us,
                                  bool *is_same, struct weir_error *err)
{
    (void)backend;
    (void)deadline_us;
    *is_same = false;
    if (is_registered(record->id)) {
        return weir_fail(err, WEIR_NAMESPACE_EXISTS, "exists");
    }
    lock();
    const char **place = place_locked(NULL, 0);
    ck_assert_ptr_nonnull(place);
    *place = (const char *)record->id.p;  // ids in tests are literals
    unlock();
    return WEIR_OK;
}

static weir_status backend_find(struct weir_backend *backend, struct weir_namespace_record *record,
                                int64_t deadline_us, struct weir_arena *arena,
                                struct weir_error *err)
{
    (void)backend;
    (void)deadline_us;
    (void)arena;
    *record = (struct weir_namespace_record){.id = record->id};
    if (fake.find != NULL) {
        return fake.find(record, err);
    }
    return is_registered(record->id) ? WEIR_OK
                                     : weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "not there");
}

static weir_status backend_set_token(struct weir_backend *backend, struct weir_slice id,
                                     const struct weir_token_hash *hash, int64_t deadline_us,
                                     struct weir_error *err)
{
    (void)backend;
    (void)hash;
    (void)deadline_us;
    return is_registered(id) ? WEIR_OK : weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "not there");
}

static weir_status backend_list(struct weir_backend *backend,
                                const struct weir_registry_query *query, struct weir_arena *arena,
                                struct weir_registry_page *page, struct weir_error *err)
{
    (void)backend;
    (void)query;
    (void)arena;
    (void)err;
    *page = (struct weir_registry_page){.n = 0};
    return WEIR_OK;
}

static weir_status backend_delete(struct weir_backend *backend, struct weir_slice id,
                                  int64_t deadline_us, int64_t *messages_deleted,
                                  struct weir_error *err)
{
    (void)backend;
    (void)deadline_us;
    *messages_deleted = 0;
    lock();
    fake.is_deleted_while_open = fake.is_deleted_while_open || fake.open > 0;
    const weir_status fails = fake.delete_fails;
    const char **place = place_locked((const char *)id.p, id.n);
    if (place != NULL && fails == WEIR_OK) {
        *place = NULL;
        fake.deleted++;
    }
    unlock();
    if (fails != WEIR_OK) {
        return weir_fail(err, fails, "as the test wants it");
    }
    return place != NULL ? WEIR_OK : weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "not there");
}

static weir_status backend_session_open(struct weir_backend *backend, struct weir_slice id,
                                        int64_t deadline_us, struct weir_session **session,
                                        bool *is_short_of_files, struct weir_error *err)
{
    (void)backend;
    (void)deadline_us;
    lock();
    *is_short_of_files = fake.opens_short > 0;
    fake.opens_short -= *is_short_of_files ? 1 : 0;
    if (*is_short_of_files && fake.opens_wait) {
        (void)pass_gate_locked(INT64_MAX);
    }
    unlock();
    if (*is_short_of_files) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "as the test wants it");
    }
    if (fake.open_fails != WEIR_OK) {
        return weir_fail(err, fake.open_fails, "as the test wants it");
    }
    if (!is_registered(id)) {
        return weir_fail(err, WEIR_NAMESPACE_NOT_FOUND, "not there");
    }
    struct fake_session *opened = calloc(1, sizeof *opened);
    ck_assert_ptr_nonnull(opened);
    opened->base.ops = &session_ops;
    lock();
    if (fake.opens_wait) {
        (void)pass_gate_locked(INT64_MAX);
    }
    fake.opened++;
    fake.open++;
    fake.open_most = fake.open > fake.open_most ? fake.open : fake.open_most;
    unlock();
    *session = &opened->base;
    return WEIR_OK;
}

static void backend_traits(const char *url, struct weir_store_traits *traits)
{
    (void)url;
    traits->is_local = fake.is_local;
}

static const struct weir_store_ops fake_ops = {
    .name = "fake",
    .traits = backend_traits,
    .open = backend_open,
    .close = backend_close,
    .schema_version = backend_schema_version,
    .ping = backend_ping,
    .namespace_create = backend_create,
    .namespace_find = backend_find,
    .namespace_set_token = backend_set_token,
    .namespace_list = backend_list,
    .namespace_delete = backend_delete,
    .session_open = backend_session_open,
};
