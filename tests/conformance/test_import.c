/* ImportMessages keeps positions, ids and times, skips records already imported, and refuses the
 * whole batch on a collision. */
#include "tests/conformance/fixture.h"

#include <stdio.h>
#include <string.h>

#define ID(n)        "00000000-0000-4000-8000-00000000000" #n
#define POSITION_MAX ((int64_t)1 << 62)

enum { RECORDS_MAX = 16 };

struct record {
    const char *id;
    const char *stream;
    int64_t position;
    int64_t global_position;
    const char *data;
    const char *type;
    int64_t time_us;
};

static Weir__V1__ImportMessagesResponse *last;

static void fill_record(Weir__V1__ImportedMessage *to, const struct record *from)
{
    weir__v1__imported_message__init(to);
    to->id = (char *)(uintptr_t)from->id;
    to->stream_name = (char *)(uintptr_t)from->stream;
    to->type = (char *)(uintptr_t)(from->type == NULL ? "Imported" : from->type);
    to->has_position = to->has_global_position = to->has_time_us = true;
    to->position = from->position;
    to->global_position = from->global_position;
    to->time_us = from->time_us;
    if (from->data != NULL) {
        to->has_data = true;
        to->data.data = (uint8_t *)(uintptr_t)from->data;
        to->data.len = strlen(from->data);
    }
}

static weir_status import_filled(Weir__V1__ImportedMessage **pointers, size_t n)
{
    Weir__V1__ImportMessagesRequest request = WEIR__V1__IMPORT_MESSAGES_REQUEST__INIT;
    request.messages = pointers;
    request.n_messages = n;
    weir_error_init(&conf.err);
    weir_response_free(last);
    last = NULL;
    return weir_message_store_import_messages(conf.client, &request, NULL, &last, &conf.err);
}

static weir_status try_import(const struct record *records, size_t n)
{
    static Weir__V1__ImportedMessage messages[RECORDS_MAX];
    static Weir__V1__ImportedMessage *pointers[RECORDS_MAX];
    for (size_t i = 0; i < n; i++) {
        fill_record(&messages[i], &records[i]);
        pointers[i] = &messages[i];
    }
    return import_filled(pointers, n);
}

static void must_import(const struct record *records, size_t n, int64_t imported, int64_t skipped)
{
    assert_failed(try_import(records, n), WEIR_OK);
    ck_assert_int_eq(last->imported, imported);
    ck_assert_int_eq(last->skipped_identical, skipped);
}

static const struct record three[] = {
    {ID(1), "a-1", 0, 10, "{\"n\":1}", "A", 1700000000123456},
    {ID(2), "b-1", 5, 20, NULL, "", -5},
    {ID(3), "-x", 0, 15, "[1.10]", NULL, 0},
};

START_TEST(records_are_kept_as_they_are)
{
    must_import(three, 3, 3, 0);
    ck_assert_int_eq(last->max_global_position, 20);
    const CategoryReply *r = read_category("");
    ck_assert_uint_eq(r->n_messages, 3);
    assert_ascending(r->messages, 3);
    ck_assert_str_eq(r->messages[0]->id, ID(1));
    ck_assert_int_eq(r->messages[0]->time_us, 1700000000123456);
    ck_assert_int_eq(r->messages[1]->global_position, 15);
    ck_assert_int_eq(r->messages[2]->position, 5);
    ck_assert_str_eq(r->messages[2]->type, "");
    ck_assert(!r->messages[2]->has_data);
    ck_assert_int_eq(r->messages[2]->time_us, -5);
}
END_TEST

START_TEST(a_repetition_is_skipped_and_counted)
{
    must_import(three, 2, 2, 0);
    must_import(three, 3, 1, 2);
    struct record respelt = three[2];
    respelt.data = " [11e-1] ";
    must_import(&respelt, 1, 0, 1);
    ck_assert_uint_eq(read_category("")->n_messages, 3);
}
END_TEST

