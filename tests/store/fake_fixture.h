/* Fixture of the tests of sessions and namespace handles: a store on the fake backend
 * (tests/lib/fake_backend.h), whose namespace "test" most tests open. At the end all sessions must
 * be closed. */
#ifndef WEIR_TESTS_STORE_FAKE_FIXTURE_H
#define WEIR_TESTS_STORE_FAKE_FIXTURE_H

#include "tests/lib/fake_backend.h"

#include <check.h>

struct fake_fixture {
    struct weir_store *store;
    struct weir_namespace *ns;  // "test"
    struct weir_error err;
};

extern struct fake_fixture fx;

void fake_fixture_begin(void);
void fake_fixture_end(void);

/* Opens the store and its namespace "test". */
void open_with(size_t max_sessions);

void must_create(const char *id);
struct weir_namespace *must_open(const char *id);
weir_status try_delete(const char *id, int64_t deadline_us);

/* Makes a call in namespace "test", or in another one. */
weir_status call(int64_t deadline_us);
weir_status call_in(struct weir_namespace *ns);

/* Commits a write in an idle lane, and returns its outcome. */
weir_status write_one(struct weir_namespace *ns, int64_t deadline_us);

/* Opens a namespace and releases it, in a thread of its own; end_open waits for it and fails the
 * test unless it was opened. */
struct fake_open {
    pthread_t thread;
    const char *id;
    weir_status status;
};
void start_open(struct fake_open *opening, const char *id);
void end_open(const struct fake_open *opening);

/* Calls of namespace "test" in threads of their own. begin_call shuts the gate and returns when the
 * call stands at it; end_calls opens the gate and fails the test unless all calls succeed. */
struct fake_call {
    pthread_t thread;
    weir_status status;
};
void start_call(struct fake_call *call);
void begin_call(struct fake_call *call);
void end_calls(struct fake_call *calls, size_t n);

#endif
