#include "tests/unit/wake_fixture.h"

#include "weir/base/monotonic.h"

#include <poll.h>

struct wake_fixture wf = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(void *context, struct weir_waiter *waiter, enum weir_wake_reason reason)
{
    (void)context;
    (void)pthread_mutex_lock(&wf.lock);
    wf.woken[wf.woken_n] = waiter;
    wf.reasons[wf.woken_n++] = reason;
    (void)pthread_mutex_unlock(&wf.lock);
}

size_t count(void)
{
    (void)pthread_mutex_lock(&wf.lock);
    const size_t n = wf.woken_n;
    (void)pthread_mutex_unlock(&wf.lock);
    return n;
}

void wake_fixture_begin(void)
{
    struct weir_error err;
    struct weir_tenant_lookup lookup = {.max_age_us = 0, .deadline_us = INT64_MAX};
    weir_error_init(&err);
    weir_arena_init(&wf.arena, 65536, 0);
    fake_backend_reset();
    wf.store = fake_store_open(4);
    wf.tenants = weir_tenants_new(wf.store);
    ck_assert_ptr_nonnull(wf.tenants);
    ck_assert_int_eq(weir_tenants_find(wf.tenants, weir_slice_of("test"), &wf.arena, &lookup, &err),
                     WEIR_OK);
    wf.tenant = lookup.tenant;
    ck_assert_int_eq(weir_tenant_open(wf.tenant, INT64_MAX, &err), WEIR_OK);
    wf.wake = weir_wake_new(wf.tenants, note, NULL);
    ck_assert_ptr_nonnull(wf.wake);
    wf.woken_n = 0;
    wf.is_gone = false;
    weir_link_init(&wf.peer);
    for (size_t i = 0; i < WAITERS; i++) {
        weir_waiter_init(&wf.waiters[i]);
        wf.waiters[i].until_us = weir_monotonic_us() + FAR_US;
    }
}

void wake_fixture_end(void)
{
    weir_wake_free(wf.wake);
    weir_tenant_release(wf.tenant);
    weir_tenants_free(wf.tenants);
    weir_store_close(wf.store);
    weir_arena_fini(&wf.arena);
}

void arm(size_t i, enum weir_selector selector, const char *name)
{
    const struct weir_interest interest = {.selector = selector, .name = weir_slice_of(name)};
    ck_assert(weir_wake_arm(wf.wake, &wf.waiters[i], wf.tenant, &interest));
}

void park(size_t i)
{
    weir_wake_park(wf.wake, &wf.waiters[i], &wf.peer, &wf.is_gone);
}

void commit(const char *stream)
{
    struct weir_new_message message = {.type = weir_slice_of("T")};
    struct weir_stream_append append = {
        .stream = weir_slice_of(stream), .messages = &message, .n = 1};
    const struct weir_write write = {.kind = WEIR_WRITE_APPEND,
                                     .of.append = {.streams = &append, .n = 1}};
    ck_assert_int_eq(weir_wake_committed(wf.wake, wf.tenant, &write), 1);
}

void let_poller_look(void)
{
    arm(WAITERS - 1, WEIR_SELECT_STREAM, "nothing");
    park(WAITERS - 1);
    while (count() == 0) {
        (void)poll(NULL, 0, 1);
    }
    ck_assert_int_eq(wf.reasons[0], WEIR_WAKE_CHANGE);
    wf.woken_n = 0;
}
