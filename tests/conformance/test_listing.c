/* ListStreams and ListCategories: bytewise order, literal prefixes, exact pages, counts. */
#include "tests/conformance/fixture.h"

#include <stdio.h>
#include <string.h>

static const char *const names[] = {"A-1",  "a",   "a%b-1", "a-",  "a-1",
                                    "a-10", "a-2", "a_b-1", "b-1", "\xc3\xa9-1"};

static weir_status try_list(const char *prefix, const char *cursor, int64_t limit,
                            Weir__V1__ListStreamsResponse **page)
{
    Weir__V1__ListStreamsRequest request = WEIR__V1__LIST_STREAMS_REQUEST__INIT;
    request.prefix = (char *)(uintptr_t)prefix;
    request.cursor = (char *)(uintptr_t)cursor;
    request.has_limit = true;
    request.limit = limit;
    weir_error_init(&conf.err);
    return weir_namespaces_list_streams(conf.client, &request, NULL, page, &conf.err);
}

static void put_names(void)
{
    for (size_t i = WEIR_COUNTOF(names); i > 0; i--) {
        put(names[i - 1], "{}");
    }
    put("a-1", "{}");
}

/* "A-1" < "a" < "a%b-1" < "a-" … : '%' is 0x25, '-' 0x2d, '_' 0x5f. */
START_TEST(streams_come_in_bytewise_order_and_in_exact_pages)
{
    put_names();
    for (int64_t limit = 1; limit < 12; limit += 3) {
        char cursor[64] = "";
        size_t n = 0;
        do {
            Weir__V1__ListStreamsResponse *page = NULL;
            assert_failed(try_list(NULL, cursor, limit, &page), WEIR_OK);
            ck_assert_uint_le(page->n_streams, (size_t)limit);
            for (size_t i = 0; i < page->n_streams; i++, n++) {
                ck_assert_str_eq(page->streams[i]->stream_name, names[n]);
                ck_assert_int_eq(page->streams[i]->version, strcmp(names[n], "a-1") == 0);
                ck_assert_int_gt(page->streams[i]->last_activity_us, 0);
            }
            (void)snprintf(cursor, sizeof cursor, "%s", page->next_cursor);
            weir_response_free(page);
        } while (cursor[0] != '\0');
        ck_assert_uint_eq(n, WEIR_COUNTOF(names));
    }
}
END_TEST

static const struct {
    const char *prefix;
    size_t n;
} prefixes[] = {{"", 10},  {"a", 7},  {"a-", 4}, {"a-1", 2},
                {"a%", 1}, {"a_", 1}, {"A", 1},  {"z", 0}};

START_TEST(a_prefix_is_literal)
{
    put_names();
    Weir__V1__ListStreamsResponse *page = NULL;
    for (size_t i = 0; i < WEIR_COUNTOF(prefixes); i++) {
        assert_failed(try_list(prefixes[i].prefix, NULL, 100, &page), WEIR_OK);
        ck_assert_msg(page->n_streams == prefixes[i].n, "%s: %zu streams", prefixes[i].prefix,
                      page->n_streams);
        weir_response_free(page);
    }
    /* A truncated character is invalid UTF-8. */
    assert_invalid(try_list("\xc3", "", 100, &page), "prefix");
}
END_TEST

START_TEST(a_limit_out_of_range_is_invalid)
{
    Weir__V1__ListStreamsResponse *page = NULL;
    assert_invalid(try_list(NULL, NULL, 0, &page), "limit");
    assert_invalid(try_list(NULL, NULL, 1001, &page), "limit");
    assert_invalid(try_list(NULL, NULL, -1, &page), "limit");
}
END_TEST

START_TEST(categories_are_counted)
{
    put_names();
    put("-x", "{}");
    static const struct {
        const char *name;
        int64_t streams;
        int64_t messages;
    } rows[] = {{"", 1, 1},    {"A", 1, 1}, {"a", 5, 6},       {"a%b", 1, 1},
                {"a_b", 1, 1}, {"b", 1, 1}, {"\xc3\xa9", 1, 1}};
    const Weir__V1__ListCategoriesRequest request = WEIR__V1__LIST_CATEGORIES_REQUEST__INIT;
    Weir__V1__ListCategoriesResponse *all = NULL;
    assert_failed(weir_namespaces_list_categories(conf.client, &request, NULL, &all, &conf.err),
                  WEIR_OK);
    ck_assert_uint_eq(all->n_categories, WEIR_COUNTOF(rows));
    for (size_t i = 0; i < all->n_categories; i++) {
        ck_assert_str_eq(all->categories[i]->category, rows[i].name);
        ck_assert_int_eq(all->categories[i]->stream_count, rows[i].streams);
        ck_assert_int_eq(all->categories[i]->message_count, rows[i].messages);
    }
    weir_response_free(all);
}
END_TEST

TCase *conf_listing_case(void)
{
    TCase *tc = conf_case("listing");
    tcase_add_test(tc, streams_come_in_bytewise_order_and_in_exact_pages);
    tcase_add_test(tc, a_prefix_is_literal);
    tcase_add_test(tc, a_limit_out_of_range_is_invalid);
    tcase_add_test(tc, categories_are_counted);
    return tc;
}
