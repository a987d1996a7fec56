/* Valid and invalid requests: tables of bad input and the field that the error names. */
#include "server/handlers/request_check.h"

#include "server/calls/server_parts.h"
#include "server/handlers/check_namespace.h"
#include "tests/lib/check_main.h"
#include "weir/rules/limits.h"

#include <stdio.h>

static struct weir_config config;
static struct weir_server server;
static struct weir_call call;
static struct weir_error err;
static char long_name[1026];
static char long_type[514];

static void set_up(void)
{
    static const struct weir_limits limits = WEIR_LIMITS_DEFAULT;
    memset(&config, 0, sizeof config);
    memset(&call, 0, sizeof call);
    config.limits = limits;
    server.config = &config;
    call.server = &server;
    weir_arena_init(&call.arena, 16 * 1024 * 1024, 0);
    weir_error_init(&err);
    memset(long_name, 'n', sizeof long_name - 1);
    memset(long_type, 't', sizeof long_type - 1);
}

static void tear_down(void)
{
    weir_arena_fini(&call.arena);
}

static void assert_refused(weir_status st, weir_status want, const char *field)
{
    ck_assert_msg(st == want, "%s: %s", weir_status_name(st), err.text);
    const char *got = weir_error_get_detail(&err, "field");
    ck_assert_msg(got != NULL && strcmp(got, field) == 0, "field %s, want %s", got, field);
    ck_assert_ptr_nonnull(weir_error_get_detail(&err, "reason"));
}

static ProtobufCBinaryData binary(const char *text)
{
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)text,
                                 .len = text == NULL ? 0 : strlen(text)};
}

static void fill_message(Weir__V1__NewMessage *message, const char *id, const char *type,
                         const char *data, const char *metadata)
{
    weir__v1__new_message__init(message);
    message->id = (char *)(uintptr_t)id;
    message->type = (char *)(uintptr_t)type;
    message->has_data = data != NULL;
    message->data = binary(data);
    message->has_metadata = metadata != NULL;
    message->metadata = binary(metadata);
}

static void fill_record(Weir__V1__ImportedMessage *record)
{
    weir__v1__imported_message__init(record);
    record->id = (char *)(uintptr_t) "33333333-3333-4333-8333-333333333333";
    record->stream_name = (char *)(uintptr_t) "s-1";
    record->type = (char *)(uintptr_t) "T";
    record->has_position = record->has_global_position = record->has_time_us = true;
    record->global_position = 1;
}

/* ---- one message ---- */

#define ID_1 "11111111-1111-4111-8111-111111111111"
#define ID_2 "{22222222222242228222222222222222}"

struct texts {
    const char *id, *type, *data, *metadata;
};

static const struct {
    struct texts texts;
    const char *field;  // NULL: accepted
} messages[] = {
    {{NULL, "T", NULL, NULL}, NULL},
    {{ID_2, "T", "1", "null"}, NULL},
    {{NULL, NULL, NULL, NULL}, "messages[1].type"},
    {{NULL, "", NULL, NULL}, "messages[1].type"},
    {{NULL, long_type, NULL, NULL}, "messages[1].type"},
    {{"", "T", NULL, NULL}, "messages[1].id"},
    {{"x", "T", NULL, NULL}, "messages[1].id"},
    {{NULL, "T", "", NULL}, "messages[1].data"},
    {{NULL, "T", "{", NULL}, "messages[1].data"},
    {{NULL, "T", "{}", ""}, "messages[1].metadata"},
    {{NULL, "T", "{}", "[1"}, "messages[1].metadata"},
    {{ID_1, "T", NULL, NULL}, "messages"},
};

