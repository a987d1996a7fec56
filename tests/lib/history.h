/* A recorded history of calls on one stream, and whether it is linearizable.
 *
 * The object is a stream that only grows: a write puts a message at a version, and a look (a
 * version read, or a conflict that tells the actual version) sees one. Each operation's place in
 * any legal order is therefore known from its result: write 0, looks at 0, write 1, looks at 1, …
 * with looks at -1 in front. The history is linearizable exactly when that order agrees with real
 * time: whatever was answered before another operation began stands no later in it.
 *
 * A write of unknown outcome that turns out to be stored has no answer: it may take effect any time
 * after it began. One that is not stored is left out. Not thread-safe: each thread records into a
 * history of its own, joined afterwards. */
#ifndef WEIR_TESTS_LIB_HISTORY_H
#define WEIR_TESTS_LIB_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history_operation {
    bool is_write;
    int64_t version;      // written at, or seen
    int64_t began_us;     // monotonic
    int64_t answered_us;  // INT64_MAX if never
};

struct history {
    struct history_operation *operations;
    size_t n;
    size_t capacity;
};

/* Aborts the program without memory. */
void history_add(struct history *history, const struct history_operation *operation);
void history_join(struct history *history, const struct history *other);
void history_free(struct history *history);

/* True, or false with one line about the first contradiction in `fault` (of `size` bytes). Sorts
 * the history. */
bool history_is_linearizable(struct history *history, char *fault, size_t size);

#endif
