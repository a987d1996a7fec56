/* Fixture for subscriptions and consumers: a real server and a client, held in `live`. Check runs
 * each test in its own process with its own server. Every function fails the test if a call
 * fails. */
#ifndef WEIR_TESTS_CLIENT_LIVE_H
#define WEIR_TESTS_CLIENT_LIVE_H

#include "client/weir.h"
#include "tests/lib/server_process.h"

#include <check.h>

struct live {
    struct server_process server;
    struct weir_client *client;
    struct weir_error err;
};

extern struct live live;

/* Start the server, with one option of the server or without, and open the client. */
void live_setup_with(const char *option, const char *value);
void live_setup(void);

/* As live_setup, but with four TCP connections, on a free port that a restart keeps. */
void live_setup_tcp(void);
void live_teardown(void);

/* Opens another client of the server with these limits; 0 is the default. The caller closes it. */
struct weir_client *live_client(uint32_t max_in_flight, size_t max_request_bytes);

/* Stops the server, by SIGTERM or by SIGKILL, and starts it again with the same address and
 * data. */
void live_restart(bool is_kill);

/* A message to write; NULL data or metadata are absent. */
struct live_message {
    const char *stream;
    const char *type;
    const char *data;
    const char *metadata;
};

/* Writes the message and returns its position. */
int64_t live_append(struct weir_client *client, const struct live_message *message);

/* Write `n` messages of type "T" with data {"n":0}, {"n":1}, … to a stream. Return the stream's
 * version before the write. */
int64_t live_write(const char *stream, int n);
int64_t live_write_by(struct weir_client *client, const char *stream, int n);

/* Returns the number of messages in a stream. */
int64_t live_count(const char *stream);

/* Returns options for the consumer "worker" of a category, with short pauses between retries. */
struct weir_consumer_options live_consumer_options(const char *category);
struct weir_consumer *live_open_consumer(const struct weir_consumer_options *options);

#endif
