/* A backend that stores nothing and counts every call, for tests of the code above backends.
 *
 * Its namespaces are those listed in `namespaces`; its sessions answer with the values set in
 * `fake`. A test can make calls fail, or wait at a gate, as for a remote database, until the test
 * opens it. Thread-safe. There is one instance, which fake_backend_reset initialises. */
#ifndef WEIR_TESTS_LIB_FAKE_BACKEND_H
#define WEIR_TESTS_LIB_FAKE_BACKEND_H

#include "store/store_backend.h"

#include <pthread.h>

enum { FAKE_NAMESPACES_MAX = 8, FAKE_GROUPS_MAX = 64, FAKE_ROWS_MAX = 64 };

struct fake_backend {
    struct weir_backend base;
    pthread_mutex_t mutex;  // guards the members below
    pthread_cond_t changed;

    bool is_local;                                // as its traits say when the store is opened
    const char *namespaces[FAKE_NAMESPACES_MAX];  // registered ids; NULL: free slot
    /* Replaces namespace_find if not NULL. Called without the mutex. */
    weir_status (*find)(struct weir_namespace_record *record, struct weir_error *err);

    size_t open;                 // sessions currently open
    size_t open_most;            // largest number open at once
    size_t opened;               // sessions opened in all
    size_t closed;               // sessions closed in all
    size_t deleted;              // calls of namespace_delete
    bool is_deleted_while_open;  // a deletion found a session open

    size_t opens_short;        // remaining session_opens that fail for lack of descriptors
    weir_status open_fails;    // result of session_open; WEIR_OK: succeeds
    weir_status call_fails;    // result of reads and commits
    weir_status delete_fails;  // result of namespace_delete
    bool breaks;               // sessions are broken after their next call

    bool is_gate_shut;   // reads, commits and pings wait
    size_t at_gate;      // calls waiting at the gate
    size_t let_through;  // calls that may still pass the shut gate
    bool heads_pass;     // `head` passes the shut gate
    bool opens_wait;     // session_open waits at the gate as well

    size_t pings;
    bool is_ping_endless;                 // a ping waits beyond its deadline
    size_t row_bytes;                     // data size of the one message of a read; 0: no message
    struct weir_row rows[FAKE_ROWS_MAX];  // result of reads of everything, ordered by position
    size_t rows_n;                        // 0: such reads find the one message or none
    size_t read_groups;                   // groups of reads
    size_t read_group_sizes[FAKE_GROUPS_MAX];  // reads in each group
    size_t groups;                             // committed groups of writes
    size_t group_sizes[FAKE_GROUPS_MAX];       // writes in each group
    struct weir_head head;                     // result of `head`
    int64_t head_takes_us;                     // duration of `head`
};

extern struct fake_backend fake;

void fake_backend_reset(void);

struct weir_store *fake_store_open(size_t max_sessions);

/* Sets the result of later session calls; WEIR_OK: they succeed. */
void fake_calls_fail(weir_status status);

/* Shut the gate, open it, or wait until `calls` calls stand at it. */
void fake_gate_shut(void);
void fake_gate_open(void);
void fake_gate_wait(size_t calls);

/* Lets one waiting call pass the gate and waits until it has. */
void fake_gate_let_one_through(void);

#endif
