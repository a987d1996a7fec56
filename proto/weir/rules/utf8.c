#include "weir/rules/utf8.h"

/* Returns the length of the character at text.p[at]; 0 if it is not well-formed. By the table of
 * RFC 3629: the range of the second byte excludes overlong forms, surrogates and characters above
 * U+10FFFF. */
static size_t character_bytes(struct weir_slice text, size_t at)
{
    const uint8_t lead = text.p[at];
    if (lead < 0x80) {
        return lead == 0 ? 0 : 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    const size_t n = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (text.n - at < n) {
        return 0;
    }
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (text.p[at + 1] < low || text.p[at + 1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((text.p[at + i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Whether the next eight bytes are all ASCII and none is NUL. */
static bool is_plain_word(const uint8_t *p)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t word = 0;
    memcpy(&word, p, sizeof word);
    /* Subtracting one sets the top bit of a byte that was 0; a byte beyond ASCII has it set. */
    return ((word | (word - ones)) & ones << 7) == 0;
}

bool weir_utf8_is_valid(struct weir_slice text)
{
    size_t at = 0;
    while (at < text.n) {
        if (text.n - at >= sizeof(uint64_t) && is_plain_word(text.p + at)) {
            at += sizeof(uint64_t);
            continue;
        }
        const size_t n = character_bytes(text, at);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}
