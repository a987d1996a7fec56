/* The token file and the namespace change together, in a turn (begin_turn, end_turn): a mutex for
 * threads and a lock on the store's directory for other processes. A turn is held over calls of the
 * store, so no other lock of the server may be held when one begins. A file is written beside the
 * real one, synced and renamed, so that a crash leaves the old one or the new one. */
#include "server/namespaces/default_namespace.h"

#include "weir/base/monotonic.h"
#include "weir/rules/token_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static const char file_name[] = "default.token";
static const char next_suffix[] = ".next";        // of the file with the token after a deletion
static const char rotated_suffix[] = ".rotated";  // of the one with the token of a rotation

enum {
    TOKEN_ROOM = WEIR_TOKEN_TEXT_MAX_BYTES + 1,
    LOCK_US = 5 * 1000 * 1000,  // a lock held for longer belongs to a process that hangs
    LOCK_PAUSE_MS = 5
};

static weir_status file_failed(struct weir_error *err, const char *path, const char *what)
{
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "cannot %s %s: %s", what, path,
                     strerror(errno));
}

static bool path_of(const char *directory, const char *suffix, char path[PATH_MAX])
{
    const int n = snprintf(path, PATH_MAX, "%s/%s%s", directory, file_name, suffix);
    return n > 0 && n < PATH_MAX;
}

/* ---- one at a time ---- */

/* Held while the file is changed, or the namespace is created with its token, and during the lookup
 * of the namespace that comes before either. Other processes are kept out by a lock on the
 * directory; some file systems have no such lock, and only threads exclude each other there. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* Waits for the turn, for LOCK_US at most where another process has it. Returns the descriptor of
 * the directory, for end_turn; -1 where there is none. */
static int begin_turn(const char *directory)
{
    (void)pthread_mutex_lock(&turn);
    const int fd = directory == NULL ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int64_t until_us = weir_monotonic_us() + LOCK_US;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK &&
           weir_monotonic_us() < until_us) {
        (void)poll(NULL, 0, LOCK_PAUSE_MS);
    }
    return fd;
}

static void end_turn(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
    (void)pthread_mutex_unlock(&turn);
}

/* ---- the file ---- */

/* Reads the token; leaves it "" and returns OK where there is no file. */
static weir_status read_file(const char *path, char token[TOKEN_ROOM], struct weir_error *err)
{
    if (!weir_token_read_file(path, token) && errno != 0) {
        return errno == ENOENT ? WEIR_OK : file_failed(err, path, "read");
    }
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    if (!weir_token_parse(weir_slice_of(token), id, &id_n) ||
        !weir_namespace_is_default(weir_slice(id, id_n))) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "%s does not hold a token of namespace default: remove the file, or name "
                         "another one with --default-token-file",
                         path);
    }
    return WEIR_OK;
}

static void sync_directory(const char *directory)
{
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        /* Some file systems cannot sync a directory; the file itself is synced. */
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* Writes a file beside the real one, complete and durable before it gets the real name. */
static weir_status write_temporary(const char *path, const char *token, struct weir_error *err)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return file_failed(err, path, "create");
    }
    char line[TOKEN_ROOM + 1];
    const int n = snprintf(line, sizeof line, "%s\n", token);
    const bool is_written = write(fd, line, (size_t)n) == n && fsync(fd) == 0;
    const weir_status st = is_written ? WEIR_OK : file_failed(err, path, "write");
    (void)close(fd);
    if (st != WEIR_OK) {
        (void)unlink(path);
    }
    return st;
}

static weir_status too_long(const char *directory, struct weir_error *err)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "%s: the path is too long", directory);
}

