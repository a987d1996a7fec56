#include "client/lib/link.h"

#include "weir/base/monotonic.h"

#include <arpa/inet.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RECONNECT_MIN_MS = 25,
    RECONNECT_MAX_MS = 500,
    /* nng waits for a random part of this time, and also doubles it, which must not overflow. The
     * random number is signed: half of the time the part is negative, which on a system that has
     * been up for days is no wait, and the dialer tries again at once. */
    RECONNECT_NEVER_MS = INT32_MAX / 2,
    CLOSE_WAIT_MS = 2000,  // longest wait in links_close, for all sockets together
    LEARN_WAIT_MS = 1000,
    /* Requests until the next try, if no new socket could be opened. */
    NUMBERS_BETWEEN_TRIES = 1000,
    /* Assumed for a socket that does not show its first number. */
    NUMBERS_UNKNOWN = 1 << 20,
    /* A new socket with fewer numbers is not used. */
    NUMBERS_LEAST = 1 << 19,
    /* Between two looks for connections that have ended unnoticed. */
    LOOK_EVERY_MS = 1000
};

/* Set in the numbers of all requests: they run from a random one up to UINT32_MAX. */
#define NUMBER_BIT (UINT32_C(1) << 31)

/* Longer than a lost connection takes to come back by itself. */
#define REPLACE_AFTER_US ((int64_t)1500000)
/* Longer than a first connection takes. TCP tries an unreachable host ever more rarely: the return
 * of the host would go unnoticed for a minute. A Unix domain socket connects at once, and a host's
 * name may have another address, so they get less time, which doubles up to this one (link.h). */
#define CONNECT_US ((int64_t)30000000)
/* The silence that a socket is allowed, at first and at most. */
#define SILENCE_US_MIN ((int64_t)3000000)
#define SILENCE_US_MAX ((int64_t)60000000)
/* A connection gets the time that its outstanding bytes take at this rate. */
#define SLOW_BYTES_PER_SECOND ((int64_t)65536)

struct dialer {
    nng_dialer nng;
    atomic_uint pipe;  // id of a pipe, not always one of this dialer; 0: none
    unsigned dead;     // id of a pipe that was dead at the last look; used by on_look only
};

struct link {
    struct link *older;
    uint64_t number;
    int64_t numbers;  // requests that the new socket can number, less LINKS_SPARE_NUMBERS
    nng_socket socket;
    atomic_bool was_connected;
    bool is_of_families;  // has dialers of each family by turns; the link may outlive `links`
    bool has_closer;
    pthread_t closer;
    pthread_mutex_t mutex;  // guards is_closed
    pthread_cond_t changed;
    bool is_closed;
    uint32_t dialers_n;
    struct dialer dialers[];  // one for each connection, or one for each family of each connection
};

/* ---- one socket ---- */

/* Keeps a dialer from connecting again. Does not close it, because that waits for nng's threads,
 * and this may run on one of them. */
static void rest(nng_dialer dialer)
{
    (void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_NEVER_MS);
    (void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, RECONNECT_NEVER_MS);
}

/* The dialers of the other family rest. */
static void prefer_family_of(const struct link *link, nng_dialer dialer)
{
    uint32_t d = 0;
    while (d < link->dialers_n && link->dialers[d].nng.id != dialer.id) {
        d++;
    }
    for (uint32_t other = d % LINKS_FAMILIES == 0 ? 1 : 0; other < link->dialers_n;
         other += LINKS_FAMILIES) {
        rest(link->dialers[other].nng);
    }
}

/* Whether the pipe's TCP connection has ended: the system knows no peer of it any more. */
static bool has_ended(nng_pipe pipe)
{
    nng_sockaddr peer;
    return nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &peer) != 0;
}

static void forget(struct link *link, nng_pipe pipe)
{
    for (uint32_t d = 0; d < link->dialers_n; d++) {
        unsigned id = (unsigned)nng_pipe_id(pipe);
        (void)atomic_compare_exchange_strong(&link->dialers[d].pipe, &id, 0);
    }
}

