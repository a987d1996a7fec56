/* Records a history of calls on one stream and decides whether it is linearizable.
 *
 * The object is a stream that only grows: a write puts a message at a version, and a look (a
 * version read, or a conflict that reports the actual version) sees a version. The result of an
 * operation therefore fixes its place in every legal order: looks at -1, write 0, looks at 0, write
 * 1, looks at 1, … The history is linearizable exactly if this order agrees with real time: an
 * operation answered before another began must not come after it.
 *
 * A write of unknown outcome that turns out to be stored has no answer: it may take effect at any
 * time after it began. A write that is not stored is left out. Not thread-safe: each thread records
 * its own history; the test joins them. */
#ifndef WEIR_TESTS_LIB_HISTORY_H
#define WEIR_TESTS_LIB_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_operation {
    bool is_write;
    int64_t version;      // version written or seen
    int64_t began_us;     // monotonic time
    int64_t answered_us;  // INT64_MAX: never
};

struct history {
    struct history_operation *operations;
    size_t n;
    size_t capacity;
};

/* Append operations to a history. Abort the program without memory. */
void history_add(struct history *history, const struct history_operation *operation);
void history_join(struct history *history, const struct history *other);
void history_free(struct history *history);

/* Returns whether the history is linearizable. If not, writes one line about the first
 * contradiction to `fault` (`size` bytes). Sorts the history. */
bool history_is_linearizable(struct history *history, char *fault, size_t size);

#endif
