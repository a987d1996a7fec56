/* Random calls by one server or by two, compared with the results of a simple model of a namespace.
 * The random numbers are the same in every run, so a fault is reproducible. */
#include "tests/lib/check_main.h"
#include "tests/store/model.h"
#include "tests/store/store_fixture.h"

#include "weir/rules/limits.h"
#include "weir/rules/stream_name.h"

#include <stdio.h>

enum {
    SEEDS = 4,
    STEPS = 100,
    GROUP_MAX = 5,  // writes in a group
    READS_MAX = 4,  // reads in a step
    PARTS_MAX = 3,
    MESSAGES_MAX = 3,  // messages in a part
    RECORDS_MAX = 4,
    DRAFTS_MAX = 64,
    NAMES_MAX = 16
};

/* ---- values to draw from ---- */

static const char *const streams[] = {"a-1", "a-2+x", "a-2+y", "a",     "b-1",
                                      "b-",  "-x",    "c:d-1", "é-1-2", "b"};
static const char *const categories[] = {"a", "b", "c:d", "é", "c"};
static const char *const types[] = {"T", "t", "Typ", "T%", "é"};
static const char *const values[] = {
    NULL, "1", "1.0", "{\"a\":1,\"b\":[2]}", "null", "\"\"", "{\"b\":[2],\"a\":1}", "{}"};
static const char *const correlations[] = {"wf", "w", ""};
static const char *const correlated[] = {"{\"correlationStreamName\":\"wf-1\"}",
                                         "{\"correlationStreamName\":\"w\"}",
                                         "{\"correlationStreamName\":\"-5\"}"};
static const char *const prefixes[] = {"", "a", "a-", "a-2", "b-", "z", "\xc3"};

static uint64_t state;
static size_t step;

static uint64_t draw(void)
{
    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(draw() % n);
}

static bool one_in(size_t n)
{
    return below(n) == 0;
}

#define ONE_OF(texts) weir_slice_of((texts)[below(WEIR_COUNTOF(texts))])

/* ---- the stores and the model ---- */

static struct model model;
static uint64_t last_id;
static struct weir_arena arenas[READS_MAX];

/* A write with everything that it points to. */
struct draft {
    struct weir_write write;
    struct weir_stream_append parts[PARTS_MAX];
    struct weir_new_message messages[PARTS_MAX][MESSAGES_MAX];
    struct weir_written written[PARTS_MAX][MESSAGES_MAX];
    struct weir_import_record records[RECORDS_MAX];
};

static struct draft drafts[DRAFTS_MAX];
static size_t drafts_n;  // total number of drafts

static void begin(void)
{
    model = (struct model){.n = 0};
    drafts_n = 0;
    last_id = 0;
    for (size_t a = 0; a < READS_MAX; a++) {
        weir_arena_init(&arenas[a], 16 << 20, 1 << 20);
    }
}

static void set_up_on_disk(void)
{
    fixture_on_disk();
    open_second();
    begin();
}

static void set_up_in_memory(void)
{
    fixture_in_memory();
    begin();
}

static void tear_down(void)
{
    for (size_t a = 0; a < READS_MAX; a++) {
        weir_arena_fini(&arenas[a]);
    }
    fixture_end();
}

static struct weir_namespace *any_server(void)
{
    return fx.second_ns != NULL && one_in(2) ? fx.second_ns : fx.ns;
}

static void maybe_restart(void)
{
    if (fx.second_ns == NULL || !one_in(30)) {
        return;
    }
    close_second();
    if (one_in(2)) {
        reopen();
    }
    open_second();
}

/* ---- drawing writes ---- */

static struct weir_new_message draw_message(void)
{
    struct weir_new_message message = {.id = id_of(++last_id),
                                       .is_id_given = true,
                                       .type = ONE_OF(types),
                                       .data = ONE_OF(values),
                                       .metadata = ONE_OF(values)};
    if (one_in(3)) {
        const size_t c = below(WEIR_COUNTOF(correlated));
        message.metadata = weir_slice_of(correlated[c]);
        message.correlation = weir_slice_of(correlations[c]);
    }
    return message;
}