/* Notes the pipe, unless its transport does not tell the peer. The pipes of a socket are no more
 * than its dialers, since a dialer dials again only once its pipe is gone. */
static void watch(struct link *link, nng_pipe pipe)
{
    bool is_noted = has_ended(pipe);
    for (uint32_t d = 0; d < link->dialers_n && !is_noted; d++) {
        unsigned none = 0;
        is_noted = atomic_compare_exchange_strong(&link->dialers[d].pipe, &none,
                                                  (unsigned)nng_pipe_id(pipe));
    }
    /* nng may have reported the loss on another thread before the pipe was noted. */
    if (has_ended(pipe)) {
        forget(link, pipe);
    }
}

static void on_connected(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    struct link *link = arg;
    /* Where both families connect, the first one goes on: otherwise all dialers would rest. */
    if (!atomic_exchange(&link->was_connected, true) && link->is_of_families) {
        prefer_family_of(link, nng_pipe_dialer(pipe));
    }
    watch(link, pipe);
}

static void on_lost(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
    (void)event;
    forget(arg, pipe);
}

static int set_up_socket(const struct links *links, struct link *link)
{
    /* The library repeats calls itself, so the socket must not: a lost reply would lead to a second
     * execution that the library does not know of. The size limit keeps a false length header from
     * allocating memory. */
    int rv = nng_socket_set_ms(link->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    if (rv == 0) {
        rv = nng_socket_set_size(link->socket, NNG_OPT_RECVMAXSZ,
                                 links->max_reply_bytes + LINKS_SP_HEADER_BYTES);
    }
    if (rv == 0) {
        rv = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
    }
    if (rv == 0) {
        rv = nng_socket_set_ms(link->socket, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
    }
    if (rv == 0) {
        rv = nng_pipe_notify(link->socket, NNG_PIPE_EV_ADD_POST, on_connected, link);
    }
    if (rv == 0) {
        rv = nng_pipe_notify(link->socket, NNG_PIPE_EV_REM_POST, on_lost, link);
    }
    return rv;
}

static int add_dialer(const struct links *links, struct link *link, const char *url)
{
    nng_dialer *dialer = &link->dialers[link->dialers_n].nng;
    int rv = nng_dialer_create(dialer, link->socket, url);
    if (rv == 0 && links->tls != NULL) {
        rv = nng_dialer_set_ptr(*dialer, NNG_OPT_TLS_CONFIG, links->tls);
    }
    if (rv != 0) {
        return rv;
    }
    /* Detects a host that has vanished. Not every transport has the option. */
    (void)nng_dialer_set_bool(*dialer, NNG_OPT_TCP_KEEPALIVE, true);
    link->dialers_n++;
    return 0;
}

/* Makes all dialers before the first one starts, because on_connected reads them. */
static int connect_socket(const struct links *links, struct link *link)
{
    int rv = 0;
    for (uint32_t i = 0; rv == 0 && i < links->connections; i++) {
        if (!link->is_of_families) {
            rv = add_dialer(links, link, links->url);
        }
        for (size_t f = 0; rv == 0 && link->is_of_families && f < LINKS_FAMILIES; f++) {
            rv = add_dialer(links, link, links->family_urls[f]);
        }
    }
    for (uint32_t d = 0; rv == 0 && d < link->dialers_n; d++) {
        rv = nng_dialer_start(link->dialers[d].nng, NNG_FLAG_NONBLOCK);
    }
    return rv;
}

/* Keeps a replaced socket from reconnecting: its connections would stand idle at a server that has
 * come back. Leaves the connections it has or is making. */
static void make_no_more_connections(struct link *link)
{
    for (uint32_t d = 0; d < link->dialers_n; d++) {
        rest(link->dialers[d].nng);
    }
}

/* Learns the socket's next request number. There is no connection yet, so the send ends when its
 * context is closed, and nng hands the message back with its request number in the header. */
static int64_t count_numbers(nng_ctx ctx, nng_aio *aio)
{
    nng_ctx_send(ctx, aio);
    (void)nng_ctx_close(ctx);
    nng_aio_wait(aio);
    nng_msg *msg = nng_aio_get_msg(aio);
    uint32_t number = 0;
    const bool is_known = msg != NULL && nng_msg_header_len(msg) == sizeof number &&
                          nng_msg_header_trim_u32(msg, &number) == 0 && number >= NUMBER_BIT;
    nng_msg_free(msg);
    return is_known ? (int64_t)(UINT32_MAX - number) - LINKS_SPARE_NUMBERS : NUMBERS_UNKNOWN;
}

static int learn_numbers(struct link *link)
{
    nng_ctx ctx;
    nng_aio *aio = NULL;
    nng_msg *msg = NULL;
    int rv = nng_aio_alloc(&aio, NULL, NULL);
    if (rv == 0) {
        rv = nng_msg_alloc(&msg, 0);
    }
    if (rv == 0) {
        rv = nng_ctx_open(&ctx, link->socket);
    }
    if (rv == 0) {
        nng_aio_set_timeout(aio, LEARN_WAIT_MS);
        nng_aio_set_msg(aio, msg);
        link->numbers = count_numbers(ctx, aio);
    } else {
        nng_msg_free(msg);
    }
    nng_aio_free(aio);
    return rv;
}

static int try_to_open_socket(const struct links *links, struct link *link)
{
    int rv = nng_req0_open(&link->socket);
    if (rv != 0) {
        return rv;
    }
    rv = set_up_socket(links, link);
    if (rv == 0) {
        rv = learn_numbers(link);
    }
    if (rv != 0) {
        (void)nng_close(link->socket);
    }
    return rv;
}

/* Opens a socket, and another one if the first has so few numbers that it would have to be replaced
 * soon. */
static int open_socket(const struct links *links, struct link *link)
{
    enum { TRIES = 4 };
    int rv = try_to_open_socket(links, link);
    for (int tries = 1; rv == 0 && link->numbers < NUMBERS_LEAST && tries < TRIES; tries++) {
        (void)nng_close(link->socket);
        rv = try_to_open_socket(links, link);
    }
    return rv;
}

static struct link *link_new(const struct links *links)
{
    const bool has_families = links->family_urls[0] != NULL;
    const size_t dialers =
        has_families ? (size_t)links->connections * LINKS_FAMILIES : links->connections;
    struct link *link = calloc(1, sizeof *link + dialers * sizeof link->dialers[0]);
    if (link == NULL) {
        return NULL;
    }
    link->is_of_families = has_families;
    weir_cond_init(&link->changed);
    (void)pthread_mutex_init(&link->mutex, NULL);
    return link;
}

static void link_free(struct link *link)
{
    (void)pthread_cond_destroy(&link->changed);
    (void)pthread_mutex_destroy(&link->mutex);
    free(link);
}

static int link_open(const struct links *links, struct link **out)
{
    struct link *link = link_new(links);
    if (link == NULL) {
        return NNG_ENOMEM;
    }
    int rv = open_socket(links, link);
    if (rv != 0) {
        link_free(link);
        return rv;
    }
    rv = connect_socket(links, link);
    if (rv != 0) {
        (void)nng_close(link->socket);
        link_free(link);
        return rv;
    }
    *out = link;
    return 0;
}

/* ---- connections that have ended unnoticed ---- */

/* Closes a pipe that is dead at two looks in a row: by then nng takes no more of what was received
 * before the end (link.h, reason 1). */
static void look_at(struct dialer *dialer)
{
    const unsigned id = atomic_load(&dialer->pipe);
    const nng_pipe pipe = {.id = id};
    if (id == 0 || !has_ended(pipe)) {
        return;
    }
    if (dialer->dead == id) {
        (void)nng_pipe_close(pipe);
    }
    dialer->dead = id;
}

static void on_look(void *arg)
{
    struct links *links = arg;
    if (nng_aio_result(links->look) != 0) {
        return;
    }
    (void)pthread_mutex_lock(&links->mutex);
    for (struct link *link = links->newest; link != NULL; link = link->older) {
        for (uint32_t d = 0; d < link->dialers_n && !link->has_closer; d++) {
            look_at(&link->dialers[d]);
        }
    }
    (void)pthread_mutex_unlock(&links->mutex);
    nng_sleep_aio(LOOK_EVERY_MS, links->look);
}

/* ---- closing ---- */

static void *close_socket(void *arg)
{
    struct link *link = arg;
    (void)nng_close(link->socket);
    (void)pthread_mutex_lock(&link->mutex);
    link->is_closed = true;
    (void)pthread_cond_signal(&link->changed);
    (void)pthread_mutex_unlock(&link->mutex);
    return NULL;
}

/* Closes the socket on a thread of its own, on which all signals are blocked. If no thread can be
 * made the socket stays open: better a leak than a hang. */
static void start_closing(struct link *link)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    link->has_closer = pthread_create(&link->closer, NULL, close_socket, link) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Closes this socket and all older ones. */
static void close_from(struct link *link)
{
    for (; link != NULL; link = link->older) {
        if (!link->has_closer) {
            start_closing(link);
        }
    }
}

/* Frees the link once its socket is closed. If nng hangs, thread and socket are leaked. */
static void finish_closing(struct link *link, int64_t until_us)
{
    if (!link->has_closer) {
        return;
    }
    (void)pthread_mutex_lock(&link->mutex);
    bool goes_on = true;
    while (!link->is_closed && goes_on) {
        goes_on = weir_cond_wait_until(&link->changed, &link->mutex, until_us);
    }
    const bool is_closed = link->is_closed;
    (void)pthread_mutex_unlock(&link->mutex);
    if (is_closed) {
        (void)pthread_join(link->closer, NULL);
        link_free(link);
    } else {
        (void)pthread_detach(link->closer);
    }
}

void links_close(struct links *links)
{
    const int64_t until_us = weir_monotonic_us() + CLOSE_WAIT_MS * 1000;
    nng_aio_stop(links->look);
    nng_aio_free(links->look);
    close_from(links->newest);
    while (links->newest != NULL) {
        struct link *link = links->newest;
        links->newest = link->older;
        finish_closing(link, until_us);
    }
    for (size_t f = 0; f < LINKS_FAMILIES; f++) {
        free(links->family_urls[f]);
    }
    (void)pthread_mutex_destroy(&links->mutex);
}

/* ---- all of them ---- */

/* Returns the time that the first socket without a connection is allowed. */
static int64_t first_connect_us(const struct links *links)
{
    static const char *const unix_sockets[] = {"ipc://", "unix://", "abstract://"};
    for (size_t i = 0; i < WEIR_COUNTOF(unix_sockets); i++) {
        if (strncmp(links->url, unix_sockets[i], strlen(unix_sockets[i])) == 0) {
            return REPLACE_AFTER_US;
        }
    }
    return CONNECT_US;
}

/* Whether the URL's host is a name; an address has one family. */
static bool has_host_name(const char *text)
{
    struct in6_addr address;
    nng_url *url = NULL;
    if (nng_url_parse(&url, text) != 0) {
        return false;
    }
    const char *host = url->u_hostname;
    const bool is_name = host != NULL && inet_pton(AF_INET, host, &address) != 1 &&
                         inet_pton(AF_INET6, host, &address) != 1;
    nng_url_free(url);
    return is_name;
}

/* Makes the URLs of the families, such as tcp4://… and tcp6://…, where nng has them. Returns false
 * where memory ran out. */
static bool make_family_urls(struct links *links)
{
    static const char *const schemes[] = {"tcp", "tls+tcp"};
    const char *tail = strstr(links->url, "://");
    size_t scheme_n = 0;
    for (size_t i = 0; tail != NULL && i < WEIR_COUNTOF(schemes); i++) {
        const size_t n = strlen(schemes[i]);
        if (n == (size_t)(tail - links->url) && strncmp(links->url, schemes[i], n) == 0) {
            scheme_n = n;
        }
    }
    const bool has_families = scheme_n > 0 && has_host_name(links->url);
    for (size_t f = 0; has_families && f < LINKS_FAMILIES; f++) {
        const size_t room = strlen(links->url) + 2;
        links->family_urls[f] = malloc(room);
        if (links->family_urls[f] == NULL) {
            return false;
        }
        (void)snprintf(links->family_urls[f], room, "%.*s%c%s", (int)scheme_n, links->url, "46"[f],
                       tail);
    }
    return true;
}

weir_status links_open(struct links *links, struct weir_error *err)
{
    (void)pthread_mutex_init(&links->mutex, NULL);
    int rv = make_family_urls(links) ? 0 : NNG_ENOMEM;
    links->connect_us = first_connect_us(links);
    if (rv == 0) {
        rv = link_open(links, &links->newest);
    }
    if (rv == 0 && links->tls != NULL) {
        rv = nng_aio_alloc(&links->look, on_look, links);
    }
    if (rv == NNG_ENOMEM || rv == NNG_ENOFILES) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of %s",
                         rv == NNG_ENOMEM ? "memory" : "file descriptors");
    }
    if (rv != 0) {
        return weir_fail_field(err, "url", "cannot use '%s': %s", links->url, nng_strerror(rv));
    }
    links->newest->number = 1;
    atomic_store(&links->number, 1);
    atomic_store(&links->numbers_left, links->newest->numbers);
    atomic_store(&links->silence_us, SILENCE_US_MIN);
    if (links->look != NULL) {
        nng_sleep_aio(LOOK_EVERY_MS, links->look);
    }
    return WEIR_OK;
}