/* Writes a token to the file of this suffix. Unless `replaces`, an existing file stays. */
static weir_status write_file(const char *directory, const char *suffix, const char *token,
                              bool replaces, struct weir_error *err)
{
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    char own_suffix[32];
    (void)snprintf(own_suffix, sizeof own_suffix, ".%ld", (long)getpid());
    if (!path_of(directory, suffix, path) || !path_of(directory, own_suffix, temporary)) {
        return too_long(directory, err);
    }
    (void)unlink(temporary);
    weir_status st = write_temporary(temporary, token, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (replaces ? rename(temporary, path) != 0 : link(temporary, path) != 0 && errno != EEXIST) {
        st = file_failed(err, path, "create");
    }
    if (!replaces || st != WEIR_OK) {
        (void)unlink(temporary);
    }
    sync_directory(directory);
    return st;
}

/* Renames the prepared file of this suffix to the real one; no change where none was prepared, or
 * another server has renamed it. */
static weir_status take_prepared(const char *directory, const char *suffix, struct weir_error *err)
{
    char path[PATH_MAX];
    char prepared[PATH_MAX];
    if (!path_of(directory, "", path) || !path_of(directory, suffix, prepared)) {
        return too_long(directory, err);
    }
    if (rename(prepared, path) != 0) {
        return errno == ENOENT ? WEIR_OK : file_failed(err, prepared, "rename");
    }
    sync_directory(directory);
    return WEIR_OK;
}

static void remove_rotated(const char *directory)
{
    char path[PATH_MAX];
    if (path_of(directory, rotated_suffix, path)) {
        (void)unlink(path);
    }
}

/* ---- the namespace ---- */

static weir_status make_token(char token[TOKEN_ROOM], struct weir_error *err)
{
    return weir_token_make(weir_slice_of(WEIR_DEFAULT_NAMESPACE), token, err);
}

/* Reads the token of a store in a directory from its file, which is written first where it is
 * missing. Two servers that start together end up with the same token. */
static weir_status token_of_directory(const char *directory, char token[TOKEN_ROOM],
                                      struct weir_error *err)
{
    char path[PATH_MAX];
    if (!path_of(directory, "", path)) {
        return too_long(directory, err);
    }
    weir_status st = take_prepared(directory, next_suffix, err);
    if (st == WEIR_OK) {
        st = read_file(path, token, err);
    }
    if (st != WEIR_OK || token[0] != '\0') {
        return st;
    }
    st = make_token(token, err);
    if (st == WEIR_OK) {
        st = write_file(directory, "", token, false, err);
    }
    if (st == WEIR_OK) {
        st = read_file(path, token, err);
    }
    return st == WEIR_OK && token[0] == '\0'
               ? weir_fail(err, WEIR_PRECONDITION, "%s is a dangling symbolic link", path)
               : st;
}

static weir_status create(struct weir_store *store, const struct weir_config *config,
                          const struct weir_log *log, struct weir_error *err)
{
    const char *directory = weir_store_traits(config->store).directory;
    char token[TOKEN_ROOM];
    weir_status st = WEIR_OK;
    if (config->default_token[0] != '\0') {
        (void)snprintf(token, sizeof token, "%s", config->default_token);
    } else if (directory != NULL) {
        st = token_of_directory(directory, token, err);
    } else {
        st = make_token(token, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_namespace_record record = {.id = weir_slice_of(WEIR_DEFAULT_NAMESPACE)};
    weir_token_hash(weir_slice_of(token), &record.token_hash);
    bool is_same = false;
    st = weir_namespace_create(store, &record, INT64_MAX, &is_same, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (config->default_token[0] == '\0' && directory != NULL) {
        weir_log_say(log, WEIR_LOG_INFO, "created namespace default; its token is in %s/%s",
                     directory, file_name);
    } else if (config->default_token[0] == '\0') {
        (void)fprintf(stderr, "token of namespace default: %s\n", token);
    }
    return WEIR_OK;
}

static bool is_of(const struct weir_namespace_record *record, const char *token)
{
    struct weir_token_hash hash;
    weir_token_hash(weir_slice_of(token), &hash);
    return weir_token_hash_equal(&hash, &record->token_hash);
}

/* Completes a rotation that was interrupted after the store had changed the token and before the
 * file had: the prepared token is then that of the namespace. Any other is removed. */
static weir_status complete_rotation(const char *directory,
                                     const struct weir_namespace_record *record,
                                     struct weir_error *err)
{
    char path[PATH_MAX];
    char token[TOKEN_ROOM] = "";
    struct weir_error ignored;
    weir_error_init(&ignored);
    if (directory == NULL || !path_of(directory, rotated_suffix, path)) {
        return WEIR_OK;
    }
    if (read_file(path, token, &ignored) == WEIR_OK && is_of(record, token)) {
        return take_prepared(directory, rotated_suffix, err);
    }
    remove_rotated(directory);
    return WEIR_OK;
}

static weir_status check_token(const struct weir_config *config,
                               const struct weir_namespace_record *record, struct weir_error *err)
{
    return config->default_token[0] == '\0' || is_of(record, config->default_token)
               ? WEIR_OK
               : weir_fail(err, WEIR_PRECONDITION,
                           "the configured token is not the present token of namespace default: "
                           "give the present token with --default-token-file or "
                           "WEIR_DEFAULT_TOKEN, or start without either");
}

static weir_status find(struct weir_store *store, struct weir_namespace_record *record,
                        struct weir_error *err)
{
    struct weir_arena arena;
    weir_arena_init(&arena, WEIR_NAMESPACE_RECORD_BYTES_MAX, 0);
    record->id = weir_slice_of(WEIR_DEFAULT_NAMESPACE);
    const weir_status st = weir_namespace_find(store, record, INT64_MAX, &arena, err);
    weir_arena_fini(&arena);
    return st;
}

weir_status weir_default_namespace_ensure(struct weir_store *store,
                                          const struct weir_config *config,
                                          const struct weir_log *log, struct weir_error *err)
{
    struct weir_namespace_record record;
    const char *directory = weir_store_traits(config->store).directory;
    const int fd = begin_turn(directory);
    weir_status st = find(store, &record, err);
    const bool is_missing = st == WEIR_NAMESPACE_NOT_FOUND;
    if (is_missing) {
        st = create(store, config, log, err);
    } else if (st == WEIR_OK) {
        st = complete_rotation(directory, &record, err);
    }
    end_turn(fd);
    if (is_missing && st == WEIR_NAMESPACE_EXISTS) {
        /* Another server that starts at the same time was faster. */
        st = find(store, &record, err);
    } else if (is_missing) {
        return st;
    }
    return st == WEIR_OK ? check_token(config, &record, err) : st;
}

/* Returns the store's directory if the token file is in it; NULL otherwise. */
static const char *directory_with_file(const struct weir_config *config)
{
    const char *directory = weir_store_traits(config->store).directory;
    char path[PATH_MAX];
    return directory != NULL && path_of(directory, "", path) && access(path, F_OK) == 0 ? directory
                                                                                        : NULL;
}

/* Whether `token` is still the namespace's: if it has changed again, the later call writes the
 * file. True as well where the store does not tell. */
static bool has_token(struct weir_store *store, const char *token)
{
    struct weir_namespace_record record;
    struct weir_error ignored;
    weir_error_init(&ignored);
    const weir_status st = find(store, &record, &ignored);
    return st == WEIR_OK ? is_of(&record, token) : st != WEIR_NAMESPACE_NOT_FOUND;
}

/* Prepares the file of this suffix, in a turn of its own. */
static weir_status prepare(const char *directory, const char *suffix, const char *token,
                           struct weir_error *err)
{
    const int fd = begin_turn(directory);
    const weir_status st = write_file(directory, suffix, token, true, err);
    end_turn(fd);
    return st;
}

weir_status weir_default_namespace_prepare_rotation(const struct weir_config *config,
                                                    const char *token, struct weir_error *err)
{
    const char *directory = directory_with_file(config);
    return directory == NULL ? WEIR_OK : prepare(directory, rotated_suffix, token, err);
}

weir_status weir_default_namespace_keep_token(const struct weir_config *config,
                                              struct weir_store *store, const char *token,
                                              struct weir_error *err)
{
    const char *directory = directory_with_file(config);
    if (directory == NULL) {
        return WEIR_OK;
    }
    const int fd = begin_turn(directory);
    weir_status st = WEIR_OK;
    if (has_token(store, token)) {
        st = write_file(directory, "", token, true, err);
        if (st == WEIR_OK) {
            remove_rotated(directory);
        }
    }
    end_turn(fd);
    return st;
}

weir_status weir_default_namespace_prepare_token(const struct weir_config *config,
                                                 struct weir_error *err)
{
    const char *directory = directory_with_file(config);
    char token[TOKEN_ROOM];
    if (directory == NULL) {
        return WEIR_OK;
    }
    const weir_status st = make_token(token, err);
    return st == WEIR_OK ? prepare(directory, next_suffix, token, err) : st;
}

weir_status weir_default_namespace_take_prepared_token(const struct weir_config *config,
                                                       struct weir_store *store,
                                                       struct weir_error *err)
{
    const char *directory = directory_with_file(config);
    struct weir_namespace_record record;
    struct weir_error ignored;
    weir_error_init(&ignored);
    if (directory == NULL) {
        return WEIR_OK;
    }
    const int fd = begin_turn(directory);
    const weir_status st = find(store, &record, &ignored) == WEIR_OK
                               ? WEIR_OK  // made anew meanwhile, with a token of its own
                               : take_prepared(directory, next_suffix, err);
    end_turn(fd);
    return st;
}
