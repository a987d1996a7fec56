/* A real server with a client of its own, for the tests of subscriptions and consumers; one for
 * each test, which runs in a process of its own. */
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

/* With an option of the server, or without. */
void live_setup_with(const char *option, const char *value);
void live_setup(void);

/* Over four TCP connections, on a free port that it then keeps. */
void live_setup_tcp(void);
void live_teardown(void);

/* A further client of the server with limits of its own; 0 stands for the default. The caller
 * closes it. */
struct weir_client *live_client(uint32_t max_in_flight, size_t max_request_bytes);

/* Stops the server, in good order or by SIGKILL, and starts it again on the same address and data.
 */
void live_restart(bool is_kill);

/* Without data or metadata where they are NULL. */
struct live_message {
    const char *stream;
    const char *type;
    const char *data;
    const char *metadata;
};

/* Writes it; returns its position. */
int64_t live_append(struct weir_client *client, const struct live_message *message);

/* Writes `n` messages of type "T" and data {"n":0} … to a stream; returns the version before. */
int64_t live_write(const char *stream, int n);
int64_t live_write_by(struct weir_client *client, const char *stream, int n);

/* How many messages a stream has, and the data of one. */
int64_t live_count(const char *stream);

/* The consumer "worker" of a category, which waits little before it tries again. */
struct weir_consumer_options live_consumer_options(const char *category);
struct weir_consumer *live_open_consumer(const struct weir_consumer_options *options);

#endif
