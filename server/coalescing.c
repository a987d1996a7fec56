#include "server/coalescing.h"

#include <stddef.h>

/* Of each descriptor: how many connections have had it, and how many replies are announced to the
 * one that has it now. In one number, so that an announcement to one that has gone is none to its
 * successor. */
static _Atomic uint64_t states[WEIR_DESCRIPTORS_MAX];

static _Thread_local weir_connection_key *learning;

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

/* ---- for who replies ---- */

/* A key has the generation where a state has it, and the descriptor. */
static _Atomic uint64_t *state_of(uint64_t key)
{
    return &states[(uint32_t)key];
}

uint64_t weir_coalescing_announce(const weir_connection_key *key)
{
    const uint64_t known = atomic_load_explicit(key, memory_order_relaxed);
    return known != 0 && count(state_of(known), generation_of(known), true) ? known : 0;
}

void weir_coalescing_withdraw(uint64_t announced)
{
    if (announced != 0) {
        (void)count(state_of(announced), generation_of(announced), false);
    }
}

void weir_coalescing_learn(weir_connection_key *key)
{
    learning = key;
}

/* ---- for who sends ---- */

/* The first generation is 1, so that no key is 0. */
void weir_coalescing_opened(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    const uint64_t before = generation_of(atomic_load_explicit(state, memory_order_relaxed));
    atomic_store_explicit(state, (before + 1) << 32, memory_order_relaxed);
}

bool weir_coalescing_begin(int descriptor)
{
    const uint64_t now = atomic_load_explicit(&states[descriptor], memory_order_relaxed);
    if (learning != NULL) {
        atomic_store_explicit(learning, generation_of(now) << 32 | (uint64_t)descriptor,
                              memory_order_relaxed);
        learning = NULL;
    }
    return announced_of(now) > 1;
}

void weir_coalescing_end(int descriptor)
{
    _Atomic uint64_t *state = &states[descriptor];
    (void)count(state, generation_of(atomic_load_explicit(state, memory_order_relaxed)), false);
}
