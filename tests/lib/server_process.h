/* A real weir-server for a test: started on free ports, its data in a directory of its own, stopped
 * or killed at will.
 *
 * The program is found through the environment variable WEIR_SERVER_PROGRAM, which ctest sets.
 * Every function aborts the test (ck_abort_msg) with the server's own words where it does not do
 * what it should, so callers check nothing. A server that the test leaves running dies with the
 * test's process. */
#ifndef WEIR_TESTS_LIB_SERVER_PROCESS_H
#define WEIR_TESTS_LIB_SERVER_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SERVER_URLS_MAX = 6, SERVER_ARGS_MAX = 24, SERVER_TEXT_MAX = 512 };

/* The admin token that every server of the tests is started with. */
#define SERVER_ADMIN_TOKEN "test-admin-token-0123456789abcdefghijkl"

struct server_process {
    char directory[SERVER_TEXT_MAX];    // made by server_directory, holds data and logs
    const char *args[SERVER_ARGS_MAX];  // further ones, NULL-terminated; set before server_start
    char socket_url[SERVER_TEXT_MAX + 16];  // see server_on_socket
    pid_t pid;                              // 0 while not running
    size_t urls_n;                          // what it said it listens on
    char urls[SERVER_URLS_MAX][SERVER_TEXT_MAX];
    char default_token[SERVER_TEXT_MAX];  // of namespace `default`; "" until the server has one in
                                          // a file
};

/* Makes an empty temporary directory. */
void server_directory(struct server_process *server);

/* Has it listen on a socket in its directory: socket_url, which stays the same
 * when it is started again. Sets args[0] and args[1]; to be called before server_start. */
void server_on_socket(struct server_process *server);

/* Starts the program and waits until it listens. Unless `args` has a --store of its own,
 * WEIR_TEST_STORE names it (default: sqlite:DIRECTORY/data); without a --listen of its own it
 * listens on a free TCP port of loopback. */
void server_start(struct server_process *server);

/* SIGTERM, and the exit status, which must come within ten seconds. */
int server_stop(struct server_process *server);

/* SIGKILL. */
void server_kill(struct server_process *server);

/* Stops it if it runs, and removes the directory. */
void server_remove(struct server_process *server);

/* What it has written on standard error so far, in static storage (cut at 64 KiB). */
const char *server_log(const struct server_process *server);

#endif
