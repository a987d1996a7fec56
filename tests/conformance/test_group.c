/* Consumer groups: members partition the streams that have ids. */
#include "tests/conformance/fixture.h"

#include <stdio.h>

static const CategoryReply *read_member(const char *category, int64_t member, int64_t size)
{
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    group.has_member = group.has_size = true;
    group.member = member;
    group.size = size;
    CategoryQuery query = query_category(category);
    query.consumer_group = &group;
    query.has_batch_size = true;
    query.batch_size = -1;
    return must_read_category(&query);
}

static void put_streams(void)
{
    for (int i = 0; i < 40; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, i % 3 == 0 ? "a-%d+x" : "a-%d", i / 2);
        put(name, "{}");
    }
    put("a", "{}");
    put("a-", "{}");
    put("a-+x", "{}");
    put("b-1", "{}");
}

START_TEST(members_are_disjoint_and_together_everything_with_an_id)
{
    static const int64_t sizes[] = {1, 2, 3, 7, 16, 40000};
    const int64_t size = sizes[_i];
    put_streams();
    size_t n = 0;
    const CategoryReply *all = read_category("a");
    for (int64_t member = 0; member < size && member < 16; member++) {
        const CategoryReply *r = read_member("a", member, size);
        for (size_t i = 0; i < r->n_messages; i++) {
            const int64_t want = weir_name_member(weir_slice_of(r->messages[i]->stream_name), size);
            ck_assert_int_eq(want, member);
        }
        assert_ascending(r->messages, r->n_messages);
        n += r->n_messages;
    }
    ck_assert(size > 16 || n == all->n_messages - 1);
}
END_TEST

/* The expected numbers are Message DB's own results. */
START_TEST(the_assignment_is_message_dbs)
{
    put("a-", "{}");
    put("a-123", "{}");
    static const struct {
        int64_t member;
        int64_t size;
        const char *stream;
    } rows[] = {{0, 2, "a-"},    {1, 2, "a-123"}, {2, 3, "a-"},
                {1, 3, "a-123"}, {12, 16, "a-"},  {11, 16, "a-123"}};
    for (size_t i = 0; i < WEIR_COUNTOF(rows); i++) {
        const CategoryReply *r = read_member("a", rows[i].member, rows[i].size);
        ck_assert_uint_eq(r->n_messages, 1);
        ck_assert_str_eq(r->messages[0]->stream_name, rows[i].stream);
    }
}
END_TEST

START_TEST(one_cardinal_id_goes_to_one_member)
{
    put("a-7", "{}");
    put("a-7+1", "{}");
    put("a-7+2+3", "{}");
    size_t members = 0;
    for (int64_t member = 0; member < 5; member++) {
        const size_t n = read_member("a", member, 5)->n_messages;
        ck_assert(n == 0 || n == 3);
        members += n == 3;
    }
    ck_assert_uint_eq(members, 1);
}
END_TEST

START_TEST(a_stream_without_id_goes_to_nobody)
{
    put("a", "{}");
    ck_assert_uint_eq(read_member("a", 0, 1)->n_messages, 0);
    ck_assert_int_eq(read_member("a", 0, 1)->next_position, 2);
}
END_TEST

START_TEST(a_group_may_be_large_and_read_the_whole_namespace)
{
    put_streams();
    ck_assert_uint_eq(read_member("", 0, 1)->n_messages, 43);
    ck_assert_uint_eq(read_member("a", INT64_MAX - 1, INT64_MAX)->n_messages, 0);
}
END_TEST

START_TEST(the_group_filters_before_the_batch)
{
    const char *mine = weir_name_member(weir_slice_of("a-1"), 2) == 1 ? "a-1" : "a-2";
    const char *others = mine[2] == '1' ? "a-2" : "a-1";
    ck_assert_int_ne(weir_name_member(weir_slice_of(mine), 2),
                     weir_name_member(weir_slice_of(others), 2));
    put_many(others, 200);
    put_many(mine, 2);
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    group.has_member = group.has_size = true;
    group.member = 1;
    group.size = 2;
    CategoryQuery query = query_category("a");
    query.consumer_group = &group;
    query.has_batch_size = true;
    query.batch_size = 1;
    const CategoryReply *r = must_read_category(&query);
    ck_assert_uint_eq(r->n_messages, 1);
    ck_assert_str_eq(r->messages[0]->stream_name, mine);
    ck_assert_int_eq(r->next_position, 202);
}
END_TEST

static const struct {
    bool has_member;
    int64_t member;
    bool has_size;
    int64_t size;
    const char *field;
} invalid_rows[] = {
    {true, 0, false, 0, "consumer_group.size"},  {false, 0, true, 2, "consumer_group.member"},
    {true, 0, true, 0, "consumer_group.size"},   {true, 0, true, -1, "consumer_group.size"},
    {true, 2, true, 2, "consumer_group.member"}, {true, -1, true, 2, "consumer_group.member"},
};

START_TEST(a_group_without_sense_is_invalid)
{
    Weir__V1__ConsumerGroup group = WEIR__V1__CONSUMER_GROUP__INIT;
    CategoryQuery query = query_category("a");
    query.consumer_group = &group;
    CategoryReply *reply = NULL;
    for (conf.row = 0; conf.row < WEIR_COUNTOF(invalid_rows); conf.row++) {
        group.has_member = invalid_rows[conf.row].has_member;
        group.member = invalid_rows[conf.row].member;
        group.has_size = invalid_rows[conf.row].has_size;
        group.size = invalid_rows[conf.row].size;
        assert_invalid(try_read_category(&query, &reply), invalid_rows[conf.row].field);
    }
}
END_TEST

TCase *conf_group_case(void)
{
    TCase *tc = conf_case("group");
    tcase_add_loop_test(tc, members_are_disjoint_and_together_everything_with_an_id, 0, 6);
    tcase_add_test(tc, the_assignment_is_message_dbs);
    tcase_add_test(tc, one_cardinal_id_goes_to_one_member);
    tcase_add_test(tc, a_stream_without_id_goes_to_nobody);
    tcase_add_test(tc, a_group_may_be_large_and_read_the_whole_namespace);
    tcase_add_test(tc, the_group_filters_before_the_batch);
    tcase_add_test(tc, a_group_without_sense_is_invalid);
    return tc;
}