/* Three of four expectations are met, unless the group changes the stream first. */
static struct weir_expectation draw_expectation(struct weir_slice stream)
{
    const int64_t version = model_version(&model, stream);
    switch (below(8)) {
    case 0:
        return EXACT((int64_t)below(4) - 2);
    case 1:
        return version < 0 ? STREAM_EXISTS : NO_STREAM;
    case 2:
        return version < 0 ? NO_STREAM : STREAM_EXISTS;
    case 3:
    case 4:
        return EXACT(version);
    default:
        return ANY;
    }
}

static bool is_among(const struct draft *draft, size_t n, struct weir_slice stream)
{
    bool is_there = false;
    for (size_t p = 0; p < n; p++) {
        is_there = is_there || weir_slice_equal(draft->parts[p].stream, stream);
    }
    return is_there;
}

static void draw_part(struct draft *draft, size_t p)
{
    struct weir_slice stream = ONE_OF(streams);
    while (is_among(draft, p, stream)) {
        stream = ONE_OF(streams);
    }
    draft->parts[p] = (struct weir_stream_append){.stream = stream,
                                                  .expectation = draw_expectation(stream),
                                                  .n = below(MESSAGES_MAX) + (p == 0)};
    for (size_t m = 0; m < draft->parts[p].n; m++) {
        draft->messages[p][m] = draw_message();
    }
}

static void draw_append(struct draft *draft)
{
    struct weir_append *append = &draft->write.of.append;
    append->n = one_in(3) ? 1 + below(PARTS_MAX) : 1;
    for (size_t p = 0; p < append->n; p++) {
        draw_part(draft, p);
    }
}

/* Repeats an earlier write, unchanged or with one change. */
static void draw_repetition(struct draft *draft)
{
    const size_t back = drafts_n < DRAFTS_MAX ? drafts_n : DRAFTS_MAX - 1;
    const struct draft *before = &drafts[(drafts_n - 1 - below(back)) % DRAFTS_MAX];
    if (before->write.kind != WEIR_WRITE_APPEND) {
        draw_append(draft);
        return;
    }
    *draft = *before;
    struct weir_stream_append *part = &draft->parts[below(draft->write.of.append.n)];
    struct weir_new_message *message = &draft->messages[0][0];
    switch (below(10)) {
    case 0:
        part->expectation = draw_expectation(part->stream);
        break;
    case 1:
        message->type = ONE_OF(types);
        break;
    case 2:
        message->data = ONE_OF(values);
        break;
    case 3:
        part->n -= part->n > 1;
        break;
    case 4:
        message->id = id_of(++last_id);
        break;
    default:
        break;
    }
}

static struct weir_import_record draw_record(void)
{
    if (model.n > 0 && one_in(3)) {
        return model.messages[below(model.n)];
    }
    struct weir_import_record record = {.message = draw_message(), .stream = ONE_OF(streams)};
    const int64_t version = model_version(&model, record.stream);
    record.position = one_in(6) ? (int64_t)below(4) : version + 1 + (int64_t)below(4);
    record.global_position =
        one_in(6) ? 1 + (int64_t)below((size_t)model.head + 1) : model.head + 1 + (int64_t)below(8);
    record.time_us = 1 + (int64_t)below(1000 * 1000 * 1000);
    if (one_in(12)) {
        record.message.id = id_of(1 + below(last_id));
    }
    return record;
}

static void draw_import(struct draft *draft)
{
    draft->write.kind = WEIR_WRITE_IMPORT;
    draft->write.of.import =
        (struct weir_import){.records = draft->records, .n = 1 + below(RECORDS_MAX)};
    for (size_t r = 0; r < draft->write.of.import.n; r++) {
        draft->records[r] = draw_record();
    }
}

