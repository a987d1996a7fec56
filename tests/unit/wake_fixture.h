/* Fixture of the tests of the wake list: tenants on the fake backend (tests/lib/fake_backend.h),
 * the wake list, waiters for the tenant "test", and the callbacks that were made. */
#ifndef WEIR_TESTS_UNIT_WAKE_FIXTURE_H
#define WEIR_TESTS_UNIT_WAKE_FIXTURE_H

#include "server/waiting/wake.h"
#include "tests/lib/fake_backend.h"

#include <check.h>

enum { WAITERS = 64, FAR_MS = 10 * 1000, FAR_US = 60 * 1000 * 1000 };

struct wake_fixture {
    struct weir_store *store;
    struct weir_tenants *tenants;
    struct weir_tenant *tenant;
    struct weir_wake *wake;
    struct weir_arena arena;
    struct weir_waiter waiters[WAITERS];
    struct weir_link peer;
    bool is_gone;

    /* The callbacks made, in order. */
    pthread_mutex_t lock;
    size_t woken_n;
    struct weir_waiter *woken[WAITERS];
    enum weir_wake_reason reasons[WAITERS];
};

extern struct wake_fixture wf;

void wake_fixture_begin(void);
void wake_fixture_end(void);

/* The number of callbacks made. */
size_t count(void);

/* Arms and parks the waiter of this number. */
void arm(size_t i, enum weir_selector selector, const char *name);
void park(size_t i);

/* Tells the wake list of a message that this process has written to the stream. */
void commit(const char *stream);

/* Waits for the poller's first check, which wakes every waiter once because the poller has no
 * earlier state to compare with. */
void let_poller_look(void);

#endif
