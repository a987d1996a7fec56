#define _GNU_SOURCE  // syscall()
#include "server/transport/partial_messages.h"

#include "server/transport/pending_replies.h"
#include "weir/base/list.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    /* The pace to keep, in bytes a second: so slow that the longest message of the default limits
     * may take more than an hour. */
    PACE_BYTES = 16 * 1024,
    SECOND_US = 1000 * 1000,
    LOOKS = 4  // for silent connections, per time that a message may receive nothing
};

/* OPEN: no partial message. PARTIAL: also a new connection until its handshake is over. ENDED: shut
 * down by nng or by this module; nng may still read from the connection for a while, which does not
 * count. */
enum state { STATE_UNKNOWN, STATE_OPEN, STATE_PARTIAL, STATE_ENDED };

struct connection {
    enum state state;
    bool is_followed;
    /* Of the partial message, in STATE_PARTIAL only. */
    struct weir_link link;     // in all.partial
    size_t received;           // bytes received
    size_t held;               // bytes of memory counted
    int64_t kept_up_until_us;  // the time at which the pace would have brought what was received
    int64_t heard_at_us;       // when bytes last arrived
};

static struct connection connections[WEIR_DESCRIPTORS_MAX];

static struct {
    pthread_mutex_t lock;      // guards this struct and `connections`; a leaf
    struct weir_link partial;  // connections in STATE_PARTIAL, the oldest message first
    size_t bytes;              // sum of their `held`
    size_t bytes_max;
    int64_t silence_us;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .partial = {&all.partial, &all.partial}};

/* Read without the lock by the threads that wait for events. */
static _Atomic int64_t look_every_us;  // 0: never
static _Atomic int64_t look_at_us;     // when the next look is due
static atomic_int open_n;              // connections that are open and have not been ended

void weir_partial_limit(size_t bytes_max, int64_t silence_us)
{
    (void)pthread_mutex_lock(&all.lock);
    all.bytes_max = bytes_max;
    all.silence_us = silence_us;
    (void)pthread_mutex_unlock(&all.lock);
    atomic_store(&look_every_us, silence_us / LOOKS);
    atomic_store(&look_at_us, 0);
}

size_t weir_partial_bytes(void)
{
    (void)pthread_mutex_lock(&all.lock);
    const size_t bytes = all.bytes;
    (void)pthread_mutex_unlock(&all.lock);
    return bytes;
}

/* ---- connections ---- */

static bool is_in_range(int descriptor)
{
    return descriptor >= 0 && descriptor < WEIR_DESCRIPTORS_MAX;
}

static bool is_open(const struct connection *connection)
{
    return connection->state == STATE_OPEN || connection->state == STATE_PARTIAL;
}

static void begin_partial(struct connection *connection, int64_t now_us)
{
    connection->state = STATE_PARTIAL;
    connection->received = 0;
    connection->held = 0;
    connection->kept_up_until_us = now_us;
    connection->heard_at_us = now_us;
    weir_link_append(&all.partial, &connection->link);
}

static void end_partial(struct connection *connection)
{
    if (connection->state == STATE_PARTIAL) {
        weir_link_remove(&connection->link);
        all.bytes -= connection->held;
        connection->state = STATE_OPEN;
    }
}

static void stop_tracking(struct connection *connection)
{
    end_partial(connection);
    if (is_open(connection)) {
        connection->state = STATE_ENDED;
        (void)atomic_fetch_sub(&open_n, 1);
    }
}

void weir_partial_opened(int descriptor, int64_t now_us)
{
    if (is_in_range(descriptor)) {
        struct connection *connection = &connections[descriptor];
        (void)pthread_mutex_lock(&all.lock);
        stop_tracking(connection);
        begin_partial(connection, now_us);
        connection->is_followed = false;
        (void)atomic_fetch_add(&open_n, 1);
        (void)pthread_mutex_unlock(&all.lock);
    }
}

void weir_partial_follow(int descriptor)
{
    if (is_in_range(descriptor)) {
        (void)pthread_mutex_lock(&all.lock);
        connections[descriptor].is_followed = true;
        (void)pthread_mutex_unlock(&all.lock);
    }
}

void weir_partial_closed(int descriptor)
{
    if (is_in_range(descriptor)) {
        (void)pthread_mutex_lock(&all.lock);
        stop_tracking(&connections[descriptor]);
        (void)pthread_mutex_unlock(&all.lock);
    }
}

void weir_partial_whole(int descriptor)
{
    if (is_in_range(descriptor)) {
        (void)pthread_mutex_lock(&all.lock);
        end_partial(&connections[descriptor]);
        (void)pthread_mutex_unlock(&all.lock);
    }
}

/* ---- ending them ---- */

static struct connection *connection_of_link(struct weir_link *link)
{
    return WEIR_LINKED(link, struct connection, link);
}

