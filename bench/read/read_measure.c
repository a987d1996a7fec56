/* Prepares every read (warm-up with a full comparison, heap counts, number of reads per sample),
 * then runs the rounds: in each round every read takes one sample in every way, one directly after
 * the other, so that slow changes of the machine affect all ways alike. */
#include "bench/read/read_measure.h"

#include "bench/lib/clock.h"
#include "bench/lib/end_signals.h"
#include "bench/read/heap_count.h"
#include "bench/read/reader_postgres.h"
#include "bench/read/statements.h"

#include <stdlib.h>

enum { HEAP_READS = 64, READS_MAX = 4096 };

static const size_t batches[] = {10, 100, 1000};

/* A category without messages. */
static const struct dataset_selection nothing = {.selector = WEIR_SELECT_CATEGORY,
                                                 .name = {(const uint8_t *)"nothing", 7}};

/* ---- plans ---- */

static void plan_read(struct read_result *result, const char *name,
                      const struct dataset_selection *selection, size_t batch)
{
    result->name = name;
    result->available = selection->n;
    result->plan = (struct read_plan){.selection = selection, .batch = batch, .rows = batch};
    for (size_t s = 0; s < READ_STARTS; s++) {
        result->plan.first[s] = s * (selection->n - batch) / (READ_STARTS - 1);
    }
}

static void plan_all(const struct dataset *dataset, struct read_result results[READ_RESULTS])
{
    size_t r = 0;
    for (size_t b = 0; b < WEIR_COUNTOF(batches); b++) {
        plan_read(&results[r++], "stream", &dataset->stream, batches[b]);
    }
    for (size_t b = 0; b < WEIR_COUNTOF(batches); b++) {
        plan_read(&results[r++], "category", &dataset->category, batches[b]);
    }
    results[r].name = "nothing";
    results[r].is_empty = true;
    results[r].plan = (struct read_plan){.selection = &nothing, .batch = 1000};
}

/* ---- one read in one way ---- */

static weir_status check_rows(const struct read_plan *plan, const struct read_reply *reply,
                              struct weir_error *err)
{
    if (reply->rows != plan->rows) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "a read of %zu messages returned %zu", plan->rows,
                         reply->rows);
    }
    return WEIR_OK;
}

static weir_status time_reads(struct reader *reader, const struct read_plan *plan, size_t reads,
                              double *ns, struct weir_error *err)
{
    struct read_reply reply = {.message = NULL};
    weir_status status = WEIR_OK;
    const int64_t start_ns = clock_ns();
    for (size_t i = 0; status == WEIR_OK && i < reads; i++) {
        nng_msg_free(reply.message);
        status = reader->read(reader, plan, i % READ_STARTS, &reply, err);
        status = status == WEIR_OK ? check_rows(plan, &reply, err) : status;
    }
    *ns = (double)(clock_ns() - start_ns) / (double)reads;
    if (status == WEIR_OK) {
        status = reader_check(plan, (reads - 1) % READ_STARTS, &reply, err);
    }
    nng_msg_free(reply.message);
    return status;
}

/* Counts the heap use of every single read, once caches are warm. */
static weir_status count_heap(struct reader *reader, const struct read_plan *plan,
                              struct read_figures *figures, struct weir_error *err)
{
    double calls[HEAP_READS];
    weir_status status = WEIR_OK;
    for (size_t i = 0; status == WEIR_OK && i < HEAP_READS; i++) {
        struct read_reply reply;
        const struct heap_count before = heap_count_now();
        status = reader->read(reader, plan, i % READ_STARTS, &reply, err);
        const struct heap_count after = heap_count_now();
        calls[i] = (double)(after.calls - before.calls);
        figures->driver_calls += (double)(after.driver_calls - before.driver_calls) / HEAP_READS;
        figures->heap_bytes += (double)(after.bytes - before.bytes) / HEAP_READS;
        if (status == WEIR_OK && reply.message != NULL) {
            figures->sent_bytes += (double)nng_msg_len(reply.message) / HEAP_READS;
            nng_msg_free(reply.message);
        }
    }
    figures->heap_calls = stats_estimate(calls, HEAP_READS).median;
    figures->heap_calls_max = calls[HEAP_READS - 1];
    return status;
}

