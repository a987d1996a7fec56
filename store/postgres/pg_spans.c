/* Windows: the time before which there can be no message from a position on. Layouts that keep
 * messages in chunks by time record which positions each span of time holds. A session remembers
 * the last answer and the version of the spans from which it came; a read compares that version in
 * its own snapshot. */
#include "store/postgres/pg_spans.h"

#include "store/postgres/pg_session.h"
#include "weir/base/monotonic.h"

#include <time.h>

enum { SINCE_VERSION, SINCE_TIME, SINCE_BELOW, SINCE_UPTO, SINCE_IS_OVER };

enum { NAP_US = 500 };  // a transaction that is visible is over soon

bool weir_pg_has_spans(const struct pg_session *session)
{
    return session->ns.layout->fixed[PG_FIXED_SINCE] != NULL;
}

static bool is_within(const struct pg_window *window, int64_t from)
{
    return window->version != 0 && from > window->below && from <= window->upto;
}

/* Spans begin at whole seconds. One that begins at 1970 exactly is taken for no bound, which is
 * only slower. */
static int64_t second_of(int64_t time_us)
{
    return time_us / 1000000 - (time_us % 1000000 < 0);
}

static bool take_window(const PGresult *result, struct pg_window *window)
{
    int64_t since_us = 0;
    *window = (struct pg_window){.version = 0};
    const bool is_good = PQntuples(result) == 1 &&
                         weir_pg_int8(result, 0, SINCE_VERSION, &window->version) &&
                         weir_pg_int8(result, 0, SINCE_BELOW, &window->below) &&
                         weir_pg_int8(result, 0, SINCE_UPTO, &window->upto);
    if (is_good && weir_pg_time(result, 0, SINCE_TIME, &since_us)) {
        window->since_s = second_of(since_us);
    }
    return is_good;
}

static weir_status nap(const struct pg_conn *conn, struct weir_error *err)
{
    const struct timespec pause = {.tv_nsec = NAP_US * 1000};
    if (weir_monotonic_us() >= conn->deadline_us) {
        return weir_fail(err, WEIR_DEADLINE_EXCEEDED,
                         "the deadline passed while another commit was ending");
    }
    (void)nanosleep(&pause, NULL);
    return WEIR_OK;
}

/* Asks for the window of `from`. *is_good: no transaction that changed the spans still has to tell
 * other sessions of its chunk. */
static weir_status ask(struct pg_session *session, struct pg_conn *conn, int64_t from,
                       bool *is_good, struct weir_error *err)
{
    struct pg_params params;
    weir_pg_params_init(&params, NULL);
    weir_pg_param_int8(&params, from);
    weir_pg_param_int8(&params, session->window.version);
    PGresult *result = NULL;
    weir_status status = weir_pg_run_fixed(session, conn, PG_FIXED_SINCE, &params, &result, err);
    struct pg_window window;
    if (status == WEIR_OK && !take_window(result, &window)) {
        status = weir_fail(err, WEIR_DATA_CORRUPT, "the namespace's counters are missing");
    }
    *is_good = status == WEIR_OK && weir_pg_bool(result, 0, SINCE_IS_OVER);
    if (*is_good) {
        session->window = window;
    }
    PQclear(result);
    return status;
}

weir_status weir_pg_find_window(struct pg_session *session, struct pg_conn *conn, int64_t from,
                                struct weir_error *err)
{
    bool is_good = is_within(&session->window, from);
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && !is_good) {
        status = ask(session, conn, from, &is_good, err);
        if (status == WEIR_OK && !is_good) {
            status = nap(conn, err);
        }
    }
    return status;
}
