/* When operations start. In an open loop one thread takes the intended start times in order and
 * starts each operation on a free slot; a slot that ends while an arrival is overdue takes that
 * arrival itself. In a closed loop a slot continues at once, except after a failure: failed slots
 * wait for load_arrivals_resume. load->mutex guards the lists and the time of the next arrival, and
 * is never held while an operation starts. */
#include "bench/lib/load_arrivals.h"

#include "bench/lib/clock.h"
#include "bench/lib/payload.h"

#include <math.h>
#include <sys/prctl.h>

/* Longest sleep without a check whether the load is ending. */
enum { SLEEP_NS = 20 * 1000 * 1000 };

/* ---- times ---- */

/* Returns the gap to the next arrival: constant, or exponentially distributed with the same
 * mean. */
static double gap_ns(struct load *load)
{
    const double mean = 1e9 / load->settings->rate;
    if (!load->settings->is_random) {
        return mean;
    }
    const double unit = ((double)(payload_random(&load->random) >> 11) + 0.5) * 0x1p-53;
    return -log(unit) * mean;
}

/* Takes the next arrival if it is due. The caller holds load->mutex. */
static bool take_due_locked(struct load *load, int64_t now_ns, int64_t *intended_ns)
{
    if (load->next_ns > (double)now_ns || load_is_ending(load)) {
        return false;
    }
    *intended_ns = (int64_t)load->next_ns;
    load->next_ns += gap_ns(load);
    return true;
}

/* ---- open loop ---- */

void load_arrivals_next(struct load_slot *slot, int64_t now_ns, bool has_failed)
{
    struct load *load = slot->load;
    int64_t intended_ns = 0;
    (void)pthread_mutex_lock(&load->mutex);
    const bool is_due = !has_failed && take_due_locked(load, now_ns, &intended_ns);
    if (!is_due) {
        slot->next = load->free;
        load->free = slot;
        (void)atomic_fetch_sub(&load->in_flight, 1);
        (void)pthread_cond_signal(&load->slot_is_free);
    }
    (void)pthread_mutex_unlock(&load->mutex);
    if (is_due) {
        load_start(slot, intended_ns, now_ns);
    }
}

static void sleep_towards(int64_t until_ns)
{
    const int64_t soon_ns = clock_ns() + SLEEP_NS;
    const struct timespec until = clock_timespec(until_ns < soon_ns ? until_ns : soon_ns);
    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Waits for a free slot and the time of the next arrival. Returns NULL at the end of the load. */
static struct load_slot *next_start(struct load *load, int64_t *intended_ns)
{
    struct load_slot *slot = NULL;
    (void)pthread_mutex_lock(&load->mutex);
    while (slot == NULL && !load_is_ending(load)) {
        if (load->free == NULL) {
            (void)pthread_cond_wait(&load->slot_is_free, &load->mutex);
        } else if (take_due_locked(load, clock_ns(), intended_ns)) {
            slot = load->free;
            load->free = slot->next;
            (void)atomic_fetch_add(&load->in_flight, 1);
        } else {
            const int64_t until_ns = (int64_t)load->next_ns;
            (void)pthread_mutex_unlock(&load->mutex);
            sleep_towards(until_ns);
            (void)pthread_mutex_lock(&load->mutex);
        }
    }
    (void)pthread_mutex_unlock(&load->mutex);
    return slot;
}

static void *run_arrivals(void *context)
{
    struct load *load = context;
    struct load_slot *slot = NULL;
    int64_t intended_ns = 0;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);  // makes sleeps end on time instead of 50 µs late
    while ((slot = next_start(load, &intended_ns)) != NULL) {
        load_start(slot, intended_ns, clock_ns());
    }
    return NULL;
}

static bool begin_open(struct load *load)
{
    load->next_ns = (double)load->begin_ns + gap_ns(load);
    for (size_t s = 0; s < load->settings->slots; s++) {
        load->slots[s].next = load->free;
        load->free = &load->slots[s];
    }
    if (pthread_create(&load->arrivals, NULL, run_arrivals, load) == 0) {
        return true;
    }
    const struct load_outcome outcome = {.reason = "NO_THREAD",
                                         .text = "cannot start a thread for the arrivals"};
    load_error(load, &outcome);
    atomic_store(&load->is_ending, true);
    return false;
}

/* ---- closed loop ---- */

void load_arrivals_pause(struct load_slot *slot)
{
    struct load *load = slot->load;
    (void)pthread_mutex_lock(&load->mutex);
    slot->next = load->failed;
    load->failed = slot;
    (void)atomic_fetch_sub(&load->in_flight, 1);
    (void)pthread_mutex_unlock(&load->mutex);
}

void load_arrivals_resume(struct load *load)
{
    (void)pthread_mutex_lock(&load->mutex);
    struct load_slot *slot = load->failed;
    load->failed = NULL;
    (void)pthread_mutex_unlock(&load->mutex);
    while (slot != NULL && !load_is_ending(load)) {
        struct load_slot *next = slot->next;  // load_start may put the slot back on the list
        const int64_t now_ns = clock_ns();
        (void)atomic_fetch_add(&load->in_flight, 1);
        load_start(slot, now_ns, now_ns);
        slot = next;
    }
}

static bool begin_closed(struct load *load)
{
    for (size_t s = 0; s < load->settings->slots && !load_is_ending(load); s++) {
        const int64_t now_ns = clock_ns();
        (void)atomic_fetch_add(&load->in_flight, 1);
        load_start(&load->slots[s], now_ns, now_ns);
    }
    return true;
}

/* ---- both ---- */

/* Starts the arrivals that fell due while the arrivals thread was ending. */
static void start_last(struct load *load)
{
    (void)pthread_mutex_lock(&load->mutex);
    while (load->free != NULL && load->next_ns < (double)load->end_ns) {
        struct load_slot *slot = load->free;
        load->free = slot->next;
        const int64_t intended_ns = (int64_t)load->next_ns;
        load->next_ns += gap_ns(load);
        (void)atomic_fetch_add(&load->in_flight, 1);
        (void)pthread_mutex_unlock(&load->mutex);
        load_start(slot, intended_ns, clock_ns());
        (void)pthread_mutex_lock(&load->mutex);
    }
    (void)pthread_mutex_unlock(&load->mutex);
}

/* Counts arrivals of the measured time that never started because all slots were taken until the
 * end. Their latencies would have been the longest, so leaving them out would flatter the
 * result. */
static void count_not_started(struct load *load)
{
    const struct load_outcome outcome = {
        .reason = "NOT_STARTED",
        .text = "could not be started: all slots were in use until the end"};
    const double measure_ns = (double)load->measure_ns;
    uint64_t n = 0;
    for (; load->next_ns < (double)load->end_ns; load->next_ns += gap_ns(load)) {
        n += load->next_ns >= measure_ns;
    }
    if (n > 0) {
        load_errors(load, &outcome, n);
    }
}

bool load_arrivals_begin(struct load *load)
{
    return load->settings->rate > 0 ? begin_open(load) : begin_closed(load);
}

void load_arrivals_end(struct load *load)
{
    if (load->settings->rate > 0) {
        (void)pthread_mutex_lock(&load->mutex);
        (void)pthread_cond_broadcast(&load->slot_is_free);
        (void)pthread_mutex_unlock(&load->mutex);
        (void)pthread_join(load->arrivals, NULL);
        start_last(load);
        count_not_started(load);
    }
}