/* Runs the read once from every start and compares each reply with the messages written. */
static weir_status warm_up(struct reader *reader, const struct read_plan *plan,
                           struct weir_error *err)
{
    weir_status status = WEIR_OK;
    for (size_t s = 0; status == WEIR_OK && s < READ_STARTS; s++) {
        struct read_reply reply = {.message = NULL};
        status = reader->read(reader, plan, s, &reply, err);
        status = status == WEIR_OK ? reader_check(plan, s, &reply, err) : status;
        nng_msg_free(reply.message);
    }
    return status;
}

/* ---- all of them ---- */

struct measuring {
    const struct read_options *options;
    struct read_result *results;
    struct reader *ways[READ_WAYS];
    size_t reads[READ_RESULTS];  // per sample
    struct weir_error *err;
};

static bool is_done(const struct measuring *m, const struct read_result *result, size_t way)
{
    return m->ways[way] != NULL && (!result->is_empty || way == READ_SIZED);
}

/* Chooses the number of reads in a sample: equally many from every start. */
static weir_status prepare_read(struct measuring *m, size_t r)
{
    struct read_result *result = &m->results[r];
    weir_status status = WEIR_OK;
    for (size_t w = 0; status == WEIR_OK && w < READ_WAYS; w++) {
        if (is_done(m, result, w)) {
            result->figures[w].is_measured = true;
            status = warm_up(m->ways[w], &result->plan, m->err);
            status = status == WEIR_OK
                         ? count_heap(m->ways[w], &result->plan, &result->figures[w], m->err)
                         : status;
        }
    }
    double ns = 0;
    if (status == WEIR_OK) {
        status = time_reads(m->ways[READ_SIZED], &result->plan, 4 * READ_STARTS, &ns, m->err);
    }
    const double wanted = ns > 0 ? m->options->sample_ns / ns / READ_STARTS : 1;
    m->reads[r] = READ_STARTS * (wanted < 1                         ? 1
                                 : wanted > READS_MAX / READ_STARTS ? READS_MAX / READ_STARTS
                                                                    : (size_t)wanted);
    return status;
}

/* Runs one round. The order of the ways rotates between rounds, so that none always runs first. */
static weir_status run_round(struct measuring *m, size_t round)
{
    weir_status status = WEIR_OK;
    for (size_t r = 0; r < READ_RESULTS; r++) {
        struct read_result *result = &m->results[r];
        for (size_t turn = 0; status == WEIR_OK && turn < READ_WAYS; turn++) {
            const size_t way = (turn + round) % READ_WAYS;
            if (is_done(m, result, way)) {
                status = time_reads(m->ways[way], &result->plan, m->reads[r],
                                    &result->figures[way].ns[round], m->err);
            }
        }
    }
    return status;
}

static weir_status run_all(struct measuring *m)
{
    weir_status status = WEIR_OK;
    for (size_t r = 0; status == WEIR_OK && r < READ_RESULTS; r++) {
        status = prepare_read(m, r);
    }
    for (size_t round = 0; status == WEIR_OK && round < m->options->rounds; round++) {
        status = run_round(m, round);
        status = status == WEIR_OK ? end_signals_check(m->err) : status;
    }
    return status;
}