/* Checks a write of two messages, the second of which has these texts. */
static weir_status check_write(const char *stream, const struct texts *texts,
                               struct weir_append *append)
{
    Weir__V1__WriteMessagesRequest request = WEIR__V1__WRITE_MESSAGES_REQUEST__INIT;
    Weir__V1__NewMessage two[2];
    Weir__V1__NewMessage *pointers[] = {&two[0], &two[1]};
    fill_message(&two[0], ID_1, "T", "{}", NULL);
    fill_message(&two[1], texts->id, texts->type, texts->data, texts->metadata);
    request.stream_name = (char *)(uintptr_t)stream;
    request.messages = pointers;
    request.n_messages = 2;
    return weir_check_write_messages(&call, &request, append, &err);
}

START_TEST(a_message_is_taken_or_refused_by_field)
{
    struct weir_append append;
    const weir_status st = check_write("s-1", &messages[_i].texts, &append);
    if (messages[_i].field != NULL) {
        assert_refused(st, WEIR_INVALID_REQUEST, messages[_i].field);
        return;
    }
    ck_assert_int_eq(st, WEIR_OK);
    ck_assert_uint_eq(append.streams[0].n, 2);
    const struct weir_new_message *m = &append.streams[0].messages[1];
    ck_assert_int_eq(m->is_id_given, messages[_i].texts.id != NULL);
    ck_assert_int_eq(m->data.p != NULL, messages[_i].texts.data != NULL);
}
END_TEST

static const struct {
    const char *metadata;
    const char *correlation;  // NULL: none
} correlations[] = {
    {NULL, NULL},
    {"{}", NULL},
    {"[]", NULL},
    {"{\"correlationStreamName\":null}", NULL},
    {"{\"correlationStreamName\":\"wf-1\"}", "wf"},
    {"{\"correlationStreamName\":\"wf\"}", "wf"},
    {"{\"correlationStreamName\":\"-5\"}", ""},
    {"{\"correlationStreamName\":\"\"}", ""},
    {"{\"a\":{\"correlationStreamName\":\"no-1\"}}", NULL},
};

START_TEST(the_correlation_is_the_category_of_its_stream)
{
    const struct texts texts = {.type = "T", .data = "{}", .metadata = correlations[_i].metadata};
    struct weir_append append;
    ck_assert_int_eq(check_write("s-1", &texts, &append), WEIR_OK);
    const struct weir_slice got = append.streams[0].messages[1].correlation;
    ck_assert(weir_slice_equal(got, weir_slice_of(correlations[_i].correlation)));
}
END_TEST

START_TEST(an_import_has_as_many_records_as_may_be)
{
    enum { MOST = 2 };
    config.limits.import_records = MOST;
    Weir__V1__ImportedMessage record;
    Weir__V1__ImportedMessage *pointers[MOST + 1] = {&record, &record, &record};
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    struct weir_import import;
    fill_record(&record);
    request.messages = pointers;
    request.n_messages = MOST;
    ck_assert_int_eq(weir_check_import_messages(&call, &request, &import, &err), WEIR_OK);
    request.n_messages = MOST + 1;
    ck_assert_int_eq(weir_check_import_messages(&call, &request, &import, &err),
                     WEIR_INVALID_REQUEST);
    ck_assert_str_eq(weir_error_get_detail(&err, "field"), "messages");
}
END_TEST

/* Checks an import of this record and a valid one. */
static weir_status check_import(Weir__V1__ImportedMessage *record, struct weir_import *import)
{
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    Weir__V1__ImportedMessage good;
    Weir__V1__ImportedMessage *pointers[] = {&good, record};
    fill_record(&good);
    request.messages = pointers;
    request.n_messages = 2;
    return weir_check_import_messages(&call, &request, import, &err);
}

START_TEST(the_correlation_of_an_imported_message_is_found_alike)
{
    Weir__V1__ImportedMessage record;
    struct weir_import import;
    fill_record(&record);
    record.has_metadata = correlations[_i].metadata != NULL;
    record.metadata = binary(correlations[_i].metadata);
    ck_assert_int_eq(check_import(&record, &import), WEIR_OK);
    const struct weir_new_message *m = &import.records[1].message;
    ck_assert(weir_slice_equal(m->metadata, weir_slice_of(correlations[_i].metadata)));
    ck_assert(weir_slice_equal(m->correlation, weir_slice_of(correlations[_i].correlation)));
}
END_TEST