int links_open_ctx(struct links *links, nng_ctx *ctx, uint64_t *number)
{
    (void)pthread_mutex_lock(&links->mutex);
    const int rv = nng_ctx_open(ctx, links->newest->socket);
    if (rv == 0) {
        *number = links->newest->number;
    }
    (void)pthread_mutex_unlock(&links->mutex);
    return rv;
}

void links_close_ctx(struct links *links, nng_ctx ctx, uint64_t number)
{
    (void)pthread_mutex_lock(&links->mutex);
    const struct link *link = links->newest;
    while (link != NULL && link->number != number) {
        link = link->older;
    }
    if (link != NULL && !link->has_closer) {
        (void)nng_ctx_close(ctx);
    }
    (void)pthread_mutex_unlock(&links->mutex);
}

static void note_progress(struct links *links)
{
    if (atomic_load(&links->waiting_since_us) != 0) {
        atomic_store(&links->waiting_since_us, 0);
    }
}

static bool is_current(struct links *links, struct links_sent sent)
{
    return sent.number == atomic_load(&links->number);
}

void links_note_sent(struct links *links, struct links_sent sent)
{
    (void)atomic_fetch_add(&links->outstanding_bytes, sent.bytes);
    note_progress(links);
    if (atomic_load(&links->silent_since_us) == 0 && is_current(links, sent)) {
        atomic_store(&links->silent_since_us, weir_monotonic_us());
    }
}

