/* The writes of this process to a namespace, counted so that the poller (wake_poll.c) can tell them
 * from the writes of other processes.
 *
 * The store's head can be compared with the own writes only where no own commit is under way, since
 * the moment in which a commit becomes visible is not known. So commits are counted twice: when
 * they begin, and when they have ended and their messages are counted. Thread-safe, by atomics. */
#ifndef WEIR_SERVER_OWN_WRITES_H
#define WEIR_SERVER_OWN_WRITES_H

#include "store/store.h"

#include <stdatomic.h>

struct weir_own_writes {
    _Atomic uint64_t begun;    // commits that have begun
    _Atomic uint64_t ended;    // commits that have ended and are counted below
    _Atomic int64_t appended;  // change of the head's position by them
    _Atomic int64_t messages;  // change of the number of messages by them
};

/* Returns by how many messages a write that succeeded has changed the namespace; negative for a
 * clear. */
int64_t weir_write_change(const struct weir_write *write);

/* To be called before the commit of a group, and after it but before its writes are finished.
 * Several commits may overlap. */
void weir_own_writes_begin(struct weir_own_writes *own);
void weir_own_writes_end(struct weir_own_writes *own, const struct weir_write *group);

/* The own writes at a moment in which all of them were visible. */
struct weir_own_writes_seen {
    uint64_t commits;
    int64_t appended;
    int64_t messages;
};

/* Reads the own writes; false where a commit is under way. */
bool weir_own_writes_see(struct weir_own_writes *own, struct weir_own_writes_seen *seen);

/* Whether no commit has begun since `seen`. */
bool weir_own_writes_is_same(struct weir_own_writes *own, const struct weir_own_writes_seen *seen);

/* Returns the head with the own writes subtracted. The result stays the same while only this
 * process writes, except for imports, which move the position by any amount. Where others append,
 * the result's position grows and never returns to an earlier value. */
struct weir_head weir_own_writes_subtract(const struct weir_own_writes_seen *seen,
                                          const struct weir_head *head);

#endif
