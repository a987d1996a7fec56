/* Several servers on one database: two stores with many writers, terminated connections, a stopped
 * server, and namespaces that one server creates while another deletes them. */
#include "store/postgres/pg_namespace.h"

#include "tests/lib/check_main.h"
#include "tests/postgres/pg_fixture.h"

#include "weir/base/monotonic.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WRITERS = 16,
    WRITES = 60,
    KILL_EVERY = 7,
    STOPS = 8,
    WRITES_WHILE_STOPPED = 20,
    RACERS = 2,
    RACES = 50
};

/* ---- writers ---- */

static void post(struct weir_write *write)
{
    (void)sem_post(write->context);
}

/* Submits a write, leads the lane if necessary, and waits for the outcome. */
static weir_status commit_and_wait(struct weir_namespace *ns, struct weir_write *write,
                                   struct weir_error *err)
{
    sem_t done;
    (void)sem_init(&done, 0, 0);
    weir_error_init(err);
    write->err = err;
    write->done = post;
    write->context = &done;
    write->deadline_us = weir_monotonic_us() + 20000000;
    if (weir_write_submit(ns, write)) {
        while (weir_lane_run(ns)) {
        }
    }
    while (sem_wait(&done) != 0) {
    }
    (void)sem_destroy(&done);
    return err->status;
}

struct writer {
    pthread_t thread;
    struct weir_namespace *ns;
    uint64_t number;
    bool kills;
    size_t killed;
    size_t retries;
    struct weir_written acknowledged[WRITES];
    bool is_failed;
};

/* Terminates a connection of a server, as an administrator or a failover would. */
static void kill_one(struct writer *writer, PGconn *killer)
{
    PGresult *result =
        PQexec(killer, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                       "datname = current_database() AND application_name = 'weir-server' ORDER BY "
                       "random() LIMIT 1");
    writer->killed += PQntuples(result) == 1;
    PQclear(result);
}

static void *write_all(void *context)
{
    struct writer *writer = context;
    PGconn *killer = writer->kills ? PQconnectdb(getenv("WEIR_TEST_SQL")) : NULL;
    for (uint64_t w = 0; w < WRITES && !writer->is_failed; w++) {
        const struct weir_new_message message =
            message_of(1 + writer->number * WRITES + w, "{\"n\":1}");
        struct weir_stream_append part;
        struct weir_write write =
            write_of(&part, "shared-1", ANY, &message, &writer->acknowledged[w]);
        struct weir_error err;
        while (commit_and_wait(writer->ns, &write, &err) != WEIR_OK && !writer->is_failed) {
            writer->is_failed = !weir_status_retryable(err.status) || ++writer->retries > 1000;
        }
        if (writer->is_failed) {
            (void)fprintf(stderr, "%s\n", err.text);
        }
        if (killer != NULL && w % KILL_EVERY == 0) {
            kill_one(writer, killer);
        }
    }
    PQfinish(killer);
    return NULL;
}

/* Runs the writers, half of them on each store. Returns the number of terminated connections. */
static size_t run_writers(struct writer *writers, bool kills)
{
    size_t killed = 0;
    for (size_t w = 0; w < WRITERS; w++) {
        writers[w] =
            (struct writer){.ns = w % 2 == 0 ? fx.ns : fx.second_ns, .number = w, .kills = kills};
        ck_assert_int_eq(pthread_create(&writers[w].thread, NULL, write_all, &writers[w]), 0);
    }
    for (size_t w = 0; w < WRITERS; w++) {
        (void)pthread_join(writers[w].thread, NULL);
        ck_assert(!writers[w].is_failed);
        killed += writers[w].killed;
    }
    return killed;
}

/* ---- checks afterwards ---- */

static void read_stream(struct weir_namespace *ns)
{
    struct weir_query query = query_stream("shared-1");
    query.max_messages = 10000;
    must_read(ns, &query);
}

static void assert_rows_are_in_order(void)
{
    for (size_t r = 0; r < fx.rows.n; r++) {
        ck_assert_int_eq(fx.rows.rows[r].position, (int64_t)r);
        ck_assert(r == 0 ||
                  (fx.rows.rows[r].global_position > fx.rows.rows[r - 1].global_position &&
                   fx.rows.rows[r].time_us >= fx.rows.rows[r - 1].time_us));
    }
}

static void assert_stream_is_whole(struct weir_namespace *ns, size_t n)
{
    read_stream(ns);
    ck_assert_uint_eq(fx.rows.n, n);
    assert_rows_are_in_order();
}

