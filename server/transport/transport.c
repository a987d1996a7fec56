/* The transport: its exchanges, its connections, the socket and the listeners.
 *
 * Three aios of nng serve as timers that look after connections. Each runs only while there is
 * something to look for; a flag says whether it runs:
 *
 *     relief   while no exchange is left to receive: closes the connection with the most replies
 *     sweep    while replies are under way: closes connections that do not read theirs
 *     search   while there are TLS connections: closes those whose end nng has missed
 *
 * The timers and the events of pipes run on nng's threads. */
#include "server/transport/transport_int.h"

#include "server/transport/partial_messages.h"
#include "server/transport/pending_replies.h"
#include "server/transport/tls_config.h"
#include "server/transport/ws_replies.h"
#include "weir/base/fair_share.h"
#include "weir/base/monotonic.h"

#include <nng/protocol/reqrep0/rep.h>
#include <nng/supplemental/tls/tls.h>

#include <stdlib.h>
#include <sys/stat.h>

enum {
    /* Exchanges beyond the calls in flight, for refusing further requests. */
    RESERVE = 64,
    GROW_STEP = 16,
    /* For a request's SP header: four bytes for each device that it passes. */
    HEADER_ROOM = 64,
    SWEEP_MS = 1000,
    /* A connection is stuck if it has taken nothing of its replies for STUCK_US. It is closed only
     * if it has also sent no request for QUIET_US; see close_pipe. */
    STUCK_US = 10 * 1000 * 1000,
    STUCK_AT_ONCE = 64,
    QUIET_US = 100 * 1000,
    SEARCH_MS = 3000,
    LOST_AT_ONCE = 4096,
    RELIEF_MS = 20,
    /* The first PATIENT_LOOKS looks that find no exchange left close only a connection with many
     * unread replies; later looks close the one with the most, however few. The count starts anew
     * after CALM_US without such a look. */
    PATIENT_LOOKS = 25,
    CALM_US = 10 * 1000 * 1000
};

static weir_status fail_unavailable(struct weir_error *err, const char *what, int rv)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s: %s", what, nng_strerror(rv));
}

/* ---- exchanges ---- */

static struct weir_exchange_block *block_with_room(struct weir_transport *t)
{
    if (t->blocks == NULL || t->blocks->n == WEIR_EXCHANGE_BLOCK) {
        struct weir_exchange_block *block = malloc(sizeof *block);
        if (block == NULL) {
            return NULL;
        }
        block->n = 0;
        block->next = t->blocks;
        t->blocks = block;
    }
    return t->blocks;
}

static bool open_exchanges(struct weir_transport *t, size_t n)
{
    bool is_open = true;
    (void)pthread_mutex_lock(&t->grow_lock);
    for (size_t i = 0; i < n && is_open; i++) {
        struct weir_exchange_block *block = block_with_room(t);
        is_open = block != NULL && weir_exchange_open(&block->exchanges[block->n], t, t->socket);
        if (is_open) {
            block->n++;
            atomic_fetch_add_explicit(&t->opened, 1, memory_order_relaxed);
        }
    }
    (void)pthread_mutex_unlock(&t->grow_lock);
    return is_open;
}

void weir_transport_keep_room(struct weir_transport *t)
{
    const size_t parked = atomic_load_explicit(&t->parked, memory_order_relaxed);
    if (atomic_load_explicit(&t->opened, memory_order_relaxed) < t->base + parked) {
        (void)open_exchanges(t, GROW_STEP);
    }
}

static void stop_exchanges(struct weir_transport *t)
{
    for (struct weir_exchange_block *block = t->blocks; block != NULL; block = block->next) {
        for (size_t i = 0; i < block->n; i++) {
            weir_exchange_stop(&block->exchanges[i]);
        }
    }
}

static void free_exchanges(struct weir_transport *t)
{
    while (t->blocks != NULL) {
        struct weir_exchange_block *block = t->blocks;
        t->blocks = block->next;
        for (size_t i = 0; i < block->n; i++) {
            weir_exchange_fini(&block->exchanges[i]);
        }
        free(block);
    }
}

