#define _GNU_SOURCE  // SCHED_BATCH
#include "server/base/scheduling.h"

#include "weir/base/monotonic.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    LOOK_US = 500 * 1000,
    /* How long the default policy is kept before SCHED_BATCH is tried again. */
    DEFAULT_US = 10 * 1000 * 1000,
    /* Of waits and run time, all together: with less there is nothing to see yet. */
    TIMES_MIN_NS = 10 * 1000 * 1000,
    /* Waits of more than so many times the run time are taken for the work of others. With 1 to
     * 1,024 requests in flight from clients on the same two processors it was 0.6 to 4.8 times,
     * where SCHED_BATCH serves up to a quarter more. Beside two programs that never sleep it was 10
     * to 21 times for writes, of which the default policy then serves 3 to 16 times as many, and 3
     * to 6 times for work that keeps the processors itself, such as reads of 1,000, where the two
     * differ less. */
    WAITED_PER_RUN = 5
};

/* What the threads have done since each was started. */
struct times {
    uint64_t run_ns;
    uint64_t waited_ns;  // for a processor
};

/* When to look next; INT64_MAX: never, or not before the thread that looks has finished. That one
 * alone uses what follows. */
static _Atomic int64_t look_at_us = INT64_MAX;
static int policy = SCHED_OTHER;
static struct times seen;  // at the last look

/* Calls `visit` for each thread of the process with a descriptor of /proc/self/task and the name of
 * the thread's directory in it. False without a descriptor to do so. */
static bool visit_threads(void (*visit)(int tasks, const char *name, void *context), void *context)
{
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) {
        return false;
    }
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (task->d_name[0] != '.') {
            visit(dirfd(tasks), task->d_name, context);
        }
    }
    (void)closedir(tasks);
    return true;
}

/* The file's format: "schedstat" in the kernel's sched-stats.rst. */
static void add_times(int tasks, const char *name, void *context)
{
    struct times *times = context;
    char path[64];
    char text[128];
    (void)snprintf(path, sizeof(path), "%.32s/schedstat", name);
    const int file = openat(tasks, path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    const ssize_t n = read(file, text, sizeof(text) - 1);
    (void)close(file);
    text[n > 0 ? n : 0] = '\0';
    uint64_t run_ns;
    uint64_t waited_ns;
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &run_ns, &waited_ns) == 2) {
        times->run_ns += run_ns;
        times->waited_ns += waited_ns;
    }
}

static struct times times_of_all(void)
{
    struct times times = {0};
    (void)visit_threads(add_times, &times);
    return times;
}

static void set_policy(int tasks, const char *name, void *context)
{
    (void)tasks;
    const struct sched_param none = {.sched_priority = 0};
    (void)sched_setscheduler((pid_t)strtol(name, NULL, 10), *(const int *)context, &none);
}

static void set_policy_of_all(int chosen)
{
    if (visit_threads(set_policy, &chosen)) {
        policy = chosen;
    }
}

void weir_scheduling_begin(void)
{
    seen = times_of_all();
    if (sched_getscheduler(0) != SCHED_OTHER || seen.run_ns == 0) {
        return;
    }
    set_policy_of_all(SCHED_BATCH);
    if (sched_getscheduler(0) == SCHED_BATCH) {
        /* Not at once: what happens while the server and its first clients start says little. */
        atomic_store(&look_at_us, weir_monotonic_us() + LOOK_US);
    }
}

/* Chooses the policy by what the threads have done since `seen`; returns for how long. */
static int64_t choose(void)
{
    const struct times now = times_of_all();
    /* What a thread that has ended meanwhile had done is missing in `now`. */
    const uint64_t run_ns = now.run_ns > seen.run_ns ? now.run_ns - seen.run_ns : 0;
    const uint64_t waited_ns = now.waited_ns > seen.waited_ns ? now.waited_ns - seen.waited_ns : 0;
    if (policy == SCHED_OTHER) {
        set_policy_of_all(SCHED_BATCH);
    } else if (run_ns + waited_ns < TIMES_MIN_NS) {
        return LOOK_US;
    } else if (waited_ns / WAITED_PER_RUN > run_ns) {
        set_policy_of_all(SCHED_OTHER);
        return DEFAULT_US;
    }
    seen = now;
    return LOOK_US;
}

void weir_scheduling_look(int64_t now_us)
{
    int64_t at_us = atomic_load_explicit(&look_at_us, memory_order_relaxed);
    if (now_us >= at_us && atomic_compare_exchange_strong(&look_at_us, &at_us, INT64_MAX)) {
        atomic_store(&look_at_us, now_us + choose());
    }
}
