/* Each subscriber has one long poll in flight. The callback checks the response, records the
 * deliveries, moves the position on and sends the next poll. A subscriber stops for good after an
 * incorrect reply or a failure that cannot be retried; both are errors of the load. */
#include "bench/load/subscribers.h"

#include "bench/lib/clock.h"
#include "bench/lib/end_signals.h"
#include "bench/load/read_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAIT_MS = 20000, BATCH = 1000, ATTEMPTS = 1000000, LOOK_NS = 10 * 1000 * 1000 };

struct subscriber {
    struct subscribers *all;
    struct weir_client *client;
    int64_t from;
    int64_t asked_ns;
    atomic_uint_fast64_t received;
};

static void poll_next(struct subscriber *subscriber);

static void fail(struct subscriber *subscriber, const struct load_outcome *outcome)
{
    if (!atomic_load(&subscriber->all->is_ending)) {
        load_error(subscriber->all->run->load, outcome);
    }
}

static const char *take_messages(struct subscriber *subscriber,
                                 const Weir__V1__GetCategoryMessagesResponse *response)
{
    const struct read_check_category expected = {
        .category = subscriber->all->category, .most = BATCH, .from = subscriber->from};
    const struct read_reply reply = READ_REPLY(response);
    const char *wrong = read_check_category(&reply, &expected);
    for (size_t m = 0; wrong == NULL && m < response->n_messages; m++) {
        uint64_t began_ns = 0;
        wrong = read_check_message(response->messages[m], &began_ns);
        load_record(subscriber->all->run->load, LOAD_DELIVERY, (int64_t)began_ns, 1);
    }
    return wrong;
}

/* A poll that returns nothing must have waited. Otherwise the reader would poll again at once, in
 * an endless loop. */
static const char *check_wait(const struct subscriber *subscriber, size_t messages)
{
    const int64_t waited_ns = clock_ns() - subscriber->asked_ns;
    const bool is_early = messages == 0 && waited_ns < (int64_t)WAIT_MS * 1000000 / 2;
    return is_early ? "a long poll ended early and empty" : NULL;
}

static void on_messages(void *context, weir_status status,
                        Weir__V1__GetCategoryMessagesResponse *response,
                        const struct weir_error *err)
{
    struct subscriber *subscriber = context;
    if (status != WEIR_OK) {
        const struct load_outcome outcome = load_failure(LOAD_DELIVERY, err);
        fail(subscriber, &outcome);
        if (weir_status_retryable(status)) {
            poll_next(subscriber);
        }
        return;
    }
    const char *wrong = check_wait(subscriber, response->n_messages);
    if (wrong == NULL) {
        wrong = take_messages(subscriber, response);
    }
    subscriber->from = response->next_position;
    (void)atomic_fetch_add(&subscriber->received, response->n_messages);
    weir_response_free(response);
    if (wrong != NULL) {
        const struct load_outcome outcome = profile_wrong_reply(LOAD_DELIVERY, wrong);
        fail(subscriber, &outcome);
        return;
    }
    poll_next(subscriber);
}

static void poll_next(struct subscriber *subscriber)
{
    struct subscribers *all = subscriber->all;
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    struct weir_error err;
    if (atomic_load(&all->is_ending)) {
        return;
    }
    weir_error_init(&err);
    /* While the server is down the client library retries with growing delays. */
    options.max_attempts = ATTEMPTS;
    request.category = all->category;
    request.has_position = true;
    request.position = subscriber->from;
    request.has_batch_size = true;
    request.batch_size = BATCH;
    request.has_wait_ms = true;
    request.wait_ms = WAIT_MS;
    subscriber->asked_ns = clock_ns();
    if (weir_message_store_get_category_messages_async(subscriber->client, &request, &options,
                                                       on_messages, subscriber, &err) != WEIR_OK) {
        const struct load_outcome outcome = load_failure(LOAD_DELIVERY, &err);
        fail(subscriber, &outcome);
    }
}

bool subscribers_begin(struct subscribers *subscribers, struct profile_run *run,
                       const char *category, size_t n)
{
    subscribers->run = run;
    subscribers->n = n;
    subscribers->all = calloc(n == 0 ? 1 : n, sizeof *subscribers->all);
    atomic_init(&subscribers->is_ending, false);
    (void)snprintf(subscribers->category, sizeof subscribers->category, "%s", category);
    for (size_t s = 0; subscribers->all != NULL && s < n; s++) {
        struct subscriber *subscriber = &subscribers->all[s];
        subscriber->all = subscribers;
        subscriber->client = run->clients[s % run->clients_n];
        subscriber->from = 1;
        poll_next(subscriber);
    }
    return subscribers->all != NULL;
}

const char *subscribers_wait(struct subscribers *subscribers, uint64_t messages, double seconds)
{
    const int64_t until_ns = clock_ns() + (int64_t)(seconds * 1e9);
    size_t s = 0;
    while (s < subscribers->n && clock_ns() < until_ns) {
        if (atomic_load(&subscribers->all[s].received) >= messages) {
            s++;
        } else if (end_signals_come(LOOK_NS)) {
            return "ended by a signal";
        }
    }
    for (s = 0; s < subscribers->n; s++) {
        const uint64_t received = atomic_load(&subscribers->all[s].received);
        if (received != messages) {
            char text[LOAD_TEXT_MAX];
            (void)snprintf(text, sizeof text,
                           "subscriber %zu was given %" PRIu64 " of %" PRIu64 " messages", s,
                           received, messages);
            const struct load_outcome outcome = {.reason = "WRONG_COUNT", .text = text};
            load_error(subscribers->run->load, &outcome);
        }
    }
    return NULL;
}

void subscribers_end(struct subscribers *subscribers)
{
    atomic_store(&subscribers->is_ending, true);
}

void subscribers_free(struct subscribers *subscribers)
{
    free(subscribers->all);
    subscribers->all = NULL;
}
