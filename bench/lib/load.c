/* The load engine (load.h). The thread that calls load_run drives the phases: it starts the first
 * operations, watches the clock and the signals, and prints progress. Operations end in callbacks
 * on any thread (load_finish), which also start a slot's next operation, or on the slot's own
 * thread if the work blocks. Histograms and counters are atomic; errors_mutex guards errors and
 * outages. */
#include "bench/lib/load.h"

#include "bench/lib/clock.h"
#include "bench/lib/end_signals.h"
#include "bench/lib/load_arrivals.h"
#include "bench/lib/load_progress.h"
#include "bench/lib/payload.h"

#include <stdio.h>
#include <stdlib.h>

enum { TICK_NS = 20 * 1000 * 1000 };

static const char *const op_names[LOAD_OPS] = {
    [LOAD_WRITE] = "write",     [LOAD_READ] = "read",
    [LOAD_VERSION] = "version", [LOAD_IMPORT] = "import",
    [LOAD_EMPTY] = "empty",     [LOAD_DELIVERY] = "delivery",
    [LOAD_COMMIT] = "commit",   [LOAD_CHECKPOINT] = "checkpoint"};

const char *load_op_name(enum load_op op)
{
    return op_names[op];
}

/* ---- making ---- */

static bool make_histograms(struct load *load)
{
    load->total = histogram_new();
    load->lag = histogram_new();
    bool is_ok = load->total != NULL && load->lag != NULL;
    for (size_t op = 0; op < LOAD_OPS; op++) {
        load->counts[op].latency = histogram_new();
        is_ok = is_ok && load->counts[op].latency != NULL;
    }
    return is_ok;
}

static void init_locks(struct load *load)
{
    (void)pthread_mutex_init(&load->errors_mutex, NULL);
    (void)pthread_mutex_init(&load->mutex, NULL);
    (void)pthread_cond_init(&load->slot_is_free, NULL);
}

