#include "server/announced.h"

#include <pthread.h>
#include <stddef.h>

/* Of each descriptor: how many connections have had it or had it and ended, and how many replies
 * are announced to the one that has it now. In one number, so that an announcement to one that has
 * gone is none to its successor. */
static _Atomic uint64_t states[WEIR_DESCRIPTORS_MAX];

static _Thread_local weir_connection_key *learning;

/* Where the first messages of connections are. One that nobody asked for is displaced in time, and
 * its connection learnt later: so is the connection of a message that is not found. */
enum { FIRST_MAX = 1024 };

static struct {
    pthread_mutex_t lock;  // guards all; a leaf
    struct {
        const void *message;
        uint64_t key;
    } messages[FIRST_MAX];
} first = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint64_t generation_of(uint64_t state)
{
    return state >> 32;
}

static uint32_t announced_of(uint64_t state)
{
    return (uint32_t)state;
}

/* One more or one less; not of another generation, and not below none. */
static bool count(_Atomic uint64_t *state, uint64_t generation, bool is_more)
{
    uint64_t now = atomic_load_explicit(state, memory_order_relaxed);
    bool is_counted = false;
    while (!is_counted && generation_of(now) == generation && (is_more || announced_of(now) > 0)) {
        is_counted = atomic_compare_exchange_weak_explicit(
            state, &now, is_more ? now + 1 : now - 1, memory_order_relaxed, memory_order_relaxed);
    }
    return is_counted;
}

/* A key has the generation where a state has it, and the descriptor. */
static uint64_t key_of(uint64_t state, int descriptor)
{
    return generation_of(state) << 32 | (uint64_t)descriptor;
}

static _Atomic uint64_t *state_of(uint64_t key)
{
    return &states[(uint32_t)key];
}

/* Blocks of memory lie sixteen bytes apart at least, and large ones begin alike. */
static size_t place_of(const void *message)
{
    const uintptr_t at = (uintptr_t)message;
    return (at >> 4 ^ at >> 12 ^ at >> 20) % FIRST_MAX;
}

/* ---- for who replies ---- */

uint64_t weir_announced_add(const weir_connection_key *key)
{
    const uint64_t known = atomic_load_explicit(key, memory_order_relaxed);
    return known != 0 && count(state_of(known), generation_of(known), true) ? known : 0;
}

void weir_announced_withdraw(uint64_t announced)
{
    if (announced != 0) {
        (void)count(state_of(announced), generation_of(announced), false);
    }
}

bool weir_announced_is_over(const weir_connection_key *key)
{
    const uint64_t known = atomic_load_explicit(key, memory_order_relaxed);
    return known != 0 &&
           generation_of(atomic_load_explicit(state_of(known), memory_order_relaxed)) !=
               generation_of(known);
}

uint64_t weir_announced_key_of(const void *message)
{
    const size_t place = place_of(message);
    uint64_t key = 0;
    (void)pthread_mutex_lock(&first.lock);
    if (first.messages[place].message == message) {
        key = first.messages[place].key;
        first.messages[place].message = NULL;
    }
    (void)pthread_mutex_unlock(&first.lock);
    return key;
}

void weir_announced_learn(weir_connection_key *key)
{
    learning = key;
}

/* ---- for who sends ---- */

/* The first generation is 1, so that no key is 0. */
void weir_announced_opened(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    const uint64_t before = generation_of(atomic_load_explicit(state, memory_order_relaxed));
    atomic_store_explicit(state, (before + 1) << 32, memory_order_relaxed);
}

void weir_announced_received(int descriptor, const void *message)
{
    const uint64_t now = atomic_load_explicit(&states[descriptor], memory_order_relaxed);
    const size_t place = place_of(message);
    (void)pthread_mutex_lock(&first.lock);
    first.messages[place].message = message;
    first.messages[place].key = key_of(now, descriptor);
    (void)pthread_mutex_unlock(&first.lock);
}

bool weir_announced_begin(int descriptor)
{
    const uint64_t now = atomic_load_explicit(&states[descriptor], memory_order_relaxed);
    if (learning != NULL) {
        atomic_store_explicit(learning, key_of(now, descriptor), memory_order_relaxed);
        learning = NULL;
    }
    return announced_of(now) > 1;
}

void weir_announced_end(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    (void)count(state, generation_of(atomic_load_explicit(state, memory_order_relaxed)), false);
}

bool weir_announced_close(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    uint64_t now = atomic_load_explicit(state, memory_order_relaxed);
    bool is_closed = false;
    while (!is_closed && announced_of(now) == 0) {
        is_closed =
            atomic_compare_exchange_weak_explicit(state, &now, (generation_of(now) + 1) << 32,
                                                  memory_order_relaxed, memory_order_relaxed);
    }
    return is_closed;
}
