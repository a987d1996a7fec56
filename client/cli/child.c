#include "client/cli/child.h"

#include "client/cli/record.h"
#include "weir/base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *const names[] = {"WEIR_ID",       "WEIR_STREAM",          "WEIR_TYPE",
                                    "WEIR_POSITION", "WEIR_GLOBAL_POSITION", "WEIR_ATTEMPT"};

enum { NAMES_N = sizeof names / sizeof names[0], NUMBER_TEXT = 32 };

/* Whether an entry of the environment sets one of the variables in `names`. */
static bool describes_message(const char *entry)
{
    bool is_name = false;
    for (size_t i = 0; i < NAMES_N; i++) {
        const size_t n = strlen(names[i]);
        is_name = is_name || (strncmp(entry, names[i], n) == 0 && entry[n] == '=');
    }
    return is_name;
}

static char *make_entry(struct weir_arena *arena, const char *name, const char *value)
{
    const size_t n = strlen(name) + strlen(value) + 2;
    char *entry = weir_arena_alloc(arena, n);
    if (entry != NULL) {
        (void)snprintf(entry, n, "%s=%s", name, value);
    }
    return entry;
}

/* Returns this process's environment with the message's variables in it; NULL when out of memory.
 * Does not use setenv, because the C library never frees the old values of a variable. */
static char **make_environment(struct weir_arena *arena, const Weir__V1__Message *message,
                               uint32_t attempt)
{
    char position[NUMBER_TEXT];
    char global_position[NUMBER_TEXT];
    char number[NUMBER_TEXT];
    (void)snprintf(position, sizeof position, "%" PRId64, message->position);
    (void)snprintf(global_position, sizeof global_position, "%" PRId64, message->global_position);
    (void)snprintf(number, sizeof number, "%" PRIu32, attempt);
    const char *const values[NAMES_N] = {message->id, message->stream_name, message->type,
                                         position,    global_position,      number};
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **entries = weir_arena_array(arena, n + NAMES_N + 1, sizeof *entries);
    size_t at = 0;
    for (size_t i = 0; entries != NULL && i < n; i++) {
        if (!describes_message(environ[i])) {
            entries[at++] = environ[i];
        }
    }
    for (size_t i = 0; entries != NULL && i < NAMES_N; i++) {
        entries[at] = make_entry(arena, names[i], values[i]);
        entries = entries[at] == NULL ? NULL : entries;
        at++;
    }
    return entries;
}

/* Starts a shell with `input` as its standard input, no signal blocked, and SIGPIPE and SIGXFSZ at
 * their defaults. Returns an errno. */
static int spawn_shell(const char *command, char **environment, int input, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t ignored;
    (void)sigemptyset(&none);
    (void)sigemptyset(&ignored);
    (void)sigaddset(&ignored, SIGPIPE);
    (void)sigaddset(&ignored, SIGXFSZ);
    int rv = posix_spawn_file_actions_init(&actions);
    if (rv != 0) {
        return rv;
    }
    rv = posix_spawnattr_init(&attributes);
    if (rv == 0) {
        (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        (void)posix_spawnattr_setsigdefault(&attributes, &ignored);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        char shell[] = "sh";
        char option[] = "-c";
        char *argv[] = {shell, option, (char *)(uintptr_t)command, NULL};
        rv = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rv;
}

/* Opens a pipe that the child does not inherit, except the end that becomes its standard input. */
static bool open_pipe(int ends[2])
{
    if (pipe(ends) != 0) {
        return false;
    }
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return true;
}

/* Formats the message as a line, which the caller frees. Reports any outcome but CHILD_DONE on
 * standard error. */
static enum child_outcome make_line(const Weir__V1__Message *message, char **line, size_t *n)
{
    struct weir_error err;
    weir_error_init(&err);
    FILE *out = open_memstream(line, n);
    bool is_whole = out != NULL && record_write(out, message, &err) == WEIR_OK && ferror(out) == 0;
    is_whole = out != NULL && fclose(out) == 0 && is_whole;
    if (is_whole) {
        return CHILD_DONE;
    }
    const bool has_no_text = err.status != WEIR_OK;
    (void)fprintf(stderr, "weir: cannot make the command's input: %s\n",
                  has_no_text ? err.text : "out of memory");
    return has_no_text ? CHILD_FAILED : CHILD_NOT_RUN;
}

/* Writes the line to the command and closes the pipe. Ignores errors: a command need not read its
 * input. */
static void feed(int fd, const char *line, size_t n)
{
    FILE *out = fdopen(fd, "w");
    if (out == NULL) {
        (void)close(fd);
        return;
    }
    (void)fwrite(line, 1, n, out);
    (void)fclose(out);
}

/* Whether a shell's exit status says that a signal ended its command: 128 plus the signal's number.
 * Higher statuses do not, such as the 255 that some programs fail with. */
static bool tells_of_signal(int status)
{
    return status > 128 && status <= 128 + SIGRTMAX;
}

/* Whether a shell's exit status says that there was nothing to run: no such command, or not an
 * executable one. That is no message's fault; were it a failure, one misspelt command would have
 * all of a consumer's messages parked. */
static bool tells_of_no_command(int status)
{
    return status == 127 || status == 126;
}

static enum child_outcome wait_child(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            (void)fprintf(stderr, "weir: cannot wait for the command: %s\n", strerror(errno));
            return CHILD_NOT_RUN;
        }
    }
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "weir: the command was ended by signal %d\n", WTERMSIG(status));
        return CHILD_KILLED;
    }
    if (tells_of_no_command(WEXITSTATUS(status))) {
        (void)fprintf(stderr, "weir: the command cannot be run: the shell ended with status %d\n",
                      WEXITSTATUS(status));
        return CHILD_NOT_RUN;
    }
    if (WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "weir: the command failed with status %d\n", WEXITSTATUS(status));
        return tells_of_signal(WEXITSTATUS(status)) ? CHILD_KILLED : CHILD_FAILED;
    }
    return CHILD_DONE;
}

/* Runs the command with the line as its input. E2BIG counts as a failure of the message, whose
 * names may be too long for an environment; any other error that keeps a program from starting does
 * not depend on the message. */
static enum child_outcome run(const char *command, char **environment, const char *line, size_t n)
{
    int ends[2];
    pid_t pid = 0;
    if (!open_pipe(ends)) {
        (void)fprintf(stderr, "weir: cannot make a pipe for the command: %s\n", strerror(errno));
        return CHILD_NOT_RUN;
    }
    const int rv = spawn_shell(command, environment, ends[0], &pid);
    (void)close(ends[0]);
    if (rv != 0) {
        (void)close(ends[1]);
        (void)fprintf(stderr, "weir: cannot run the command: %s\n", strerror(rv));
        return rv == E2BIG ? CHILD_FAILED : CHILD_NOT_RUN;
    }
    feed(ends[1], line, n);
    return wait_child(pid);
}

enum child_outcome child_run(const char *command, const Weir__V1__Message *message,
                             uint32_t attempt)
{
    char *line = NULL;
    size_t n = 0;
    enum child_outcome outcome = make_line(message, &line, &n);
    struct weir_arena arena;
    weir_arena_init(&arena, SIZE_MAX, 0);
    char **environment = outcome == CHILD_DONE ? make_environment(&arena, message, attempt) : NULL;
    if (environment != NULL) {
        outcome = run(command, environment, line, n);
    } else if (outcome == CHILD_DONE) {
        (void)fprintf(stderr, "weir: cannot make the command's environment: out of memory\n");
        outcome = CHILD_NOT_RUN;
    }
    weir_arena_fini(&arena);
    free(line);
    return outcome;
}