START_TEST(a_record_twice_in_one_batch_is_skipped_once)
{
    const struct record twice[] = {three[0], three[0]};
    must_import(twice, 2, 1, 1);
}
END_TEST

/* Imported on top of `three`: the second record of each batch collides, so nothing of the batch is
 * stored. */
static const struct {
    struct record record;
    weir_status status;
} collisions[] = {
    {{ID(4), "c-1", 0, 10, NULL, NULL, 0}, WEIR_POSITION_EXISTS},
    {{ID(4), "a-1", 0, 30, NULL, NULL, 0}, WEIR_POSITION_EXISTS},
    {{ID(1), "c-1", 0, 30, NULL, NULL, 0}, WEIR_MESSAGE_ID_CONFLICT},
    {{ID(1), "c-1", 0, 10, NULL, NULL, 0}, WEIR_POSITION_EXISTS},
    {{ID(1), "a-1", 0, 10, "{\"n\":2}", "A", 1700000000123456}, WEIR_POSITION_EXISTS},
    {{ID(1), "a-1", 0, 10, "{\"n\":1}", "A", 1700000000123457}, WEIR_POSITION_EXISTS},
    {{ID(1), "a-1", 0, 10, "{\"n\":1}", "B", 1700000000123456}, WEIR_POSITION_EXISTS},
};

START_TEST(a_collision_refuses_the_whole_batch)
{
    must_import(three, 3, 3, 0);
    const struct record batch[] = {{ID(5), "d-1", 0, 100, NULL, NULL, 0}, collisions[_i].record};
    assert_failed(try_import(batch, 2), collisions[_i].status);
    assert_detail("record", "2");
    ck_assert_uint_eq(read_category("")->n_messages, 3);
    ck_assert_int_eq(version_of("d-1"), -1);
}
END_TEST

START_TEST(of_several_collisions_the_first_is_told)
{
    must_import(three, 3, 3, 0);
    const struct record batch[] = {{ID(5), "d-1", 0, 100, NULL, NULL, 0},
                                   {ID(4), "a-1", 0, 30, NULL, NULL, 0},
                                   {ID(6), "c-1", 0, 15, NULL, NULL, 0},
                                   {ID(1), "c-1", 1, 40, NULL, NULL, 0}};
    assert_failed(try_import(batch, 4), WEIR_POSITION_EXISTS);
    assert_detail("record", "2");
    assert_detail("gpos", "30");
}
END_TEST

/* Imported on top of `three`: batches in which a later record takes what an earlier, refused record
 * would have had. The expected error is that of the first refused record. */
static const struct {
    weir_status status;
    const char *record;
    size_t n;
    struct record batch[3];
} in_order[] = {
    {WEIR_MESSAGE_ID_CONFLICT,
     "1",
     2,
     {{ID(1), "c-1", 0, 30, NULL, NULL, 0}, {ID(4), "c-1", 0, 40, NULL, NULL, 0}}},
    {WEIR_MESSAGE_ID_CONFLICT,
     "1",
     2,
     {{ID(1), "c-1", 0, 30, NULL, NULL, 0}, {ID(4), "d-1", 0, 30, NULL, NULL, 0}}},
    {WEIR_POSITION_EXISTS,
     "1",
     2,
     {{ID(4), "c-1", 0, 20, NULL, NULL, 0}, {ID(4), "c-1", 0, 40, NULL, NULL, 0}}},
    {WEIR_POSITION_EXISTS,
     "1",
     2,
     {{ID(1), "b-1", 5, 30, NULL, NULL, 0}, {ID(2), "b-1", 5, 20, NULL, "", -5}}},
    {WEIR_MESSAGE_ID_CONFLICT,
     "2",
     3,
     {{ID(4), "c-1", 0, 30, NULL, NULL, 0},
      {ID(4), "d-1", 0, 40, NULL, NULL, 0},
      {ID(5), "d-1", 0, 40, NULL, NULL, 0}}},
    {WEIR_POSITION_EXISTS,
     "2",
     3,
     {{ID(4), "c-1", 0, 30, NULL, NULL, 0},
      {ID(1), "c-1", 0, 40, NULL, NULL, 0},
      {ID(4), "c-1", 0, 30, NULL, NULL, 0}}},
};

