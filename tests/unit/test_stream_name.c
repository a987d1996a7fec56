/* Stream names, the hash for consumer groups, and the assignment of streams to members. */
#include "weir/rules/stream_name.h"

#include "tests/lib/check_main.h"

#include <stdio.h>

struct name_row {
    const char *name;
    const char *category;
    const char *id;           // NULL: absent
    const char *cardinal_id;  // NULL: absent
    bool is_category;
};

static const struct name_row names[] = {
    {"account", "account", NULL, NULL, true},
    {"account-123", "account", "123", "123", false},
    {"account-123+456", "account", "123+456", "123", false},
    {"account-1+2+3", "account", "1+2+3", "1", false},
    {"account-", "account", "", "", false},
    {"account-+4", "account", "+4", "", false},
    {"a-b-c+d", "a", "b-c+d", "b-c", false},
    {"a--b", "a", "-b", "-b", false},
    {"-x", "", "x", "x", false},
    {"-", "", "", "", false},
    {"account:command-1", "account:command", "1", "1", false},
    {"account:command+position-1+2", "account:command+position", "1+2", "1", false},
    {"a+b", "a+b", NULL, NULL, true},
    {"", "", NULL, NULL, true},
    {"日本-語+x", "日本", "語+x", "語", false},
};

static void assert_part(struct weir_slice part, const char *expected)
{
    ck_assert_msg(weir_slice_is(part, expected), "'%.*s' is not '%s'", WEIR_SLICE_ARG(part),
                  expected == NULL ? "(absent)" : expected);
}

START_TEST(a_name_has_its_parts)
{
    const struct name_row *row = &names[_i];
    const struct weir_slice name = weir_slice_of(row->name);
    assert_part(weir_name_category(name), row->category);
    assert_part(weir_name_id(name), row->id);
    assert_part(weir_name_cardinal_id(name), row->cardinal_id);
    ck_assert_int_eq(weir_name_is_category(name), row->is_category);
}
END_TEST

START_TEST(a_name_may_hold_any_byte)
{
    const struct weir_slice name = weir_slice("a\0b-\0+c", 7);
    ck_assert(weir_slice_equal(weir_name_category(name), weir_slice("a\0b", 3)));
    ck_assert(weir_slice_equal(weir_name_cardinal_id(name), weir_slice("\0", 1)));
}
END_TEST

START_TEST(an_absent_name_has_no_parts)
{
    const struct weir_slice absent = {NULL, 0};
    assert_part(weir_name_category(absent), NULL);
    assert_part(weir_name_id(absent), NULL);
    assert_part(weir_name_cardinal_id(absent), NULL);
}
END_TEST

struct type_row {
    const char *name;
    const char *entity;
    const char *type;  // NULL: absent
};

static const struct type_row types[] = {
    {"account", "account", NULL},
    {"account-1", "account", NULL},
    {"account:command-1", "account", "command"},
    {"account:command+position-1", "account", "command+position"},
    {"account:-1", "account", ""},
    {":x", "", "x"},
    {"a:b:c", "a", "b:c"},
    {"a-b:c", "a", NULL},
};

START_TEST(a_category_has_entity_and_type)
{
    const struct weir_slice name = weir_slice_of(types[_i].name);
    assert_part(weir_name_entity(name), types[_i].entity);
    assert_part(weir_name_category_type(name), types[_i].type);
}
END_TEST

struct parts_row {
    const char *list;
    size_t n;
    const char *parts[4];
};

static const struct parts_row part_lists[] = {
    {NULL, 0, {NULL}},    {"", 1, {""}},
    {"a", 1, {"a"}},      {"a+b", 2, {"a", "b"}},
    {"+", 2, {"", ""}},   {"a+", 2, {"a", ""}},
    {"+a", 2, {"", "a"}}, {"ab+c++", 4, {"ab", "c", "", ""}},
};

START_TEST(a_list_is_walked_part_by_part)
{
    const struct parts_row *row = &part_lists[_i];
    size_t at = 0;
    struct weir_slice part = {NULL, 0};
    for (size_t i = 0; i < row->n; i++) {
        ck_assert(weir_name_next_part(weir_slice_of(row->list), &at, &part));
        assert_part(part, row->parts[i]);
    }
    ck_assert(!weir_name_next_part(weir_slice_of(row->list), &at, &part));
    ck_assert(!weir_name_next_part(weir_slice_of(row->list), &at, &part));
}
END_TEST