START_TEST(a_correlation_stream_that_is_too_long_is_refused)
{
    struct weir_append append;
    char metadata[1200];
    const struct texts texts = {.type = "T", .data = "{}", .metadata = metadata};
    (void)snprintf(metadata, sizeof metadata, "{\"correlationStreamName\":\"%s\"}", long_name);
    assert_refused(check_write("s-1", &texts, &append), WEIR_INVALID_REQUEST,
                   "messages[1].metadata");
    weir_error_init(&err);
    metadata[strlen(metadata) - 3] = '"';
    metadata[strlen(metadata) - 2] = '}';
    metadata[strlen(metadata) - 1] = '\0';
    ck_assert_int_eq(check_write("s-1", &texts, &append), WEIR_OK);
    config.limits.correlation_bytes = 1023;
    assert_refused(check_write("s-1", &texts, &append), WEIR_INVALID_REQUEST,
                   "messages[1].metadata");
}
END_TEST

START_TEST(a_stream_name_is_required_and_bounded)
{
    const struct texts texts = {.type = "T"};
    struct weir_append append;
    assert_refused(check_write(NULL, &texts, &append), WEIR_INVALID_REQUEST, "stream_name");
    assert_refused(check_write("", &texts, &append), WEIR_INVALID_REQUEST, "stream_name");
    assert_refused(check_write(long_name, &texts, &append), WEIR_INVALID_REQUEST, "stream_name");
    ck_assert_int_eq(check_write(long_name + 1, &texts, &append), WEIR_OK);
}
END_TEST

/* ---- several streams ---- */

static const struct {
    const char *streams[2];
    bool has_messages[2];
    bool has_expectation[2];
    const char *field;  // NULL: accepted
} writes[] = {
    {{"a-1", "b-1"}, {true, true}, {false, false}, NULL},
    {{"a-1", "b-1"}, {true, false}, {false, true}, NULL},
    {{"a-1", "b-1"}, {true, false}, {false, false}, "writes[1].expectation"},
    {{"a-1", "a-1"}, {true, true}, {false, false}, "writes[1].stream_name"},
    {{"a-1", ""}, {true, true}, {false, false}, "writes[1].stream_name"},
    {{"a-1", "b-1"}, {false, false}, {true, true}, "writes"},
};

START_TEST(streams_written_together_are_checked_each)
{
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    Weir__V1__StreamWrite two[2];
    Weir__V1__StreamWrite *pointers[] = {&two[0], &two[1]};
    Weir__V1__NewMessage message;
    Weir__V1__NewMessage *in[] = {&message};
    Weir__V1__Expectation exact = WEIR__V1__EXPECTATION__INIT;
    exact.kind_case = WEIR__V1__EXPECTATION__KIND_EXACT;
    fill_message(&message, NULL, "T", NULL, NULL);
    for (size_t i = 0; i < 2; i++) {
        weir__v1__stream_write__init(&two[i]);
        two[i].stream_name = (char *)(uintptr_t)writes[_i].streams[i];
        two[i].messages = in;
        two[i].n_messages = writes[_i].has_messages[i];
        two[i].expectation = writes[_i].has_expectation[i] ? &exact : NULL;
    }
    request.writes = pointers;
    request.n_writes = 2;
    struct weir_append append;
    const weir_status st = weir_check_write_streams(&call, &request, &append, &err);
    if (writes[_i].field != NULL) {
        assert_refused(st, WEIR_INVALID_REQUEST, writes[_i].field);
    } else {
        ck_assert_int_eq(st, WEIR_OK);
    }
}
END_TEST