static void assert_acknowledged_once(const struct writer *writers)
{
    bool seen[WRITERS * WRITES] = {false};
    for (size_t w = 0; w < WRITERS; w++) {
        for (size_t k = 0; k < WRITES; k++) {
            const struct weir_written *written = &writers[w].acknowledged[k];
            ck_assert_int_lt(written->position, WRITERS * WRITES);
            ck_assert(!seen[written->position]);
            seen[written->position] = true;
            const struct weir_row *row = &fx.rows.rows[written->position];
            ck_assert_mem_eq(row->id.bytes, written->id.bytes, sizeof row->id.bytes);
            ck_assert_int_eq(row->global_position, written->global_position);
        }
    }
}

START_TEST(writers_on_two_servers_share_one_order)
{
    static struct writer writers[WRITERS];
    (void)run_writers(writers, false);
    assert_stream_is_whole(fx.ns, WRITERS * WRITES);
    assert_stream_is_whole(fx.second_ns, WRITERS * WRITES);
    assert_acknowledged_once(writers);
    ck_assert_int_eq(must_head(fx.second_ns), WRITERS * WRITES);  // no gaps
}
END_TEST

/* Whatever the clocks say: the database's clock has been at 2100. */
START_TEST(time_does_not_go_back)
{
    enum { N = 3 };
    const int64_t in_2100_us = 4102444800000000;
    struct weir_namespace *const servers[N] = {fx.ns, fx.second_ns, fx.ns};
    int64_t last_us = 0;
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_eq(
        sql_int("SELECT (c.last_write = (SELECT max(m.time) FROM %s.messages AS m))::int"
                " FROM %s.counters AS c",
                schema_of("test"), schema_of("test")),
        1);
    sql("UPDATE %s.counters SET last_write = '2100-01-01'", schema_of("test"));
    for (uint64_t i = 0; i < N; i++) {
        const struct weir_new_message message = message_of(i + 1, "1");
        struct weir_written written;
        ck_assert_int_eq(append(servers[i], "a-1", ANY, &message, 1, &written), WEIR_OK);
        ck_assert_int_ge(written.time_us, in_2100_us);
        ck_assert_int_ge(written.time_us, last_us);
        last_us = written.time_us;
    }
}
END_TEST

START_TEST(nothing_acknowledged_is_lost_or_doubled_while_connections_are_killed)
{
    static struct writer writers[WRITERS];
    const size_t killed = run_writers(writers, true);
    ck_assert_uint_gt(killed, 50);
    assert_stream_is_whole(fx.ns, WRITERS * WRITES);
    assert_acknowledged_once(writers);
    struct weir_namespace_totals totals;
    ck_assert_int_eq(weir_namespace_totals(fx.ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, WRITERS * WRITES);
    ck_assert_int_eq(totals.stream_count, 1);
}
END_TEST

/* ---- sessions with another isolation ---- */

/* A transaction of READ COMMITTED that has waited for the lock sees what was written meanwhile. Any
 * other is refused and has to be tried again, which the outcomes alone do not show. */
static const char *const isolation_settings[] = {
    "ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''",
    "ALTER ROLE CURRENT_USER IN DATABASE %I SET default_transaction_isolation = ''serializable''",
};

static void begin_with_isolation(const char *setting)
{
    fixture_on_disk();
    sql("DO $$ BEGIN EXECUTE format('%s', current_database()); END $$", setting);
    sql("CREATE TABLE public.seen (isolation text);"
        " CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  INSERT INTO public.seen VALUES (current_setting('transaction_isolation'));"
        "  RETURN NULL;"
        " END $$;"
        " CREATE TRIGGER see AFTER UPDATE ON %s.counters EXECUTE FUNCTION public.see()",
        schema_of("test"));
    reopen();
    open_second();
}

static void end_with_isolation(void)
{
    sql("DROP FUNCTION public.see() CASCADE; DROP TABLE public.seen");
    sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I RESET default_transaction_isolation',"
        " current_database()); EXECUTE format('ALTER ROLE CURRENT_USER IN DATABASE %%I RESET"
        " default_transaction_isolation', current_database()); END $$");
}

struct racer {
    pthread_t thread;
    struct weir_namespace *ns;
    uint64_t number;
    pthread_barrier_t *start;
    weir_status outcomes[RACES];
};

/* Both racers expect the version that the winner of the race before has left. */
static void *race(void *context)
{
    struct racer *racer = context;
    for (uint64_t r = 0; r < RACES; r++) {
        const struct weir_new_message message = message_of(1 + RACERS * r + racer->number, "1");
        struct weir_stream_append part;
        struct weir_written written;
        struct weir_error err;
        struct weir_write write =
            write_of(&part, "shared-1", EXACT((int64_t)r - 1), &message, &written);
        (void)pthread_barrier_wait(racer->start);
        racer->outcomes[r] = commit_and_wait(racer->ns, &write, &err);
    }
    return NULL;
}

