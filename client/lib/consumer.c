/* Consumers: a subscription whose messages go to a handler, and whose position is kept in the store
 * (consumer_streams.h).
 *
 * A run belongs to one thread. Other threads may stop it and read its position; only is_stopped and
 * `subscription` are shared, under the mutex. A message counts as passed, and so moves
 * handled_position, once it has been handled or parked. */
#include "client/lib/client.h"
#include "client/lib/consumer_streams.h"
#include "client/lib/page.h"
#include "client/lib/request_copy.h"
#include "weir/base/monotonic.h"

#include <stdlib.h>

enum {
    COMMIT_MESSAGES_DEFAULT = 100,
    COMMIT_MS_DEFAULT = 1000,
    FIRST_DELAY_MS_DEFAULT = 100,
    MAX_DELAY_MS_DEFAULT = 10000,
    /* Longest time for a try to keep the position during a run, and for the last position of a
     * consumer that has been stopped. */
    TRY_COMMIT_MS = 5000,
    STOPPED_COMMIT_MS = 3000,
    /* Positions passed without a match that are worth keeping a position for. */
    PASSED_BY_MIN = 1000
};

struct weir_consumer {
    struct consumer_streams streams;
    struct weir_client *client;
    struct weir_arena arena;               // texts of `options`
    struct weir_consumer_options options;  // with defaults filled in
    uint32_t uncommitted_n;                // messages handled since the position was last kept
    int64_t handled_position;              // behind the last message that was handled
    int64_t commit_at_us;                  // time of the next commit, if uncommitted_n > 0
    bool is_commit_late;                   // the last commit failed: wait until commit_at_us

    pthread_mutex_t mutex;  // guards the fields below
    pthread_cond_t changed;
    bool is_stopped;
    struct weir_subscription *subscription;  // of the current run, else NULL
};

/* ---- opening ---- */

static bool copy_options(struct weir_consumer *c, const struct weir_consumer_options *options)
{
    c->options = *options;
    struct weir_consumer_options *o = &c->options;
    o->commit_messages = client_or_default(o->commit_messages, COMMIT_MESSAGES_DEFAULT);
    o->commit_ms = client_or_default(o->commit_ms, COMMIT_MS_DEFAULT);
    o->max_attempts = client_or_default(o->max_attempts, CONSUMER_ATTEMPTS_DEFAULT);
    o->first_delay_ms = client_or_default(o->first_delay_ms, FIRST_DELAY_MS_DEFAULT);
    o->max_delay_ms = client_or_default(o->max_delay_ms, MAX_DELAY_MS_DEFAULT);
    struct weir_subscription_options *s = &o->subscription;
    return copy_text(&c->arena, o->name, &o->name) &&
           copy_text(&c->arena, s->stream_name, &s->stream_name) &&
           copy_text(&c->arena, s->category, &s->category) &&
           copy_text(&c->arena, s->correlation, &s->correlation) &&
           copy_texts(&c->arena, s->types, s->types_n, &s->types) &&
           copy_call_options(&c->arena, &options->subscription.call, &s->call);
}

static struct weir_consumer *consumer_new(struct weir_client *client,
                                          const struct weir_consumer_options *options)
{
    struct weir_consumer *c = calloc(1, sizeof *c);
    if (c == NULL) {
        return NULL;
    }
    weir_arena_init(&c->arena, SIZE_MAX, 0);
    weir_cond_init(&c->changed);
    (void)pthread_mutex_init(&c->mutex, NULL);
    c->client = client;
    if (!copy_options(c, options)) {
        weir_consumer_close(c);
        return NULL;
    }
    c->streams.client = client;
    c->streams.call = &c->options.subscription.call;
    return c;
}

weir_status weir_consumer_open(struct weir_client *client,
                               const struct weir_consumer_options *options,
                               struct weir_consumer **consumer, struct weir_error *err)
{
    weir_status st = subscription_check(&options->subscription, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_consumer *c = consumer_new(client, options);
    if (c == NULL) {
        return client_fail_memory(err);
    }
    st = consumer_streams_init(&c->streams, &c->options, err);
    if (st == WEIR_OK) {
        st = consumer_load_position(&c->streams, err);
    }
    if (st != WEIR_OK) {
        weir_consumer_close(c);
        return st;
    }
    c->handled_position = weir_consumer_position(c);
    *consumer = c;
    return WEIR_OK;
}

void weir_consumer_close(struct weir_consumer *c)
{
    if (c == NULL) {
        return;
    }
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->streams.selector);
    weir_arena_fini(&c->arena);
    free(c);
}

