/* The load engine: starts operations, a fixed number at once or a fixed number a second, measures
 * their latencies and counts failures.
 *
 * Operations are asynchronous. A slot is room for one operation; its work starts the operation and
 * returns, and the completion callback calls load_finish on any thread. One thread at a time uses a
 * slot.
 *
 * Closed loop (rate 0): every slot starts its next operation when the previous one has ended. Open
 * loop: operations have intended start times, independent of the operations before them. An
 * operation that is due while all slots are taken starts as soon as a slot is free, and its latency
 * still counts from the intended time, so that a stalled server cannot hide its stalls. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include "bench/lib/histogram.h"
#include "weir/base/fail.h"

#include <pthread.h>
#include <stdatomic.h>

struct load;

/* Kinds of operations, counted separately. */
enum load_op {
    LOAD_WRITE,
    LOAD_READ,
    LOAD_VERSION,
    LOAD_IMPORT,
    LOAD_EMPTY,
    LOAD_DELIVERY,    // of a message to a waiting reader
    LOAD_COMMIT,      // of a group of writes
    LOAD_CHECKPOINT,  // of such a group, if a checkpoint overlapped it
    LOAD_OPS
};

const char *load_op_name(enum load_op op);

struct load_slot {
    struct load *load;
    size_t number;
    uint64_t random;  // state for payload_random
    int64_t intended_ns;
    int64_t started_ns;
    struct load_slot *next;  // in the list of free or of failed slots
    pthread_t thread;        // for work that blocks (load_work.run)
    bool has_thread;
};

struct load_settings {
    size_t slots;
    double rate;      // operations per second; 0: closed loop
    bool is_random;   // exponentially distributed gaps instead of even ones
    double warmup_s;  // not measured
    double seconds;   // measured
    double drain_s;   // limit for operations still in flight at the end
    bool stops_on_error;
    bool has_progress;  // a progress line on standard error every second
    uint64_t seed;
};

/* The result of one operation. */
struct load_outcome {
    enum load_op op;
    int64_t step_ns;  // start of op where it is the last of several steps, else 0
    uint64_t messages;
    bool is_conflict;     // refused by an expected version: counted, not an error
    const char *reason;   // NULL on success
    const char *text;     // set if reason is set
    bool is_unreachable;  // meaningful if reason is set: no answer arrived
};

struct load_work {
    void *context;
    /* Starts the next operation of the slot. Never blocks. */
    void (*start)(void *context, struct load_slot *slot);
    /* Replaces start in a closed loop: runs a whole operation on the slot's own thread. */
    struct load_outcome (*run)(void *context, struct load_slot *slot);
};

enum { LOAD_REASON_MAX = 48, LOAD_TEXT_MAX = 200, LOAD_ERRORS_MAX = 24, LOAD_OUTAGES_MAX = 16 };

/* Failures with one reason. Moments are seconds since the start of the load. */
struct load_errors {
    char reason[LOAD_REASON_MAX];
    char text[LOAD_TEXT_MAX];  // of the first failure
    uint64_t n;
    double first_s;
    double last_s;
};

/* A period in which the server was unreachable. */
struct load_outage {
    double from_s;
    double to_s;  // < from_s while the outage lasts
};

/* Counts of one kind of operation in the measured time. */
struct load_count {
    struct histogram *latency;
    atomic_uint_fast64_t messages;
};

enum { LOAD_SECONDS_MAX = 3600 };

struct load {
    const struct load_settings *settings;
    const struct load_work *work;
    struct load_slot *slots;
    struct load_count counts[LOAD_OPS];
    struct histogram *total;  // latency of whole operations of all kinds
    struct histogram *lag;    // delay of the start behind the intended time
    atomic_uint_fast64_t conflicts;
    atomic_uint_fast32_t each_second[LOAD_SECONDS_MAX];

    int64_t begin_ns;
    _Atomic int64_t measure_ns;  // start of the measured time
    _Atomic int64_t end_ns;      // end of the measured time
    atomic_bool is_ending;
    atomic_size_t in_flight;
    bool is_interrupted;
    int64_t second_shown;  // last second that the progress line showed
    pthread_t arrivals;    // open loop: the thread that starts operations

    pthread_mutex_t errors_mutex;  // guards the members below up to `mutex`; a leaf
    struct load_errors errors[LOAD_ERRORS_MAX];
    size_t errors_n;
    struct load_outage outages[LOAD_OUTAGES_MAX];
    size_t outages_n;
    size_t outages_reported;  // begins and ends of outages already reported
    atomic_bool is_outage;

    pthread_mutex_t mutex;  // guards the members below; a leaf
    pthread_cond_t slot_is_free;
    struct load_slot *free;    // open loop: idle slots
    struct load_slot *failed;  // closed loop: slots to restart after a pause
    double next_ns;            // intended time of the next arrival
    uint64_t random;
};

/* Allocates the slots and histograms. `settings` and `work` must outlive the load. */
weir_status load_init(struct load *load, const struct load_settings *settings,
                      const struct load_work *work, struct weir_error *err);
void load_fini(struct load *load);

/* Runs the load: warm-up, measured time, then the drain of the operations in flight. Ends early on
 * SIGINT or SIGTERM, which the caller must have blocked (end_signals.h), and after an error if
 * stops_on_error is set. A signal during the drain abandons the operations still in flight.
 * `window` (NULL for none) is called at the start and at the end of the measured time. */
struct load_window {
    void *context;
    void (*begins)(void *context);
    void (*ends)(void *context);
};
void load_run(struct load *load, const struct load_window *window);

/* Ends the operation of a slot and starts the next one if it is due. Called on any thread. */
void load_finish(struct load_slot *slot, const struct load_outcome *outcome);

/* Returns whether a call failed because the server was unreachable or is shutting down. */
bool load_is_unreachable(const struct weir_error *err);

/* Returns the outcome for a failed call; its text points into `err`. */
struct load_outcome load_failure(enum load_op op, const struct weir_error *err);

/* Counts a step of an operation, or an event beside the operations, that began at from_ns. */
void load_record(struct load *load, enum load_op op, int64_t from_ns, uint64_t messages);

/* Counts a failure outside of any operation; load_errors counts `n` of them. */
void load_error(struct load *load, const struct load_outcome *outcome);
void load_errors(struct load *load, const struct load_outcome *outcome, uint64_t n);

/* Returns the number of failures up to now. Thread-safe. */
uint64_t load_errors_now(struct load *load);

bool load_is_ending(const struct load *load);

/* Returns the length of the measured time in seconds. */
double load_measured_s(const struct load *load);

#endif
