/* Runs a real weir-server for a test: starts it on free ports with data in a temporary directory,
 * and stops or kills it.
 *
 * The environment variable WEIR_SERVER_PROGRAM, set by ctest, names the program. Every function
 * fails the test (ck_abort_msg), quoting the server's log, if the server misbehaves, so callers
 * check nothing. A server that the test leaves running is killed when the thread that started it
 * ends. */
#ifndef WEIR_TESTS_LIB_SERVER_PROCESS_H
#define WEIR_TESTS_LIB_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SERVER_URLS_MAX = 6, SERVER_ARGS_MAX = 24, SERVER_TEXT_MAX = 512 };

/* The admin token of every test server. */
#define SERVER_ADMIN_TOKEN "test-admin-token-0123456789abcdefghijkl"

struct server_process {
    char directory[SERVER_TEXT_MAX];  // created by server_directory; holds data and logs
    /* Further arguments, NULL-terminated; set before server_start. */
    const char *args[SERVER_ARGS_MAX];
    char socket_url[SERVER_TEXT_MAX + 16];  // set by server_on_socket
    pid_t pid;                              // 0 while not running
    size_t urls_n;                          // URLs the server reported to listen on
    char urls[SERVER_URLS_MAX][SERVER_TEXT_MAX];
    char default_token[SERVER_TEXT_MAX];  // of namespace `default`; "" until the server has stored
                                          // one in a file
};

/* Clears `server` and makes an empty temporary directory. */
void server_directory(struct server_process *server);

/* Makes the server listen on a Unix socket in its directory, whose URL a restart keeps. Sets
 * socket_url, args[0] and args[1]. Call before server_start. */
void server_on_socket(struct server_process *server);

/* Starts the program and waits until it listens. Without --store in `args` the store is
 * WEIR_TEST_STORE, or sqlite:DIRECTORY/data. Without --listen the server listens on a free TCP port
 * on loopback. */
void server_start(struct server_process *server);

/* Sends SIGTERM and returns the exit status. Fails the test if the server takes more than ten
 * seconds. */
int server_stop(struct server_process *server);

/* Sends SIGKILL and waits for the end of the process. */
void server_kill(struct server_process *server);

/* Stops the server if it runs, and removes the directory. */
void server_remove(struct server_process *server);

/* Returns what the server has written to standard error, cut at 64 KiB, in static storage. */
const char *server_log(const struct server_process *server);

#endif
