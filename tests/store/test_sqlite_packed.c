/* The packed form of a message: packing and unpacking give the same message, and other bytes are
 * rejected. */
#include "store/sqlite/sqlite_packed.h"

#include "tests/lib/check_main.h"

#include <stdio.h>
#include <stdlib.h>

static char long_text[3000];

static struct weir_row row_of(const char *data, const char *metadata)
{
    return (struct weir_row){.id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}},
                             .time_us = 0x0102030405060708,
                             .stream = weir_slice_of("account-1"),
                             .type = weir_slice_of("Opened"),
                             .data = weir_slice_of(data),
                             .metadata = weir_slice_of(metadata)};
}

static void assert_same(const struct weir_row *a, const struct weir_row *b)
{
    ck_assert_mem_eq(a->id.bytes, b->id.bytes, WEIR_UUID_BYTES);
    ck_assert_int_eq(a->time_us, b->time_us);
    ck_assert(weir_slice_equal(a->stream, b->stream));
    ck_assert(weir_slice_equal(a->type, b->type));
    ck_assert(weir_slice_equal(a->data, b->data));
    ck_assert(weir_slice_equal(a->metadata, b->metadata));
}

/* Copies into an allocation of the exact size, for AddressSanitizer. */
static struct weir_slice copy(const uint8_t *bytes, size_t n)
{
    uint8_t *p = malloc(n + (n == 0));
    ck_assert_ptr_nonnull(p);
    memcpy(p, bytes, n);
    return weir_slice(p, n);
}

static bool unpack(const uint8_t *bytes, size_t n, struct weir_slice large, struct weir_row *row)
{
    const struct weir_slice packed = copy(bytes, n);
    const bool is_ok = weir_sqlite_unpack(packed, large, row);
    free((void *)packed.p);
    return is_ok;
}

/* The layout is stored in files and must never change. */
START_TEST(the_layout_stays)
{
    static const char expected[] = "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20"
                                   "\1\2\3\4\5\6\7\10"
                                   "\0\11\0\6\0\0\0\2\377\377\377\377account-1Opened{}";
    const struct weir_row row = row_of("{}", NULL);
    struct sqlite_packed packed;
    ck_assert(weir_sqlite_pack(&row, &packed));
    ck_assert_uint_eq(packed.n, sizeof expected - 1);
    ck_assert_mem_eq(packed.bytes, expected, packed.n);
    ck_assert(!packed.is_large);
}
END_TEST

static const struct {
    const char *data;
    const char *metadata;
} texts[] = {{"{\"a\":1}", "{\"b\":2}"},
             {"{\"a\":1}", NULL},
             {NULL, "{\"b\":2}"},
             {NULL, NULL},
             {"", NULL},
             {NULL, ""},
             {"", ""},
             {"", "2"}};

START_TEST(what_is_packed_comes_back)
{
    const struct weir_row row = row_of(texts[_i].data, texts[_i].metadata);
    struct weir_row back = row_of("other", "other");
    struct sqlite_packed packed;
    ck_assert(weir_sqlite_pack(&row, &packed));
    ck_assert(weir_sqlite_unpack(weir_slice(packed.bytes, packed.n), weir_slice(NULL, 0), &back));
    assert_same(&row, &back);
    struct weir_row head = row_of("other", "other");
    ck_assert(weir_sqlite_unpack_head(weir_slice(packed.bytes, packed.n), &head));
    back.data = back.metadata = weir_slice(NULL, 0);
    assert_same(&back, &head);
}
END_TEST

START_TEST(nothing_shorter_or_longer_is_a_message)
{
    const struct weir_row row = row_of(texts[_i].data, texts[_i].metadata);
    struct weir_row back;
    struct sqlite_packed packed;
    ck_assert(weir_sqlite_pack(&row, &packed));
    for (size_t n = 0; n < packed.n; n++) {
        ck_assert_msg(!unpack(packed.bytes, n, weir_slice(NULL, 0), &back), "%zu bytes", n);
    }
    packed.bytes[packed.n] = 'x';
    ck_assert(!unpack(packed.bytes, packed.n + 1, weir_slice(NULL, 0), &back));
}
END_TEST

static const struct {
    size_t data_n;
    size_t metadata_n;
    bool is_large;
} lengths[] = {{2048, 0, false}, {0, 2048, false},   {1048, 1000, false}, {2049, 0, true},
               {0, 2049, true},  {1049, 1000, true}, {3000, 3000, true}};

START_TEST(what_is_long_stands_apart)
{
    struct weir_row row = row_of(NULL, NULL);
    struct weir_row back;
    struct sqlite_packed packed;
    uint8_t bytes[2 * sizeof long_text];
    memset(long_text, '7', sizeof long_text);
    row.data = weir_slice(long_text, lengths[_i].data_n);
    row.metadata = weir_slice(long_text, lengths[_i].metadata_n);
    const size_t n = row.data.n + row.metadata.n;
    weir_sqlite_pack_large(&row, bytes);
    ck_assert(weir_sqlite_pack(&row, &packed));
    ck_assert_int_eq(packed.is_large, lengths[_i].is_large);
    const struct weir_slice rest = weir_slice(packed.bytes, packed.n);
    const struct weir_slice none = weir_slice(NULL, 0);
    const struct weir_slice large = weir_slice(bytes, n);
    ck_assert(weir_sqlite_unpack(rest, packed.is_large ? large : none, &back));
    assert_same(&row, &back);
    ck_assert(!weir_sqlite_unpack(rest, packed.is_large ? none : large, &back));
    ck_assert(!weir_sqlite_unpack(rest, weir_slice(bytes, n - 1), &back));
    ck_assert(!weir_sqlite_unpack(rest, weir_slice(bytes, n + 1), &back));
}
END_TEST

START_TEST(the_longest_names_find_room)
{
    struct weir_row row = row_of(NULL, NULL);
    struct sqlite_packed packed;
    row.stream = weir_slice(long_text, WEIR_STREAM_NAME_BYTES_MAX);
    row.type = weir_slice(long_text, WEIR_TYPE_BYTES_MAX);
    row.data = weir_slice(long_text, WEIR_SQLITE_PACKED_TEXT_BYTES);
    ck_assert(weir_sqlite_pack(&row, &packed));
    ck_assert_uint_eq(packed.n, sizeof packed.bytes);
    row.stream.n++;
    ck_assert(!weir_sqlite_pack(&row, &packed));
    row.stream.n--;
    row.type.n++;
    ck_assert(!weir_sqlite_pack(&row, &packed));
}
END_TEST

static Suite *sqlite_packed_suite(void)
{
    Suite *suite = suite_create("sqlite_packed");
    TCase *tcase = tcase_create("layout");
    tcase_add_test(tcase, the_layout_stays);
    tcase_add_loop_test(tcase, what_is_packed_comes_back, 0, WEIR_COUNTOF(texts));
    tcase_add_loop_test(tcase, nothing_shorter_or_longer_is_a_message, 0, WEIR_COUNTOF(texts));
    tcase_add_loop_test(tcase, what_is_long_stands_apart, 0, WEIR_COUNTOF(lengths));
    tcase_add_test(tcase, the_longest_names_find_room);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(sqlite_packed_suite());
}