/* ---- connections ---- */

/* Starts the timer of the search for lost connections unless it is running. */
static void start_search(struct weir_transport *t)
{
    if (!atomic_exchange(&t->is_searching, true)) {
        nng_sleep_aio(SEARCH_MS, t->search);
    }
}

/* Reads one option of TCP and one of ipc connections that make nng call getsockopt(). */
static weir_connection_key connection_key_of(nng_pipe pipe)
{
    bool has_no_delay = false;
    uint64_t process = 0;
    weir_pending_ask();
    (void)nng_pipe_get_bool(pipe, NNG_OPT_TCP_NODELAY, &has_no_delay);
    (void)nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &process);
    return weir_pending_asked();
}

/* Only WebSocket pipes have this option. */
static bool is_by_websocket(nng_pipe pipe)
{
    bool is_text = false;
    return nng_pipe_get_bool(pipe, NNG_OPT_WS_RECV_TEXT, &is_text) == 0;
}

static void add_peer(struct weir_transport *t, nng_pipe pipe)
{
    const struct weir_remote remote = weir_remote_of(pipe);
    const bool is_tls = remote.family != NNG_AF_UNSPEC;
    const bool is_opaque = is_tls || is_by_websocket(pipe);
    const weir_connection_key key = connection_key_of(pipe);
    const int descriptor = weir_pending_descriptor(key);
    weir_ws_replies_new(descriptor);
    weir_partial_whole(descriptor);
    if (is_opaque) {
        weir_partial_follow(descriptor);
    }
    if (weir_peers_add(&t->peers, pipe.id, key, is_opaque, &remote) && is_tls) {
        atomic_fetch_add(&t->tls_n, 1);
        start_search(t);
    }
}

static void remove_peer(struct weir_transport *t, uint32_t pipe_id)
{
    struct weir_peer *peer = weir_peers_find(&t->peers, pipe_id);
    if (peer != NULL) {
        atomic_fetch_sub(&t->tls_n, peer->remote.family != NNG_AF_UNSPEC ? 1 : 0);
        weir_peers_remove(&t->peers, pipe_id);
        t->user.gone(t->user.context, &peer->waiting, &peer->is_gone);
        weir_ws_replies_end(peer->descriptor);
        weir_peer_release(peer);
    }
}

/* Closes the TLS connections that the kernel does not have any more. Nothing is under way on them,
 * so closing them is safe. */
static void search_lost(void *context)
{
    struct weir_transport *t = context;
    if (nng_aio_result(t->search) != 0 || atomic_load(&t->is_closing)) {
        return;
    }
    uint32_t lost[LOST_AT_ONCE];
    size_t open_n = 0;
    struct weir_remote *open = weir_remotes_open(&open_n);
    const size_t n =
        open == NULL ? 0 : weir_peers_lost(&t->peers, open, open_n, lost, WEIR_COUNTOF(lost));
    free(open);
    for (size_t i = 0; i < n; i++) {
        (void)nng_pipe_close((nng_pipe){.id = lost[i]});
    }
    /* The flag is cleared before the count is read, so that a new connection either is counted here
     * or starts the timer itself. */
    atomic_store(&t->is_searching, false);
    if (atomic_load(&t->tls_n) > 0) {
        start_search(t);
    }
}

static void pipe_event(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    struct weir_transport *t = context;
    if (event == NNG_PIPE_EV_ADD_PRE) {
        add_peer(t, pipe);
    } else if (event == NNG_PIPE_EV_REM_POST) {
        remove_peer(t, pipe.id);
    }
}

/* nng 1.5.2 may lose a pipe that is closed at the moment in which nng takes the next part of a
 * message: the thread that releases pipes then waits for it for ever. So only a connection that is
 * not sending may be closed: one that has been quiet for a while, or one whose next request nng
 * holds back because no exchange is left to receive it. */
