/* Rows packed by reply_rows.c equal protobuf-c's packing of the same message, byte for byte. */
#include "server/calls/reply_rows.h"

#include "tests/lib/check_main.h"
#include "weir/v1/message_store.pb-c.h"

#include <stdlib.h>

enum { ROWS = 7 };

/* Lengths from 128 on take two bytes, for the text and for the enclosing message. */
#define TEXT_64 "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

static const struct {
    const char *stream;
    const char *type;
    const char *data;
    const char *metadata;
    int64_t position;
    int64_t global_position;
    int64_t time_us;
} cases[ROWS] = {
    {"a-1", "T", "{}", "null", 0, 1, 1736935200123456},
    {"a-1", "", NULL, NULL, 1, 127, 0},
    {"", "T", "", "", 128, 16384, -1},
    {"-x", "Type", "{\"n\":1}", NULL, (int64_t)1 << 62, (int64_t)1 << 62, INT64_MAX},
    {"b", "T", NULL, "{}", 5, 6, INT64_MIN},
    {"c-2", "T", "[" TEXT_64 "," TEXT_64 "]", TEXT_64, 127, 128, 1},
    {"\xc3\xa4-1", "T\xc3\xa4", "\"\xc3\xa4\"", "1", 300, 70000, 1},
};

static struct weir_row rows[ROWS];
static Weir__V1__Message messages[ROWS];
static Weir__V1__Message *pointers[ROWS];
static char ids[ROWS][WEIR_UUID_TEXT + 1];

static ProtobufCBinaryData binary(const char *text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text,
                                 .len = text == NULL ? 0 : strlen(text)};
}

static void fill(size_t i)
{
    memset(rows[i].id.bytes, (int)(i * 37), sizeof rows[i].id.bytes);
    weir_uuid_format(&rows[i].id, ids[i]);
    rows[i].stream = weir_slice_of(cases[i].stream);
    rows[i].type = weir_slice_of(cases[i].type);
    rows[i].data = weir_slice_of(cases[i].data);
    rows[i].metadata = weir_slice_of(cases[i].metadata);
    rows[i].position = cases[i].position;
    rows[i].global_position = cases[i].global_position;
    rows[i].time_us = cases[i].time_us;
    Weir__V1__Message *m = &messages[i];
    weir__v1__message__init(m);
    m->id = ids[i];
    m->stream_name = (char *)(uintptr_t)cases[i].stream;
    m->type = (char *)(uintptr_t)cases[i].type;
    m->has_position = m->has_global_position = m->has_time_us = true;
    m->position = cases[i].position;
    m->global_position = cases[i].global_position;
    m->time_us = cases[i].time_us;
    m->has_data = cases[i].data != NULL;
    m->data = binary(cases[i].data);
    m->has_metadata = cases[i].metadata != NULL;
    m->metadata = binary(cases[i].metadata);
    pointers[i] = m;
}

static void set_up(void)
{
    for (size_t i = 0; i < ROWS; i++) {
        fill(i);
    }
}

static void assert_same(const uint8_t *ours, size_t n, const ProtobufCMessage *message)
{
    uint8_t theirs[4096];
    ck_assert_uint_le(protobuf_c_message_get_packed_size(message), sizeof theirs);
    ck_assert_uint_eq(protobuf_c_message_pack(message, theirs), n);
    ck_assert_mem_eq(ours, theirs, n);
}

static const struct {
    size_t n;
    int64_t next_position;
    bool is_truncated;
} replies[] = {{0, 0, false}, {1, 1, true}, {ROWS, 70001, false}, {0, -1, false}};

START_TEST(rows_are_packed_as_protobuf_packs_them)
{
    const struct weir_rows reply = {.rows = rows,
                                    .n = replies[_i].n,
                                    .next_position = replies[_i].next_position,
                                    .is_truncated = replies[_i].is_truncated};
    uint8_t ours[4096];
    const size_t n = weir_rows_measure(&reply);
    ck_assert_uint_le(n, sizeof ours);
    ck_assert_uint_eq(weir_rows_pack(&reply, ours), n);

    Weir__V1__GetStreamMessagesResponse stream = WEIR__V1__GET_STREAM_MESSAGES_RESPONSE__INIT;
    stream.n_messages = reply.n;
    stream.messages = pointers;
    stream.has_next_position = stream.has_truncated = true;
    stream.next_position = reply.next_position;
    stream.truncated = reply.is_truncated;
    assert_same(ours, n, &stream.base);

    Weir__V1__GetCategoryMessagesResponse category = WEIR__V1__GET_CATEGORY_MESSAGES_RESPONSE__INIT;
    category.n_messages = reply.n;
    category.messages = pointers;
    category.has_next_position = category.has_truncated = true;
    category.next_position = reply.next_position;
    category.truncated = reply.is_truncated;
    assert_same(ours, n, &category.base);
}
END_TEST

START_TEST(the_last_message_is_packed_as_protobuf_packs_it)
{
    uint8_t ours[4096];
    Weir__V1__GetLastStreamMessageResponse last = WEIR__V1__GET_LAST_STREAM_MESSAGE_RESPONSE__INIT;
    ck_assert_uint_eq(weir_last_pack(NULL, ours), 0);
    for (size_t i = 0; i < ROWS; i++) {
        last.message = pointers[i];
        const size_t n = weir_last_pack(&rows[i], NULL);
        ck_assert_uint_eq(weir_last_pack(&rows[i], ours), n);
        assert_same(ours, n, &last.base);
    }
}
END_TEST

static Suite *reply_rows_suite(void)
{
    Suite *suite = suite_create("reply_rows");
    TCase *tcase = tcase_create("reply_rows");
    tcase_add_checked_fixture(tcase, set_up, NULL);
    tcase_add_loop_test(tcase, rows_are_packed_as_protobuf_packs_them, 0,
                        (int)WEIR_COUNTOF(replies));
    tcase_add_test(tcase, the_last_message_is_packed_as_protobuf_packs_it);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(reply_rows_suite());
}
