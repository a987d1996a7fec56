/* Taking JSON texts apart without a prior check: if all parts are JSON, so is the whole, and the
 * parts of a valid text are those that jansson finds. */
#include "client/cli/json_walk.h"
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"

#include <jansson.h>

static bool is_accepted(struct weir_slice text)
{
    struct weir_error err;
    weir_error_init(&err);
    return weir_json_check(text, "data", NULL, &err) == WEIR_OK;
}

static json_t *load(struct weir_slice text)
{
    return json_loadb((const char *)text.p, text.n, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL,
                      NULL);
}

/* The result of a walk. */
struct walk {
    json_t *made;      // built from the parts; complete only if all parts are JSON
    bool is_complete;  // the walk reached the end without a fault
    bool has_bad_part;
};

static void add_member(struct walk *walk, struct weir_slice key, struct weir_slice value)
{
    if (!is_accepted(key) || !is_accepted(value)) {
        walk->has_bad_part = true;
        return;
    }
    json_t *name = load(key);
    require(json_is_string(name) && key.p[0] == '"' && key.p[key.n - 1] == '"');
    require(json_object_set_new(walk->made, json_string_value(name), load(value)) == 0);
    json_decref(name);
}

static struct walk walk_object(struct weir_slice text)
{
    struct walk walk = {.made = json_object()};
    struct weir_slice key;
    struct weir_slice value;
    const char *fault = NULL;
    size_t at = 0;
    while (json_next_member(text, &at, &key, &value, &fault)) {
        require(fault == NULL && at <= text.n && key.n >= 2 && value.n >= 1);
        require(fuzz_is_inside(key, text) && fuzz_is_inside(value, text));
        add_member(&walk, key, value);
    }
    walk.is_complete = fault == NULL;
    return walk;
}

static struct walk walk_array(struct weir_slice text)
{
    struct walk walk = {.made = json_array()};
    struct weir_slice value;
    const char *fault = NULL;
    size_t at = 0;
    while (json_next_element(text, &at, &value, &fault)) {
        require(fault == NULL && at <= text.n && value.n >= 1 && fuzz_is_inside(value, text));
        if (is_accepted(value)) {
            require(json_array_append_new(walk.made, load(value)) == 0);
        } else {
            walk.has_bad_part = true;
        }
    }
    walk.is_complete = fault == NULL;
    return walk;
}

/* Compares the walk with what jansson reads; NULL if the text is not of the walked kind. */
static void compare(struct walk walk, const json_t *whole)
{
    if (whole != NULL) {
        require(walk.is_complete);
        require(walk.has_bad_part || json_equal(walk.made, whole));
    } else {
        require(!walk.is_complete || walk.has_bad_part);
    }
    json_decref(walk.made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(weir_slice(data, size), false);
    const struct weir_slice text = weir_slice(copy, size);
    json_t *root = load(text);
    compare(walk_object(text), json_is_object(root) ? root : NULL);
    compare(walk_array(text), json_is_array(root) ? root : NULL);
    json_decref(root);
    free(copy);
    return 0;
}