/* The field has the path of a message in a stream in the request. */
START_TEST(a_message_of_several_streams_is_named_by_its_whole_path)
{
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    Weir__V1__StreamWrite write = WEIR__V1__STREAM_WRITE__INIT;
    Weir__V1__StreamWrite *pointers[] = {&write};
    Weir__V1__NewMessage two[2];
    Weir__V1__NewMessage *in[] = {&two[0], &two[1]};
    fill_message(&two[0], NULL, "T", NULL, NULL);
    fill_message(&two[1], NULL, "T", "nonsense", NULL);
    write.stream_name = (char *)(uintptr_t) "s-1";
    write.messages = in;
    write.n_messages = 2;
    request.writes = pointers;
    request.n_writes = 1;
    struct weir_append append;
    assert_refused(weir_check_write_streams(&call, &request, &append, &err), WEIR_INVALID_REQUEST,
                   "writes[0].messages[1].data");
}
END_TEST

static weir_status check_writes(Weir__V1__StreamWrite *write, struct weir_append *append)
{
    Weir__V1__WriteStreamsRequest request = WEIR__V1__WRITE_STREAMS_REQUEST__INIT;
    Weir__V1__StreamWrite good = WEIR__V1__STREAM_WRITE__INIT;
    Weir__V1__StreamWrite *pointers[] = {&good, write};
    static Weir__V1__NewMessage message;
    static Weir__V1__NewMessage *in[] = {&message};
    fill_message(&message, NULL, "T", NULL, NULL);
    good.stream_name = (char *)(uintptr_t) "s-0";
    good.messages = in;
    good.n_messages = 1;
    request.writes = pointers;
    request.n_writes = 2;
    weir_error_init(&err);
    return weir_check_write_streams(&call, &request, append, &err);
}

START_TEST(a_false_expectation_of_several_streams_is_named_by_its_whole_path)
{
    Weir__V1__StreamWrite write = WEIR__V1__STREAM_WRITE__INIT;
    Weir__V1__Expectation none = WEIR__V1__EXPECTATION__INIT;
    struct weir_append append;
    none.kind_case = WEIR__V1__EXPECTATION__KIND_NO_STREAM;
    write.stream_name = (char *)(uintptr_t) "s-1";
    write.expectation = &none;
    assert_refused(check_writes(&write, &append), WEIR_INVALID_REQUEST,
                   "writes[1].expectation.no_stream");
}
END_TEST

/* The limit applies to the messages of all streams together. */
START_TEST(several_streams_get_no_more_messages_than_one)
{
    static Weir__V1__NewMessage message;
    static Weir__V1__NewMessage *in[WEIR_WRITE_MESSAGES_MAX];
    Weir__V1__StreamWrite write = WEIR__V1__STREAM_WRITE__INIT;
    struct weir_append append;
    fill_message(&message, NULL, "T", NULL, NULL);
    for (size_t i = 0; i < WEIR_WRITE_MESSAGES_MAX; i++) {
        in[i] = &message;
    }
    write.stream_name = (char *)(uintptr_t) "s-1";
    write.messages = in;
    write.n_messages = WEIR_WRITE_MESSAGES_MAX - 1;
    ck_assert_int_eq(check_writes(&write, &append), WEIR_OK);
    write.n_messages = WEIR_WRITE_MESSAGES_MAX;
    assert_refused(check_writes(&write, &append), WEIR_INVALID_REQUEST, "writes");
}
END_TEST

/* ---- sizes ---- */

START_TEST(sizes_are_refused_before_anything_else)
{
    config.limits.message_bytes = 10;
    const struct texts texts = {.id = "x", .type = "", .data = "{nonsense", .metadata = "{}"};
    struct weir_append append;
    ck_assert_int_eq(check_write("", &texts, &append), WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&err, "limit"), "10");
    ck_assert_str_eq(weir_error_get_detail(&err, "actual"), "11");
    ck_assert_ptr_nonnull(strstr(err.text, "messages[1]"));
}
END_TEST