/* Points the parts to the draft's own memory. */
static void finish_append(struct draft *draft)
{
    draft->write.of.append.streams = draft->parts;
    for (size_t p = 0; p < draft->write.of.append.n; p++) {
        draft->parts[p].messages = draft->messages[p];
        draft->parts[p].written = draft->written[p];
    }
}

static struct draft *draw_write(void)
{
    struct draft *draft = &drafts[drafts_n % DRAFTS_MAX];
    *draft = (struct draft){.write = {.kind = WEIR_WRITE_APPEND}};
    if (one_in(60)) {
        draft->write.kind = WEIR_WRITE_CLEAR;
    } else if (one_in(5)) {
        draw_import(draft);
    } else if (drafts_n > 0 && one_in(3)) {
        draw_repetition(draft);
    } else {
        draw_append(draft);
    }
    if (draft->write.kind == WEIR_WRITE_APPEND) {
        finish_append(draft);
    }
    drafts_n++;
    return draft;
}

/* ---- writing ---- */

static void check_status(const struct weir_error *err, weir_status wanted)
{
    ck_assert_msg(err->status == wanted, "step %zu: %s (%s), wanted %s", step,
                  weir_status_name(err->status), err->text, weir_status_name(wanted));
}

static void check_append(const struct weir_append *append, const struct weir_error *err)
{
    struct weir_written expected[PARTS_MAX * MESSAGES_MAX] = {{.position = 0}};
    bool is_duplicate = false;
    const weir_status status = model_append(&model, append, expected, &is_duplicate);
    check_status(err, status);
    if (status != WEIR_OK) {
        return;
    }
    ck_assert_msg(append->is_duplicate == is_duplicate, "step %zu: a duplicate", step);
    const struct weir_written *e = expected;
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++, e++) {
            const struct weir_written *written = &append->streams[s].written[m];
            ck_assert_msg(written->position == e->position &&
                              written->global_position == e->global_position &&
                              written->time_us == e->time_us &&
                              memcmp(&written->id, &e->id, sizeof e->id) == 0,
                          "step %zu: at %lld (%lld), wanted %lld (%lld)", step,
                          (long long)written->position, (long long)written->global_position,
                          (long long)e->position, (long long)e->global_position);
        }
    }
}

/* If records of the same import also conflict with each other, the error may name any of them. */
static void check_refused_import(const struct weir_import *import, const struct weir_error *err,
                                 weir_status wanted)
{
    if (import->n == 1 ||
        (err->status != WEIR_POSITION_EXISTS && err->status != WEIR_MESSAGE_ID_CONFLICT)) {
        check_status(err, wanted);
    }
}

static void check_import(const struct weir_import *import, const struct weir_error *err)
{
    int64_t imported = 0;
    int64_t skipped = 0;
    const weir_status wanted = model_import(&model, import, &imported, &skipped);
    if (wanted != WEIR_OK) {
        check_refused_import(import, err, wanted);
        return;
    }
    check_status(err, WEIR_OK);
    ck_assert_msg(import->imported == imported && import->skipped_identical == skipped,
                  "step %zu: imported %lld, wanted %lld", step, (long long)import->imported,
                  (long long)imported);
}

static void check_write(const struct weir_write *write, const struct weir_error *err)
{
    switch (write->kind) {
    case WEIR_WRITE_APPEND:
        check_append(&write->of.append, err);
        break;
    case WEIR_WRITE_IMPORT:
        check_import(&write->of.import, err);
        break;
    case WEIR_WRITE_CLEAR:
        check_status(err, WEIR_OK);
        ck_assert_int_eq(write->of.clear.messages_deleted, model_clear(&model));
        break;
    }
}

static void write_group(void)
{
    struct weir_write writes[GROUP_MAX];
    struct weir_error errors[GROUP_MAX];
    const size_t n = 1 + below(GROUP_MAX);
    for (size_t w = 0; w < n; w++) {
        weir_error_init(&errors[w]);
        writes[w] = draw_write()->write;
    }
    commit_group(any_server(), writes, errors, n);
    for (size_t w = 0; w < n; w++) {
        check_write(&writes[w], &errors[w]);
    }
}

