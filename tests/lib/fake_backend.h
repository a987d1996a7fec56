/* A backend that stores nothing and counts everything: for tests of what stands above backends.
 *
 * Its namespaces are those in `namespaces`. Sessions answer with what is set here. Calls can be
 * made to fail, and to wait at a gate, as for another machine, until the test opens it.
 * Thread-safe; there is one of it, set to its beginnings by fake_backend_reset. */
#ifndef WEIR_TESTS_LIB_FAKE_BACKEND_H
#define WEIR_TESTS_LIB_FAKE_BACKEND_H

#include "store/store_backend.h"

#include <pthread.h>

enum { FAKE_NAMESPACES_MAX = 8, FAKE_GROUPS_MAX = 64 };

struct fake_backend {
    struct weir_backend base;
    pthread_mutex_t mutex;  // guards all below
    pthread_cond_t changed;

    const char *namespaces[FAKE_NAMESPACES_MAX];  // registered; NULL: free place
    /* Answers namespace_find in their place; NULL: nothing does. Called without the mutex. */
    weir_status (*find)(struct weir_namespace_record *record, struct weir_error *err);

    size_t open;       // sessions open now
    size_t open_most;  // at the same time
    size_t opened;     // ever
    size_t closed;
    size_t deleted;
    bool is_deleted_while_open;  // namespace_delete came while a session was open

    size_t opens_short;        // so many times session_open finds no file left
    weir_status open_fails;    // what session_open fails with; WEIR_OK: it does not
    weir_status call_fails;    // the same for reads and commits
    weir_status delete_fails;  // the same for namespace_delete
    bool breaks;               // sessions are broken after their next call

    bool is_gate_shut;   // reads, commits and pings wait
    size_t at_gate;      // so many do
    size_t let_through;  // so many need not, though it is shut
    bool heads_pass;     // whoever asks for the head need not
    bool opens_wait;     // session_open waits as well

    size_t pings;
    bool is_ping_endless;                      // it waits at the gate beyond its deadline
    size_t row_bytes;                          // of data in the one message of a read; 0: none
    size_t read_groups;                        // reads that came together
    size_t read_group_sizes[FAKE_GROUPS_MAX];  // so many each
    size_t groups;                             // commits
    size_t group_sizes[FAKE_GROUPS_MAX];       // writes of each
    struct weir_head head;                     // answer of `head`
    int64_t head_takes_us;                     // so long it takes
};

extern struct fake_backend fake;

void fake_backend_reset(void);

struct weir_store *fake_store_open(size_t max_sessions);

/* From now on calls of sessions fail so; WEIR_OK: they do not. */
void fake_calls_fail(weir_status status);

/* Shuts the gate, opens it, or waits until so many calls stand before it. */
void fake_gate_shut(void);
void fake_gate_open(void);
void fake_gate_wait(size_t calls);

/* Lets one call through, and waits until it is. */
void fake_gate_let_one_through(void);

#endif
