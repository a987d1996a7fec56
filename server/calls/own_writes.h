/* What this process has written to a namespace, for whoever tells it from what others have.
 *
 * What the store says of its head can be compared with this process's own only where no commit of
 * its own is under way meanwhile: nobody knows at which moment one becomes visible. So commits are
 * counted twice, when they begin and when their messages are counted. Thread-safe. */
#ifndef WEIR_SERVER_OWN_WRITES_H
#define WEIR_SERVER_OWN_WRITES_H

#include "store/store.h"

#include <stdatomic.h>

struct weir_own_writes {
    _Atomic uint64_t begun;  // commits
    _Atomic uint64_t ended;
    _Atomic int64_t appended;  // by how much they have moved the head's position
    _Atomic int64_t messages;  // and by how many the number of messages
};

/* By how many messages a write that succeeded has changed the namespace. */
int64_t weir_write_change(const struct weir_write *write);

/* Around each commit of a group; none of it is finished yet when it has ended. Several may overlap.
 */
void weir_own_writes_begin(struct weir_own_writes *own);
void weir_own_writes_end(struct weir_own_writes *own, const struct weir_write *group);

/* What has been written, at a moment in which all of it is visible. */
struct weir_own_writes_seen {
    uint64_t commits;
    int64_t appended;
    int64_t messages;
};

/* False where a commit is under way. */
bool weir_own_writes_see(struct weir_own_writes *own, struct weir_own_writes_seen *seen);

/* Whether no commit has begun since. */
bool weir_own_writes_is_same(struct weir_own_writes *own, const struct weir_own_writes_seen *seen);

/* The head without them. While only this process writes it stays what it is, but for an import,
 * which moves the position by as much as it likes. Where others append its position only grows, so
 * that nothing brings it back to what it was. */
struct weir_head weir_own_writes_subtract(const struct weir_own_writes_seen *seen,
                                          const struct weir_head *head);

#endif