/* ---- reading ---- */

static int64_t draw_start(void)
{
    static const int64_t odd[] = {INT64_MIN, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    if (one_in(3)) {
        return odd[below(WEIR_COUNTOF(odd))];
    }
    return (int64_t)below(one_in(2) ? 12 : (size_t)model.head + 3);
}

static int64_t draw_batch(void)
{
    static const int64_t batches[] = {0, 1, 2, 1000, 10000};
    return one_in(2) ? batches[below(WEIR_COUNTOF(batches))] : 1 + (int64_t)below(12);
}

static void draw_filters(struct weir_query *query, struct weir_slice area[WEIR_READ_TYPES_MAX])
{
    if (one_in(2)) {
        query->types = area;
        query->types_n = 1 + below(5);
        for (size_t t = 0; t < query->types_n; t++) {
            area[t] = one_in(4) ? weir_slice_of("other") : ONE_OF(types);
        }
    }
    if (query->selector == WEIR_SELECT_STREAM) {
        return;
    }
    if (one_in(4)) {
        query->correlation = ONE_OF(correlations);
    }
    if (one_in(4)) {
        query->group_size = 1 + (int64_t)below(4);
        query->group_member = (int64_t)below((size_t)query->group_size);
    }
}

static struct weir_query draw_query(struct weir_slice area[WEIR_READ_TYPES_MAX])
{
    struct weir_query query = {.selector = WEIR_SELECT_ALL,
                               .is_backward = one_in(3),
                               .from = draw_start(),
                               .max_messages = draw_batch(),
                               .is_unlimited = one_in(4),
                               .max_bytes = one_in(6) ? 0 : SIZE_MAX,
                               .is_headers_only = one_in(4),
                               .deadline_us = INT64_MAX};
    query.is_from_newest = query.is_backward && one_in(3);
    if (one_in(2)) {
        query.selector = WEIR_SELECT_STREAM;
        query.name = one_in(10) ? weir_slice_of("unknown-1") : ONE_OF(streams);
        query.is_from_global = !query.is_from_newest && one_in(4);
    } else if (one_in(2)) {
        query.selector = WEIR_SELECT_CATEGORY;
        query.name = ONE_OF(categories);
    }
    if (one_in(2)) {
        draw_filters(&query, area);
    }
    return query;
}

static bool is_row(const struct weir_row *row, const struct weir_import_record *wanted,
                   bool is_headers_only)
{
    const struct weir_slice absent = {NULL, 0};
    const struct weir_new_message *message = &wanted->message;
    return memcmp(&row->id, &message->id, sizeof row->id) == 0 &&
           weir_slice_equal(row->stream, wanted->stream) &&
           weir_slice_equal(row->type, message->type) &&
           model_is_same_json(row->data, is_headers_only ? absent : message->data) &&
           model_is_same_json(row->metadata, is_headers_only ? absent : message->metadata) &&
           row->position == wanted->position && row->global_position == wanted->global_position &&
           row->time_us == wanted->time_us;
}

static const char *query_text(const struct weir_query *query)
{
    static char text[300];
    (void)snprintf(text, sizeof text,
                   "step %zu, %d '%.*s'%s%s%s from %lld, %lld messages%s%s, %zu types%s, %lld of "
                   "%lld",
                   step, (int)query->selector, WEIR_SLICE_ARG(query->name),
                   query->is_backward ? " backward" : "", query->is_from_newest ? " newest" : "",
                   query->is_from_global ? " global" : "", (long long)query->from,
                   (long long)query->max_messages, query->is_unlimited ? " unlimited" : "",
                   query->max_bytes == 0 ? " no bytes" : "", query->types_n,
                   query->correlation.p != NULL ? " correlated" : "",
                   (long long)query->group_member, (long long)query->group_size);
    return text;
}

static void check_rows(const struct weir_query *query, const struct weir_rows *rows,
                       const struct weir_error *err)
{
    static struct model_rows wanted;
    model_read(&model, query, &wanted);
    const char *text = query_text(query);
    ck_assert_msg(err->status == WEIR_OK, "%s: %s", text, err->text);
    ck_assert_msg(rows->n == wanted.n, "%s: %zu rows, wanted %zu", text, rows->n, wanted.n);
    for (size_t r = 0; r < rows->n; r++) {
        ck_assert_msg(is_row(&rows->rows[r], wanted.rows[r], query->is_headers_only),
                      "%s: row %zu is at %lld, wanted %lld", text, r,
                      (long long)rows->rows[r].global_position,
                      (long long)wanted.rows[r]->global_position);
    }
    ck_assert_msg(rows->next_position == wanted.next_position, "%s: on at %lld, wanted %lld", text,
                  (long long)rows->next_position, (long long)wanted.next_position);
    ck_assert_msg(rows->is_truncated == wanted.is_truncated, "%s: truncated: %d", text,
                  rows->is_truncated);
}

static void ignore(struct weir_read *read)
{
    (void)read;
}

/* Makes small reads as a group, the others one by one. */
static void read_some(void)
{
    struct weir_slice areas[READS_MAX][WEIR_READ_TYPES_MAX];
    struct weir_read reads[READS_MAX];
    struct weir_error errors[READS_MAX];
    struct weir_read *group = NULL;
    struct weir_namespace *ns = any_server();
    for (size_t r = 0; r < READS_MAX; r++) {
        weir_error_init(&errors[r]);
        weir_arena_reset(&arenas[r]);
        reads[r] = (struct weir_read){.query = draw_query(areas[r]),
                                      .arena = &arenas[r],
                                      .err = &errors[r],
                                      .done = ignore,
                                      .next = group};
        if (weir_query_is_small(&reads[r].query)) {
            group = &reads[r];
        } else {
            (void)weir_read(ns, &reads[r].query, &arenas[r], &reads[r].rows, &errors[r]);
        }
    }
    if (group != NULL) {
        weir_read_group(ns, group);
    }
    for (size_t r = 0; r < READS_MAX; r++) {
        check_rows(&reads[r].query, &reads[r].rows, &errors[r]);
    }
}

static void read_last(void)
{
    struct weir_slice type = one_in(3) ? weir_slice_of("") : ONE_OF(types);
    struct weir_query query = {.selector = WEIR_SELECT_STREAM,
                               .name = ONE_OF(streams),
                               .types = &type,
                               .types_n = below(2),
                               .deadline_us = INT64_MAX};
    struct weir_rows rows;
    weir_arena_reset(&arenas[0]);
    const struct weir_query last = weir_query_of_last(&query);
    const weir_status status = weir_read(any_server(), &last, &arenas[0], &rows, &fx.err);
    ck_assert_msg(status == WEIR_OK, "step %zu: %s", step, fx.err.text);
    query.is_backward = true;
    query.is_from_newest = true;
    query.max_messages = 1;
    query.max_bytes = SIZE_MAX;
    query.types_n = type.n == 0 ? 0 : query.types_n;
    check_rows(&query, &rows, &fx.err);
}

/* ---- numbers and lists ---- */

static const struct weir_import_record *newest_of(struct weir_slice stream)
{
    const int64_t version = model_version(&model, stream);
    for (size_t m = 0; m < model.n; m++) {
        if (model.messages[m].position == version &&
            weir_slice_equal(model.messages[m].stream, stream)) {
            return &model.messages[m];
        }
    }
    return NULL;
}

static void check_numbers(void)
{
    struct weir_namespace_totals totals;
    struct weir_slice names[NAMES_MAX];
    struct weir_namespace *ns = any_server();
    const char *stream = streams[below(WEIR_COUNTOF(streams))];
    ck_assert_int_eq(must_version(ns, stream), model_version(&model, weir_slice_of(stream)));
    ck_assert_int_eq(must_head(ns), model.head);
    ck_assert_int_eq(weir_namespace_totals(ns, INT64_MAX, &totals, &fx.err), WEIR_OK);
    ck_assert_int_eq(totals.message_count, (int64_t)model.n);
    ck_assert_int_eq(totals.stream_count, (int64_t)model_streams(&model, names));
    if (model.n > 0) {
        ck_assert_int_eq(totals.last_activity_us, model.messages[model.n - 1].time_us);
    }
}

static bool is_listed(const struct weir_page_query *query, struct weir_slice name)
{
    const struct weir_slice prefix = query->prefix;
    return name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0) &&
           (query->after.n == 0 || model_compare(name, query->after) > 0);
}