static bool make_room(struct read_result results[READ_RESULTS], size_t rounds)
{
    for (size_t r = 0; r < READ_RESULTS; r++) {
        for (size_t w = 0; w < READ_WAYS; w++) {
            results[r].figures[w].ns = calloc(rounds, sizeof(double));
            if (results[r].figures[w].ns == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* The ways of reading that the store offers, with their state. */
struct ways {
    struct reader floor;
    struct reader grown;
    struct statements statements;
    struct postgres_reader postgres_floor;
    struct postgres_reader postgres_grown;
    struct sized_reader sized;
    struct read_plan plans[READ_RESULTS];
};

static weir_status open_sqlite(struct ways *ways, const struct read_options *options,
                               struct dataset *dataset, struct measuring *m)
{
    ways->floor = floor_reader;
    ways->grown = grown_reader;
    m->ways[READ_FLOOR] = &ways->floor;
    m->ways[READ_GROWN] = &ways->grown;
    ways->statements = (struct statements){.plans = ways->plans, .plans_n = READ_RESULTS};
    return statements_learn(&ways->statements, dataset, options->url, m->err);
}

static weir_status open_postgres(struct ways *ways, const struct read_options *options,
                                 struct dataset *dataset, struct measuring *m)
{
    heap_count_driver("libpq");
    m->ways[READ_FLOOR] = &ways->postgres_floor.base;
    m->ways[READ_GROWN] = &ways->postgres_grown.base;
    return postgres_readers_open(&ways->postgres_floor, &ways->postgres_grown, options->url,
                                 dataset->id, m->err);
}

static weir_status open_ways(struct ways *ways, const struct read_options *options,
                             struct dataset *dataset, struct measuring *m)
{
    const char *backend = weir_store_backend_name(dataset->store);
    weir_status status = WEIR_OK;
    for (size_t r = 0; r < READ_RESULTS; r++) {
        ways->plans[r] = m->results[r].plan;
    }
    if (strcmp(backend, "sqlite") == 0) {
        status = open_sqlite(ways, options, dataset, m);
    } else {
        status = open_postgres(ways, options, dataset, m);
    }
    for (size_t r = 0; r < READ_RESULTS; r++) {
        m->results[r].plan = ways->plans[r];
    }
    sized_reader_init(&ways->sized, dataset->ns);
    m->ways[READ_SIZED] = &ways->sized.base;
    return status;
}

static void close_ways(struct ways *ways)
{
    sized_reader_fini(&ways->sized);
    statements_close(&ways->statements);
    postgres_readers_close(&ways->postgres_floor);
}

static weir_status measure_dataset(const struct read_options *options, struct dataset *dataset,
                                   struct read_result results[READ_RESULTS], struct weir_error *err)
{
    struct ways ways = {.plans = {{0}}};
    struct measuring m = {.options = options, .results = results, .err = err};
    plan_all(dataset, results);
    weir_status status = open_ways(&ways, options, dataset, &m);
    if (status == WEIR_OK) {
        status = run_all(&m);
    }
    close_ways(&ways);
    return status;
}

weir_status read_measure(const struct read_options *options,
                         struct read_result results[READ_RESULTS], struct weir_error *err)
{
    struct dataset dataset;
    memset(results, 0, READ_RESULTS * sizeof *results);
    weir_status status = dataset_make(&dataset, options->url, options->messages, err);
    if (status != WEIR_OK) {
        return status;
    }
    status = make_room(results, options->rounds)
                 ? measure_dataset(options, &dataset, results, err)
                 : weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    dataset_close(&dataset);
    if (status != WEIR_OK) {
        read_results_free(results);
    }
    return status;
}

void read_results_free(struct read_result results[READ_RESULTS])
{
    for (size_t r = 0; r < READ_RESULTS; r++) {
        for (size_t w = 0; w < READ_WAYS; w++) {
            free(results[r].figures[w].ns);
            results[r].figures[w].ns = NULL;
        }
    }
}

/* ---- results ---- */

struct estimate read_time(const struct read_figures *figures, size_t rounds)
{
    double *samples = calloc(rounds, sizeof *samples);
    struct estimate estimate = {0};
    if (samples != NULL) {
        memcpy(samples, figures->ns, rounds * sizeof *samples);
        estimate = stats_estimate(samples, rounds);
    }
    free(samples);
    return estimate;
}

struct estimate read_ratio(const struct read_figures *a, const struct read_figures *b,
                           size_t rounds)
{
    double *scratch = calloc(rounds, sizeof *scratch);
    struct estimate estimate = {0};
    if (scratch != NULL) {
        estimate = stats_ratio(a->ns, b->ns, scratch, rounds);
    }
    free(scratch);
    return estimate;
}
