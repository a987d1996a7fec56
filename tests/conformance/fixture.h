/* What the conformance suite stands on: one real server for each test, one client of libweir, and
 * short ways to say what is written, read and expected. The suite is the same for every store;
 * WEIR_TEST_STORE names the one under test (tests/lib/server_process.h).
 *
 * Each test runs in a process of its own, so the fixture is one static object. Functions named
 * must_… abort the test unless the call succeeds; those named try_… return the outcome and leave
 * the error in conf.err. Responses are freed at the end of the test. */
#ifndef WEIR_TESTS_CONFORMANCE_FIXTURE_H
#define WEIR_TESTS_CONFORMANCE_FIXTURE_H

#include "client/weir.h"
#include "tests/lib/server_process.h"

#include <check.h>

typedef Weir__V1__Message Message;
typedef Weir__V1__WriteMessagesResponse Written;
typedef Weir__V1__GetStreamMessagesRequest StreamQuery;
typedef Weir__V1__GetStreamMessagesResponse StreamReply;
typedef Weir__V1__GetCategoryMessagesRequest CategoryQuery;
typedef Weir__V1__GetCategoryMessagesResponse CategoryReply;

struct conf {
    struct server_process server;
    struct weir_client *client;  // with the token of a namespace made for this test
    struct weir_client *admin;   // with the admin token
    char namespace_id[64];
    struct weir_error err;  // of the last try_…
};

extern struct conf conf;

/* A client with any token, closed by the caller; and the token of the test's namespace. */
struct weir_client *conf_client(const char *token);
const char *conf_token(void);

/* Whether the store under test forgets everything when the server stops. */
bool conf_is_store_volatile(void);

/* Whether the database takes one connection, so that a second server cannot use it. */
bool conf_is_store_of_one_server(void);

/* Says on stderr which tests are left out for one of these two reasons. */
void conf_tell_skipped(const char *tests);

/* Stops the server in good order (or kills it) and starts it again on the same data and URL. */
void conf_restart(void);
void conf_kill_and_restart(void);

/* ---- writing ---- */

struct msg {
    const char *type;      // NULL: "Happened"
    const char *data;      // NULL: absent
    const char *metadata;  // NULL: absent
    const char *id;        // NULL: left to the client library
};

struct expect {
    enum { ANY, EXACT, NO_STREAM, STREAM_EXISTS } kind;
    int64_t version;
};

#define EXPECT_ANY           ((struct expect){ANY, 0})
#define EXPECT(v)            ((struct expect){EXACT, (v)})
#define EXPECT_NO_STREAM     ((struct expect){NO_STREAM, 0})
#define EXPECT_STREAM_EXISTS ((struct expect){STREAM_EXISTS, 0})

weir_status try_write(const char *stream, struct expect expect, const struct msg *messages,
                      size_t n, Written **written);
const Written *must_write(const char *stream, struct expect expect, const struct msg *messages,
                          size_t n);

struct write {
    const char *stream;
    struct expect expect;
    const struct msg *messages;
    size_t n;
};

/* The same by any client, with the caller's error; the response is the caller's. */
weir_status try_write_as(struct weir_client *client, const struct write *write, Written **written,
                         struct weir_error *err);

/* The generated form of messages, to be freed with free_messages, and of an expectation. */
Weir__V1__NewMessage **fill_messages(const struct msg *messages, size_t n);
void free_messages(Weir__V1__NewMessage **pointers);
void fill_expectation(Weir__V1__Expectation *to, struct expect expect);

/* One message of type "Happened" with this data; returns its position. */
int64_t put(const char *stream, const char *data);
int64_t put_typed(const char *stream, const char *type);
int64_t put_correlated(const char *stream, const char *correlation_stream);

/* n messages of data {"n":0} … in one stream. */
void put_many(const char *stream, int n);

/* ---- reading ---- */

StreamQuery query_stream(const char *stream);
CategoryQuery query_category(const char *category);

weir_status try_read_stream(const StreamQuery *query, StreamReply **reply);
weir_status try_read_category(const CategoryQuery *query, CategoryReply **reply);
const StreamReply *must_read_stream(const StreamQuery *query);
const CategoryReply *must_read_category(const CategoryQuery *query);

/* Everything in a stream, everything in a category ("" = the namespace). */
const StreamReply *read_stream(const char *stream);
const CategoryReply *read_category(const char *category);

/* -1 where it does not exist. */
int64_t version_of(const char *stream);

/* ---- expectations ---- */

/* The last try_… failed so, with this detail. */
void assert_failed(weir_status got, weir_status want);
void assert_detail(const char *key, const char *value);
void assert_invalid(weir_status got, const char *field);

void assert_data(const Message *message, const char *data);
void assert_positions(Message *const *messages, size_t n, int64_t first);

/* Ascending global positions. */
void assert_ascending(Message *const *messages, size_t n);

/* ---- the suite ---- */

TCase *conf_case(const char *name);  // with the fixture and a time limit

TCase *conf_write_case(void);
TCase *conf_idempotence_case(void);
TCase *conf_write_streams_case(void);
TCase *conf_read_stream_case(void);
TCase *conf_read_category_case(void);
TCase *conf_group_case(void);
TCase *conf_json_case(void);
TCase *conf_import_case(void);
TCase *conf_bad_input_case(void);
TCase *conf_durability_case(void);
TCase *conf_concurrency_case(void);
TCase *conf_poll_case(void);
TCase *conf_namespaces_case(void);
TCase *conf_listing_case(void);
TCase *conf_system_case(void);

#endif