static void list_streams(void)
{
    struct weir_slice names[NAMES_MAX];
    struct weir_stream_page page;
    const struct weir_page_query query = {.prefix = ONE_OF(prefixes),
                                          .after = one_in(2) ? ONE_OF(streams) : weir_slice_of(""),
                                          .limit = 1 + below(6),
                                          .deadline_us = INT64_MAX};
    weir_arena_reset(&arenas[0]);
    ck_assert_int_eq(weir_list_streams(any_server(), &query, &arenas[0], &page, &fx.err), WEIR_OK);
    const size_t n = model_streams(&model, names);
    size_t listed = 0;
    for (size_t s = 0; s < n; s++) {
        if (!is_listed(&query, names[s])) {
            continue;
        }
        if (listed < query.limit) {
            ck_assert_msg(listed < page.n, "step %zu: %zu streams", step, page.n);
            ck_assert(weir_slice_equal(page.streams[listed].name, names[s]));
            ck_assert_int_eq(page.streams[listed].version, model_version(&model, names[s]));
            ck_assert_int_eq(page.streams[listed].last_activity_us, newest_of(names[s])->time_us);
        }
        listed++;
    }
    ck_assert_uint_eq(page.n, listed < query.limit ? listed : query.limit);
    ck_assert(page.is_more == (listed > query.limit));
}

