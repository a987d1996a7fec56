/* The queue and the workers: each job runs once, as many run at a time as there are workers, and
 * owners of jobs take turns. */
#include "server/base/workers.h"
#include "weir/base/fair_share.h"

#include "tests/lib/check_main.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>

enum { WORKERS = 4, ROUNDS = 500, JOBS = 20000, PRODUCERS = 3 };

static struct weir_queue queue;
static struct weir_workers workers;
static atomic_size_t runs;

static void set_up(void)
{
    struct weir_error err;
    weir_error_init(&err);
    atomic_store(&runs, 0);
    weir_queue_init(&queue, WORKERS);
    ck_assert_int_eq(weir_workers_start(&workers, &queue, WORKERS, &err), WEIR_OK);
}

static void tear_down(void)
{
    weir_workers_stop(&workers);
    weir_queue_fini(&queue);
}

static void count(struct weir_job *job)
{
    (void)job;
    atomic_fetch_add(&runs, 1);
}

static pthread_barrier_t barrier;

/* Returns when all workers and the test have arrived here. */
static void meet(struct weir_job *job)
{
    (void)job;
    (void)pthread_barrier_wait(&barrier);
}

/* A worker that is not woken would leave the others waiting at the barrier. */
START_TEST(as_many_jobs_run_at_once_as_there_are_workers)
{
    struct weir_job jobs[WORKERS] = {{.run = NULL}};
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, WORKERS + 1), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < WORKERS; i++) {
            jobs[i].run = meet;
            jobs[i].owner = (uint32_t)i;
            weir_queue_push(&queue, &jobs[i]);
        }
        (void)pthread_barrier_wait(&barrier);
    }
    weir_workers_stop(&workers);
    (void)pthread_barrier_destroy(&barrier);
    ck_assert_uint_eq(weir_queue_length(&queue), 0);
}
END_TEST

static size_t idle_workers(void)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&queue.lock);
    for (const struct weir_taker *taker = queue.idle; taker != NULL; taker = taker->next) {
        n++;
    }
    (void)pthread_mutex_unlock(&queue.lock);
    return n;
}

static void wait_until_all_are_idle(void)
{
    while (idle_workers() < WORKERS) {
        (void)sched_yield();
    }
}

static size_t looks;

static bool keep(struct weir_job *job)
{
    (void)job;
    looks++;
    return true;
}

static bool end(struct weir_job *job)
{
    job->queued = (struct weir_link){NULL, NULL};
    looks++;
    return false;
}

/* Pushes another job during the look. */
static bool push_another(struct weir_job *job)
{
    static struct weir_job another;
    another = (struct weir_job){.run = job->run};
    weir_queue_push(&queue, &another);
    return end(job);
}

static size_t pop_all(struct weir_job **order)
{
    struct weir_taker taker;
    size_t n = 0;
    weir_taker_init(&taker);
    weir_queue_close(&queue);
    for (struct weir_job *job = NULL; (job = weir_queue_pop(&queue, &taker)) != NULL; n++) {
        order[n] = job;
    }
    weir_taker_fini(&taker);
    return n;
}

/* Without workers, which would take the jobs. */
START_TEST(what_is_due_expires_and_the_rest_keeps_its_order)
{
    struct weir_job jobs[] = {{.expire = keep}, {.expire = end},
                              {.expire = NULL}, {.expire = end, .due_us = INT64_MAX},
                              {.expire = keep}, {.expire = push_another},
                              {.expire = end}};
    static const size_t want[] = {0, 2, 3, 4};
    struct weir_job *order[WEIR_COUNTOF(jobs) + 1];
    weir_workers_stop(&workers);
    weir_queue_fini(&queue);
    weir_queue_init(&queue, WORKERS);
    weir_queue_expire(&queue);
    for (size_t i = 0; i < WEIR_COUNTOF(jobs); i++) {
        weir_queue_push(&queue, &jobs[i]);
    }
    looks = 0;
    weir_queue_expire(&queue);
    ck_assert_uint_eq(looks, 5);
    ck_assert_uint_eq(weir_queue_length(&queue), 5);
    ck_assert_uint_eq(pop_all(order), 5);
    for (size_t i = 0; i < WEIR_COUNTOF(want); i++) {
        ck_assert_ptr_eq(order[i], &jobs[want[i]]);
    }
}
END_TEST

