#include "tests/lib/history.h"

#include <stdio.h>
#include <stdlib.h>

void history_add(struct history *history, const struct history_operation *operation)
{
    if (history->n == history->capacity) {
        const size_t capacity = history->capacity == 0 ? 1024 : 2 * history->capacity;
        struct history_operation *grown = realloc(history->operations, capacity * sizeof *grown);
        if (grown == NULL) {
            abort();
        }
        history->operations = grown;
        history->capacity = capacity;
    }
    history->operations[history->n++] = *operation;
}

void history_join(struct history *history, const struct history *other)
{
    for (size_t i = 0; i < other->n; i++) {
        history_add(history, &other->operations[i]);
    }
}

void history_free(struct history *history)
{
    free(history->operations);
    *history = (struct history){.n = 0};
}

static int by_beginning(const void *a, const void *b)
{
    const struct history_operation *x = a;
    const struct history_operation *y = b;
    return (x->began_us > y->began_us) - (x->began_us < y->began_us);
}

static int by_answer(const void *a, const void *b)
{
    const struct history_operation *x = *(const struct history_operation *const *)a;
    const struct history_operation *y = *(const struct history_operation *const *)b;
    return (x->answered_us > y->answered_us) - (x->answered_us < y->answered_us);
}

/* Compares two operations in the only legal order: returns 1 if a comes after b, 0 if their order
 * is free or b follows. */
static int stands_behind(const struct history_operation *a, const struct history_operation *b)
{
    if (a->version != b->version) {
        return a->version > b->version;
    }
    return b->is_write && (!a->is_write || a != b);
}

static void describe(char *fault, size_t size, const struct history_operation *first,
                     const struct history_operation *second)
{
    (void)snprintf(fault, size, "a %s of %lld was answered %lld us before a %s of %lld began",
                   first->is_write ? "write" : "look", (long long)first->version,
                   (long long)(second->began_us - first->answered_us),
                   second->is_write ? "write" : "look", (long long)second->version);
}

bool history_is_linearizable(struct history *history, char *fault, size_t size)
{
    const size_t n = history->n;
    qsort(history->operations, n, sizeof *history->operations, by_beginning);
    const struct history_operation **answered = calloc(n + 1, sizeof *answered);
    if (answered == NULL) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        answered[i] = &history->operations[i];
    }
    qsort(answered, n, sizeof *answered, by_answer);

    /* Scans by start time: of all operations answered before an operation began, the last in the
     * legal order must not come after it. */
    const struct history_operation *farthest = NULL;
    bool is_sound = true;
    size_t next = 0;
    for (size_t i = 0; i < n && is_sound; i++) {
        const struct history_operation *now = &history->operations[i];
        for (; next < n && answered[next]->answered_us < now->began_us; next++) {
            if (farthest == NULL || stands_behind(answered[next], farthest)) {
                farthest = answered[next];
            }
        }
        if (farthest != NULL && stands_behind(farthest, now)) {
            describe(fault, size, farthest, now);
            is_sound = false;
        }
    }
    free(answered);
    return is_sound;
}