START_TEST(a_message_of_several_streams_that_is_too_large_is_refused)
{
    Weir__V1__StreamWrite write = WEIR__V1__STREAM_WRITE__INIT;
    Weir__V1__NewMessage message;
    Weir__V1__NewMessage *in[] = {&message};
    struct weir_append append;
    config.limits.message_bytes = 10;
    fill_message(&message, NULL, "T", "[1,2]", "[1,2]");
    write.stream_name = (char *)(uintptr_t) "s-1";
    write.messages = in;
    write.n_messages = 1;
    ck_assert_int_eq(check_writes(&write, &append), WEIR_OK);
    fill_message(&message, NULL, "T", "[1,2]", "[1,23]");
    ck_assert_int_eq(check_writes(&write, &append), WEIR_LIMIT_EXCEEDED);
    ck_assert_ptr_nonnull(strstr(err.text, "writes[1].messages[0]"));
}
END_TEST

START_TEST(a_record_that_is_too_large_is_named_before_anything_else)
{
    config.limits.message_bytes = 10;
    Weir__V1__ImportedMessage record;
    struct weir_import import;
    fill_record(&record);
    record.has_data = record.has_metadata = true;
    record.data = binary("{\"a\":1}");
    record.metadata = binary("{}");
    record.id = (char *)(uintptr_t) "nonsense";
    ck_assert_int_eq(check_import(&record, &import), WEIR_INVALID_RECORD);
    record.metadata = binary("[1]x");
    weir_error_init(&err);
    ck_assert_int_eq(check_import(&record, &import), WEIR_LIMIT_EXCEEDED);
    ck_assert_str_eq(weir_error_get_detail(&err, "limit"), "10");
    ck_assert_str_eq(weir_error_get_detail(&err, "actual"), "11");
    ck_assert_str_eq(weir_error_get_detail(&err, "record"), "2");
    ck_assert_ptr_nonnull(strstr(err.text, "record 2"));
}
END_TEST

/* ---- records of an import ---- */

static void assert_record_refused(Weir__V1__ImportedMessage *record, const char *reason)
{
    struct weir_import import;
    weir_error_init(&err);
    ck_assert_int_eq(check_import(record, &import), WEIR_INVALID_RECORD);
    ck_assert_str_eq(weir_error_get_detail(&err, "record"), "2");
    const char *got = weir_error_get_detail(&err, "reason");
    ck_assert_msg(strncmp(got, reason, strlen(reason)) == 0, "%s", got);
}

START_TEST(a_record_is_taken_up_to_its_bounds)
{
    Weir__V1__ImportedMessage record;
    struct weir_import import;
    fill_record(&record);
    record.stream_name = long_name + 1;
    record.type = long_type + 1;
    ck_assert_int_eq(check_import(&record, &import), WEIR_OK);
    ck_assert_uint_eq(import.records[1].stream.n, 1024);
    ck_assert_uint_eq(import.records[1].message.type.n, 512);
    record.stream_name = long_name;
    assert_record_refused(&record, "stream_name: too long");
    record.stream_name = long_name + 1;
    record.type = long_type;
    assert_record_refused(&record, "type: too long");
}
END_TEST

START_TEST(json_that_is_given_but_none_makes_a_record_unusable)
{
    Weir__V1__ImportedMessage record;
    fill_record(&record);
    record.has_data = true;
    assert_record_refused(&record, "data: not valid JSON: empty");
    record.data = binary("{}");
    record.has_metadata = true;
    assert_record_refused(&record, "metadata: not valid JSON: empty");
    record.metadata = binary("[1");
    assert_record_refused(&record, "metadata: not valid JSON");
}
END_TEST

/* ---- reads ---- */

