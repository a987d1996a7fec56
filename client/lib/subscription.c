/* Subscriptions: a chain of asynchronous long polls, one at a time.
 *
 * The reading thread starts polls and takes pages; a thread of nng brings the answer of a poll
 * (take_answer). They share the fields under the mutex. `request` changes under the mutex and never
 * while a poll is in flight. A subscription that is closed during a poll is freed by the answer. */
#include "client/lib/client.h"
#include "client/lib/page.h"
#include "client/lib/request_copy.h"
#include "weir/base/monotonic.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A page begins with BATCH_DEFAULT messages and may grow to BATCH_MOST where the caller has not set
 * a number (fit_batch). If the server forces the wait below WAIT_MS_LEAST, the subscription polls
 * without waiting, at growing intervals: such short waits would only be polls in quick
 * succession. */
enum { BATCH_DEFAULT = 256, BATCH_MOST = 1000, WAIT_MS_DEFAULT = 30000, WAIT_MS_LEAST = 100 };

struct weir_subscription {
    struct weir_client *client;
    struct weir_arena arena;
    bool is_stream;
    bool is_batch_ours;  // batch_size is the library's default, not the user's choice
    bool is_wait_ours;   // so is wait_ms
    int64_t batch_most;  // messages that a page may grow to
    union {
        Weir__V1__GetStreamMessagesRequest stream;
        Weir__V1__GetCategoryMessagesRequest category;
    } request;  // of the current or next poll
    struct weir_call_options call;

    /* Used by the reading thread only. */
    struct page page;
    size_t at;  // next message of the page
    /* Written by the reading thread, read by any thread. */
    atomic_int_least64_t position;

