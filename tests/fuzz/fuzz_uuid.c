/* Message ids: the bytes as text, whose hexadecimal digits must be preserved, and 16 of the bytes
 * as an id, each spelling of which must read as that id. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/uuid.h"

#include <ctype.h>

static bool is_same(const struct weir_uuid *a, const struct weir_uuid *b)
{
    return memcmp(a->bytes, b->bytes, WEIR_UUID_BYTES) == 0;
}

/* Returns the text without braces and hyphens, in lower case. */
static struct fuzz_text digits_of(struct weir_slice text)
{
    struct fuzz_text digits = {0};
    for (size_t i = 0; i < text.n; i++) {
        const char lower[] = {(char)tolower(text.p[i]), '\0'};
        if (strchr("{-}", lower[0]) == NULL) {
            fuzz_puts(&digits, lower);
        }
    }
    fuzz_puts(&digits, "");
    return digits;
}

static void check_text(struct weir_slice text)
{
    struct weir_uuid id = {{0xA5}};
    const struct weir_uuid before = id;
    if (!weir_uuid_parse(text, &id)) {
        require(is_same(&id, &before));
        return;
    }
    char formatted[WEIR_UUID_TEXT + 1];
    weir_uuid_format(&id, formatted);
    require(strlen(formatted) == WEIR_UUID_TEXT);
    struct fuzz_text ours = digits_of(weir_slice_of(formatted));
    struct fuzz_text theirs = digits_of(text);
    require(ours.n == 32 && weir_slice_equal(fuzz_slice(&ours), fuzz_slice(&theirs)));
    free(ours.p);
    free(theirs.p);
    const size_t braces = text.p[0] == '{' ? 2 : 0;
    require(text.n == 32 + braces || text.n == WEIR_UUID_TEXT + braces);
}

/* Spells an id. Bits of `form`: upper case, without hyphens, in braces. */
static struct fuzz_text spell(const char *formatted, unsigned form)
{
    struct fuzz_text text = {0};
    fuzz_puts(&text, (form & 4) != 0 ? "{" : "");
    for (const char *c = formatted; *c != '\0'; c++) {
        const char one[] = {(char)((form & 1) != 0 ? toupper((unsigned char)*c) : *c), '\0'};
        fuzz_puts(&text, (form & 2) != 0 && *c == '-' ? "" : one);
    }
    fuzz_puts(&text, (form & 4) != 0 ? "}" : "");
    return text;
}

static void check_id(const struct weir_uuid *id)
{
    char formatted[WEIR_UUID_TEXT + 1];
    weir_uuid_format(id, formatted);
    for (unsigned form = 0; form < 8; form++) {
        struct fuzz_text text = spell(formatted, form);
        struct weir_uuid parsed;
        require(weir_uuid_parse(fuzz_slice(&text), &parsed) && is_same(&parsed, id));
        /* One character missing, one extra, or a foreign character make an id invalid. */
        require(!weir_uuid_parse(weir_slice(text.p, text.n - 1), &parsed));
        fuzz_puts(&text, "0");
        require(!weir_uuid_parse(fuzz_slice(&text), &parsed));
        text.p[id->bytes[0] % (text.n - 1)] = 'g';
        require(!weir_uuid_parse(weir_slice(text.p, text.n - 1), &parsed));
        free(text.p);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(weir_slice(data, size));
    if (size >= WEIR_UUID_BYTES) {
        struct weir_uuid id;
        memcpy(id.bytes, data, WEIR_UUID_BYTES);
        check_id(&id);
    }
    return 0;
}
