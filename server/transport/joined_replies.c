#define _GNU_SOURCE
#include "server/transport/joined_replies.h"

#include "server/transport/nng_connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct joined {
    pthread_mutex_t lock;  // guards all changes
    size_t at;
    atomic_size_t n;
    uint8_t bytes[WEIR_JOINED_BYTES];
};

/* By descriptor. Made by the thread that sends on the connection, one at a time; never freed. */
static _Atomic(struct joined *) all_joined[WEIR_DESCRIPTORS_MAX];

/* Returns NULL if the descriptor has never had anything joined. */
static struct joined *joined_of(int descriptor)
{
    return atomic_load_explicit(&all_joined[descriptor], memory_order_acquire);
}

/* Returns NULL without memory. */
static struct joined *make_joined(int descriptor)
{
    struct joined *joined = malloc(sizeof *joined);
    if (joined != NULL) {
        (void)pthread_mutex_init(&joined->lock, NULL);
        joined->at = 0;
        atomic_init(&joined->n, 0);
        atomic_store_explicit(&all_joined[descriptor], joined, memory_order_release);
    }
    return joined;
}

static size_t count(const struct joined *joined)
{
    return atomic_load_explicit(&joined->n, memory_order_relaxed);
}

static void set_locked(struct joined *joined, size_t at, size_t n)
{
    joined->at = n == 0 ? 0 : at;
    atomic_store_explicit(&joined->n, n, memory_order_relaxed);
}

/* ---- joining ---- */

static void append_locked(struct joined *joined, const struct msghdr *message)
{
    size_t n = count(joined);
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        memcpy(joined->bytes + joined->at + n, part->iov_base, part->iov_len);
        n += part->iov_len;
    }
    set_locked(joined, joined->at, n);
}

bool weir_joined_add(int descriptor, const struct msghdr *message, size_t n)
{
    if (n > WEIR_JOINED_BYTES) {
        return false;
    }
    struct joined *joined = joined_of(descriptor);
    joined = joined == NULL ? make_joined(descriptor) : joined;
    if (joined == NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&joined->lock);
    const bool has_room = n <= sizeof joined->bytes - joined->at - count(joined);
    if (has_room) {
        append_locked(joined, message);
    }
    (void)pthread_mutex_unlock(&joined->lock);
    return has_room;
}

/* ---- sending ---- */

/* Adds the message's parts without its first `skip` bytes to the parts of `all`. */
static void add_parts(struct msghdr *all, const struct msghdr *message, size_t skip)
{
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        const size_t skipped = skip < part->iov_len ? skip : part->iov_len;
        skip -= skipped;
        if (skipped < part->iov_len) {
            all->msg_iov[all->msg_iovlen++] = (struct iovec){
                .iov_base = (char *)part->iov_base + skipped, .iov_len = part->iov_len - skipped};
        }
    }
}

/* Sends what is joined, as the first of the parts, and the other parts behind it. Returns as
 * weir_joined_send does. */
static ssize_t send_locked(int descriptor, struct joined *joined, struct msghdr *all, int flags)
{
    const size_t joined_n = count(joined);
    all->msg_iov[0] = (struct iovec){.iov_base = joined->bytes + joined->at, .iov_len = joined_n};
    const ssize_t n = (ssize_t)syscall(SYS_sendmsg, descriptor, all, flags);
    if (n < 0) {
        return -1;
    }
    const size_t taken = (size_t)n < joined_n ? (size_t)n : joined_n;
    set_locked(joined, joined->at + taken, joined_n - taken);
    if (taken < joined_n) {
        errno = EAGAIN;
        return -1;
    }
    return n - (ssize_t)taken;
}

ssize_t weir_joined_send(int descriptor, const struct msghdr *message, size_t skip, int flags)
{
    struct iovec parts[WEIR_NNG_PARTS_MAX + 1] = {{.iov_len = 0}};
    struct msghdr all = *message;
    all.msg_iov = parts;
    all.msg_iovlen = 1;
    add_parts(&all, message, skip);
    struct joined *joined = joined_of(descriptor);
    if (joined == NULL) {
        return (ssize_t)syscall(SYS_sendmsg, descriptor, &all, flags);
    }
    (void)pthread_mutex_lock(&joined->lock);
    const ssize_t n = send_locked(descriptor, joined, &all, flags);
    const int fault = errno;
    (void)pthread_mutex_unlock(&joined->lock);
    errno = fault;
    return n;
}

static bool flush_locked(int descriptor, struct joined *joined)
{
    struct iovec part;
    struct msghdr alone = {.msg_iov = &part, .msg_iovlen = 1};
    if (count(joined) > 0) {
        (void)send_locked(descriptor, joined, &alone, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return count(joined) == 0;
}

bool weir_joined_flush(int descriptor)
{
    struct joined *joined = joined_of(descriptor);
    if (joined == NULL || count(joined) == 0) {
        return true;
    }
    (void)pthread_mutex_lock(&joined->lock);
    const bool is_flushed = flush_locked(descriptor, joined);
    (void)pthread_mutex_unlock(&joined->lock);
    return is_flushed;
}

size_t weir_joined_bytes(int descriptor)
{
    const struct joined *joined = joined_of(descriptor);
    return joined == NULL ? 0 : count(joined);
}

void weir_joined_drop(int descriptor)
{
    struct joined *joined = joined_of(descriptor);
    if (joined != NULL) {
        (void)pthread_mutex_lock(&joined->lock);
        set_locked(joined, 0, 0);
        (void)pthread_mutex_unlock(&joined->lock);
    }
}
