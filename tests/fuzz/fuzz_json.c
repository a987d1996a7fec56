/* The JSON functions on any bytes. What is accepted must be usable everywhere a checked text is
 * asked for; on what is not, nothing beyond the text may be touched. */
#include "weir/rules/json_text.h"

#include <stdlib.h>

enum { NAME_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_true)
{
    if (!is_true) {
        abort();
    }
}

static bool is_json(struct weir_slice text)
{
    struct weir_error err;
    const weir_status st = weir_json_check(text, "data", NULL, NULL, 0, &err);
    require(st == WEIR_OK || st == WEIR_INVALID_REQUEST);
    return st == WEIR_OK;
}

/* Against the same text with a blank behind it, so that the bytes are not simply the same. */
static void compare_with_itself(struct weir_slice text, bool is_checked)
{
    struct weir_error err;
    bool equal = false;
    uint8_t *longer = malloc(text.n + 1);
    require(longer != NULL);
    if (text.n > 0) {
        memcpy(longer, text.p, text.n);
    }
    longer[text.n] = ' ';
    const weir_status st = weir_json_equal(text, weir_slice(longer, text.n + 1), &equal, &err);
    require(is_checked ? st == WEIR_OK && equal : st == WEIR_OK || st == WEIR_DATA_CORRUPT);
    free(longer);
}

static void compare_halves(struct weir_slice text)
{
    struct weir_error err;
    bool equal = false;
    const size_t half = text.n / 2;
    const weir_status st = weir_json_equal(weir_slice(text.p, half),
                                           weir_slice(text.p + half, text.n - half), &equal, &err);
    require(st == WEIR_OK || st == WEIR_DATA_CORRUPT);
}

/* `room` has text.n bytes. Returns the number of members. */
static size_t walk_members(struct weir_slice text, bool is_checked, uint8_t *room)
{
    size_t at = 0;
    size_t members = 0;
    struct weir_slice key;
    struct weir_slice value;
    while (weir_json_next_member(text, &at, &key, &value)) {
        members++;
        require(key.p > text.p && key.p + key.n < text.p + text.n);
        require(value.p > key.p && value.p + value.n <= text.p + text.n);
        size_t n = 0;
        const bool is_string =
            weir_json_unescape(weir_slice(key.p - 1, key.n + 2), room, &n) && n <= key.n;
        require(!is_checked || (is_string && weir_utf8_is_valid(weir_slice(room, n))));
        require(!is_checked || is_json(value));
    }
    return members;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_slice text = weir_slice(data, size);
    struct weir_json_facts facts;
    struct weir_error err;
    uint8_t name[NAME_BYTES];
    uint8_t *room = malloc(size + 1);
    require(room != NULL);
    const bool is_checked =
        weir_json_check(text, "metadata", &facts, name, sizeof name, &err) == WEIR_OK;
    require(!is_checked || (weir_utf8_is_valid(text) && is_json(text)));
    compare_with_itself(text, is_checked);
    compare_halves(text);
    const size_t members = walk_members(text, is_checked, room);
    require(!is_checked || facts.is_object || members == 0);
    size_t n = 0;
    require(!weir_json_unescape(text, room, &n) || n <= size);
    free(room);
    return 0;
}