static void note_answer(struct links *links, struct links_sent sent)
{
    note_progress(links);
    if (atomic_load(&links->silent_since_us) != 0 && is_current(links, sent)) {
        atomic_store(&links->silent_since_us, 0);
        atomic_store(&links->silence_us, SILENCE_US_MIN);
    }
}

void links_note_ended(struct links *links, struct links_sent sent, bool is_answered)
{
    (void)atomic_fetch_sub(&links->outstanding_bytes, sent.bytes);
    if (is_answered) {
        note_answer(links, sent);
    }
}

/* Returns `least_us` plus the time that the outstanding bytes may take. */
static int64_t patience_us(struct links *links, int64_t least_us)
{
    const int64_t bytes = (int64_t)atomic_load(&links->outstanding_bytes);
    return least_us + bytes * 1000000 / SLOW_BYTES_PER_SECOND;
}

static bool is_closed(struct link *link)
{
    (void)pthread_mutex_lock(&link->mutex);
    const bool closed = link->is_closed;
    (void)pthread_mutex_unlock(&link->mutex);
    return closed;
}

/* Frees the links of closed sockets, and their threads: a client may outlive many servers. */
static void drop_closed_locked(struct links *links)
{
    struct link **at = &links->newest;
    while (*at != NULL) {
        struct link *link = *at;
        if (is_closed(link)) {
            *at = link->older;
            (void)pthread_join(link->closer, NULL);
            link_free(link);
        } else {
            at = &link->older;
        }
    }
}