START_TEST(one_of_two_servers_writes_behind_a_version_whatever_isolation_is_set)
{
    struct racer racers[RACERS];
    pthread_barrier_t start;
    char isolations[64];
    begin_with_isolation(isolation_settings[_i]);
    ck_assert_int_eq(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t k = 0; k < RACERS; k++) {
        racers[k] =
            (struct racer){.ns = k == 0 ? fx.ns : fx.second_ns, .number = k, .start = &start};
        ck_assert_int_eq(pthread_create(&racers[k].thread, NULL, race, &racers[k]), 0);
    }
    for (size_t k = 0; k < RACERS; k++) {
        (void)pthread_join(racers[k].thread, NULL);
    }
    (void)pthread_barrier_destroy(&start);
    (void)snprintf(isolations, sizeof isolations, "%s",
                   sql("SELECT string_agg(DISTINCT isolation, ', ') FROM public.seen"));
    end_with_isolation();
    for (size_t r = 0; r < RACES; r++) {
        const size_t winner = racers[0].outcomes[r] == WEIR_OK ? 0 : 1;
        ck_assert_int_eq(racers[winner].outcomes[r], WEIR_OK);
        ck_assert_int_eq(racers[1 - winner].outcomes[r], WEIR_STREAM_VERSION_CONFLICT);
    }
    assert_stream_is_whole(fx.ns, RACES);
    ck_assert_str_eq(isolations, "read committed");
}
END_TEST

/* ---- readers that follow ---- */

struct tail {
    pthread_t thread;
    struct weir_namespace *ns;
    size_t n;
    bool is_in_order;
};

/* Reads everything, always continuing after the last message seen. A message that appears later
 * below that position is lost. */
static void *follow(void *context)
{
    struct tail *tail = context;
    struct weir_arena arena;
    weir_arena_init(&arena, 64 << 20, 1 << 20);
    struct weir_query query = query_all();
    struct weir_rows rows;
    struct weir_error err;
    weir_error_init(&err);
    int64_t last = 0;
    tail->is_in_order = true;
    while (tail->n < WRITERS * WRITES && tail->is_in_order) {
        weir_arena_reset(&arena);
        if (weir_read(tail->ns, &query, &arena, &rows, &err) != WEIR_OK) {
            break;
        }
        for (size_t r = 0; r < rows.n; r++, tail->n++) {
            tail->is_in_order = tail->is_in_order && rows.rows[r].global_position > last;
            last = rows.rows[r].global_position;
        }
        query.from = rows.next_position;
    }
    weir_arena_fini(&arena);
    return NULL;
}

START_TEST(readers_that_follow_miss_nothing)
{
    static struct writer writers[WRITERS];
    struct tail tails[2] = {{.ns = fx.ns}, {.ns = fx.second_ns}};
    for (size_t t = 0; t < 2; t++) {
        ck_assert_int_eq(pthread_create(&tails[t].thread, NULL, follow, &tails[t]), 0);
    }
    (void)run_writers(writers, false);
    for (size_t t = 0; t < 2; t++) {
        (void)pthread_join(tails[t].thread, NULL);
        ck_assert(tails[t].is_in_order);
        ck_assert_uint_eq(tails[t].n, WRITERS * WRITES);
    }
}
END_TEST

/* ---- a stopped server ---- */

/* Writes forever; never returns. */
static void write_for_ever(const char *url, int told)
{
    struct weir_store *store = open_store(url, 2);
    struct weir_namespace *ns = must_open(store, "test");
    for (uint64_t k = 0;; k++) {
        const struct weir_new_message message = message_of((UINT64_C(1) << 32) + k, "1");
        struct weir_written written;
        if (append(ns, "shared-1", ANY, &message, 1, &written) != WEIR_OK ||
            write(told, "", 1) != 1) {
            _exit(1);
        }
    }
}

START_TEST(a_stopped_server_does_not_stop_the_others)
{
    int told[2];
    ck_assert_int_eq(pipe(told), 0);
    const pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        write_for_ever(fx.url, told[1]);
    }
    (void)close(told[1]);
    uint64_t next = 1;
    for (int stop = 0; stop < STOPS; stop++) {
        char bytes[5];
        ck_assert_int_gt(read(told[0], bytes, sizeof bytes), 0);  // the child is writing
        ck_assert_int_eq(kill(child, SIGSTOP), 0);
        for (int w = 0; w < WRITES_WHILE_STOPPED; w++, next++) {
            const struct weir_new_message message = message_of(next, "1");
            struct weir_written written;
            const int64_t start_us = weir_monotonic_us();
            ck_assert_int_eq(append(fx.ns, "shared-1", ANY, &message, 1, &written), WEIR_OK);
            ck_assert_int_lt(weir_monotonic_us() - start_us, 3000000);
        }
        ck_assert_int_eq(kill(child, SIGCONT), 0);
    }
    (void)kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    (void)close(told[0]);
    const struct weir_new_message message = message_of(next, "1");
    struct weir_written written;
    ck_assert_int_eq(append(fx.ns, "shared-1", ANY, &message, 1, &written), WEIR_OK);
    read_stream(fx.ns);
    /* A write that the child had sent may be committed after its end. */
    ck_assert_uint_gt(fx.rows.n, (size_t)written.position);
    assert_rows_are_in_order();
}
END_TEST

