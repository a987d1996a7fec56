#include "tests/store/fake_fixture.h"

struct fake_fixture fx;

void fake_fixture_begin(void)
{
    weir_error_init(&fx.err);
    fake_backend_reset();
    fx.store = NULL;
    fx.ns = NULL;
}

void fake_fixture_end(void)
{
    weir_namespace_release(fx.ns);
    weir_store_close(fx.store);
    ck_assert_uint_eq(fake.open, 0);
    ck_assert_uint_eq(fake.opened, fake.closed);
}

void open_with(size_t max_sessions)
{
    fx.store = fake_store_open(max_sessions);
    fx.ns = must_open("test");
}

void must_create(const char *id)
{
    struct weir_namespace_record record = {.id = weir_slice_of(id)};
    bool is_same = false;
    ck_assert_int_eq(weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err),
                     WEIR_OK);
}

struct weir_namespace *must_open(const char *id)
{
    struct weir_namespace *opened = NULL;
    struct weir_error err;
    ck_assert_int_eq(weir_namespace_open(fx.store, weir_slice_of(id), INT64_MAX, &opened, &err),
                     WEIR_OK);
    return opened;
}

weir_status try_delete(const char *id, int64_t deadline_us)
{
    int64_t deleted = 0;
    struct weir_error err;
    return weir_namespace_delete(fx.store, weir_slice_of(id), deadline_us, &deleted, &err);
}

weir_status call(int64_t deadline_us)
{
    struct weir_head head;
    struct weir_error err;
    return weir_head(fx.ns, deadline_us, &head, &err);
}

weir_status call_in(struct weir_namespace *ns)
{
    struct weir_head head;
    struct weir_error err;
    return weir_head(ns, INT64_MAX, &head, &err);
}

static void note_done(struct weir_write *write)
{
    *(bool *)write->context = true;
}

weir_status write_one(struct weir_namespace *ns, int64_t deadline_us)
{
    bool is_done = false;
    struct weir_error err;
    struct weir_write write = {.kind = WEIR_WRITE_CLEAR,
                               .deadline_us = deadline_us,
                               .err = &err,
                               .done = note_done,
                               .context = &is_done};
    ck_assert(weir_write_submit(ns, &write));
    ck_assert(!weir_lane_run(ns));
    ck_assert(is_done);
    return err.status;
}

static void *open_in_thread(void *context)
{
    struct fake_open *opening = context;
    struct weir_namespace *opened = NULL;
    struct weir_error err;
    opening->status =
        weir_namespace_open(fx.store, weir_slice_of(opening->id), INT64_MAX, &opened, &err);
    weir_namespace_release(opened);
    return NULL;
}

void start_open(struct fake_open *opening, const char *id)
{
    opening->id = id;
    ck_assert_int_eq(pthread_create(&opening->thread, NULL, open_in_thread, opening), 0);
}

void end_open(const struct fake_open *opening)
{
    (void)pthread_join(opening->thread, NULL);
    ck_assert_int_eq(opening->status, WEIR_OK);
}

static void *call_in_thread(void *context)
{
    *(weir_status *)context = call(INT64_MAX);
    return NULL;
}

void start_call(struct fake_call *call)
{
    ck_assert_int_eq(pthread_create(&call->thread, NULL, call_in_thread, &call->status), 0);
}

void begin_call(struct fake_call *call)
{
    fake_gate_shut();
    start_call(call);
    fake_gate_wait(1);
}

void end_calls(struct fake_call *calls, size_t n)
{
    fake_gate_open();
    for (size_t i = 0; i < n; i++) {
        (void)pthread_join(calls[i].thread, NULL);
        ck_assert_int_eq(calls[i].status, WEIR_OK);
    }
}