    /* Guards the fields below; no other lock is taken while it is held. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool is_polling;  // an answer will come; until then the request does not change
    int64_t polled_at_us;
    bool is_stopped;
    bool is_closed;             // the answer that comes frees the subscription
    struct page ready;          // the answer, until the reader takes it
    int64_t not_before_us;      // no poll before this, after a failure or in place of a wait
    uint32_t delay_ms;          // longest next pause between polls
    struct weir_error failure;  // WEIR_OK while the subscription goes on
};

/* ---- opening ---- */

/* A selection that the server would refuse is refused here already: a consumer keeps its first
 * position before its first poll, and a name whose position belongs to a selection that cannot be
 * is of no further use. */
static weir_status check_selection(const struct weir_subscription_options *o,
                                   struct weir_error *err)
{
    const int selectors =
        (o->stream_name != NULL ? 1 : 0) + (o->category != NULL ? 1 : 0) + (o->all ? 1 : 0);
    if (selectors != 1) {
        return weir_fail_field(err, "stream_name",
                               "exactly one of stream_name, category and all is required");
    }
    if (o->stream_name != NULL && o->stream_name[0] == '\0') {
        return weir_fail_field(err, "stream_name", "must not be empty");
    }
    if (o->category != NULL && o->category[0] == '\0') {
        return weir_fail_field(err, "category",
                               "must not be empty; `all` selects the whole namespace");
    }
    return WEIR_OK;
}

static weir_status check_category(const char *category, const char *field, struct weir_error *err)
{
    return weir_name_is_category(weir_slice_of(category))
               ? WEIR_OK
               : weir_fail_field(err, field, "a category must not contain '-'");
}

weir_status subscription_check(const struct weir_subscription_options *o, struct weir_error *err)
{
    weir_status st = check_selection(o, err);
    if (st == WEIR_OK) {
        st = check_category(o->category, "category", err);
    }
    if (st == WEIR_OK) {
        st = check_category(o->correlation, "correlation", err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    if (o->stream_name != NULL && (o->group_size != 0 || o->correlation != NULL)) {
        return weir_fail_field(err, "stream_name",
                               "group_size and correlation cannot be given with a stream");
    }
    if (o->group_size < 0) {
        return weir_fail_field(err, "group_size", "must not be negative");
    }
    if (o->group_member < 0 ||
        (o->group_size == 0 ? o->group_member != 0 : o->group_member >= o->group_size)) {
        return weir_fail_field(err, "group_member", "must be from 0 to group_size - 1");
    }
    return WEIR_OK;
}

/* Sets the fields that both requests have, under the same names. */
#define SET_POLL_FIELDS(request, options)                                                \
    do {                                                                                 \
        (request)->types = (char **)(uintptr_t)(options)->types;                         \
        (request)->n_types = (options)->types_n;                                         \
        (request)->has_headers_only = true;                                              \
        (request)->headers_only = (options)->headers_only;                               \
        (request)->has_batch_size = true;                                                \
        (request)->batch_size = client_or_default((options)->batch_size, BATCH_DEFAULT); \
        (request)->has_wait_ms = true;                                                   \
        (request)->wait_ms = client_or_default((options)->wait_ms, WAIT_MS_DEFAULT);     \
        (request)->has_position = true;                                                  \
    } while (0)

static bool fill_stream(struct weir_subscription *sub, const struct weir_subscription_options *o)
{
    Weir__V1__GetStreamMessagesRequest r = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    r.stream_name = (char *)(uintptr_t)o->stream_name;
    SET_POLL_FIELDS(&r, o);
    return copy_stream_request(&sub->arena, &r, &sub->request.stream);
}

static bool fill_category(struct weir_subscription *sub, const struct weir_subscription_options *o)
{
    Weir__V1__GetCategoryMessagesRequest r = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    group.has_member = true;
    group.member = o->group_member;
    group.has_size = true;
    group.size = o->group_size;
    r.category = (char *)(uintptr_t)o->category;
    r.correlation = (char *)(uintptr_t)o->correlation;
    r.consumer_group = o->group_size == 0 ? NULL : &group;
    SET_POLL_FIELDS(&r, o);
    return copy_category_request(&sub->arena, &r, &sub->request.category);
}

static struct weir_subscription *subscription_new(struct weir_client *client,
                                                  const struct weir_subscription_options *options)
{
    struct weir_subscription *sub = calloc(1, sizeof *sub);
    if (sub == NULL) {
        return NULL;
    }
    sub->client = client;
    sub->delay_ms = client->retry.first_delay_ms;
    sub->is_stream = options->stream_name != NULL;
    sub->is_batch_ours = options->batch_size == 0;
    sub->batch_most = client_or_default(options->batch_size, BATCH_MOST);
    sub->is_wait_ours = options->wait_ms == 0;
    weir_arena_init(&sub->arena, SIZE_MAX, 0);
    weir_error_init(&sub->failure);
    weir_cond_init(&sub->changed);
    (void)pthread_mutex_init(&sub->mutex, NULL);
    const bool is_filled = sub->is_stream ? fill_stream(sub, options) : fill_category(sub, options);
    if (!is_filled || !copy_call_options(&sub->arena, &options->call, &sub->call)) {
        weir_subscription_close(sub);
        return NULL;
    }
    return sub;
}

static void subscription_free(struct weir_subscription *sub)
{
    weir_response_free(sub->page.response);
    weir_response_free(sub->ready.response);
    (void)pthread_cond_destroy(&sub->changed);
    (void)pthread_mutex_destroy(&sub->mutex);
    weir_arena_fini(&sub->arena);
    free(sub);
}

/* Sets *end to the position behind `last`, a position that the server has sent. */
static weir_status position_behind(int64_t last, int64_t *end, struct weir_error *err)
{
    if (last == INT64_MAX) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "there is no position after %" PRId64, last);
    }
    *end = last + 1;
    return WEIR_OK;
}

/* Sets *end to one past the newest message of the stream. */
static weir_status find_stream_end(struct weir_subscription *sub, int64_t *end,
                                   struct weir_error *err)
{
    Weir__V1__GetStreamVersionRequest request = WEIR__V1__GET_STREAM_VERSION_REQUEST__INIT;
    request.stream_name = sub->request.stream.stream_name;
    Weir__V1__GetStreamVersionResponse *response = NULL;
    weir_status st =
        weir_message_store_get_stream_version(sub->client, &request, &sub->call, &response, err);
    if (st == WEIR_OK) {
        st = position_behind(response->version, end, err);
    }
    weir_response_free(response);
    return st;
}

/* Sets *end to one past the newest message of the category. Filters do not matter: any later
 * message is behind that one. */
static weir_status find_category_end(struct weir_subscription *sub, int64_t *end,
                                     struct weir_error *err)
{
    Weir__V1__GetCategoryMessagesRequest request = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    request.category = sub->request.category.category;
    request.has_direction = true;
    request.direction = WEIR__V1__DIRECTION__BACKWARD;
    request.has_batch_size = true;
    request.batch_size = 1;
    request.has_headers_only = true;
    request.headers_only = true;
    Weir__V1__GetCategoryMessagesResponse *response = NULL;
    weir_status st =
        weir_message_store_get_category_messages(sub->client, &request, &sub->call, &response, err);
    if (st == WEIR_OK) {
        st = position_behind(response->n_messages == 0 ? 0 : response->messages[0]->global_position,
                             end, err);
    }
    weir_response_free(response);
    return st;
}

static weir_status find_start(struct weir_subscription *sub,
                              const struct weir_subscription_options *options, int64_t *position,
                              struct weir_error *err)
{
    const int64_t first = sub->is_stream ? 0 : 1;
    enum weir_start start = options->start;
    if (start == WEIR_START_DEFAULT) {
        start = options->all ? WEIR_START_END : WEIR_START_BEGIN;
    }
    if (start == WEIR_START_END) {
        return sub->is_stream ? find_stream_end(sub, position, err)
                              : find_category_end(sub, position, err);
    }
    *position = start == WEIR_START_AT && options->position > first ? options->position : first;
    return WEIR_OK;
}

static int64_t *poll_batch(struct weir_subscription *sub)
{
    return sub->is_stream ? &sub->request.stream.batch_size : &sub->request.category.batch_size;
}

static uint32_t *poll_wait_ms(struct weir_subscription *sub)
{
    return sub->is_stream ? &sub->request.stream.wait_ms : &sub->request.category.wait_ms;
}

static int64_t request_position(const struct weir_subscription *sub)
{
    return sub->is_stream ? sub->request.stream.position : sub->request.category.position;
}

static void set_request_position(struct weir_subscription *sub, int64_t position)
{
    if (sub->is_stream) {
        sub->request.stream.position = position;
    } else {
        sub->request.category.position = position;
    }
}

weir_status weir_subscription_open(struct weir_client *client,
                                   const struct weir_subscription_options *options,
                                   struct weir_subscription **subscription, struct weir_error *err)
{
    weir_status st = subscription_check(options, err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_subscription *sub = subscription_new(client, options);
    if (sub == NULL) {
        return client_fail_memory(err);
    }
    int64_t position = 0;
    st = find_start(sub, options, &position, err);
    if (st != WEIR_OK) {
        weir_subscription_close(sub);
        return st;
    }
    atomic_store(&sub->position, position);
    set_request_position(sub, position);
    *subscription = sub;
    return WEIR_OK;
}

/* ---- polling ---- */

/* Halves a default of the library that the server has refused. False if the failure is another. */
static bool adapt_request(struct weir_subscription *sub, const struct weir_error *err)
{
    if (sub->is_batch_ours && client_halve_refused(err, "batch_size", 1, poll_batch(sub))) {
        sub->batch_most = *poll_batch(sub);
        return true;
    }
    uint32_t *wait_ms = poll_wait_ms(sub);
    int64_t shorter_ms = *wait_ms;
    if (!sub->is_wait_ours || !client_halve_refused(err, "wait_ms", 0, &shorter_ms)) {
        return false;
    }
    *wait_ms = shorter_ms < WAIT_MS_LEAST ? 0 : (uint32_t)shorter_ms;
    return true;
}

/* Doubles the next page if this one is full and has come soon: then there is more to fetch, and
 * larger pages mean fewer round trips. A page that takes no more than a quarter of the time that a
 * poll has leaves time for one of twice its size. */
static void fit_batch(struct weir_subscription *sub, const struct page *page)
{
    int64_t *batch = poll_batch(sub);
    const uint32_t timeout_ms = client_or_default(sub->call.timeout_ms, sub->client->timeout_ms);
    const bool is_soon = weir_monotonic_us() - sub->polled_at_us <= (int64_t)timeout_ms * 1000 / 4;
    if (is_soon && page->n >= (size_t)*batch) {
        *batch = *batch <= sub->batch_most / 2 ? *batch * 2 : sub->batch_most;
    }
}

/* Puts the next poll off for a growing time. */
static void pause_polls(struct weir_subscription *sub)
{
    const uint32_t pause_ms = client_pause_ms(sub->client, &sub->delay_ms);
    sub->not_before_us = weir_monotonic_us() + (int64_t)pause_ms * 1000;
}

/* Checks a page. Only a page without messages may leave the position where it is. */
static weir_status check_page(const struct weir_subscription *sub, const struct page *page,
                              struct weir_error *err)
{
    const int64_t asked = request_position(sub);
    if (page->n == 0 && page->next_position == asked) {
        return WEIR_OK;
    }
    const weir_status st = page_check_messages(
        page, sub->is_stream ? PAGE_POSITION : PAGE_GLOBAL_POSITION, false, err);
    return st == WEIR_OK ? page_check_advance(page, asked, false, err) : st;
}

static void take_page(struct weir_subscription *sub, const struct page *page)
{
    if (check_page(sub, page, &sub->failure) != WEIR_OK) {
        weir_response_free(page->response);
        return;
    }
    sub->ready = *page;
    set_request_position(sub, page->next_position);
    fit_batch(sub, page);
    /* Without a wait the server answers at once: poll at intervals. */
    if (page->n == 0 && *poll_wait_ms(sub) == 0) {
        pause_polls(sub);
    } else {
        sub->delay_ms = sub->client->retry.first_delay_ms;
    }
}

/* Takes the outcome of a poll. Runs on a thread of nng or, if the poll could not be started, on the
 * reading thread. */
static void take_answer(struct weir_subscription *sub, weir_status status, struct page page,
                        const struct weir_error *err)
{
    (void)pthread_mutex_lock(&sub->mutex);
    sub->is_polling = false;
    if (status == WEIR_OK) {
        take_page(sub, &page);
    } else if (weir_error_is_transient(err)) {
        /* The page may be too large for a slow line, and the same one would fail for ever. */
        if (status == WEIR_DEADLINE_EXCEEDED) {
            *poll_batch(sub) = 1;
        }
        pause_polls(sub);
    } else if (!adapt_request(sub, err)) {
        weir_error_copy(&sub->failure, err);
    }
    const bool is_closed = sub->is_closed;
    (void)pthread_cond_broadcast(&sub->changed);
    (void)pthread_mutex_unlock(&sub->mutex);
    if (is_closed) {
        subscription_free(sub);
    }
}

static void on_stream_answer(void *context, weir_status status,
                             Weir__V1__GetStreamMessagesResponse *response,
                             const struct weir_error *err)
{
    take_answer(context, status, page_of_stream(response), err);
}

static void on_category_answer(void *context, weir_status status,
                               Weir__V1__GetCategoryMessagesResponse *response,
                               const struct weir_error *err)
{
    take_answer(context, status, page_of_category(response), err);
}

/* Starts a poll for the next page if one is due. Starts it without the mutex, because the answer
 * may come on this thread. Only the reading thread starts polls, so no other can come between. */
static void start_poll(struct weir_subscription *sub)
{
    (void)pthread_mutex_lock(&sub->mutex);
    const bool is_due = !sub->is_polling && !sub->is_stopped && sub->ready.response == NULL &&
                        sub->failure.status == WEIR_OK && weir_monotonic_us() >= sub->not_before_us;
    if (is_due) {
        sub->is_polling = true;
        sub->polled_at_us = weir_monotonic_us();
    }
    (void)pthread_mutex_unlock(&sub->mutex);
    if (!is_due) {
        return;
    }
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st =
        sub->is_stream
            ? weir_message_store_get_stream_messages_async(sub->client, &sub->request.stream,
                                                           &sub->call, on_stream_answer, sub, &err)
            : weir_message_store_get_category_messages_async(
                  sub->client, &sub->request.category, &sub->call, on_category_answer, sub, &err);
    if (st != WEIR_OK) {
        const struct page none = {0};
        take_answer(sub, st, none, &err);
    }
}

/* ---- reading ---- */

enum wait_outcome { WAIT_PAGE, WAIT_TIMEOUT, WAIT_STOPPED, WAIT_FAILED, WAIT_POLL_DUE };

/* Waits until the reader has something to do. */
static enum wait_outcome wait_locked(struct weir_subscription *sub, int64_t until_us)
{
    for (;;) {
        if (sub->is_stopped) {
            return WAIT_STOPPED;
        }
        if (sub->ready.response != NULL) {
            return WAIT_PAGE;
        }
        if (sub->failure.status != WEIR_OK) {
            return WAIT_FAILED;
        }
        const int64_t now = weir_monotonic_us();
        if (!sub->is_polling && now >= sub->not_before_us) {
            return WAIT_POLL_DUE;
        }
        if (now >= until_us) {
            return WAIT_TIMEOUT;
        }
        const bool is_pausing = !sub->is_polling && sub->not_before_us < until_us;
        (void)weir_cond_wait_until(&sub->changed, &sub->mutex,
                                   is_pausing ? sub->not_before_us : until_us);
    }
}

/* Makes the ready page the current one and frees the page before it. */
static void take_page_locked(struct weir_subscription *sub)
{
    weir_response_free(sub->page.response);
    sub->page = sub->ready;
    sub->ready = (struct page){0};
    sub->at = 0;
}

static enum wait_outcome wait_for_page(struct weir_subscription *sub, int64_t until_us,
                                       struct weir_error *err)
{
    (void)pthread_mutex_lock(&sub->mutex);
    const enum wait_outcome outcome = wait_locked(sub, until_us);
    if (outcome == WAIT_PAGE) {
        take_page_locked(sub);
    } else if (outcome == WAIT_FAILED) {
        weir_error_copy(err, &sub->failure);
    } else if (outcome == WAIT_STOPPED) {
        (void)weir_fail(err, WEIR_CANCELLED, "the subscription has been stopped");
    }
    (void)pthread_mutex_unlock(&sub->mutex);
    return outcome;
}

static bool is_stopped(struct weir_subscription *sub)
{
    (void)pthread_mutex_lock(&sub->mutex);
    const bool stopped = sub->is_stopped;
    (void)pthread_mutex_unlock(&sub->mutex);
    return stopped;
}

static const Weir__V1__Message *take_message(struct weir_subscription *sub)
{
    const Weir__V1__Message *message = sub->page.messages[sub->at++];
    const int64_t behind = (sub->is_stream ? message->position : message->global_position) + 1;
    atomic_store(&sub->position, sub->at == sub->page.n ? sub->page.next_position : behind);
    return message;
}

weir_status weir_subscription_next(struct weir_subscription *sub, uint32_t timeout_ms,
                                   const Weir__V1__Message **message, struct weir_error *err)
{
    *message = NULL;
    const int64_t until_us =
        timeout_ms == UINT32_MAX ? INT64_MAX / 2 : weir_monotonic_us() + (int64_t)timeout_ms * 1000;
    while (sub->at == sub->page.n || is_stopped(sub)) {
        start_poll(sub);
        switch (wait_for_page(sub, until_us, err)) {
        case WAIT_PAGE:
            /* Fetch the next page while this one is read. */
            start_poll(sub);
            if (sub->page.n == 0) {
                atomic_store(&sub->position, sub->page.next_position);
            }
            break;
        case WAIT_POLL_DUE:
            break;
        case WAIT_TIMEOUT:
            return WEIR_OK;
        case WAIT_STOPPED:
        case WAIT_FAILED:
            return err->status;
        }
    }
    *message = take_message(sub);
    return WEIR_OK;
}

weir_status weir_subscription_run(struct weir_subscription *sub, weir_message_handler handler,
                                  void *context, struct weir_error *err)
{
    const Weir__V1__Message *message = NULL;
    weir_status st = weir_subscription_next(sub, UINT32_MAX, &message, err);
    while (st == WEIR_OK && (message == NULL || handler(context, message))) {
        st = weir_subscription_next(sub, UINT32_MAX, &message, err);
    }
    return st;
}

int64_t weir_subscription_position(const struct weir_subscription *sub)
{
    return atomic_load(&sub->position);
}

void weir_subscription_stop(struct weir_subscription *sub)
{
    (void)pthread_mutex_lock(&sub->mutex);
    sub->is_stopped = true;
    (void)pthread_cond_broadcast(&sub->changed);
    (void)pthread_mutex_unlock(&sub->mutex);
}

void weir_subscription_close(struct weir_subscription *sub)
{
    if (sub == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&sub->mutex);
    sub->is_closed = true;
    const bool is_polling = sub->is_polling;
    (void)pthread_mutex_unlock(&sub->mutex);
    if (!is_polling) {
        subscription_free(sub);
    }
}
