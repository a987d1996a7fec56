#include "server/transport/pending_replies.h"

#include "server/transport/joined_replies.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* By descriptor: the generation in the upper half, which grows when a connection opens and when it
 * is declared over, and the number of replies announced in the lower half. Both are in one number,
 * so that an announcement to an earlier connection never counts for its successor. */
static _Atomic uint64_t states[WEIR_DESCRIPTORS_MAX];

/* By descriptor; see weir_pending_left. */
static atomic_size_t unsent_bytes[WEIR_DESCRIPTORS_MAX];

static _Thread_local bool is_asking;
static _Thread_local weir_connection_key asked_key;
static _Thread_local int held_descriptor = -1;  // with data that this thread has held back; or -1

static uint64_t generation_of(uint64_t state)
{
    return state >> 32;
}

static uint32_t announced_of(uint64_t state)
{
    return (uint32_t)state;
}

/* Adds or removes one announcement. Returns false, without a change, if the state has another
 * generation or there is no announcement to remove. Whoever removes the last one sees what was
 * joined before the others were removed. */
static bool change_announced(_Atomic uint64_t *state, uint64_t generation, bool is_more)
{
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    bool is_counted = false;
    while (!is_counted && generation_of(seen) == generation &&
           (is_more || announced_of(seen) > 0)) {
        is_counted =
            atomic_compare_exchange_weak_explicit(state, &seen, is_more ? seen + 1 : seen - 1,
                                                  memory_order_acq_rel, memory_order_relaxed);
    }
    return is_counted;
}

/* A key has the generation in its upper half, as a state has, and the descriptor in the lower. */
static uint64_t key_of(uint64_t state, int descriptor)
{
    return generation_of(state) << 32 | (uint64_t)descriptor;
}

static _Atomic uint64_t *state_of(uint64_t key)
{
    return &states[(uint32_t)key];
}

/* ---- for callers that send replies ---- */

void weir_pending_ask(void)
{
    is_asking = true;
    asked_key = 0;
}

weir_connection_key weir_pending_asked(void)
{
    is_asking = false;
    return asked_key;
}

uint64_t weir_pending_add(weir_connection_key key)
{
    return key != 0 && change_announced(state_of(key), generation_of(key), true) ? key : 0;
}

/* Setting TCP_NODELAY makes the kernel send what it holds back. If the descriptor belongs to
 * another connection by now, that does no harm. */
static void flush_segment(int descriptor)
{
    const int on = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void weir_pending_push(void)
{
    if (held_descriptor >= 0) {
        flush_segment(held_descriptor);
        held_descriptor = -1;
    }
}

void weir_pending_withdraw(uint64_t announced)
{
    if (announced != 0 && change_announced(state_of(announced), generation_of(announced), false) &&
        announced_of(atomic_load_explicit(state_of(announced), memory_order_acquire)) == 0) {
        (void)weir_joined_flush((int)(uint32_t)announced);
        flush_segment((int)(uint32_t)announced);
    }
}

bool weir_pending_is_over(weir_connection_key key)
{
    return key != 0 && generation_of(atomic_load_explicit(state_of(key), memory_order_relaxed)) !=
                           generation_of(key);
}

int weir_pending_descriptor(weir_connection_key key)
{
    return key == 0 || weir_pending_is_over(key) ? -1 : (int)(uint32_t)key;
}

/* If the descriptor is reused during the call, the result of this function and the next one is
 * wrong, but only for a connection that is closed. */
size_t weir_pending_left(weir_connection_key key)
{
    const int descriptor = weir_pending_descriptor(key);
    return descriptor >= 0 ? atomic_load_explicit(&unsent_bytes[descriptor], memory_order_relaxed)
                           : 0;
}

int64_t weir_pending_untaken(weir_connection_key key)
{
    int n = 0;
    const int descriptor = weir_pending_descriptor(key);
    return descriptor >= 0 && ioctl(descriptor, SIOCOUTQ, &n) == 0
               ? n + (int64_t)(weir_pending_left(key) + weir_joined_bytes(descriptor))
               : -1;
}

/* ---- for the calls that nng makes on a connection ---- */

/* The first generation is 1, so no key is 0. */
void weir_pending_opened(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    const uint64_t before = generation_of(atomic_load_explicit(state, memory_order_relaxed));
    weir_joined_drop(descriptor);
    atomic_store_explicit(&unsent_bytes[descriptor], 0, memory_order_relaxed);
    atomic_store_explicit(state, (before + 1) << 32, memory_order_relaxed);
}

bool weir_pending_is_asking(void)
{
    return is_asking;
}

void weir_pending_hold(int descriptor)
{
    weir_pending_push();
    held_descriptor = descriptor;
}

void weir_pending_answer(int descriptor)
{
    asked_key = key_of(atomic_load_explicit(&states[descriptor], memory_order_relaxed), descriptor);
}

bool weir_pending_begin(int descriptor)
{
    return announced_of(atomic_load_explicit(&states[descriptor], memory_order_relaxed)) > 1;
}

/* Writes only a changed number: it is nearly always 0, and the numbers of neighbouring descriptors
 * share a cache line. */
void weir_pending_leave(int descriptor, size_t n)
{
    if (atomic_load_explicit(&unsent_bytes[descriptor], memory_order_relaxed) != n) {
        atomic_store_explicit(&unsent_bytes[descriptor], n, memory_order_relaxed);
    }
}

bool weir_pending_end(int descriptor)
{
    weir_pending_leave(descriptor, 0);
    _Atomic uint64_t *state = &states[descriptor];
    (void)change_announced(state, generation_of(atomic_load_explicit(state, memory_order_relaxed)),
                           false);
    return announced_of(atomic_load_explicit(state, memory_order_acquire)) > 0;
}

bool weir_pending_close(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    uint64_t seen = atomic_load_explicit(state, memory_order_relaxed);
    bool is_closed = false;
    while (!is_closed && announced_of(seen) == 0) {
        is_closed =
            atomic_compare_exchange_weak_explicit(state, &seen, (generation_of(seen) + 1) << 32,
                                                  memory_order_relaxed, memory_order_relaxed);
    }
    return is_closed;
}
