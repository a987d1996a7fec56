#include "weir/rules/token.h"

#include "weir/base/fail.h"
#include "weir/rules/hex.h"
#include "weir/rules/random.h"
#include "weir/rules/utf8.h"

#include <openssl/crypto.h>

enum { PREFIX_BYTES = 3, SECRET_BYTES = 32, SECRET_DIGITS = 2 * SECRET_BYTES };

static const char prefix[] = "ns_";
static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Whether valid UTF-8 has a control character: C0, DEL, or C1, encoded as C2 80 .. C2 9F. */
static bool has_control(struct weir_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t c = text.p[i];
        if (c < 0x20 || c == 0x7F || (c == 0xC2 && i + 1 < text.n && text.p[i + 1] < 0xA0)) {
            return true;
        }
    }
    return false;
}

/* Returns why an id is invalid, NULL for a valid one. */
static const char *namespace_fault(struct weir_slice id)
{
    if (id.n == 0) {
        return "must not be empty";
    }
    if (id.n > WEIR_NAMESPACE_MAX_BYTES) {
        _Static_assert(WEIR_NAMESPACE_MAX_BYTES == 128, "the text names the limit");
        return "must be at most 128 bytes long";
    }
    if (!weir_utf8_is_valid(id)) {
        return "must be UTF-8 without U+0000";
    }
    if (has_control(id)) {
        return "must not contain control characters";
    }
    if (weir_slice_is(id, ".") || weir_slice_is(id, "..")) {
        return "must not be \".\" or \"..\"";
    }
    return NULL;
}

weir_status weir_namespace_check(struct weir_slice id, const char *field, struct weir_error *err)
{
    const char *fault = namespace_fault(id);
    return fault == NULL ? WEIR_OK : weir_fail_field(err, field, "%s", fault);
}

/* Writes base64url without padding; returns the address behind the last character. */
static char *encode(struct weir_slice bytes, char *to)
{
    unsigned long bits = 0;
    unsigned held = 0;  // bits not written yet, at the low end of `bits`
    for (size_t i = 0; i < bytes.n; i++) {
        bits = (bits << 8 | bytes.p[i]) & 0xFFFF;
        held += 8;
        while (held >= 6) {
            held -= 6;
            *to++ = base64url[bits >> held & 0x3F];
        }
    }
    if (held > 0) {
        *to++ = base64url[bits << (6 - held) & 0x3F];
    }
    return to;
}

static int base64url_value(uint8_t c)
{
    const char *at = c == '\0' ? NULL : strchr(base64url, c);
    return at == NULL ? -1 : (int)(at - base64url);
}

/* Decodes at most `room` bytes. Accepts only what encode() writes (no padding, no lone last
 * character, no bits beyond the last byte), so that each id has one text. */
static bool decode(struct weir_slice text, uint8_t *to, size_t room, size_t *n)
{
    unsigned long bits = 0;
    unsigned held = 0;
    *n = 0;
    for (size_t i = 0; i < text.n; i++) {
        const int value = base64url_value(text.p[i]);
        if (value < 0) {
            return false;
        }
        bits = (bits << 6 | (unsigned long)value) & 0xFFFF;
        held += 6;
        if (held >= 8) {
            if (*n == room) {
                return false;
            }
            held -= 8;
            to[(*n)++] = (uint8_t)(bits >> held & 0xFF);
        }
    }
    return held < 6 && (bits & ((1UL << held) - 1)) == 0;
}

weir_status weir_token_make(struct weir_slice namespace_id, char token[WEIR_TOKEN_MAX_BYTES + 1],
                            struct weir_error *err)
{
    const weir_status st = weir_namespace_check(namespace_id, "namespace", err);
    if (st != WEIR_OK) {
        return st;
    }
    uint8_t secret[SECRET_BYTES];
    if (!weir_random_bytes(secret, sizeof secret)) {
        return weir_fail(err, WEIR_BACKEND_ERROR,
                         "cannot get random bytes from the system for a token");
    }
    memcpy(token, prefix, PREFIX_BYTES);
    char *at = encode(namespace_id, token + PREFIX_BYTES);
    *at++ = '_';
    *weir_hex_write(at, secret, sizeof secret) = '\0';
    OPENSSL_cleanse(secret, sizeof secret);
    return WEIR_OK;
}

static bool is_hex(struct weir_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (weir_hex_value(text.p[i]) < 0) {
            return false;
        }
    }
    return true;
}

bool weir_token_parse(struct weir_slice token, uint8_t id[WEIR_NAMESPACE_MAX_BYTES], size_t *id_n)
{
    if (token.n < PREFIX_BYTES + 1 + SECRET_DIGITS || token.n > WEIR_TOKEN_MAX_BYTES ||
        memcmp(token.p, prefix, PREFIX_BYTES) != 0) {
        return false;
    }
    /* Split from the right: the namespace's part may hold '_' itself. */
    const size_t underscore = token.n - SECRET_DIGITS - 1;
    const struct weir_slice secret = weir_slice(token.p + underscore + 1, SECRET_DIGITS);
    const struct weir_slice name = weir_slice(token.p + PREFIX_BYTES, underscore - PREFIX_BYTES);
    return token.p[underscore] == '_' && is_hex(secret) &&
           decode(name, id, WEIR_NAMESPACE_MAX_BYTES, id_n) &&
           namespace_fault(weir_slice(id, *id_n)) == NULL;
}
