/* Fixture for tests of calls: a client and a fake server, held in `scripted`. Each test has its own
 * pair, in its own process or after the teardown of the previous one. */
#ifndef WEIR_TESTS_CLIENT_SCRIPTED_H
#define WEIR_TESTS_CLIENT_SCRIPTED_H

#include "client/weir.h"
#include "tests/client/fake_server.h"

#include <check.h>

struct scripted {
    struct fake_server *server;  // NULL until started
    struct weir_client *client;  // NULL until opened
    struct weir_error err;       // of the last client call
    /* Replies of the actions below. A test may change them before it starts the server. */
    Weir__V1__GetStreamVersionResponse version_response;  // version 41
    Weir__V1__WriteMessagesResponse write_response;       // two messages, room for three
    struct weir_error conflict;                           // on stream "account-1" at version 7
};

extern struct scripted scripted;

extern const struct fake_action answer_version;
extern const struct fake_action answer_write;
extern const struct fake_action fail_unavailable;  // text "busy"
extern const struct fake_action fail_conflict;
extern const struct fake_action keep_silent;

void scripted_setup(void);
void scripted_teardown(void);

/* Opens the client with "the token" and pauses of 5 to 20 ms between attempts. */
void scripted_open_client(const char *url, uint32_t timeout_ms);

/* Starts the server and opens the client with a deadline of ten seconds for a call. Borrows the
 * script. */
void scripted_start(const struct fake_action *script, size_t n);

/* Calls GetStreamVersion; scripted.err describes a failure. `options` and `version` may be NULL. */
weir_status scripted_get_version(const struct weir_call_options *options, int64_t *version);

/* Writes two messages, the second with an id chosen by the test. */
weir_status scripted_write_two(void);

/* Writes no message to one stream and one message to another. */
weir_status scripted_write_to_streams(void);

#endif
