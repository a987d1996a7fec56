#include "weir/rules/uuid.h"

#include "weir/rules/hex.h"
#include "weir/rules/random.h"
#include "weir/rules/time_text.h"

#include <pthread.h>

/* Behind its milliseconds a version 7 id has a counter of 42 bits (12 beside the version, 30 beside
 * the variant) and 32 random bits. The counter begins anew in each millisecond, at a random number
 * below half its range, so that it hardly ever overflows. */
enum { COUNTER_BITS = 42, TAIL_BYTES = 4, SEED_BYTES = 8, POOL_BYTES = 256 };

#define COUNTER_MAX (((uint64_t)1 << COUNTER_BITS) - 1)

struct generator {
    uint64_t last_ms;  // of the newest id; never goes back
    uint64_t counter;  // of the newest id
    size_t pool_left;  // unused bytes at the end of `pool`
    uint8_t pool[POOL_BYTES];
};

/* Guards `generator`. No other lock is taken while it is held. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t is_prepared = PTHREAD_ONCE_INIT;
static struct generator generator;

static void before_fork(void)
{
    (void)pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
    (void)pthread_mutex_unlock(&lock);
}

/* Parent and child must not continue from the same state: the child drops the random bytes and
 * begins a counter of its own. */
static void after_fork_in_child(void)
{
    generator.pool_left = 0;
    generator.counter = COUNTER_MAX;
    (void)pthread_mutex_unlock(&lock);
}

/* Registering fails only when out of memory; the ids of a child then still differ, most likely, by
 * their time. */
static void prepare(void)
{
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static bool take_random_locked(void *bytes, size_t n)
{
    if (generator.pool_left < n) {
        if (!weir_random_bytes(generator.pool, sizeof generator.pool)) {
            generator.pool_left = 0;
            return false;
        }
        generator.pool_left = sizeof generator.pool;
    }
    memcpy(bytes, generator.pool + sizeof generator.pool - generator.pool_left, n);
    generator.pool_left -= n;
    return true;
}

/* Moves to the next (milliseconds, counter) above the last. An overflow borrows the next
 * millisecond from the future. */
static bool advance_locked(uint64_t now_ms)
{
    const bool is_later = now_ms > generator.last_ms;
    if (!is_later && generator.counter < COUNTER_MAX) {
        generator.counter++;
        return true;
    }
    uint64_t seed = 0;
    if (!take_random_locked(&seed, SEED_BYTES)) {
        return false;
    }
    generator.last_ms = is_later ? now_ms : generator.last_ms + 1;
    generator.counter = seed & COUNTER_MAX >> 1;
    return true;
}

static void put_big_endian(uint8_t *to, uint64_t value, size_t n)
{
    for (size_t i = n; i > 0; i--) {
        to[i - 1] = (uint8_t)(value & 0xFF);
        value >>= 8;
    }
}

bool weir_uuid_make_v7(struct weir_uuid *id)
{
    (void)pthread_once(&is_prepared, prepare);
    const int64_t now_us = weir_now_us();
    const uint64_t now_ms = now_us < 0 ? 0 : (uint64_t)now_us / 1000;

    uint8_t tail[TAIL_BYTES];
    (void)pthread_mutex_lock(&lock);
    const bool ok = advance_locked(now_ms) && take_random_locked(tail, sizeof tail);
    const uint64_t ms = generator.last_ms;
    const uint64_t counter = generator.counter;
    (void)pthread_mutex_unlock(&lock);
    if (!ok) {
        return false;
    }
    put_big_endian(id->bytes, ms, 6);
    put_big_endian(id->bytes + 6, 0x7000 | counter >> 30, 2);
    put_big_endian(id->bytes + 8, 0x80000000 | (counter & 0x3FFFFFFF), 4);
    memcpy(id->bytes + 12, tail, sizeof tail);
    return true;
}

/* Whether the long form has a hyphen at position `i` of its 36 characters. */
static bool is_hyphen_place(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

bool weir_uuid_parse(struct weir_slice text, struct weir_uuid *id)
{
    if (text.n > 2 && text.p[0] == '{' && text.p[text.n - 1] == '}') {
        text = weir_slice(text.p + 1, text.n - 2);
    }
    const bool has_hyphens = text.n == WEIR_UUID_TEXT;
    if (!has_hyphens && text.n != (size_t)2 * WEIR_UUID_BYTES) {
        return false;
    }
    struct weir_uuid parsed = {{0}};
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (has_hyphens && is_hyphen_place(i)) {
            if (text.p[i] != '-') {
                return false;
            }
            continue;
        }
        const int value = weir_hex_value(text.p[i]);
        if (value < 0) {
            return false;
        }
        uint8_t *byte = &parsed.bytes[digits / 2];
        *byte = (uint8_t)(*byte << 4 | value);
        digits++;
    }
    *id = parsed;
    return true;
}

/* Writes group by group with constant lengths, without a branch for each digit. */
void weir_uuid_format(const struct weir_uuid *id, char text[WEIR_UUID_TEXT + 1])
{
    char *to = weir_hex_write(text, id->bytes, 4);
    *to++ = '-';
    to = weir_hex_write(to, id->bytes + 4, 2);
    *to++ = '-';
    to = weir_hex_write(to, id->bytes + 6, 2);
    *to++ = '-';
    to = weir_hex_write(to, id->bytes + 8, 2);
    *to++ = '-';
    to = weir_hex_write(to, id->bytes + 10, 6);
    *to = '\0';
}