static void list_categories(void)
{
    struct weir_slice names[NAMES_MAX];
    struct weir_slice of_streams[NAMES_MAX];
    struct weir_category_list list;
    static struct model_rows rows;
    weir_arena_reset(&arenas[0]);
    ck_assert_int_eq(weir_list_categories(any_server(), INT64_MAX, &arenas[0], &list, &fx.err),
                     WEIR_OK);
    const size_t streams_n = model_streams(&model, of_streams);
    ck_assert_uint_eq(list.n, model_categories(&model, names));
    for (size_t c = 0; c < list.n; c++) {
        const struct weir_query query = {.selector = WEIR_SELECT_CATEGORY,
                                         .name = names[c],
                                         .max_messages = MODEL_MESSAGES_MAX,
                                         .max_bytes = SIZE_MAX};
        int64_t n = 0;
        for (size_t s = 0; s < streams_n; s++) {
            n += weir_slice_equal(weir_name_category(of_streams[s]), names[c]);
        }
        model_read(&model, &query, &rows);
        ck_assert(weir_slice_equal(list.categories[c].name, names[c]));
        ck_assert_int_eq(list.categories[c].message_count, (int64_t)rows.n);
        ck_assert_int_eq(list.categories[c].stream_count, n);
    }
}

START_TEST(every_answer_is_the_models)
{
    state = (uint64_t)_i;
    for (step = 0; step < STEPS; step++) {
        maybe_restart();
        write_group();
        read_some();
        read_last();
        check_numbers();
        list_streams();
        list_categories();
    }
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*begin_with)(void))
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, begin_with, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, every_answer_is_the_models, 0, SEEDS);
    suite_add_tcase(suite, tcase);
}

static Suite *sqlite_model_suite(void)
{
    Suite *suite = suite_create("sqlite_model");
    add_case(suite, "on disk", set_up_on_disk);
    add_case(suite, "in memory", set_up_in_memory);
    return suite;
}

int main(void)
{
    return check_main(sqlite_model_suite());
}
