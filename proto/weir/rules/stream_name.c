#include "weir/rules/stream_name.h"

#include "weir/rules/digest.h"

#include <assert.h>

static const struct weir_slice absent = {NULL, 0};

/* Returns the first occurrence of `c`; NULL if there is none. */
static const uint8_t *find(struct weir_slice text, char c)
{
    return text.n == 0 ? NULL : memchr(text.p, c, text.n);
}

static struct weir_slice before_first(struct weir_slice text, char c)
{
    const uint8_t *at = find(text, c);
    return at == NULL ? text : weir_slice(text.p, (size_t)(at - text.p));
}

static struct weir_slice after_first(struct weir_slice text, char c)
{
    const uint8_t *at = find(text, c);
    return at == NULL ? absent : weir_slice(at + 1, text.n - (size_t)(at - text.p) - 1);
}

struct weir_slice weir_name_category(struct weir_slice name)
{
    return before_first(name, '-');
}

struct weir_slice weir_name_id(struct weir_slice name)
{
    return after_first(name, '-');
}

struct weir_slice weir_name_cardinal_id(struct weir_slice name)
{
    return before_first(weir_name_id(name), '+');
}

bool weir_name_is_category(struct weir_slice name)
{
    return find(name, '-') == NULL;
}

struct weir_slice weir_name_entity(struct weir_slice name)
{
    return before_first(weir_name_category(name), ':');
}

struct weir_slice weir_name_category_type(struct weir_slice name)
{
    return after_first(weir_name_category(name), ':');
}

bool weir_name_next_part(struct weir_slice list, size_t *at, struct weir_slice *part)
{
    /* The last part may begin at the end itself; one beyond it the walk is over. */
    if (list.p == NULL || *at > list.n) {
        return false;
    }
    *part = before_first(weir_slice(list.p + *at, list.n - *at), '+');
    *at += part->n + 1;
    return true;
}

int64_t weir_hash_64(struct weir_slice bytes)
{
    uint8_t digest[WEIR_MD5_BYTES];
    weir_digest_md5(bytes, digest);
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof bits; i++) {
        bits = bits << 8 | digest[i];
    }
    int64_t hash = 0;
    memcpy(&hash, &bits, sizeof hash);
    return hash;
}

int64_t weir_hash_member(int64_t hash, int64_t size)
{
    assert(size >= 1);
    /* Remainder first: |INT64_MIN| does not exist, |INT64_MIN rem size| always does. */
    const int64_t rest = hash % size;
    return rest < 0 ? -rest : rest;
}

int64_t weir_name_member(struct weir_slice name, int64_t size)
{
    const struct weir_slice id = weir_name_cardinal_id(name);
    return id.p == NULL ? -1 : weir_hash_member(weir_hash_64(id), size);
}