static void close_pipe(struct weir_transport *t, uint32_t pipe_id)
{
    weir_log_say(t->log, WEIR_LOG_WARN, "closing connection %u: it does not read its replies",
                 pipe_id);
    (void)nng_pipe_close((nng_pipe){.id = pipe_id});
}

/* Reads the number after `is_relieving` is cleared, as replace_receiver() changes it before it
 * looks at that: one of the two threads sees what the other has done, and starts the timer. */
static bool is_exhausted(struct weir_transport *t)
{
    return atomic_load(&t->receiving) == 0;
}

void weir_transport_relieve(struct weir_transport *t)
{
    if (!atomic_exchange(&t->is_relieving, true)) {
        nng_sleep_aio(RELIEF_MS, t->relief);
    }
}

/* Chooses the connection to close so that its exchanges become free; returns its pipe id, or 0. If
 * many connections leave a few replies unread each, no single one has many; see PATIENT_LOOKS. */
static uint32_t choose_to_close(struct weir_transport *t)
{
    const int64_t now_us = weir_monotonic_us();
    if (now_us - t->exhausted_at_us > CALM_US) {
        t->exhausted_looks = 0;
    }
    t->exhausted_at_us = now_us;
    const bool is_patient = t->exhausted_looks < PATIENT_LOOKS;
    t->exhausted_looks += is_patient;
    return weir_peers_greediest(&t->peers, is_patient ? RESERVE / 2 : 1);
}

static void relieve(void *context)
{
    struct weir_transport *t = context;
    if (nng_aio_result(t->relief) != 0 || atomic_load(&t->is_closing)) {
        return;
    }
    const uint32_t pipe_id = is_exhausted(t) ? choose_to_close(t) : 0;
    if (pipe_id != 0) {
        close_pipe(t, pipe_id);
    }
    atomic_store(&t->is_relieving, false);
    if (is_exhausted(t)) {
        weir_transport_relieve(t);
    }
}

void weir_transport_watch(struct weir_transport *t)
{
    if (!atomic_load(&t->is_sweeping) && !atomic_exchange(&t->is_sweeping, true)) {
        nng_sleep_aio(SWEEP_MS, t->sweep);
    }
}

static void sweep(void *context)
{
    struct weir_transport *t = context;
    if (nng_aio_result(t->sweep) != 0 || atomic_load(&t->is_closing)) {
        return;
    }
    uint32_t stuck[STUCK_AT_ONCE];
    const int64_t now_us = weir_monotonic_us();
    const size_t n =
        weir_peers_stuck(&t->peers, now_us - STUCK_US, now_us - QUIET_US, stuck, STUCK_AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        close_pipe(t, stuck[i]);
    }
    /* The timer stops when no reply is under way, so that an idle process is not woken. The flag is
     * cleared before the replies are looked for, so that a later one starts the timer again. */
    atomic_store(&t->is_sweeping, false);
    if (weir_peers_any_sends(&t->peers)) {
        weir_transport_watch(t);
    }
}

/* ---- the socket ---- */

size_t weir_transport_message_max(const struct weir_config *config)
{
    return (size_t)config->limits.request_bytes + HEADER_ROOM;
}

/* To be called before any listener is created, because listeners inherit the options. nng allocates
 * as much as the length of a message claims, so its bound comes first. */
static int set_socket_options(nng_socket socket, const struct weir_config *config)
{
    int rv = nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, weir_transport_message_max(config));
    if (rv == 0) {
        rv = nng_socket_set_bool(socket, NNG_OPT_TCP_KEEPALIVE, true);
    }
    return rv == NNG_ENOTSUP ? 0 : rv;
}