START_TEST(a_record_is_judged_by_what_is_stored_and_by_those_before_it)
{
    must_import(three, 3, 3, 0);
    assert_failed(try_import(in_order[_i].batch, in_order[_i].n), in_order[_i].status);
    assert_detail("record", in_order[_i].record);
    ck_assert_uint_eq(read_category("")->n_messages, 3);
}
END_TEST

START_TEST(an_id_conflict_names_where_the_id_is)
{
    must_import(three, 3, 3, 0);
    const struct record batch[] = {{ID(4), "c-1", 0, 30, NULL, NULL, 0},
                                   {ID(2), "d-1", 0, 40, NULL, NULL, 0},
                                   {ID(5), "d-1", 0, 40, NULL, NULL, 0}};
    assert_failed(try_import(batch, 3), WEIR_MESSAGE_ID_CONFLICT);
    assert_detail("stream", "b-1");
    assert_detail("position", "5");
    assert_detail("global_position", "20");
    assert_detail("record", "2");
}
END_TEST

static weir_status import_with(const char *metadata)
{
    Weir__V1__ImportedMessage message;
    Weir__V1__ImportedMessage *pointer = &message;
    fill_record(&message, &three[0]);
    message.has_metadata = metadata != NULL;
    message.metadata.data = (uint8_t *)(uintptr_t)metadata;
    message.metadata.len = metadata == NULL ? 0 : strlen(metadata);
    return import_filled(&pointer, 1);
}

START_TEST(metadata_are_kept_compared_and_selected_by)
{
    static const char metadata[] = "{\"correlationStreamName\":\"wf-1\",\"n\":1.0}";
    assert_failed(import_with(metadata), WEIR_OK);
    CategoryReply *reply = NULL;
    CategoryQuery query = query_category("a");
    query.correlation = "wf";
    assert_failed(try_read_category(&query, &reply), WEIR_OK);
    ck_assert_uint_eq(reply->n_messages, 1);
    ck_assert(reply->messages[0]->has_metadata && reply->messages[0]->metadata.len > 0);
    weir_response_free(reply);
    assert_failed(import_with(" {\"n\":1,\"correlationStreamName\":\"wf-1\"} "), WEIR_OK);
    ck_assert_int_eq(last->skipped_identical, 1);
    assert_failed(import_with("{\"correlationStreamName\":\"wf-1\",\"n\":2}"),
                  WEIR_POSITION_EXISTS);
    assert_failed(import_with("null"), WEIR_POSITION_EXISTS);
    assert_failed(import_with(NULL), WEIR_POSITION_EXISTS);
    assert_failed(import_with("{"), WEIR_INVALID_RECORD);
}
END_TEST

START_TEST(a_position_conflict_names_the_places)
{
    must_import(three, 3, 3, 0);
    const struct record batch[] = {{ID(5), "a-1", 0, 100, NULL, NULL, 0}};
    assert_failed(try_import(batch, 1), WEIR_POSITION_EXISTS);
    assert_detail("gpos", "100");
    assert_detail("stream", "a-1");
    assert_detail("pos", "0");
    assert_detail("record", "1");
}
END_TEST

START_TEST(writes_go_on_above_everything_imported)
{
    const struct record high = {ID(1), "a-1", 7, 100000, "{}", NULL, 0};
    const struct record low = {ID(2), "a-1", 3, 70000, "{}", NULL, 0};
    must_import(&high, 1, 1, 0);
    must_import(&low, 1, 1, 0);
    const struct msg message = {.data = "{}"};
    const Written *w = must_write("a-1", EXPECT(7), &message, 1);
    ck_assert_int_eq(w->written[0]->position, 8);
    ck_assert_int_eq(w->written[0]->global_position, 100001);
    const StreamReply *r = read_stream("a-1");
    ck_assert_uint_eq(r->n_messages, 3);
    ck_assert_int_eq(r->messages[0]->position, 3);
    ck_assert_int_eq(r->messages[1]->position, 7);
    ck_assert_int_eq(version_of("a-1"), 8);
}
END_TEST

