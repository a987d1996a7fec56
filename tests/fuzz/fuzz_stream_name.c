/* Stream names: the parts joined again give the name, and the member that reads a stream depends
 * only on the cardinal id. The first 8 bytes are a group size, the rest is the name. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/stream_name.h"

#include <openssl/evp.h>

static bool contains(struct weir_slice text, char c)
{
    return text.n > 0 && memchr(text.p, c, text.n) != NULL;
}

/* Checks that the head, followed by `sign` and the rest if there is a rest, is the whole. */
static void require_joined(struct weir_slice head, char sign, struct weir_slice rest,
                           struct weir_slice whole)
{
    const char between[] = {sign, '\0'};
    struct fuzz_text joined = {0};
    fuzz_put(&joined, head);
    if (rest.p != NULL) {
        fuzz_puts(&joined, between);
        fuzz_put(&joined, rest);
        require(fuzz_is_inside(rest, whole));
    }
    require(fuzz_is_inside(head, whole) && !contains(head, sign));
    require(weir_slice_equal(fuzz_slice(&joined), whole));
    free(joined.p);
}

static void check_parts(struct weir_slice list)
{
    struct fuzz_text joined = {0};
    struct weir_slice part;
    size_t at = 0;
    size_t n = 0;
    while (weir_name_next_part(list, &at, &part)) {
        require(fuzz_is_inside(part, list) && !contains(part, '+'));
        fuzz_puts(&joined, n++ > 0 ? "+" : "");
        fuzz_put(&joined, part);
    }
    require((n > 0) == (list.p != NULL));
    require(list.p == NULL || weir_slice_equal(fuzz_slice(&joined), list));
    free(joined.p);
}

static void check_cardinal(struct weir_slice id)
{
    struct fuzz_text name = {0};
    fuzz_puts(&name, "c-");
    fuzz_put(&name, id);
    const struct weir_slice cardinal = weir_name_cardinal_id(fuzz_slice(&name));
    size_t at = 0;
    struct weir_slice first;
    require(weir_name_next_part(id, &at, &first) && weir_slice_equal(first, cardinal));
    free(name.p);
}

/* The remainder, computed without signed arithmetic. */
static int64_t plain_member(int64_t hash, int64_t size)
{
    const uint64_t magnitude = hash < 0 ? 0 - (uint64_t)hash : (uint64_t)hash;
    return (int64_t)(magnitude % (uint64_t)size);
}

static int64_t plain_hash(struct weir_slice bytes)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    require(EVP_Digest(bytes.p, bytes.n, digest, NULL, EVP_md5(), NULL) == 1);
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8; i++) {
        bits |= (uint64_t)digest[i] << (56 - 8 * i);
    }
    return (int64_t)bits;
}

static void check_member(struct weir_slice name, int64_t size)
{
    const struct weir_slice cardinal = weir_name_cardinal_id(name);
    const int64_t member = weir_name_member(name, size);
    if (cardinal.p == NULL) {
        require(member == -1);
        return;
    }
    require(member >= 0 && member < size);
    require(weir_hash_64(cardinal) == plain_hash(cardinal));
    require(member == plain_member(plain_hash(cardinal), size));
    struct fuzz_text relative = {0};
    fuzz_puts(&relative, "other:command-");
    fuzz_put(&relative, cardinal);
    fuzz_puts(&relative, "+more-of+it");
    require(weir_name_member(fuzz_slice(&relative), size) == member);
    free(relative.p);
}

static void check_name(struct weir_slice name)
{
    const struct weir_slice category = weir_name_category(name);
    const struct weir_slice id = weir_name_id(name);
    require_joined(category, '-', id, name);
    require_joined(weir_name_entity(name), ':', weir_name_category_type(name), category);
    require(weir_name_is_category(name) == (id.p == NULL));
    require((weir_name_cardinal_id(name).p == NULL) == (id.p == NULL));
    check_parts(id);
    check_parts(weir_name_category_type(name));
    if (id.p != NULL) {
        check_cardinal(id);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t group = 0;
    if (size < sizeof group) {
        return 0;
    }
    memcpy(&group, data, sizeof group);
    uint8_t *name = fuzz_copy(weir_slice(data + sizeof group, size - sizeof group), false);
    check_name(weir_slice(name, size - sizeof group));
    const int64_t positive = group == INT64_MIN ? INT64_MAX : group < 0 ? -group : group;
    check_member(weir_slice(name, size - sizeof group), positive == 0 ? 1 : positive);
    require(weir_hash_member(group, 3) == plain_member(group, 3));
    free(name);
    return 0;
}