int64_t weir_consumer_position(const struct weir_consumer *c)
{
    return atomic_load(&c->streams.position);
}

/* ---- stopping ---- */

void weir_consumer_stop(struct weir_consumer *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    c->is_stopped = true;
    if (c->subscription != NULL) {
        weir_subscription_stop(c->subscription);
    }
    (void)pthread_cond_broadcast(&c->changed);
    (void)pthread_mutex_unlock(&c->mutex);
}

static void set_subscription(struct weir_consumer *c, struct weir_subscription *subscription)
{
    (void)pthread_mutex_lock(&c->mutex);
    c->subscription = subscription;
    if (c->is_stopped && subscription != NULL) {
        weir_subscription_stop(subscription);
    }
    (void)pthread_mutex_unlock(&c->mutex);
}

static bool is_stopped(struct weir_consumer *c)
{
    (void)pthread_mutex_lock(&c->mutex);
    const bool stopped = c->is_stopped;
    (void)pthread_mutex_unlock(&c->mutex);
    return stopped;
}

/* Waits. CANCELLED as soon as the consumer has been stopped. */
static weir_status pause_ms(struct weir_consumer *c, uint32_t ms, struct weir_error *err)
{
    const int64_t until_us = weir_monotonic_us() + (int64_t)ms * 1000;
    (void)pthread_mutex_lock(&c->mutex);
    while (!c->is_stopped && weir_monotonic_us() < until_us) {
        (void)weir_cond_wait_until(&c->changed, &c->mutex, until_us);
    }
    const bool stopped = c->is_stopped;
    (void)pthread_mutex_unlock(&c->mutex);
    return stopped ? weir_fail(err, WEIR_CANCELLED, "the consumer has been stopped") : WEIR_OK;
}

/* ---- the position ---- */

static weir_status commit(struct weir_consumer *c, const struct weir_call_options *call,
                          struct weir_error *err)
{
    if (c->uncommitted_n == 0) {
        return WEIR_OK;
    }
    const weir_status st = consumer_keep_position(&c->streams, c->handled_position, call, err);
    if (st == WEIR_OK) {
        c->uncommitted_n = 0;
        c->is_commit_late = false;
    }
    return st;
}

static bool is_commit_due(const struct weir_consumer *c, int64_t now)
{
    return c->uncommitted_n > 0 &&
           (now >= c->commit_at_us ||
            (c->uncommitted_n >= c->options.commit_messages && !c->is_commit_late));
}

static struct weir_call_options call_within(const struct weir_consumer *c, uint32_t most_ms)
{
    struct weir_call_options call = *c->streams.call;
    const uint32_t timeout_ms = client_or_default(call.timeout_ms, c->client->timeout_ms);
    call.timeout_ms = timeout_ms < most_ms ? timeout_ms : most_ms;
    return call;
}

/* Keeps the position if it is due. While the server is away or overloaded this is put off: the
 * price is only that more messages come again after a crash. Messages wait while it tries, so a try
 * is a single attempt of a few seconds, which may wait on a connection whose other end has
 * vanished, and the next try comes no sooner than this one took. */
static weir_status commit_if_due(struct weir_consumer *c, struct weir_error *err)
{
    const int64_t began_us = weir_monotonic_us();
    /* A stopped consumer keeps its position in commit_last. */
    if (!is_commit_due(c, began_us) || is_stopped(c)) {
        return WEIR_OK;
    }
    struct weir_call_options once = call_within(c, TRY_COMMIT_MS);
    once.max_attempts = 1;
    const weir_status st = commit(c, &once, err);
    if (st != WEIR_OK && weir_error_is_transient(err)) {
        const int64_t now = weir_monotonic_us();
        const int64_t took_us = now - began_us;
        const int64_t pause_us = (int64_t)c->options.commit_ms * 1000;
        c->commit_at_us = now + (took_us > pause_us ? took_us : pause_us);
        c->is_commit_late = true;
        return WEIR_OK;
    }
    return st;
}