/* Closes the sockets that no call uses, except the one just replaced: replies may still be coming
 * in there (link.h). */
static void close_unused_locked(struct links *links, uint64_t oldest)
{
    struct link *link = links->newest->older->older;
    while (link != NULL && link->number >= oldest) {
        link = link->older;
    }
    close_from(link);
}

/* Replaces the current socket. False if no new socket can be opened. */
static bool replace_locked(struct links *links, uint64_t oldest)
{
    struct link *fresh = NULL;
    if (link_open(links, &fresh) != 0) {
        return false;
    }
    make_no_more_connections(links->newest);
    drop_closed_locked(links);
    fresh->number = links->newest->number + 1;
    fresh->older = links->newest;
    links->newest = fresh;
    atomic_store(&links->silent_since_us, 0);
    atomic_store(&links->numbers_left, fresh->numbers);
    atomic_store(&links->number, fresh->number);
    close_unused_locked(links, oldest);
    return true;
}

/* Calls that come meanwhile use up some of the spare numbers. */
void links_replace_used_up(struct links *links, uint64_t oldest)
{
    (void)pthread_mutex_lock(&links->mutex);
    if (atomic_load(&links->numbers_left) <= 0 && !replace_locked(links, oldest)) {
        atomic_store(&links->numbers_left, NUMBERS_BETWEEN_TRIES);
    }
    (void)pthread_mutex_unlock(&links->mutex);
}