START_TEST(owners_take_turns)
{
    struct weir_job jobs[] = {{.owner = 1}, {.owner = 1}, {.owner = 1, .expire = keep},
                              {.owner = 2}, {.owner = 2}, {.owner = 3}};
    static const size_t want[] = {0, 3, 5, 1, 4, 2};
    struct weir_job *order[WEIR_COUNTOF(jobs)];
    weir_workers_stop(&workers);
    weir_queue_fini(&queue);
    weir_queue_init(&queue, WORKERS);
    for (size_t i = 0; i < WEIR_COUNTOF(jobs); i++) {
        weir_queue_push(&queue, &jobs[i]);
    }
    weir_queue_expire(&queue);
    ck_assert_uint_eq(pop_all(order), WEIR_COUNTOF(jobs));
    for (size_t i = 0; i < WEIR_COUNTOF(want); i++) {
        ck_assert_ptr_eq(order[i], &jobs[want[i]]);
    }
}
END_TEST

static atomic_bool is_open;

static void wait_until_open(struct weir_job *job)
{
    (void)job;
    while (!atomic_load(&is_open)) {
        (void)poll(NULL, 0, 1);
    }
}

/* The jobs of the first owner are enough for all workers, and end last. */
START_TEST(one_owner_leaves_a_worker_to_others)
{
    struct weir_job jobs[WORKERS];
    struct weir_job other = {.run = count, .owner = 2};
    atomic_store(&is_open, false);
    for (size_t i = 0; i < WORKERS; i++) {
        jobs[i] = (struct weir_job){.run = wait_until_open, .owner = 1};
        weir_queue_push(&queue, &jobs[i]);
    }
    while (weir_queue_length(&queue) > 1) {
        (void)sched_yield();
    }
    weir_queue_push(&queue, &other);
    while (atomic_load(&runs) == 0) {
        (void)sched_yield();
    }
    ck_assert_uint_eq(weir_queue_length(&queue), 1);
    atomic_store(&is_open, true);
    weir_workers_stop(&workers);
    ck_assert_uint_eq(weir_queue_length(&queue), 0);
}
END_TEST

/* Users take places in turn until none of them may take another one. */
static const struct {
    size_t most;
    size_t users;
    size_t each;  // places that the last of them gets
    size_t left;
} shares[] = {{32, 1, 24, 8}, {32, 2, 13, 5}, {32, 3, 9, 4}, {32, 31, 1, 1},
              {32, 32, 1, 0}, {8, 1, 6, 2},   {8, 2, 3, 2},  {8, 7, 1, 1},
              {4, 1, 3, 1},   {4, 4, 1, 0},   {3, 1, 3, 0},  {1, 1, 1, 0}};

START_TEST(a_share_leaves_places_free)
{
    size_t own[32] = {0};
    size_t taken = 0;
    bool has_grown = true;
    while (has_grown) {
        has_grown = false;
        for (size_t user = 0; user < shares[_i].users; user++) {
            if (weir_share_allows(own[user], taken, shares[_i].most)) {
                own[user]++;
                taken++;
                has_grown = true;
            }
        }
    }
    ck_assert_uint_eq(own[shares[_i].users - 1], shares[_i].each);
    ck_assert_uint_eq(shares[_i].most - taken, shares[_i].left);
}
END_TEST

/* All jobs have ended; the next one must be linked in correctly. */
START_TEST(a_queue_that_has_been_emptied_by_a_look_goes_on)
{
    struct weir_job jobs[] = {{.expire = end}, {.run = count}};
    weir_workers_stop(&workers);
    weir_queue_fini(&queue);
    weir_queue_init(&queue, WORKERS);
    weir_queue_push(&queue, &jobs[0]);
    weir_queue_expire(&queue);
    ck_assert_uint_eq(weir_queue_length(&queue), 0);
    weir_queue_push(&queue, &jobs[1]);
    struct weir_job *order[2];
    ck_assert_uint_eq(pop_all(order), 1);
    ck_assert_ptr_eq(order[0], &jobs[1]);
}
END_TEST

