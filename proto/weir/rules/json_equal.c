/* Compares two JSON texts as trees. Each text is read once into an array of nodes in the text's
 * order, with strings and keys unescaped; a node knows the size of its subtree, so its next sibling
 * is found without a walk. The members of two objects are sorted by key and compared in pairs. Time
 * is that of sorting and memory that of the nodes, also for texts made to be slow. */
#include "weir/rules/json_scan.h"
#include "weir/rules/json_text.h"

#include <stdlib.h>

enum { FIRST_NODES = 64 };

struct node {
    struct weir_slice key;   // unescaped; absent outside objects
    struct weir_slice text;  // a string unescaped, any other scalar as written
    size_t size;             // nodes of the subtree, including this one
    uint8_t first;           // first byte of the value: tells its kind
};

struct tree {
    struct node *nodes;
    size_t n;
    size_t cap;
    uint8_t *strings;  // unescaped copies of escaped strings; no longer than the text
    size_t strings_n;
};

/* A text being read into a tree. */
struct reader {
    struct tree *tree;
    struct weir_slice text;
    size_t at;
    struct weir_slice key;             // of the next value; absent if none was read
    size_t depth;                      // open containers
    size_t open[WEIR_JSON_DEPTH_MAX];  // their nodes
};

static void tree_fini(struct tree *t)
{
    free(t->nodes);
    free(t->strings);
}

static weir_status fail_memory(struct weir_error *err)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory while comparing JSON");
}

static weir_status fail_unchecked(struct weir_error *err)
{
    return weir_fail(err, WEIR_DATA_CORRUPT, "a text to compare is not valid JSON");
}

static bool make_room(struct tree *t)
{
    if (t->n < t->cap) {
        return true;
    }
    const size_t cap = t->cap == 0 ? FIRST_NODES : t->cap * 2;
    if (cap > SIZE_MAX / sizeof *t->nodes) {
        return false;
    }
    struct node *nodes = realloc(t->nodes, cap * sizeof *nodes);
    if (nodes == NULL) {
        return false;
    }
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

/* Reads the string at the reader's position and moves behind it. *to lies in the text itself if
 * nothing is escaped. */
static bool read_string(struct reader *r, struct weir_slice *to)
{
    const size_t end = weir_json_string_end(r->text, r->at);
    const struct weir_slice quoted = weir_slice(r->text.p + r->at, end - r->at);
    r->at = end;
    if (quoted.n < 2 || quoted.p[quoted.n - 1] != '"') {
        return false;
    }
    if (memchr(quoted.p, '\\', quoted.n) == NULL) {
        *to = weir_slice(quoted.p + 1, quoted.n - 2);
        return true;
    }
    uint8_t *out = r->tree->strings + r->tree->strings_n;
    size_t n = 0;
    if (!weir_json_unescape(quoted, out, &n)) {
        return false;
    }
    r->tree->strings_n += n;
    *to = weir_slice(out, n);
    return true;
}

static bool read_scalar(struct reader *r, struct weir_slice *to)
{
    if (r->text.p[r->at] == '"') {
        return read_string(r, to);
    }
    const size_t end = weir_json_scalar_end(r->text, r->at);
    *to = weir_slice(r->text.p + r->at, end - r->at);
    r->at = end;
    return to->n > 0;
}

static weir_status read_value(struct reader *r, struct weir_error *err)
{
    struct tree *t = r->tree;
    if (!make_room(t)) {
        return fail_memory(err);
    }
    const uint8_t first = r->text.p[r->at];
    struct node *node = &t->nodes[t->n];
    *node = (struct node){.key = r->key, .size = 1, .first = first};
    r->key = weir_slice(NULL, 0);
    if (first != '[' && first != '{') {
        t->n++;
        return read_scalar(r, &node->text) ? WEIR_OK : fail_unchecked(err);
    }
    if (r->depth == WEIR_JSON_DEPTH_MAX) {
        return fail_unchecked(err);
    }
    r->open[r->depth++] = t->n++;
    r->at++;
    return WEIR_OK;
}

static bool expects_key(const struct reader *r)
{
    return r->depth > 0 && r->tree->nodes[r->open[r->depth - 1]].first == '{' && r->key.p == NULL;
}

/* Reads one bracket, key or value. */
static weir_status read_piece(struct reader *r, struct weir_error *err)
{
    const uint8_t c = r->text.p[r->at];
    if ((c == ']' || c == '}') && r->depth > 0) {
        const size_t opened = r->open[--r->depth];
        r->tree->nodes[opened].size = r->tree->n - opened;
        r->at++;
        return WEIR_OK;
    }
    if (!expects_key(r)) {
        return read_value(r, err);
    }
    return c == '"' && read_string(r, &r->key) ? WEIR_OK : fail_unchecked(err);
}

/* Skips blanks, commas and colons. In a checked text these separators carry no information. */
static size_t skip_separators(struct weir_slice text, size_t at)
{
    at = weir_json_skip_blanks(text, at);
    while (at < text.n && (text.p[at] == ',' || text.p[at] == ':')) {
        at = weir_json_skip_blanks(text, at + 1);
    }
    return at;
}

static weir_status tree_read(struct tree *t, struct weir_slice text, struct weir_error *err)
{
    if (text.n > 0 && memchr(text.p, '\\', text.n) != NULL) {
        t->strings = malloc(text.n);
        if (t->strings == NULL) {
            return fail_memory(err);
        }
    }
    struct reader r = {.tree = t, .text = text};
    while ((r.at = skip_separators(text, r.at)) < text.n) {
        const weir_status st = read_piece(&r, err);
        if (st != WEIR_OK) {
            return st;
        }
    }
    const bool is_one_value = r.depth == 0 && t->n > 0 && t->nodes[0].size == t->n;
    return is_one_value ? WEIR_OK : fail_unchecked(err);
}

/* Members of the objects being compared: those of one object in a row, inner objects above outer
 * ones. No node is in it twice, so room for the nodes of both trees suffices. */
struct stack {
    const struct node **members;
    size_t n;
};

static int compare_keys(struct weir_slice a, struct weir_slice b)
{
    if (a.n != b.n) {
        return a.n < b.n ? -1 : 1;
    }
    return a.n == 0 ? 0 : memcmp(a.p, b.p, a.n);
}

/* Orders members by key, equal keys by their order in the text. */
static int compare_members(const void *a, const void *b)
{
    const struct node *x = *(const struct node *const *)a;
    const struct node *y = *(const struct node *const *)b;
    const int order = compare_keys(x->key, y->key);
    if (order != 0) {
        return order;
    }
    return x < y ? -1 : x > y;
}

/* Pushes an object's members, sorted by key, only the last one of equal keys; returns their
 * number. */
static size_t push_members(struct stack *s, const struct node *object)
{
    const struct node **all = s->members + s->n;
    size_t n = 0;
    for (const struct node *m = object + 1; m < object + object->size; m += m->size) {
        all[n++] = m;
    }
    qsort(all, n, sizeof *all, compare_members);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 == n || compare_keys(all[i]->key, all[i + 1]->key) != 0) {
            all[kept++] = all[i];
        }
    }
    s->n += kept;
    return kept;
}