bool links_take_number(struct links *links)
{
    return atomic_fetch_sub_explicit(&links->numbers_left, 1, memory_order_relaxed) > 0;
}

bool links_has_waited(struct links *links)
{
    const int64_t now = weir_monotonic_us();
    int_least64_t since = 0;
    return !atomic_compare_exchange_strong(&links->waiting_since_us, &since, now) &&
           now - since >= patience_us(links, REPLACE_AFTER_US);
}

void links_replace_lost(struct links *links, uint64_t oldest)
{
    const int64_t now = weir_monotonic_us();
    (void)pthread_mutex_lock(&links->mutex);
    int_least64_t since = atomic_load(&links->waiting_since_us);
    const bool was_connected = atomic_load(&links->newest->was_connected);
    const int64_t patience = was_connected ? REPLACE_AFTER_US : links->connect_us;
    /* The first caller replaces the socket, and the time begins anew. */
    if (since != 0 && now - since >= patience_us(links, patience) &&
        atomic_compare_exchange_strong(&links->waiting_since_us, &since, now)) {
        const int64_t longer_us =
            links->connect_us < CONNECT_US / 2 ? links->connect_us * 2 : CONNECT_US;
        links->connect_us = was_connected ? first_connect_us(links) : longer_us;
        (void)replace_locked(links, oldest);
    }
    (void)pthread_mutex_unlock(&links->mutex);
}

bool links_were_connected(struct links *links)
{
    (void)pthread_mutex_lock(&links->mutex);
    const struct link *link = links->newest;
    while (link != NULL && !atomic_load(&link->was_connected)) {
        link = link->older;
    }
    (void)pthread_mutex_unlock(&links->mutex);
    return link != NULL;
}

bool links_is_silent(struct links *links, struct links_sent sent)
{
    const int64_t since = atomic_load(&links->silent_since_us);
    return since != 0 && is_current(links, sent) &&
           weir_monotonic_us() - since >= patience_us(links, atomic_load(&links->silence_us));
}

bool links_replace_silent(struct links *links, struct links_sent sent, uint64_t oldest)
{
    (void)pthread_mutex_lock(&links->mutex);
    /* The first caller replaces the socket, and the time begins anew. */
    const bool is_replaced = links_is_silent(links, sent) && replace_locked(links, oldest);
    if (is_replaced) {
        const int64_t longer_us = atomic_load(&links->silence_us) * 2;
        atomic_store(&links->silence_us, longer_us < SILENCE_US_MAX ? longer_us : SILENCE_US_MAX);
    }
    (void)pthread_mutex_unlock(&links->mutex);
    return is_replaced;
}