/* The looking thread is not a worker; the job that it holds must run even though the queue is
 * closed and looks empty. */
static bool close_meanwhile(struct weir_job *job)
{
    (void)job;
    weir_queue_close(&queue);
    (void)pthread_barrier_wait(&barrier);  // the workers return to the queue
    (void)poll(NULL, 0, 20);
    return true;
}

START_TEST(what_is_expiring_while_the_queue_is_closed_is_run)
{
    struct weir_job stops[WORKERS] = {{.run = NULL}};
    struct weir_job job = {.run = count, .expire = close_meanwhile};
    ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, WORKERS + 1), 0);
    for (size_t i = 0; i < WORKERS; i++) {
        stops[i].run = meet;
        stops[i].owner = (uint32_t)i;
        weir_queue_push(&queue, &stops[i]);
    }
    while (weir_queue_length(&queue) > 0) {
        (void)sched_yield();
    }
    weir_queue_push(&queue, &job);
    weir_queue_expire(&queue);
    weir_workers_stop(&workers);
    (void)pthread_barrier_destroy(&barrier);
    ck_assert_uint_eq(atomic_load(&runs), 1);
}
END_TEST

static pthread_t latest;  // the thread that ran the last job

static void tell_thread(struct weir_job *job)
{
    (void)job;
    latest = pthread_self();
}

static pthread_t run_one(void)
{
    struct weir_job job = {.run = tell_thread};
    wait_until_all_are_idle();
    weir_queue_push(&queue, &job);  // the woken worker is not idle any more
    wait_until_all_are_idle();
    return latest;
}

/* Jobs that arrive one at a time keep one thread busy, with warm caches, however many workers there
 * are. */
START_TEST(the_worker_that_was_busy_last_is_woken_first)
{
    const pthread_t first = run_one();
    for (int round = 0; round < ROUNDS; round++) {
        ck_assert(pthread_equal(run_one(), first));
    }
}
END_TEST

static void *produce(void *context)
{
    struct weir_job *jobs = context;
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].run = count;
        weir_queue_push(&queue, &jobs[i]);
    }
    return NULL;
}

START_TEST(each_job_runs_once)
{
    pthread_t threads[PRODUCERS];
    struct weir_job *jobs = calloc((size_t)PRODUCERS * JOBS, sizeof *jobs);
    ck_assert_ptr_nonnull(jobs);
    for (size_t i = 0; i < PRODUCERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, produce, jobs + i * JOBS), 0);
    }
    for (size_t i = 0; i < PRODUCERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    /* Stopping the workers runs the remaining jobs. */
    weir_workers_stop(&workers);
    ck_assert_uint_eq(atomic_load(&runs), (size_t)PRODUCERS * JOBS);
    free(jobs);
}
END_TEST

static Suite *queue_suite(void)
{
    Suite *suite = suite_create("queue");
    TCase *tcase = tcase_create("queue");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, as_many_jobs_run_at_once_as_there_are_workers);
    tcase_add_test(tcase, the_worker_that_was_busy_last_is_woken_first);
    tcase_add_test(tcase, owners_take_turns);
    tcase_add_test(tcase, one_owner_leaves_a_worker_to_others);
    tcase_add_loop_test(tcase, a_share_leaves_places_free, 0, WEIR_COUNTOF(shares));
    tcase_add_test(tcase, each_job_runs_once);
    tcase_add_test(tcase, what_is_due_expires_and_the_rest_keeps_its_order);
    tcase_add_test(tcase, a_queue_that_has_been_emptied_by_a_look_goes_on);
    tcase_add_test(tcase, what_is_expiring_while_the_queue_is_closed_is_run);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(queue_suite());
}