static weir_status open_socket(struct weir_transport *t, const struct weir_config *config,
                               struct weir_error *err)
{
    int rv = nng_rep0_open(&t->socket);
    if (rv != 0) {
        return fail_unavailable(err, "cannot open a socket", rv);
    }
    rv = set_socket_options(t->socket, config);
    if (rv == 0) {
        rv = nng_pipe_notify(t->socket, NNG_PIPE_EV_ADD_PRE, pipe_event, t);
    }
    if (rv == 0) {
        rv = nng_pipe_notify(t->socket, NNG_PIPE_EV_REM_POST, pipe_event, t);
    }
    if (rv == 0) {
        rv = nng_aio_alloc(&t->sweep, sweep, t);
    }
    if (rv == 0) {
        rv = nng_aio_alloc(&t->relief, relieve, t);
    }
    if (rv == 0) {
        rv = nng_aio_alloc(&t->search, search_lost, t);
    }
    return rv == 0 ? WEIR_OK : fail_unavailable(err, "cannot set up the socket", rv);
}

/* ---- listeners ---- */

/* nng deletes whatever is at the path if it cannot bind to it, so only a socket may be there. */
static weir_status check_ipc(const struct weir_listen_url *url, struct weir_error *err)
{
    struct stat st;
    const char *path = (const char *)url->path.p;
    return lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)
               ? weir_fail(err, WEIR_INVALID_REQUEST,
                           "cannot listen on '%s': the file at its path is not a socket", url->text)
               : WEIR_OK;
}

static weir_status prepare_ipc(const struct weir_listen_url *url, const struct weir_config *config,
                               nng_listener listener, struct weir_error *err)
{
    const weir_status st = check_ipc(url, err);
    if (st != WEIR_OK) {
        return st;
    }
    const int rv =
        nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, (int)config->ipc_permissions);
    return rv == 0 ? WEIR_OK : fail_unavailable(err, url->text, rv);
}

static weir_status prepare_tls(const struct weir_listen_url *url, const struct weir_config *config,
                               nng_listener listener, struct weir_error *err)
{
    nng_tls_config *tls = NULL;
    const weir_status st = weir_tls_config_load(config, &tls, err);
    if (st != WEIR_OK) {
        return st;
    }
    const int rv = nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls);
    nng_tls_config_free(tls);
    return rv == 0 ? WEIR_OK : fail_unavailable(err, url->text, rv);
}

static weir_status configure_listener(const struct weir_listen_url *url,
                                      const struct weir_config *config, nng_listener listener,
                                      struct weir_error *err)
{
    switch (url->kind) {
    case WEIR_TRANSPORT_IPC:
        return prepare_ipc(url, config, listener, err);
    case WEIR_TRANSPORT_TLS:
        return prepare_tls(url, config, listener, err);
    case WEIR_TRANSPORT_WS:
        /* Clients that send each message in a single frame, such as libnanomsg, may send messages
         * as long as those of other clients. */
        (void)nng_listener_set_size(listener, NNG_OPT_WS_RECVMAXFRAME,
                                    weir_transport_message_max(config));
        return WEIR_OK;
    case WEIR_TRANSPORT_TCP:
    case WEIR_TRANSPORT_INPROC:
        break;
    }
    return WEIR_OK;
}

/* A URL that nng cannot parse is wrong usage. A host without an address is not: it may have one
 * later, when the name service is up. */
static weir_status fail_listener(const struct weir_listen_url *url, int rv, struct weir_error *err)
{
    nng_url *read = NULL;
    const bool is_url = nng_url_parse(&read, url->text) == 0;
    nng_url_free(read);
    const bool is_unresolved =
        is_url && url->port >= 0 && (rv == NNG_EADDRINVAL || rv == NNG_EAGAIN);
    return weir_fail(err, is_url ? WEIR_BACKEND_UNAVAILABLE : WEIR_INVALID_REQUEST,
                     "cannot listen on '%s': %s", url->text,
                     is_unresolved ? "the host has no address" : nng_strerror(rv));
}