weir_status load_init(struct load *load, const struct load_settings *settings,
                      const struct load_work *work, struct weir_error *err)
{
    *load = (struct load){.settings = settings, .work = work, .random = settings->seed};
    init_locks(load);
    load->begin_ns = clock_ns();
    load->slots = calloc(settings->slots, sizeof *load->slots);
    if (load->slots == NULL || !make_histograms(load)) {
        load_fini(load);
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    for (size_t s = 0; s < settings->slots; s++) {
        load->slots[s] =
            (struct load_slot){.load = load, .number = s, .random = payload_random(&load->random)};
    }
    return WEIR_OK;
}

void load_fini(struct load *load)
{
    for (size_t op = 0; op < LOAD_OPS; op++) {
        free(load->counts[op].latency);
    }
    free(load->total);
    free(load->lag);
    free(load->slots);
    (void)pthread_cond_destroy(&load->slot_is_free);
    (void)pthread_mutex_destroy(&load->mutex);
    (void)pthread_mutex_destroy(&load->errors_mutex);
}

bool load_is_ending(const struct load *load)
{
    return atomic_load_explicit(&load->is_ending, memory_order_relaxed);
}

double load_measured_s(const struct load *load)
{
    return load->end_ns > load->measure_ns ? (double)(load->end_ns - load->measure_ns) / 1e9 : 0;
}

/* ---- counting ---- */

static double seconds_since_start(const struct load *load, int64_t ns)
{
    return (double)(ns - load->begin_ns) / 1e9;
}

/* In an open loop an operation belongs to the window that contains its intended start, however late
 * it ends. In a closed loop it belongs to the window that contains its end, so that the count
 * divided by the time is the rate. */
static bool is_measured(const struct load *load, int64_t intended_ns, int64_t now_ns)
{
    const int64_t at = load->settings->rate > 0 ? intended_ns : now_ns;
    return at >= load->measure_ns && at < load->end_ns;
}

static void count_second(struct load *load, int64_t now_ns)
{
    const int64_t second = (now_ns - load->begin_ns) / 1000000000;
    if (second >= 0 && second < LOAD_SECONDS_MAX) {
        (void)atomic_fetch_add_explicit(&load->each_second[second], 1, memory_order_relaxed);
    }
}

static void record(struct load *load, enum load_op op, int64_t ns, uint64_t messages)
{
    histogram_record(load->counts[op].latency, ns);
    (void)atomic_fetch_add_explicit(&load->counts[op].messages, messages, memory_order_relaxed);
}

void load_record(struct load *load, enum load_op op, int64_t from_ns, uint64_t messages)
{
    const int64_t now_ns = clock_ns();
    if (is_measured(load, from_ns, now_ns)) {
        record(load, op, now_ns - from_ns, messages);
    }
}

/* ---- failures ---- */

static struct load_errors *errors_of(struct load *load, const char *reason)
{
    for (size_t e = 0; e < load->errors_n; e++) {
        if (strncmp(load->errors[e].reason, reason, LOAD_REASON_MAX - 1) == 0) {
            return &load->errors[e];
        }
    }
    if (load->errors_n == LOAD_ERRORS_MAX) {
        return &load->errors[LOAD_ERRORS_MAX - 1];
    }
    struct load_errors *errors = &load->errors[load->errors_n++];
    (void)snprintf(errors->reason, sizeof errors->reason, "%s", reason);
    return errors;
}

static void begin_outage_locked(struct load *load, double at_s)
{
    if (!atomic_load(&load->is_outage) && load->outages_n < LOAD_OUTAGES_MAX) {
        load->outages[load->outages_n++] = (struct load_outage){at_s, -1};
        atomic_store(&load->is_outage, true);
    }
}

void load_error(struct load *load, const struct load_outcome *outcome)
{
    load_errors(load, outcome, 1);
}

void load_errors(struct load *load, const struct load_outcome *outcome, uint64_t n)
{
    const double at_s = seconds_since_start(load, clock_ns());
    (void)pthread_mutex_lock(&load->errors_mutex);
    struct load_errors *errors = errors_of(load, outcome->reason);
    if (errors->n == 0) {
        errors->first_s = at_s;
        (void)snprintf(errors->text, sizeof errors->text, "%s", outcome->text);
    }
    errors->n += n;
    errors->last_s = at_s;
    if (outcome->is_unreachable) {
        begin_outage_locked(load, at_s);
    }
    (void)pthread_mutex_unlock(&load->errors_mutex);
    if (load->settings->stops_on_error) {
        atomic_store(&load->is_ending, true);
    }
}

uint64_t load_errors_now(struct load *load)
{
    uint64_t n = 0;
    (void)pthread_mutex_lock(&load->errors_mutex);
    for (size_t e = 0; e < load->errors_n; e++) {
        n += load->errors[e].n;
    }
    (void)pthread_mutex_unlock(&load->errors_mutex);
    return n;
}

/* A call that began after the outage and was answered ends the outage. */
static void end_outage(struct load *load, int64_t started_ns)
{
    (void)pthread_mutex_lock(&load->errors_mutex);
    struct load_outage *outage = &load->outages[load->outages_n - 1];
    if (outage->to_s < 0 && seconds_since_start(load, started_ns) > outage->from_s) {
        outage->to_s = seconds_since_start(load, clock_ns());
        atomic_store(&load->is_outage, false);
    }
    (void)pthread_mutex_unlock(&load->errors_mutex);
}

/* Only errors raised by the client library itself have the detail "url". */
bool load_is_unreachable(const struct weir_error *err)
{
    return err->status == WEIR_SHUTTING_DOWN || weir_error_get_detail(err, "url") != NULL;
}

struct load_outcome load_failure(enum load_op op, const struct weir_error *err)
{
    return (struct load_outcome){.op = op,
                                 .reason = weir_status_name(err->status),
                                 .text = err->text,
                                 .is_unreachable = load_is_unreachable(err)};
}

/* ---- operations ---- */

void load_start(struct load_slot *slot, int64_t intended_ns, int64_t now_ns)
{
    struct load *load = slot->load;
    slot->intended_ns = intended_ns;
    slot->started_ns = now_ns;
    if (is_measured(load, intended_ns, now_ns)) {
        histogram_record(load->lag, now_ns - intended_ns);
    }
    load->work->start(load->work->context, slot);
}

static void count_outcome(struct load_slot *slot, const struct load_outcome *outcome,
                          int64_t now_ns)
{
    struct load *load = slot->load;
    if (!outcome->is_unreachable && atomic_load_explicit(&load->is_outage, memory_order_relaxed)) {
        end_outage(load, slot->started_ns);
    }
    if (outcome->reason != NULL) {
        load_error(load, outcome);
        return;
    }
    count_second(load, now_ns);
    if (is_measured(load, slot->intended_ns, now_ns)) {
        const int64_t from_ns = outcome->step_ns > 0 ? outcome->step_ns : slot->intended_ns;
        histogram_record(load->total, now_ns - slot->intended_ns);
        record(load, outcome->op, now_ns - from_ns, outcome->messages);
        if (outcome->is_conflict) {
            (void)atomic_fetch_add_explicit(&load->conflicts, 1, memory_order_relaxed);
        }
    }
}

static void release_slot(struct load_slot *slot)
{
    (void)atomic_fetch_sub(&slot->load->in_flight, 1);
}

void load_finish(struct load_slot *slot, const struct load_outcome *outcome)
{
    struct load *load = slot->load;
    const int64_t now_ns = clock_ns();
    count_outcome(slot, outcome, now_ns);
    if (load_is_ending(load)) {
        release_slot(slot);
    } else if (load->settings->rate > 0) {
        load_arrivals_next(slot, now_ns, outcome->reason != NULL);
    } else if (outcome->reason != NULL) {
        /* The restart is delayed: calls to a server that is down fail faster than it can
         * restart. */
        load_arrivals_pause(slot);
    } else {
        load_start(slot, now_ns, now_ns);
    }
}

/* ---- operations that block ---- */

static void *run_slot(void *context)
{
    struct load_slot *slot = context;
    struct load *load = slot->load;
    while (!load_is_ending(load)) {
        slot->intended_ns = slot->started_ns = clock_ns();
        const struct load_outcome outcome = load->work->run(load->work->context, slot);
        count_outcome(slot, &outcome, clock_ns());
    }
    return NULL;
}

static void begin_threads(struct load *load)
{
    for (size_t s = 0; s < load->settings->slots; s++) {
        struct load_slot *slot = &load->slots[s];
        slot->has_thread = pthread_create(&slot->thread, NULL, run_slot, slot) == 0;
        if (!slot->has_thread) {
            const struct load_outcome outcome = {.reason = "NO_THREAD",
                                                 .text = "cannot start a thread"};
            load_error(load, &outcome);
        }
    }
}

static void end_threads(struct load *load)
{
    for (size_t s = 0; s < load->settings->slots; s++) {
        if (load->slots[s].has_thread) {
            (void)pthread_join(load->slots[s].thread, NULL);
        }
    }
}

/* ---- running ---- */

/* Waits until until_ns, or until something ends the load. */
static void wait_until(struct load *load, int64_t until_ns)
{
    int64_t now_ns = clock_ns();
    while (now_ns < until_ns && !load_is_ending(load)) {
        const int64_t left_ns = until_ns - now_ns;
        if (end_signals_come(left_ns < TICK_NS ? left_ns : TICK_NS)) {
            load->is_interrupted = true;
            atomic_store(&load->is_ending, true);
        }
        load_arrivals_resume(load);
        load_progress(load);
        now_ns = clock_ns();
    }
}

/* Shortens the window of a load that ended early to the time that was measured. */
static void cut_window(struct load *load)
{
    const int64_t now_ns = clock_ns();
    if (now_ns < load->measure_ns) {
        load->measure_ns = now_ns;
    }
    if (now_ns < load->end_ns) {
        load->end_ns = now_ns;
    }
}

/* Waits for the operations in flight. No operation starts any more, so a signal here aborts the
 * wait. */
static void drain(struct load *load)
{
    const int64_t until_ns = clock_ns() + (int64_t)(load->settings->drain_s * 1e9);
    bool goes_on = true;
    while (goes_on && atomic_load(&load->in_flight) > 0 && clock_ns() < until_ns) {
        if (end_signals_come(TICK_NS / 4)) {
            load->is_interrupted = true;
            goes_on = false;
        }
    }
}

static void set_times(struct load *load)
{
    load->begin_ns = clock_ns();
    load->measure_ns = load->begin_ns + (int64_t)(load->settings->warmup_s * 1e9);
    load->end_ns = load->measure_ns + (int64_t)(load->settings->seconds * 1e9);
}

static bool begin_operations(struct load *load)
{
    if (load->work->run != NULL) {
        begin_threads(load);
        return true;
    }
    return load_arrivals_begin(load);
}

static void end_operations(struct load *load)
{
    if (load->work->run != NULL) {
        end_threads(load);
    } else {
        load_arrivals_end(load);
    }
}

void load_run(struct load *load, const struct load_window *window)
{
    set_times(load);
    const int64_t end_ns = load->end_ns;
    const bool is_started = begin_operations(load);
    wait_until(load, load->measure_ns);
    if (window != NULL) {
        window->begins(window->context);
    }
    wait_until(load, end_ns);
    if (window != NULL) {
        window->ends(window->context);
    }
    cut_window(load);
    atomic_store(&load->is_ending, true);
    if (is_started) {
        end_operations(load);
    }
    drain(load);
    load_progress_end(load);
}