struct hash_row {
    const char *text;
    int64_t hash;
};

static const struct hash_row hashes[] = {
    {"", INT64_C(-3162216497309240828)},   {"someStream", INT64_C(2053039834977696644)},
    {"123", INT64_C(2318431741638412123)}, {"account", INT64_C(-2132379389342958165)},
    {"日本語", INT64_C(4797137895898867)},
};

START_TEST(hash_64_is_message_dbs)
{
    ck_assert_int_eq(weir_hash_64(weir_slice_of(hashes[_i].text)), hashes[_i].hash);
}
END_TEST

struct member_row {
    int64_t hash;
    int64_t size;
    int64_t member;
};

static const struct member_row members[] = {
    {0, 1, 0},
    {7, 3, 1},
    {-7, 3, 1},
    {-1, INT64_MAX, 1},
    {INT64_MAX, INT64_MAX, 0},
    {INT64_MAX, 2, 1},
    {INT64_MIN, 1, 0},
    {INT64_MIN, 2, 0},
    {INT64_MIN, 3, 2},
    {INT64_MIN, 4, 0},
    {INT64_MIN, 16, 0},
    {INT64_MIN, INT64_MAX, 1},
};

START_TEST(every_hash_has_a_member)
{
    const struct member_row *row = &members[_i];
    ck_assert_int_eq(weir_hash_member(row->hash, row->size), row->member);
}
END_TEST

struct stream_row {
    const char *name;
    int64_t size;
    int64_t member;
};

static const struct stream_row streams[] = {
    {"account", 1, -1},    {"account", 3, -1}, {"", 1, -1},           {"account-", 2, 0},
    {"account-", 3, 2},    {"account-", 4, 0}, {"account-", 16, 12},  {"account-+x", 3, 2},
    {"account-123", 2, 1}, {"x-123+9", 2, 1},  {"account-123", 1, 0},
};

START_TEST(a_stream_belongs_to_a_member)
{
    const struct stream_row *row = &streams[_i];
    ck_assert_int_eq(weir_name_member(weir_slice_of(row->name), row->size), row->member);
}
END_TEST

START_TEST(every_stream_with_an_id_is_one_members)
{
    int64_t seen[5] = {0};
    for (int i = 0; i < 1000; i++) {
        char text[32];
        const int n = snprintf(text, sizeof text, "account-%d", i);
        const int64_t m = weir_name_member(weir_slice(text, (size_t)n), 5);
        ck_assert_int_ge(m, 0);
        ck_assert_int_lt(m, 5);
        seen[m]++;
    }
    for (size_t m = 0; m < WEIR_COUNTOF(seen); m++) {
        ck_assert_int_gt(seen[m], 120);
    }
}
END_TEST

static Suite *stream_name_suite(void)
{
    Suite *suite = suite_create("stream_name");
    TCase *parts = tcase_create("parts");
    tcase_add_loop_test(parts, a_name_has_its_parts, 0, WEIR_COUNTOF(names));
    tcase_add_test(parts, a_name_may_hold_any_byte);
    tcase_add_test(parts, an_absent_name_has_no_parts);
    tcase_add_loop_test(parts, a_category_has_entity_and_type, 0, WEIR_COUNTOF(types));
    tcase_add_loop_test(parts, a_list_is_walked_part_by_part, 0, WEIR_COUNTOF(part_lists));
    suite_add_tcase(suite, parts);
    TCase *groups = tcase_create("groups");
    tcase_add_loop_test(groups, hash_64_is_message_dbs, 0, WEIR_COUNTOF(hashes));
    tcase_add_loop_test(groups, every_hash_has_a_member, 0, WEIR_COUNTOF(members));
    tcase_add_loop_test(groups, a_stream_belongs_to_a_member, 0, WEIR_COUNTOF(streams));
    tcase_add_test(groups, every_stream_with_an_id_is_one_members);
    suite_add_tcase(suite, groups);
    return suite;
}

int main(void)
{
    return check_main(stream_name_suite());
}