static weir_status start_listener(const struct weir_listen_url *url,
                                  const struct weir_config *config, struct weir_transport *t,
                                  struct weir_error *err)
{
    nng_listener listener;
    int rv = nng_listener_create(&listener, t->socket, url->text);
    if (rv != 0) {
        return fail_listener(url, rv, err);
    }
    const weir_status st = configure_listener(url, config, listener, err);
    if (st != WEIR_OK) {
        return st;
    }
    rv = nng_listener_start(listener, 0);
    if (rv != 0) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot listen on '%s': %s", url->text,
                         nng_strerror(rv));
    }
    int port = url->port;
    if (port == 0) {
        (void)nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port);
    }
    weir_listen_url_format(url, port, t->urls[t->listeners_n]);
    t->listeners_n++;
    return WEIR_OK;
}

weir_status weir_transport_listen(struct weir_transport *t, const struct weir_config *config,
                                  struct weir_error *err)
{
    for (size_t i = 0; i < config->listen_n; i++) {
        struct weir_listen_url url;
        weir_status st = weir_listen_url_parse(config->listen[i], &url, err);
        if (st == WEIR_OK) {
            st = start_listener(&url, config, t, err);
        }
        if (st != WEIR_OK) {
            return st;
        }
    }
    weir_tls_config_warn(config, t->log);
    return WEIR_OK;
}

static weir_status check_url(const char *text, const struct weir_config *config,
                             struct weir_error *err)
{
    struct weir_listen_url url;
    nng_tls_config *tls = NULL;
    weir_status st = weir_listen_url_parse(text, &url, err);
    if (st == WEIR_OK && url.kind == WEIR_TRANSPORT_IPC) {
        st = check_ipc(&url, err);
    }
    if (st == WEIR_OK && url.kind == WEIR_TRANSPORT_TLS) {
        st = weir_tls_config_load(config, &tls, err);
    }
    if (tls != NULL) {
        nng_tls_config_free(tls);
    }
    return st;
}

weir_status weir_transport_check(const struct weir_config *config, struct weir_error *err)
{
    weir_status st = WEIR_OK;
    for (size_t i = 0; i < config->listen_n && st == WEIR_OK; i++) {
        st = check_url(config->listen[i], config, err);
    }
    return st;
}

/* ---- opening and closing ---- */

weir_status weir_transport_open(const struct weir_config *config, const struct weir_log *log,
                                const struct weir_transport_user *user,
                                struct weir_transport **transport, struct weir_error *err)
{
    struct weir_transport *t = calloc(1, sizeof *t);
    if (t == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory for the listeners");
    }
    weir_peers_init(&t->peers);
    (void)pthread_mutex_init(&t->grow_lock, NULL);
    (void)pthread_mutex_init(&t->idle_lock, NULL);
    t->log = log;
    t->user = *user;
    t->base = weir_share_places((size_t)config->max_calls) + RESERVE;
    weir_status st = open_socket(t, config, err);
    if (st == WEIR_OK && !open_exchanges(t, t->base)) {
        st = weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                       "out of memory for %lld calls; lower --max-calls",
                       (long long)config->max_calls);
    }
    if (st != WEIR_OK) {
        weir_transport_close(t);
        return st;
    }
    *transport = t;
    return WEIR_OK;
}

const char *weir_transport_url(const struct weir_transport *t, size_t i)
{
    return i < t->listeners_n ? t->urls[i] : NULL;
}

size_t weir_transport_connections(struct weir_transport *t)
{
    return weir_peers_count(&t->peers);
}

void weir_transport_close(struct weir_transport *t)
{
    atomic_store(&t->is_closing, true);
    nng_aio_stop(t->sweep);
    nng_aio_stop(t->relief);
    nng_aio_stop(t->search);
    (void)nng_close(t->socket);
    stop_exchanges(t);
    free_exchanges(t);
    nng_aio_free(t->sweep);
    nng_aio_free(t->relief);
    nng_aio_free(t->search);
    weir_peers_fini(&t->peers);
    (void)pthread_mutex_destroy(&t->idle_lock);
    (void)pthread_mutex_destroy(&t->grow_lock);
    free(t);
}
