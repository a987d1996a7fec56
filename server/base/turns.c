#include "server/base/turns.h"

#include "weir/base/fair_share.h"

#include <assert.h>

void weir_turns_init(struct weir_turns *turns, size_t most)
{
    turns->most = most;
    turns->taken = 0;
    weir_link_init(&turns->waiting);
    for (size_t i = 0; i < WEIR_TURNS_LINES; i++) {
        struct weir_line *line = &turns->lines[i];
        weir_link_init(&line->jobs);
        weir_link_init(&line->at_turns);
        line->running = 0;
    }
}

static struct weir_line *line_of(struct weir_turns *turns, uint32_t owner)
{
    return &turns->lines[owner % WEIR_TURNS_LINES];
}

void weir_turns_add(struct weir_turns *turns, struct weir_job *job)
{
    struct weir_line *line = line_of(turns, job->owner);
    if (weir_link_is_alone(&line->jobs)) {
        weir_link_append(&turns->waiting, &line->at_turns);
    }
    weir_link_append(&line->jobs, &job->queued);
}

/* Returns the line to be served next; NULL where none may be. */
static struct weir_line *find_next(const struct weir_turns *turns, bool regardless)
{
    for (struct weir_link *at = turns->waiting.next; at != &turns->waiting; at = at->next) {
        struct weir_line *line = WEIR_LINKED(at, struct weir_line, at_turns);
        if (regardless || weir_share_allows(line->running, turns->taken, turns->most)) {
            return line;
        }
    }
    return NULL;
}

bool weir_turns_has_next(const struct weir_turns *turns, bool regardless)
{
    return find_next(turns, regardless) != NULL;
}

struct weir_job *weir_turns_take(struct weir_turns *turns, bool regardless)
{
    struct weir_line *line = find_next(turns, regardless);
    if (line == NULL) {
        return NULL;
    }
    struct weir_job *job = WEIR_FIRST_LINKED(&line->jobs, struct weir_job, queued);
    weir_link_remove(&job->queued);
    weir_link_remove(&line->at_turns);
    if (!weir_link_is_alone(&line->jobs)) {
        weir_link_append(&turns->waiting, &line->at_turns);
    }
    line->running++;
    turns->taken++;
    return job;
}

void weir_turns_end(struct weir_turns *turns, uint32_t owner)
{
    struct weir_line *line = line_of(turns, owner);
    assert(line->running > 0 && turns->taken > 0);
    line->running--;
    turns->taken--;
}

void weir_turns_take_out(struct weir_turns *turns, struct weir_link *out)
{
    struct weir_line *line = NULL;
    while ((line = WEIR_FIRST_LINKED(&turns->waiting, struct weir_line, at_turns)) != NULL) {
        weir_link_remove(&line->at_turns);
        weir_link_move_all(&line->jobs, out);
    }
}

/* From the last one on, so that each job and each line is put in front of what is there. */
void weir_turns_put_back(struct weir_turns *turns, struct weir_link *jobs)
{
    while (!weir_link_is_alone(jobs)) {
        struct weir_job *job = WEIR_LINKED(jobs->before, struct weir_job, queued);
        struct weir_line *line = line_of(turns, job->owner);
        weir_link_remove(&job->queued);
        if (weir_link_is_alone(&line->jobs)) {
            weir_link_append(turns->waiting.next, &line->at_turns);
        }
        weir_link_append(line->jobs.next, &job->queued);
    }
}
