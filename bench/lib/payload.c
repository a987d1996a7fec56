#include "bench/lib/payload.h"

#include <assert.h>
#include <string.h>

static const char head[] = "{\"seed\":\"";
static const char middle[] = "\",\"text\":\"";
static const char tail[] = "\"}";

enum {
    HEAD = sizeof head - 1,
    SEED_DIGITS = 16,
    MIDDLE = sizeof middle - 1,
    TAIL = sizeof tail - 1,
    TEXT_AT = HEAD + SEED_DIGITS + MIDDLE
};

_Static_assert(TEXT_AT + TAIL <= PAYLOAD_MIN_BYTES, "room for what every payload has");

uint64_t payload_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Returns eight letters, a to p, from one random number. */
static uint64_t letters(uint64_t *state)
{
    const uint64_t nibbles = payload_random(state) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return nibbles + UINT64_C(0x6161616161616161);
}

static void put_head(uint64_t seed, char *text)
{
    static const char digits[17] = "0123456789abcdef";
    memcpy(text, head, HEAD);
    for (int i = 0; i < SEED_DIGITS; i++) {
        text[HEAD + i] = digits[seed >> (60 - 4 * i) & 15];
    }
    memcpy(text + HEAD + SEED_DIGITS, middle, MIDDLE);
}

void payload_make(uint64_t seed, char *text, size_t n)
{
    assert(n >= PAYLOAD_MIN_BYTES);
    put_head(seed, text);
    uint64_t state = seed;
    const size_t end = n - TAIL;
    for (size_t at = TEXT_AT; at < end; at += sizeof(uint64_t)) {
        const uint64_t eight = letters(&state);
        memcpy(text + at, &eight, end - at < sizeof eight ? end - at : sizeof eight);
    }
    memcpy(text + n - TAIL, tail, TAIL);
}

static bool read_seed(const char *text, uint64_t *seed)
{
    *seed = 0;
    for (int i = 0; i < SEED_DIGITS; i++) {
        const char c = text[HEAD + i];
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) {
            return false;
        }
        *seed = *seed << 4 | (uint64_t)digit;
    }
    return true;
}

static bool is_text_of(uint64_t seed, const char *text, size_t n)
{
    uint64_t state = seed;
    for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
        const uint64_t eight = letters(&state);
        if (memcmp(text + at, &eight, n - at < sizeof eight ? n - at : sizeof eight) != 0) {
            return false;
        }
    }
    return true;
}

bool payload_check(const void *bytes, size_t n, uint64_t *seed)
{
    const char *text = bytes;
    uint64_t own = 0;
    if (n < PAYLOAD_MIN_BYTES || memcmp(text, head, HEAD) != 0 || !read_seed(text, &own) ||
        memcmp(text + HEAD + SEED_DIGITS, middle, MIDDLE) != 0 ||
        memcmp(text + n - TAIL, tail, TAIL) != 0 ||
        !is_text_of(own, text + TEXT_AT, n - TEXT_AT - TAIL)) {
        return false;
    }
    if (seed != NULL) {
        *seed = own;
    }
    return true;
}