/* Calls the system directly, because this program's shutdown() would report back to this module.
 * The call fails if the peer has gone; errno is restored for the caller, who is inside another
 * call. */
static void end_connection(struct connection *connection)
{
    const int fault = errno;
    stop_tracking(connection);
    (void)syscall(SYS_shutdown, (int)(connection - connections), SHUT_RDWR);
    errno = fault;
}

/* Under the lock a descriptor that is open is still that of the key's connection. */
void weir_partial_end(weir_connection_key key)
{
    (void)pthread_mutex_lock(&all.lock);
    const int descriptor = weir_pending_descriptor(key);
    if (is_in_range(descriptor) && is_open(&connections[descriptor])) {
        end_connection(&connections[descriptor]);
    }
    (void)pthread_mutex_unlock(&all.lock);
}

/* Whether ending the connection frees a worthwhile amount: all connections that are spared could
 * not exceed the bound together. */
static bool may_make_room(const struct connection *connection)
{
    return connection->held > all.bytes_max / WEIR_DESCRIPTORS_MAX;
}

static struct connection *find_slowest(void)
{
    struct connection *slowest = NULL;
    for (struct weir_link *at = all.partial.next; at != &all.partial; at = at->next) {
        struct connection *connection = connection_of_link(at);
        if (may_make_room(connection) &&
            (slowest == NULL || connection->kept_up_until_us < slowest->kept_up_until_us)) {
            slowest = connection;
        }
    }
    return slowest;
}

static bool make_room(void)
{
    bool is_any = false;
    while (all.bytes_max > 0 && all.bytes > all.bytes_max) {
        end_connection(find_slowest());
        is_any = true;
    }
    return is_any;
}

static bool end_silent(int64_t now_us)
{
    bool is_any = false;
    struct weir_link *next = NULL;
    for (struct weir_link *at = all.partial.next; at != &all.partial; at = next) {
        next = at->next;
        if (now_us - connection_of_link(at)->heard_at_us >= all.silence_us) {
            end_connection(connection_of_link(at));
            is_any = true;
        }
    }
    return is_any;
}

bool weir_partial_look(int64_t now_us)
{
    const int64_t every_us = atomic_load_explicit(&look_every_us, memory_order_relaxed);
    if (every_us == 0 || now_us < atomic_load_explicit(&look_at_us, memory_order_relaxed)) {
        return false;
    }
    atomic_store_explicit(&look_at_us, now_us + every_us, memory_order_relaxed);
    (void)pthread_mutex_lock(&all.lock);
    const bool is_any = end_silent(now_us);
    (void)pthread_mutex_unlock(&all.lock);
    return is_any;
}

int weir_partial_look_in_ms(void)
{
    const int64_t every_us = atomic_load_explicit(&look_every_us, memory_order_relaxed);
    return every_us == 0 || atomic_load(&open_n) == 0 ? -1 : (int)(every_us / 1000) + 1;
}

/* ---- received bytes ---- */

/* Credits received bytes against the pace. A fast sender makes up for an earlier delay, but earns
 * no credit for the future. */
static void credit_pace(struct connection *connection, size_t received, int64_t now_us)
{
    const int64_t until_us =
        connection->kept_up_until_us + (int64_t)(received * SECOND_US / PACE_BYTES);
    connection->kept_up_until_us = until_us < now_us ? until_us : now_us;
    connection->heard_at_us = received > 0 ? now_us : connection->heard_at_us;
}

static void count_held(struct connection *connection, size_t received, size_t length)
{
    connection->received += received;
    const size_t held = length < WEIR_LARGE_BLOCK_BYTES ? length : connection->received;
    all.bytes += held - connection->held;
    connection->held = held;
}

static bool count_received(struct connection *connection, size_t received, size_t length,
                           int64_t now_us)
{
    if (connection->state == STATE_OPEN) {
        begin_partial(connection, now_us);
    }
    if (connection->state != STATE_PARTIAL) {
        return false;
    }
    credit_pace(connection, received, now_us);
    count_held(connection, received, length);
    return make_room();
}

bool weir_partial_add(int descriptor, size_t received, size_t length, int64_t now_us)
{
    (void)pthread_mutex_lock(&all.lock);
    const bool is_any = count_received(&connections[descriptor], received, length, now_us);
    (void)pthread_mutex_unlock(&all.lock);
    return is_any;
}

bool weir_partial_came(int descriptor, size_t received, int64_t now_us)
{
    struct connection *connection = &connections[descriptor];
    (void)pthread_mutex_lock(&all.lock);
    const bool is_any =
        connection->is_followed && count_received(connection, received, SIZE_MAX, now_us);
    (void)pthread_mutex_unlock(&all.lock);
    return is_any;
}