static bool nodes_equal(struct stack *s, const struct node *a, const struct node *b);

static bool objects_equal(struct stack *s, const struct node *a, const struct node *b)
{
    const size_t base = s->n;
    const size_t a_n = push_members(s, a);
    const size_t b_n = push_members(s, b);
    bool equal = a_n == b_n;
    for (size_t i = 0; equal && i < a_n; i++) {
        const struct node *x = s->members[base + i];
        const struct node *y = s->members[base + a_n + i];
        equal = compare_keys(x->key, y->key) == 0 && nodes_equal(s, x, y);
    }
    s->n = base;
    return equal;
}

static bool arrays_equal(struct stack *s, const struct node *a, const struct node *b)
{
    const struct node *x = a + 1;
    const struct node *y = b + 1;
    while (x < a + a->size && y < b + b->size) {
        if (!nodes_equal(s, x, y)) {
            return false;
        }
        x += x->size;
        y += y->size;
    }
    return x == a + a->size && y == b + b->size;
}

static bool numbers_equal(struct weir_slice a, struct weir_slice b)
{
    struct weir_json_decimal x;
    struct weir_json_decimal y;
    weir_json_decimal_read(a, &x);
    weir_json_decimal_read(b, &y);
    return weir_json_decimal_equal(&x, &y);
}

/* Recurses once for each level of nesting, so at most WEIR_JSON_DEPTH_MAX times. */
static bool nodes_equal(struct stack *s, const struct node *a, const struct node *b)
{
    if (weir_json_begins_number(a->first)) {
        return weir_json_begins_number(b->first) && numbers_equal(a->text, b->text);
    }
    if (a->first != b->first) {
        return false;
    }
    if (a->first == '{') {
        return objects_equal(s, a, b);
    }
    return a->first == '[' ? arrays_equal(s, a, b) : weir_slice_equal(a->text, b->text);
}

weir_status weir_json_equal(struct weir_slice a, struct weir_slice b, bool *equal,
                            struct weir_error *err)
{
    /* A repeated write mostly carries the same bytes. */
    if (a.p == NULL || b.p == NULL || weir_slice_equal(a, b)) {
        *equal = weir_slice_equal(a, b);
        return WEIR_OK;
    }
    struct tree x = {.nodes = NULL};
    struct tree y = {.nodes = NULL};
    struct stack s = {.members = NULL};
    weir_status st = tree_read(&x, a, err);
    if (st == WEIR_OK) {
        st = tree_read(&y, b, err);
    }
    if (st != WEIR_OK) {
        goto out;
    }
    s.members = calloc(x.n + y.n, sizeof *s.members);
    if (s.members == NULL) {
        st = fail_memory(err);
        goto out;
    }
    *equal = nodes_equal(&s, x.nodes, y.nodes);
out:
    free(s.members);
    tree_fini(&x);
    tree_fini(&y);
    return st;
}
