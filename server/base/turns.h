/* Turns: which of the jobs that wait may run next, and whose.
 *
 * A turn is the right to run a job, and there is a fixed number of turns at a time. Jobs wait in a
 * line for each owner, in their order. The lines are served in rotation, so that the jobs of one
 * owner delay those of another by one job each, however many there are; and one owner holds no more
 * than its share of the turns (weir/base/fair_share.h), so that a turn is free for another,
 * however long its jobs run.
 *
 * An owner is known by a number that only should be its own: owners whose numbers share a line
 * share their turns as well. Nothing here locks or allocates; its user's lock guards it. */
#ifndef WEIR_SERVER_TURNS_H
#define WEIR_SERVER_TURNS_H

#include "weir/base/list.h"

#include <stdint.h>

struct weir_job {
    void (*run)(struct weir_job *job);  // on a worker; the job may be gone when it returns
    /* Ends the parts of a queued job whose deadline has passed, without blocking; called by
     * weir_queue_expire at `due_us` (monotonic) at the earliest. False where nothing is left to
     * run. NULL: the job has no deadline. */
    bool (*expire)(struct weir_job *job);
    int64_t due_us;
    uint32_t owner;           // for whom it runs
    struct weir_link queued;  // among those that wait
};

enum { WEIR_TURNS_LINES = 512 };

struct weir_line {
    struct weir_link jobs;
    struct weir_link at_turns;  // among the lines that have jobs
    size_t running;             // turns that its owner holds
};

struct weir_turns {
    size_t most;               // turns at a time
    size_t taken;              // turns that owners hold
    struct weir_link waiting;  // lines that have jobs, the next one first
    struct weir_line lines[WEIR_TURNS_LINES];
};

void weir_turns_init(struct weir_turns *turns, size_t most);

/* Has a job wait behind those of its owner. */
void weir_turns_add(struct weir_turns *turns, struct weir_job *job);

/* Whether weir_turns_take has a job to give. `regardless`: of shares. */
bool weir_turns_has_next(const struct weir_turns *turns, bool regardless);

/* Takes the next job whose owner may have another turn, and gives the owner that turn. NULL where
 * there is none. */
struct weir_job *weir_turns_take(struct weir_turns *turns, bool regardless);

/* Ends a turn of an owner. */
void weir_turns_end(struct weir_turns *turns, uint32_t owner);

/* Moves all jobs that wait to `out`, line by line, and from there back in front of those that have
 * come meanwhile; some may be missing by then. */
void weir_turns_take_out(struct weir_turns *turns, struct weir_link *out);
void weir_turns_put_back(struct weir_turns *turns, struct weir_link *jobs);

#endif
