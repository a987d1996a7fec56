/* A client of a server that does as it is told, for the tests of calls; one pair for each test,
 * which runs in a process of its own or after the one before it has been torn down. */
#ifndef WEIR_TESTS_CLIENT_SCRIPTED_H
#define WEIR_TESTS_CLIENT_SCRIPTED_H

#include "client/weir.h"
#include "tests/client/fake_server.h"

#include <check.h>

struct scripted {
    struct fake_server *server;  // NULL until it is started
    struct weir_client *client;  // NULL until it is opened
    struct weir_error err;       // of the client's calls
    /* What the actions below answer with; a test may change it before it starts the server. */
    Weir__V1__GetStreamVersionResponse version_response;  // 41
    Weir__V1__WriteMessagesResponse write_response;       // two messages; there is room for three
    struct weir_error conflict;                           // of stream "account-1", at version 7
};

extern struct scripted scripted;

extern const struct fake_action answer_version;
extern const struct fake_action answer_write;
extern const struct fake_action fail_unavailable;  // "busy"
extern const struct fake_action fail_conflict;
extern const struct fake_action keep_silent;

void scripted_setup(void);
void scripted_teardown(void);

/* The client, with "the token", which pauses for 5 to 20 ms between attempts. */
void scripted_open_client(const char *url, uint32_t timeout_ms);

/* The server and such a client of it, with ten seconds for a call. The script is borrowed. */
void scripted_start(const struct fake_action *script, size_t n);

/* Calls of the client; what fails is told in scripted.err. `options` and `version` may be NULL. */
weir_status scripted_get_version(const struct weir_call_options *options, int64_t *version);

/* Two messages, the second with an id of its own. */
weir_status scripted_write_two(void);

/* Nothing to one stream and a message to another. */
weir_status scripted_write_to_streams(void);

#endif
