/* The engine of a load: starts operations, as many at once or as many a second as it is told,
 * measures them, and keeps count of what failed.
 *
 * Operations are asynchronous. A slot is room for one of them; its work starts the operation and
 * returns, and whoever sees its end calls load_finish, on any thread. A slot is touched by one
 * thread at a time.
 *
 * Closed loop (rate 0): every slot starts its next operation when the last one has ended. Open
 * loop: operations start at their intended times whatever happens to those before them; one whose
 * time has come while all slots are taken starts as soon as one is free, and its latency is still
 * counted from when it should have started, so that a server that stalls cannot hide it. */
#ifndef WEIR_BENCH_LOAD_H
#define WEIR_BENCH_LOAD_H

#include "bench/lib/histogram.h"
#include "weir/base/fail.h"

#include <pthread.h>
#include <stdatomic.h>

struct load;

/* What is counted apart from each other. */
enum load_op {
    LOAD_WRITE,
    LOAD_READ,
    LOAD_VERSION,
    LOAD_IMPORT,
    LOAD_EMPTY,
    LOAD_DELIVERY,    // of a message to a reader that waited
    LOAD_COMMIT,      // of a group of writes
    LOAD_CHECKPOINT,  // a commit among them that a checkpoint was beside
    LOAD_OPS
};

const char *load_op_name(enum load_op op);

struct load_slot {
    struct load *load;
    size_t number;
    uint64_t random;  // state of payload_random
    int64_t intended_ns;
    int64_t started_ns;
    struct load_slot *next;  // among those that are free or wait after a failure
    pthread_t thread;        // where operations block
    bool has_thread;
};

struct load_settings {
    size_t slots;
    double rate;      // operations a second; 0: closed loop
    bool is_random;   // arrivals by chance (exponential gaps) and not evenly
    double warmup_s;  // not measured
    double seconds;   // measured
    double drain_s;   // how long operations in flight are waited for at the end
    bool stops_on_error;
    bool has_progress;  // a line on standard error, every second
    uint64_t seed;
};

/* What became of an operation. */
struct load_outcome {
    enum load_op op;
    uint64_t messages;
    bool is_conflict;     // refused as it may be: counted, no error
    const char *reason;   // NULL: it went well
    const char *text;     // with a reason
    bool is_unreachable;  // with a reason: no answer came
};

struct load_work {
    void *context;
    /* Starts the slot's next operation. Never blocks. */
    void (*start)(void *context, struct load_slot *slot);
    /* Instead of it, in a closed loop: does the whole operation, on a thread of the slot's own. */
    struct load_outcome (*run)(void *context, struct load_slot *slot);
};

enum { LOAD_REASON_MAX = 48, LOAD_TEXT_MAX = 200, LOAD_ERRORS_MAX = 24, LOAD_OUTAGES_MAX = 16 };

/* Failures of one reason. Moments are seconds since the start of the load. */
struct load_errors {
    char reason[LOAD_REASON_MAX];
    char text[LOAD_TEXT_MAX];  // of the first
    uint64_t n;
    double first_s;
    double last_s;
};

/* A time in which the server could not be reached. */
struct load_outage {
    double from_s;
    double to_s;  // below from_s while it lasts
};

/* What is counted of one kind of operation in the measured time. */
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
    struct histogram *total;  // whole operations of all kinds
    struct histogram *lag;    // how late operations were started
    atomic_uint_fast64_t conflicts;
    atomic_uint_fast32_t each_second[LOAD_SECONDS_MAX];

    int64_t begin_ns;
    _Atomic int64_t measure_ns;  // the measured time: from here
    _Atomic int64_t end_ns;      // to here
    atomic_bool is_ending;
    atomic_size_t in_flight;
    bool is_interrupted;
    int64_t second_shown;  // by the progress line
    pthread_t arrivals;    // open loop: starts operations at their times

    pthread_mutex_t errors_mutex;  // guards what follows; a leaf
    struct load_errors errors[LOAD_ERRORS_MAX];
    size_t errors_n;
    struct load_outage outages[LOAD_OUTAGES_MAX];
    size_t outages_n;
    size_t outages_told;  // on standard error
    atomic_bool is_outage;

    pthread_mutex_t mutex;  // guards what follows; a leaf
    pthread_cond_t slot_is_free;
    struct load_slot *free;    // open loop
    struct load_slot *failed;  // closed loop: started again a little later
    double next_ns;            // of the next arrival
    uint64_t random;
};

/* Makes the slots; `settings` and `work` outlive the load. */
weir_status load_init(struct load *load, const struct load_settings *settings,
                      const struct load_work *work, struct weir_error *err);
void load_fini(struct load *load);

/* Runs it: warm-up, measured time, and the end of what is then in flight. Ends early on SIGINT or
 * SIGTERM, which must be blocked (end_signals.h), and after an error where that is wanted; a signal
 * at the end leaves in flight what is. `window`
 * (NULL for none) is called when the measured time begins and when it ends. */
struct load_window {
    void *context;
    void (*begins)(void *context);
    void (*ends)(void *context);
};
void load_run(struct load *load, const struct load_window *window);

/* Ends a slot's operation; starts the next one where it is time for it. */
void load_finish(struct load_slot *slot, const struct load_outcome *outcome);

/* Whether a call failed because there is no server, or none for long. */
bool load_is_unreachable(const struct weir_error *err);

/* The outcome of a call that failed. */
struct load_outcome load_failure(enum load_op op, const struct weir_error *err);

/* Counts a part of an operation, or what happens beside them: `from_ns` is when it began. */
void load_record(struct load *load, enum load_op op, int64_t from_ns, uint64_t messages);

/* Counts a failure that is no operation's. */
void load_error(struct load *load, const struct load_outcome *outcome);

bool load_is_ending(const struct load *load);

/* How long was measured. */
double load_measured_s(const struct load *load);

#endif