/* Keeps the position at the end of a run, whatever ended it. No message between the handled
 * position and `passed` matches: that position is kept as well if it saves the next run much, and a
 * failure to do so is ignored. */
static weir_status commit_last(struct weir_consumer *c, int64_t passed, struct weir_error *err)
{
    const struct weir_call_options call =
        is_stopped(c) ? call_within(c, STOPPED_COMMIT_MS) : *c->streams.call;
    const weir_status st = commit(c, &call, err);
    if (st == WEIR_OK && passed - c->handled_position >= PASSED_BY_MIN) {
        struct weir_error ignored;
        weir_error_init(&ignored);
        c->handled_position = passed;
        (void)consumer_keep_position(&c->streams, passed, &call, &ignored);
    }
    return st;
}

static void note_handled(struct weir_consumer *c, int64_t position)
{
    if (c->uncommitted_n == 0) {
        c->commit_at_us = weir_monotonic_us() + (int64_t)c->options.commit_ms * 1000;
    }
    c->uncommitted_n++;
    c->handled_position = position;
}

/* ---- handing over ---- */

struct run {
    struct weir_consumer *consumer;
    weir_consumer_handler handler;
    void *context;
    struct weir_error *err;
    bool is_pending;  // a message was taken and has not been handled
};

/* Parks a message, trying again until that has succeeded, because the position never passes a
 * message that is neither handled nor parked. */
static weir_status park(struct run *run, const Weir__V1__Message *message, uint32_t attempts)
{
    struct weir_consumer *c = run->consumer;
    weir_status st = consumer_park(&c->streams, message, attempts, run->err);
    while (st != WEIR_OK && weir_error_is_transient(run->err)) {
        st = pause_ms(c, c->options.max_delay_ms, run->err);
        if (st != WEIR_OK) {
            return st;
        }
        st = consumer_park(&c->streams, message, attempts, run->err);
    }
    return st;
}

/* Tries one message until it is handled or parked. Sets *goes_on to false if the handler wants to
 * stop; the message then counts as unhandled. */
static weir_status hand_over(struct run *run, const Weir__V1__Message *message, bool *goes_on)
{
    struct weir_consumer *c = run->consumer;
    const struct weir_consumer_options *o = &c->options;
    uint32_t delay_ms = o->first_delay_ms;
    *goes_on = true;
    for (uint32_t attempt = 1;; attempt++) {
        const enum weir_handled outcome = run->handler(run->context, message, attempt);
        if (outcome == WEIR_STOP) {
            *goes_on = false;
            return WEIR_OK;
        }
        if (outcome == WEIR_HANDLED) {
            return WEIR_OK;
        }
        if (outcome == WEIR_PARK || attempt >= o->max_attempts) {
            return park(run, message, attempt);
        }
        /* The position of earlier messages must not wait for one that may fail for ever. */
        weir_status st = commit_if_due(c, run->err);
        if (st == WEIR_OK) {
            st = pause_ms(c, delay_ms, run->err);
        }
        if (st != WEIR_OK) {
            return st;
        }
        delay_ms = delay_ms > o->max_delay_ms / 2 ? o->max_delay_ms : delay_ms * 2;
    }
}

/* Returns how long to wait for the next message before the position must be kept. */
static uint32_t wait_ms(const struct weir_consumer *c)
{
    if (c->uncommitted_n == 0) {
        return UINT32_MAX;
    }
    const int64_t left_us = c->commit_at_us - weir_monotonic_us();
    return left_us <= 0 ? 0 : (uint32_t)(left_us / 1000 + 1);
}