START_TEST(a_batch_size_has_its_meanings)
{
    static const struct {
        bool has;
        int64_t batch;
        int64_t max_messages;  // -1: refused
        bool is_unlimited;
    } rows[] = {
        {false, 0, 1000, false},     {true, 0, 0, false},          {true, 1, 1, false},
        {true, 10000, 10000, false}, {true, 10001, -1, false},     {true, -1, 10000, true},
        {true, -2, -1, false},       {true, INT64_MAX, -1, false}, {true, INT64_MIN, -1, false}};
    for (size_t i = 0; i < WEIR_COUNTOF(rows); i++) {
        Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
        struct weir_query query;
        uint32_t wait_ms = 0;
        in.stream_name = (char *)(uintptr_t) "s";
        in.has_batch_size = rows[i].has;
        in.batch_size = rows[i].batch;
        const weir_status st = weir_check_stream_read(&call, &in, &query, &wait_ms, &err);
        if (rows[i].max_messages < 0) {
            assert_refused(st, WEIR_INVALID_REQUEST, "batch_size");
            weir_error_init(&err);
        } else {
            ck_assert_int_eq(st, WEIR_OK);
            ck_assert_int_eq(query.max_messages, rows[i].max_messages);
            ck_assert_int_eq(query.is_unlimited, rows[i].is_unlimited);
        }
    }
}
END_TEST

START_TEST(a_lower_limit_bounds_the_batch_that_nobody_chose_and_the_reply_says_so)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    struct weir_query query;
    uint32_t wait_ms = 0;
    config.limits.batch_size = 10;
    in.stream_name = (char *)(uintptr_t) "s";
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_int_eq(query.max_messages, 10);
    ck_assert(query.is_unlimited);
    config.limits.batch_size = WEIR_BATCH_DEFAULT;
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_int_eq(query.max_messages, WEIR_BATCH_DEFAULT);
    ck_assert(!query.is_unlimited);
}
END_TEST

START_TEST(a_type_is_looked_for_up_to_its_longest)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    Weir__V1__GetLastStreamMessageRequest last = WEIR__V1__GET_LAST_STREAM_MESSAGE_REQUEST__INIT;
    char *types[] = {long_type + 1};
    struct weir_query query;
    uint32_t wait_ms = 0;
    in.stream_name = last.stream_name = (char *)(uintptr_t) "s";
    in.types = types;
    in.n_types = 1;
    last.type = long_type + 1;
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_uint_eq(query.types[0].n, 512);
    ck_assert_int_eq(weir_check_last_read(&call, &last, &query, &err), WEIR_OK);
    ck_assert_uint_eq(query.types[0].n, 512);
    types[0] = last.type = long_type;
    assert_refused(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_INVALID_REQUEST,
                   "types[0]");
    weir_error_init(&err);
    assert_refused(weir_check_last_read(&call, &last, &query, &err), WEIR_INVALID_REQUEST, "type");
}
END_TEST

