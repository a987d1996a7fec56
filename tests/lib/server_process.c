#include "tests/lib/server_process.h"

#include "tests/lib/remove_tree.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_MS = 60000, STOP_MS = 10000, ALL_ARGS_MAX = SERVER_ARGS_MAX + 8 };

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void server_directory(struct server_process *server)
{
    memset(server, 0, sizeof *server);
    const char *base = getenv("TMPDIR");
    (void)snprintf(server->directory, sizeof server->directory, "%s/weir-test-XXXXXX",
                   base == NULL ? "/tmp" : base);
    if (mkdtemp(server->directory) == NULL) {
        ck_abort_msg("no temporary directory %s: %s", server->directory, strerror(errno));
    }
}

const char *server_log(const struct server_process *server)
{
    static char text[65536];
    char path[SERVER_TEXT_MAX + 16];
    (void)snprintf(path, sizeof path, "%s/stderr", server->directory);
    text[0] = '\0';
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        text[fread(text, 1, sizeof text - 1, file)] = '\0';
        fclose(file);
    }
    return text;
}

static bool has_option(const struct server_process *server, const char *option)
{
    for (size_t i = 0; server->args[i] != NULL; i++) {
        if (strcmp(server->args[i], option) == 0) {
            return true;
        }
    }
    return false;
}

struct launch {
    const char *argv[ALL_ARGS_MAX];
    char store[SERVER_TEXT_MAX + 16];
    int errors;  // descriptor for standard error
};

/* Does everything that may allocate or lock before the fork, since the test may have threads. */
static void prepare_launch(const struct server_process *server, struct launch *launch)
{
    char log[SERVER_TEXT_MAX + 16];
    (void)snprintf(log, sizeof log, "%s/stderr", server->directory);
    (void)snprintf(launch->store, sizeof launch->store, "sqlite:%s/data", server->directory);
    size_t n = 0;
    launch->argv[n++] = getenv("WEIR_SERVER_PROGRAM");
    ck_assert_msg(launch->argv[0] != NULL, "WEIR_SERVER_PROGRAM is not set");
    if (!has_option(server, "--store")) {
        const char *given = getenv("WEIR_TEST_STORE");
        launch->argv[n++] = "--store";
        launch->argv[n++] = given == NULL ? launch->store : given;
    }
    if (!has_option(server, "--listen")) {
        launch->argv[n++] = "--listen";
        launch->argv[n++] = "tcp://127.0.0.1:0";
    }
    for (size_t i = 0; server->args[i] != NULL && n + 1 < ALL_ARGS_MAX; i++) {
        launch->argv[n++] = server->args[i];
    }
    launch->argv[n] = NULL;
    launch->errors = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(launch->errors, 0);
    ck_assert_int_eq(setenv("WEIR_ADMIN_TOKEN", SERVER_ADMIN_TOKEN, 0), 0);
}

/* Runs in the child process; never returns. */
static void run_program(const struct launch *launch, int output)
{
    if (dup2(launch->errors, 2) < 0 || dup2(output, 1) < 0) {
        _exit(126);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execv(launch->argv[0], (char *const *)(uintptr_t)launch->argv);
    _exit(127);
}

static void take_line(struct server_process *server, const char *line)
{
    const char *says = "listening on ";
    if (strncmp(line, says, strlen(says)) == 0 && server->urls_n < SERVER_URLS_MAX) {
        (void)snprintf(server->urls[server->urls_n], SERVER_TEXT_MAX, "%s", line + strlen(says));
        server->urls_n++;
    }
}

static size_t listeners_asked(const struct server_process *server)
{
    size_t n = 0;
    for (size_t i = 0; server->args[i] != NULL; i++) {
        n += strcmp(server->args[i], "--listen") == 0;
    }
    return n == 0 ? 1 : n;
}

static void read_listening_lines(struct server_process *server, int output)
{
    const long long end = now_ms() + START_MS;
    char line[SERVER_TEXT_MAX];
    size_t n = 0;
    while (server->urls_n < listeners_asked(server)) {
        struct pollfd fd = {.fd = output, .events = POLLIN};
        char c = 0;
        const long long left = end - now_ms();
        if (left <= 0 || poll(&fd, 1, (int)left) <= 0 || read(output, &c, 1) != 1) {
            ck_abort_msg("weir-server did not say that it listens; it said: %s",
                         server_log(server));
        }
        if (c == '\n' || n + 1 == sizeof line) {
            line[n] = '\0';
            take_line(server, line);
            n = 0;
        } else {
            line[n++] = c;
        }
    }
}

static void read_default_token(struct server_process *server)
{
    char path[SERVER_TEXT_MAX + 32];
    (void)snprintf(path, sizeof path, "%s/data/default.token", server->directory);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return;
    }
    if (fgets(server->default_token, sizeof server->default_token, file) != NULL) {
        server->default_token[strcspn(server->default_token, "\n")] = '\0';
    }
    fclose(file);
}

void server_on_socket(struct server_process *server)
{
    (void)snprintf(server->socket_url, sizeof server->socket_url, "ipc://%s/socket",
                   server->directory);
    server->args[0] = "--listen";
    server->args[1] = server->socket_url;
}

void server_start(struct server_process *server)
{
    struct launch launch = {.errors = -1};
    int output[2];
    prepare_launch(server, &launch);
    ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
    server->urls_n = 0;
    server->pid = fork();
    ck_assert_int_ge(server->pid, 0);
    if (server->pid == 0) {
        run_program(&launch, output[1]);
    }
    close(output[1]);
    close(launch.errors);
    read_listening_lines(server, output[0]);
    close(output[0]);
    read_default_token(server);
}

int server_stop(struct server_process *server)
{
    const pid_t pid = server->pid;
    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    const long long end = now_ms() + STOP_MS;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (now_ms() > end) {
            server_kill(server);
            ck_abort_msg("weir-server did not stop within %d ms; it said: %s", STOP_MS,
                         server_log(server));
        }
        (void)poll(NULL, 0, 5);
    }
    server->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void server_kill(struct server_process *server)
{
    if (server->pid > 0) {
        (void)kill(server->pid, SIGKILL);
        (void)waitpid(server->pid, NULL, 0);
        server->pid = 0;
    }
}

void server_remove(struct server_process *server)
{
    if (server->pid > 0) {
        (void)server_stop(server);
    }
    if (server->directory[0] != '\0') {
        remove_tree(server->directory);
        server->directory[0] = '\0';
    }
}
