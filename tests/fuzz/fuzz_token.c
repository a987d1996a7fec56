/* Tokens and namespace ids: the bytes as a token, which must be the only spelling of its id, and as
 * an id, from which a token is made. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/token_hash.h"
#include "weir/rules/utf8.h"

#include <openssl/evp.h>

enum { SECRET_BYTES = 1 + 64, PREFIX_BYTES = 3 };

static bool contains_control(struct weir_slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t next = i + 1 < text.n ? text.p[i + 1] : 0;
        if (text.p[i] < 0x20 || text.p[i] == 0x7F ||
            (text.p[i] == 0xC2 && next >= 0x80 && next <= 0x9F)) {
            return true;
        }
    }
    return false;
}

/* The rule for ids, formulated in another way. */
static bool is_namespace(struct weir_slice id)
{
    return id.n >= 1 && id.n <= WEIR_NAMESPACE_MAX_BYTES && weir_utf8_is_valid(id) &&
           !contains_control(id) && !weir_slice_is(id, ".") && !weir_slice_is(id, "..");
}

static bool is_accepted(struct weir_slice id)
{
    struct weir_error err;
    weir_error_init(&err);
    const weir_status st = weir_namespace_check(id, "namespace", &err);
    require(st == WEIR_OK || strcmp(weir_error_get_detail(&err, "field"), "namespace") == 0);
    return st == WEIR_OK;
}

/* Encodes as base64url without padding, with libcrypto's base64. Returns the length. */
static size_t encode(struct weir_slice bytes, char *to)
{
    int n = EVP_EncodeBlock((unsigned char *)to, bytes.p, (int)bytes.n);
    while (n > 0 && to[n - 1] == '=') {
        n--;
    }
    for (int i = 0; i < n; i++) {
        to[i] = (char)(to[i] == '+' ? '-' : to[i] == '/' ? '_' : to[i]);
    }
    return (size_t)n;
}

static void check_token(struct weir_slice token)
{
    uint8_t *id = malloc(WEIR_NAMESPACE_MAX_BYTES);
    size_t id_n = 0;
    require(id != NULL);
    if (weir_token_parse(token, id, &id_n)) {
        char name[WEIR_TOKEN_MAX_BYTES + 4];
        require(is_namespace(weir_slice(id, id_n)) && token.n <= WEIR_TOKEN_MAX_BYTES);
        require(memcmp(token.p, "ns_", PREFIX_BYTES) == 0);
        const size_t name_n = encode(weir_slice(id, id_n), name);
        const struct weir_slice written =
            weir_slice(token.p + PREFIX_BYTES, token.n - PREFIX_BYTES - SECRET_BYTES);
        require(weir_slice_equal(written, weir_slice(name, name_n)));
    }
    free(id);
}

static void check_hash(struct weir_slice token)
{
    struct weir_token_hash hash;
    struct weir_token_hash other;
    weir_token_hash(token, &hash);
    uint8_t *changed = fuzz_copy(token, false);
    weir_token_hash(weir_slice(changed, token.n), &other);
    require(weir_token_hash_equal(&hash, &other));
    changed[token.n / 2] ^= 1;
    weir_token_hash(weir_slice(changed, token.n), &other);
    require(!weir_token_hash_equal(&hash, &other));
    free(changed);
}

static void check_namespace(struct weir_slice id)
{
    struct weir_error err;
    weir_error_init(&err);
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    const bool accepted = is_accepted(id);
    require(accepted == is_namespace(id));
    require((weir_token_make(id, token, &err) == WEIR_OK) == accepted);
    if (!accepted) {
        return;
    }
    uint8_t parsed[WEIR_NAMESPACE_MAX_BYTES];
    size_t n = 0;
    require(weir_token_parse(weir_slice_of(token), parsed, &n));
    require(weir_slice_equal(weir_slice(parsed, n), id));
    check_token(weir_slice_of(token));
    require(!weir_token_parse(weir_slice(token, strlen(token) - 1), parsed, &n));
}

static void check_admin(struct weir_slice token)
{
    bool is_plain = token.n >= 32 && token.n <= 256;
    for (size_t i = 0; i < token.n; i++) {
        is_plain = is_plain && token.p[i] > 0x20 && token.p[i] < 0x7F;
    }
    require(weir_admin_token_is_valid(token) == is_plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_slice bytes = weir_slice(data, size);
    check_token(bytes);
    check_namespace(bytes);
    check_admin(bytes);
    if (size > 0) {
        check_hash(bytes);
    }
    return 0;
}