START_TEST(a_start_has_its_meanings)
{
    Weir__V1__GetStreamMessagesRequest in = WEIR__V1__GET_STREAM_MESSAGES_REQUEST__INIT;
    struct weir_query query;
    uint32_t wait_ms = 0;
    in.stream_name = (char *)(uintptr_t) "s";
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert(query.from == 0 && !query.is_from_global && !query.is_from_newest);
    in.has_direction = true;
    in.direction = WEIR__V1__DIRECTION__BACKWARD;
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert(query.is_backward && query.is_from_newest);
    in.has_global_position = true;
    in.global_position = 7;
    ck_assert_int_eq(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert(query.is_from_global && query.from == 7 && !query.is_from_newest);
    in.has_wait_ms = true;
    in.wait_ms = 1;
    assert_refused(weir_check_stream_read(&call, &in, &query, &wait_ms, &err), WEIR_INVALID_REQUEST,
                   "wait_ms");
}
END_TEST

START_TEST(a_category_that_is_empty_is_the_whole_namespace)
{
    Weir__V1__GetCategoryMessagesRequest in = WEIR__V1__GET_CATEGORY_MESSAGES_REQUEST__INIT;
    struct weir_query query;
    uint32_t wait_ms = 0;
    ck_assert_int_eq(weir_check_category_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_int_eq(query.selector, WEIR_SELECT_ALL);
    ck_assert_int_eq(query.from, 1);
    ck_assert_ptr_null(query.correlation.p);
    in.category = (char *)(uintptr_t) "a";
    in.correlation = (char *)(uintptr_t) "";
    ck_assert_int_eq(weir_check_category_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_int_eq(query.selector, WEIR_SELECT_CATEGORY);
    ck_assert_ptr_nonnull(query.correlation.p);
    in.category = (char *)(uintptr_t) "a-1";
    assert_refused(weir_check_category_read(&call, &in, &query, &wait_ms, &err),
                   WEIR_INVALID_REQUEST, "category");
    in.category = in.correlation = long_name + 1;
    ck_assert_int_eq(weir_check_category_read(&call, &in, &query, &wait_ms, &err), WEIR_OK);
    ck_assert_uint_eq(query.name.n, 1024);
    ck_assert_uint_eq(query.correlation.n, 1024);
}
END_TEST

/* ---- namespaces ---- */

static const struct {
    const char *id, *description, *token, *metadata;
    weir_status status;
    const char *field;
} creates[] = {
    {"a", NULL, NULL, NULL, WEIR_OK, NULL},
    {"a", "d", NULL, " {} ", WEIR_OK, NULL},
    {"a", NULL, NULL, "\t\r\n{}", WEIR_OK, NULL},
    {long_type + 385, NULL, NULL, NULL, WEIR_OK, NULL},
    {long_type + 384, NULL, NULL, NULL, WEIR_INVALID_REQUEST, "namespace"},
    {NULL, NULL, NULL, NULL, WEIR_INVALID_REQUEST, "namespace"},
    {".", NULL, NULL, NULL, WEIR_INVALID_REQUEST, "namespace"},
    {"a\nb", NULL, NULL, NULL, WEIR_INVALID_REQUEST, "namespace"},
    {long_type, NULL, NULL, NULL, WEIR_INVALID_REQUEST, "namespace"},
    {"a", NULL, "secret", NULL, WEIR_INVALID_REQUEST, "token"},
    {"a", NULL, "ns_Yg_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", NULL,
     WEIR_INVALID_REQUEST, "token"},
    {"a", NULL, NULL, "[]", WEIR_INVALID_REQUEST, "metadata"},
    {"a", NULL, NULL, "{", WEIR_INVALID_REQUEST, "metadata"},
    {"a", NULL, NULL, "", WEIR_INVALID_REQUEST, "metadata"},
};

START_TEST(a_namespace_to_be_created_is_checked)
{
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    struct weir_namespace_record record;
    in.namespace_ = (char *)(uintptr_t)creates[_i].id;
    in.description = (char *)(uintptr_t)creates[_i].description;
    in.token = (char *)(uintptr_t)creates[_i].token;
    in.has_metadata = creates[_i].metadata != NULL;
    in.metadata = binary(creates[_i].metadata);
    const weir_status st = weir_check_create_namespace(&call, &in, &record, &err);
    if (creates[_i].status == WEIR_OK) {
        ck_assert_msg(st == WEIR_OK, "%s", err.text);
    } else {
        assert_refused(st, creates[_i].status, creates[_i].field);
    }
}
END_TEST

START_TEST(the_limits_of_a_namespace_include_their_bounds)
{
    Weir__V1__CreateNamespaceRequest in = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    struct weir_namespace_record record;
    config.limits.namespace_bytes = 3;
    config.limits.description_bytes = 4;
    config.limits.message_bytes = 5;
    in.namespace_ = (char *)(uintptr_t) "abc";
    in.description = (char *)(uintptr_t) "abcd";
    in.has_metadata = true;
    in.metadata = binary(" { } ");
    ck_assert_int_eq(weir_check_create_namespace(&call, &in, &record, &err), WEIR_OK);
    in.namespace_ = (char *)(uintptr_t) "abcd";
    assert_refused(weir_check_create_namespace(&call, &in, &record, &err), WEIR_INVALID_REQUEST,
                   "namespace");
    in.namespace_ = (char *)(uintptr_t) "abc";
    in.description = (char *)(uintptr_t) "abcde";
    weir_error_init(&err);
    assert_refused(weir_check_create_namespace(&call, &in, &record, &err), WEIR_INVALID_REQUEST,
                   "description");
    in.metadata = binary(" {  } ");
    weir_error_init(&err);
    ck_assert_int_eq(weir_check_create_namespace(&call, &in, &record, &err), WEIR_LIMIT_EXCEEDED);
}
END_TEST

START_TEST(a_page_has_its_bounds)
{
    struct weir_slice text;
    size_t limit = 0;
    ck_assert_int_eq(weir_check_list_limit(false, 0, &limit, &err), WEIR_OK);
    ck_assert_uint_eq(limit, 100);
    ck_assert_int_eq(weir_check_list_limit(true, 1, &limit, &err), WEIR_OK);
    ck_assert_int_eq(weir_check_list_limit(true, 1000, &limit, &err), WEIR_OK);
    ck_assert_uint_eq(limit, 1000);
    assert_refused(weir_check_list_limit(true, 0, &limit, &err), WEIR_INVALID_REQUEST, "limit");
    weir_error_init(&err);
    assert_refused(weir_check_list_limit(true, 1001, &limit, &err), WEIR_INVALID_REQUEST, "limit");
    weir_error_init(&err);
    ck_assert_int_eq(weir_check_list_text(long_name + 1, "prefix", &text, &err), WEIR_OK);
    assert_refused(weir_check_list_text(long_name, "prefix", &text, &err), WEIR_INVALID_REQUEST,
                   "prefix");
}
END_TEST

static Suite *request_check_suite(void)
{
    Suite *suite = suite_create("request_check");
    TCase *tcase = tcase_create("request_check");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, a_message_is_taken_or_refused_by_field, 0,
                        (int)WEIR_COUNTOF(messages));
    tcase_add_loop_test(tcase, the_correlation_is_the_category_of_its_stream, 0,
                        (int)WEIR_COUNTOF(correlations));
    tcase_add_test(tcase, an_import_has_as_many_records_as_may_be);
    tcase_add_loop_test(tcase, the_correlation_of_an_imported_message_is_found_alike, 0,
                        (int)WEIR_COUNTOF(correlations));
    tcase_add_test(tcase, a_correlation_stream_that_is_too_long_is_refused);
    tcase_add_test(tcase, a_stream_name_is_required_and_bounded);
    tcase_add_loop_test(tcase, streams_written_together_are_checked_each, 0,
                        (int)WEIR_COUNTOF(writes));
    tcase_add_test(tcase, a_message_of_several_streams_is_named_by_its_whole_path);
    tcase_add_test(tcase, a_false_expectation_of_several_streams_is_named_by_its_whole_path);
    tcase_add_test(tcase, several_streams_get_no_more_messages_than_one);
    tcase_add_test(tcase, sizes_are_refused_before_anything_else);
    tcase_add_test(tcase, a_message_of_several_streams_that_is_too_large_is_refused);
    tcase_add_test(tcase, a_record_that_is_too_large_is_named_before_anything_else);
    tcase_add_test(tcase, a_record_is_taken_up_to_its_bounds);
    tcase_add_test(tcase, json_that_is_given_but_none_makes_a_record_unusable);
    tcase_add_test(tcase, a_batch_size_has_its_meanings);
    tcase_add_test(tcase, a_lower_limit_bounds_the_batch_that_nobody_chose_and_the_reply_says_so);
    tcase_add_test(tcase, a_type_is_looked_for_up_to_its_longest);
    tcase_add_test(tcase, a_start_has_its_meanings);
    tcase_add_test(tcase, a_category_that_is_empty_is_the_whole_namespace);
    tcase_add_loop_test(tcase, a_namespace_to_be_created_is_checked, 0, (int)WEIR_COUNTOF(creates));
    tcase_add_test(tcase, the_limits_of_a_namespace_include_their_bounds);
    tcase_add_test(tcase, a_page_has_its_bounds);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    return check_main(request_check_suite());
}