START_TEST(an_imported_id_makes_a_write_a_retry)
{
    const struct record record = {ID(1), "a-1", 0, 10, "{\"n\":1}", "A", 5};
    must_import(&record, 1, 1, 0);
    const struct msg same = {.id = ID(1), .type = "A", .data = "{\"n\":1.0}"};
    const Written *w = must_write("a-1", EXPECT_NO_STREAM, &same, 1);
    ck_assert(w->duplicate);
    ck_assert_int_eq(w->written[0]->time_us, 5);
}
END_TEST

/* No write has left its messages like that: a batch has ascending positions of both kinds. */
START_TEST(imported_ids_out_of_order_are_no_batch_of_a_write)
{
    const struct record turned[] = {{ID(1), "a-1", 0, 20, "1", NULL, 0},
                                    {ID(2), "a-1", 1, 10, "2", NULL, 0},
                                    {ID(3), "a-1", 2, 30, "3", NULL, 0}};
    must_import(turned, 3, 3, 0);
    const struct msg batch[] = {{.id = ID(1), .type = "Imported", .data = "1"},
                                {.id = ID(2), .type = "Imported", .data = "2"},
                                {.id = ID(3), .type = "Imported", .data = "3"}};
    assert_failed(try_write("a-1", EXPECT_ANY, batch, 2, NULL), WEIR_MESSAGE_ID_CONFLICT);
    ck_assert(must_write("a-1", EXPECT(0), &batch[1], 2)->duplicate);
}
END_TEST

START_TEST(writes_go_on_behind_the_highest_positions_of_an_import)
{
    const struct record record = {ID(1), "a-1", POSITION_MAX,      POSITION_MAX,
                                  "{}",  NULL,  253402300799999999};
    must_import(&record, 1, 1, 0);
    ck_assert_int_eq(read_category("a")->messages[0]->global_position, POSITION_MAX);
    const struct msg message = {.data = "{}"};
    const Written *w = must_write("a-1", EXPECT_ANY, &message, 1);
    ck_assert_int_eq(w->written[0]->position, POSITION_MAX + 1);
    ck_assert_int_eq(w->written[0]->global_position, POSITION_MAX + 1);
    ck_assert_uint_eq(read_category("a")->n_messages, 2);
}
END_TEST

/* Faults that make a record invalid, and the field that the error names. */
static const struct {
    struct record record;
    const char *reason_names;
} unusable[] = {
    {{"nonsense", "a-1", 0, 10, NULL, NULL, 0}, "id"},
    {{"", "a-1", 0, 10, NULL, NULL, 0}, "id"},
    {{ID(9), "", 0, 10, NULL, NULL, 0}, "stream"},
    {{ID(9), "a-1", -1, 10, NULL, NULL, 0}, "pos"},
    {{ID(9), "a-1", INT64_MAX, 10, NULL, NULL, 0}, "pos"},
    {{ID(9), "a-1", 0, 0, NULL, NULL, 0}, "gpos"},
    {{ID(9), "a-1", 0, -3, NULL, NULL, 0}, "gpos"},
    {{ID(9), "a-1", 0, POSITION_MAX + 1, NULL, NULL, 0}, "gpos"},
    {{ID(9), "a-1", 0, 10, "{", NULL, 0}, "data"},
    {{ID(9), NULL, 0, 10, NULL, NULL, 0}, "stream"},
    {{NULL, "a-1", 0, 10, NULL, NULL, 0}, "id"},
};