static weir_status consume(struct run *run, struct weir_subscription *sub)
{
    struct weir_consumer *c = run->consumer;
    bool goes_on = true;
    for (;;) {
        const Weir__V1__Message *message = NULL;
        weir_status st = weir_subscription_next(sub, wait_ms(c), &message, run->err);
        /* A message that is passed over counts as no progress: keeping the position would write the
         * next such message. */
        const bool is_handed_over =
            message != NULL &&
            !consumer_passes_over(&c->streams, &c->options.subscription, message->stream_name);
        if (st == WEIR_OK && is_handed_over) {
            run->is_pending = true;
            st = hand_over(run, message, &goes_on);
        }
        if (st != WEIR_OK || !goes_on) {
            return st;
        }
        if (is_handed_over) {
            run->is_pending = false;
            note_handled(c, weir_subscription_position(sub));
        }
        st = commit_if_due(c, run->err);
        if (st != WEIR_OK) {
            return st;
        }
    }
}

weir_status weir_consumer_run(struct weir_consumer *c, weir_consumer_handler handler, void *context,
                              struct weir_error *err)
{
    struct weir_subscription_options options = c->options.subscription;
    if (c->handled_position >= 0) {
        options.start = WEIR_START_AT;
        options.position = c->handled_position;
    }
    struct weir_subscription *sub = NULL;
    weir_status st = weir_subscription_open(c->client, &options, &sub, err);
    if (st != WEIR_OK) {
        return st;
    }
    set_subscription(c, sub);
    if (c->handled_position < 0) {
        c->handled_position = weir_subscription_position(sub);
    }
    if (weir_consumer_position(c) < 0) {
        /* Keep the start before any message is handled: a start at the end must not move with each
         * restart. */
        st = consumer_keep_position(&c->streams, c->handled_position, c->streams.call, err);
    }
    struct run run = {c, handler, context, err, false};
    if (st == WEIR_OK) {
        st = consume(&run, sub);
    }
    const int64_t passed = run.is_pending ? c->handled_position : weir_subscription_position(sub);
    set_subscription(c, NULL);
    weir_subscription_close(sub);
    struct weir_error later;
    weir_error_init(&later);
    const weir_status kept = commit_last(c, passed, &later);
    /* Report the first failure. */
    if ((st == WEIR_OK || st == WEIR_CANCELLED) && kept != WEIR_OK) {
        weir_error_copy(err, &later);
        st = kept;
    }
    return st;
}

/* ---- what is parked ---- */

/* Hands over one parked message. Sets *goes_on to false if the handler wants to stop. */
static weir_status replay_one(struct run *run, const struct consumer_parked *parked, bool *goes_on)
{
    struct consumer_streams *s = &run->consumer->streams;
    Weir__V1__GetStreamMessagesRequest request = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    request.stream_name = (char *)(uintptr_t)parked->stream;
    request.has_position = true;
    request.position = parked->position;
    request.has_batch_size = true;
    request.batch_size = 1;
    Weir__V1__GetStreamMessagesResponse *response = NULL;
    weir_status st =
        weir_message_store_get_stream_messages(s->client, &request, s->call, &response, run->err);
    const struct page page = page_of_stream(response);
    if (st == WEIR_OK) {
        st = page_check_messages(&page, PAGE_POSITION, false, run->err);
    }
    if (st != WEIR_OK) {
        weir_response_free(response);
        return st;
    }
    enum weir_handled outcome = WEIR_FAILED;
    if (response->n_messages == 1 && response->messages[0]->position == parked->position) {
        outcome = run->handler(run->context, response->messages[0], parked->attempts);
    }
    weir_response_free(response);
    *goes_on = outcome != WEIR_STOP;
    return outcome == WEIR_HANDLED ? consumer_settle(s, parked, run->err) : WEIR_OK;
}

weir_status weir_consumer_replay(struct weir_consumer *c, weir_consumer_handler handler,
                                 void *context, struct weir_error *err)
{
    struct run run = {c, handler, context, err, false};
    struct consumer_walk *walk = NULL;
    weir_status st = consumer_walk_open(&c->streams, &walk, err);
    bool goes_on = true;
    while (st == WEIR_OK && goes_on) {
        struct consumer_parked parked;
        st = consumer_walk_next(walk, &parked, &goes_on, err);
        if (st == WEIR_OK && goes_on) {
            st = replay_one(&run, &parked, &goes_on);
        }
    }
    consumer_walk_close(walk);
    return st;
}