/* ---- idle connections that end ---- */

static int64_t count_connections(void)
{
    return sql_int("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                   "application_name = 'weir-server'");
}

/* As after a restart of the database: no later request may go to an ended connection, where its
 * outcome would be unknown. */
START_TEST(a_connection_that_was_ended_while_idle_is_not_used)
{
    must_put(fx.ns, "a-1", 1);
    ck_assert_int_gt(count_connections(), 0);
    (void)sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname ="
              " current_database() AND application_name = 'weir-server'");
    while (count_connections() > 0) {
    }
    fx.report[0] = '\0';
    must_put(fx.ns, "a-1", 1);
    const struct weir_query query = query_all();
    must_read(fx.ns, &query);
    ck_assert_str_eq(fx.report, "");
}
END_TEST

/* Installs triggers on the registry, by which the obstacle to the first attempt has disappeared
 * when it is examined, and at the second attempt. */
static void take_away(const char *schema)
{
    sql("DROP SEQUENCE IF EXISTS attempts; CREATE SEQUENCE attempts;"
        " CREATE OR REPLACE FUNCTION public.take_away() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN"
        "  IF TG_WHEN = 'BEFORE' THEN"
        "   IF nextval('public.attempts') = 1 THEN RETURN NULL; END IF;"
        "   DROP SCHEMA IF EXISTS %s;"
        "  END IF;"
        "  DELETE FROM weir_registry.namespaces WHERE description = 'in the way';"
        "  RETURN NULL;"
        " END $$;"
        " CREATE TRIGGER before_it BEFORE INSERT ON weir_registry.namespaces"
        "  EXECUTE FUNCTION take_away();"
        " CREATE TRIGGER behind_it AFTER INSERT ON weir_registry.namespaces"
        "  EXECUTE FUNCTION take_away()",
        schema);
}

/* The obstacle is the id, the schema's name, or a schema that the session still knows. */
START_TEST(a_namespace_that_is_deleted_meanwhile_is_not_in_the_way)
{
    struct pg_namespace ns;
    weir_pg_namespace_name(weir_slice_of("new"), &ns);
    if (_i < 2) {
        sql("INSERT INTO weir_registry.namespaces SELECT (jsonb_populate_record(n,"
            " jsonb_build_object('id', '%s', 'schema_name', '%s', 'description', 'in the way'))).*"
            " FROM weir_registry.namespaces AS n",
            _i == 0 ? "new" : "another", ns.schema);
    } else {
        sql("CREATE SCHEMA %s", ns.schema);
    }
    take_away(ns.schema);
    struct weir_namespace_record record = {.id = weir_slice_of("new")};
    bool is_same = false;
    fx.report[0] = '\0';
    const weir_status st = weir_namespace_create(fx.store, &record, INT64_MAX, &is_same, &fx.err);
    sql("DROP FUNCTION take_away CASCADE; DROP SEQUENCE attempts");
    ck_assert_msg(st == WEIR_OK, "%s", fx.err.text);
    ck_assert_ptr_null(strstr(fx.report, "move it away"));
    ck_assert_int_eq(sql_int("SELECT count(*) FROM weir_registry.namespaces"), 2);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("pg_together");
    TCase *tcase = tcase_create("two servers");
    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, fixture_of_two, fixture_end);
    tcase_add_test(tcase, a_stopped_server_does_not_stop_the_others);
    tcase_add_test(tcase, a_connection_that_was_ended_while_idle_is_not_used);
    tcase_add_loop_test(tcase, a_namespace_that_is_deleted_meanwhile_is_not_in_the_way, 0, 3);
    tcase_add_test(tcase, writers_on_two_servers_share_one_order);
    tcase_add_test(tcase, time_does_not_go_back);
    tcase_add_test(tcase, nothing_acknowledged_is_lost_or_doubled_while_connections_are_killed);
    tcase_add_test(tcase, readers_that_follow_miss_nothing);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("isolation");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, NULL, fixture_end);
    tcase_add_loop_test(tcase, one_of_two_servers_writes_behind_a_version_whatever_isolation_is_set,
                        0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(make_suite());
}