START_TEST(an_unusable_record_is_named_and_refuses_the_batch)
{
    const struct record batch[] = {{ID(1), "a-1", 0, 5, NULL, NULL, 0}, unusable[_i].record};
    assert_failed(try_import(batch, 2), WEIR_INVALID_RECORD);
    assert_detail("record", "2");
    const char *reason = weir_error_get_detail(&conf.err, "reason");
    ck_assert_msg(reason != NULL && strstr(reason, unusable[_i].reason_names) != NULL, "reason: %s",
                  reason);
    ck_assert_uint_eq(read_category("")->n_messages, 0);
}
END_TEST

START_TEST(a_missing_field_makes_a_record_unusable)
{
    for (int missing = 0; missing < 4; missing++) {
        Weir__V1__ImportedMessage message;
        Weir__V1__ImportedMessage *pointer = &message;
        fill_record(&message, &three[0]);
        message.has_position = missing != 0;
        message.has_global_position = missing != 1;
        message.has_time_us = missing != 2;
        message.type = missing == 3 ? NULL : message.type;
        assert_failed(import_filled(&pointer, 1), WEIR_INVALID_RECORD);
        assert_detail("record", "1");
    }
}
END_TEST

/* Times outside the range of the text form, which an export could not write. */
static const int64_t times_without_text[] = {INT64_MIN, -62167219200000001, 253402300800000000,
                                             INT64_MAX};

START_TEST(a_time_without_a_text_makes_a_record_unusable)
{
    Weir__V1__ImportedMessage message;
    Weir__V1__ImportedMessage *pointer = &message;
    fill_record(&message, &three[0]);
    message.time_us = times_without_text[_i];
    assert_failed(import_filled(&pointer, 1), WEIR_INVALID_RECORD);
    assert_detail("record", "1");
    message.time_us += message.time_us < 0 ? 1 : -1;
    const weir_status want = _i == 0 || _i == 3 ? WEIR_INVALID_RECORD : WEIR_OK;
    assert_failed(import_filled(&pointer, 1), want);
}
END_TEST

START_TEST(an_empty_import_is_invalid)
{
    assert_invalid(try_import(NULL, 0), "messages");
}
END_TEST

TCase *conf_import_case(void)
{
    TCase *tc = conf_case("import");
    tcase_add_test(tc, records_are_kept_as_they_are);
    tcase_add_test(tc, a_repetition_is_skipped_and_counted);
    tcase_add_test(tc, a_record_twice_in_one_batch_is_skipped_once);
    tcase_add_loop_test(tc, a_collision_refuses_the_whole_batch, 0, (int)WEIR_COUNTOF(collisions));
    tcase_add_test(tc, of_several_collisions_the_first_is_told);
    tcase_add_loop_test(tc, a_record_is_judged_by_what_is_stored_and_by_those_before_it, 0,
                        (int)WEIR_COUNTOF(in_order));
    tcase_add_test(tc, an_id_conflict_names_where_the_id_is);
    tcase_add_test(tc, metadata_are_kept_compared_and_selected_by);
    tcase_add_test(tc, a_position_conflict_names_the_places);
    tcase_add_test(tc, writes_go_on_above_everything_imported);
    tcase_add_test(tc, an_imported_id_makes_a_write_a_retry);
    tcase_add_test(tc, imported_ids_out_of_order_are_no_batch_of_a_write);
    tcase_add_test(tc, writes_go_on_behind_the_highest_positions_of_an_import);
    tcase_add_loop_test(tc, an_unusable_record_is_named_and_refuses_the_batch, 0,
                        (int)WEIR_COUNTOF(unusable));
    tcase_add_test(tc, a_missing_field_makes_a_record_unusable);
    tcase_add_loop_test(tc, a_time_without_a_text_makes_a_record_unusable, 0,
                        (int)WEIR_COUNTOF(times_without_text));
    tcase_add_test(tc, an_empty_import_is_invalid);
    return tc;
}
