/* Writes an export through zlib, to a temporary file that gets its name at the end. The signals
 * that end the program remove the temporary file; its name is in a static variable for their
 * handler. */
#define _DEFAULT_SOURCE  // realpath
#include "client/cli/export_file.h"

#include "client/cli/ending_signals.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* LINKS_MAX: symbolic links in a row, as many as Linux follows. */
enum { GZ_BUFFER_BYTES = 256 << 10, LINKS_MAX = 40 };

struct export_file {
    gzFile gz;
    int fd;      // second descriptor of the file, for fsync; -1 for standard output
    char *path;  // final name; NULL for a device, pipe or standard output
};

/* The file that a signal handler removes when it ends the program; empty: none. Changes only while
 * those signals are blocked. */
static char temporary[PATH_MAX];

static void on_signal(int number)
{
    if (temporary[0] != '\0') {
        (void)unlink(temporary);
    }
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void act_on(const sigset_t *set, int number, const struct sigaction *action)
{
    if (sigismember(set, number) == 1) {
        (void)sigaction(number, action, NULL);
    }
}

static void remember_temporary(const char *path)
{
    sigset_t set;
    sigset_t before;
    ending_signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, &before);
    (void)snprintf(temporary, sizeof temporary, "%s", path);
    const struct sigaction action = {.sa_handler = path[0] == '\0' ? SIG_DFL : on_signal};
    act_on(&set, SIGINT, &action);
    act_on(&set, SIGTERM, &action);
    act_on(&set, SIGHUP, &action);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Returns the permissions of a new file. */
static mode_t new_mode(void)
{
    const mode_t mask = umask(0);
    (void)umask(mask);
    return 0666 & ~mask;
}

/* Opens a new file beside `path`. */
static int open_temporary(const char *path, mode_t mode)
{
    char name[PATH_MAX];
    const int n = snprintf(name, sizeof name, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int fd = mkstemp(name);
    if (fd < 0) {
        return -1;
    }
    remember_temporary(name);
    (void)fchmod(fd, mode);
    return fd;
}

/* Replaces `path`, if it is a symbolic link, by its target. False if it is none. */
static bool follow_link(char path[PATH_MAX])
{
    char target[PATH_MAX];
    const ssize_t n = readlink(path, target, sizeof target);
    if (n <= 0) {
        return false;
    }
    const char *slash = strrchr(path, '/');
    const size_t folder_n = slash == NULL || target[0] == '/' ? 0 : (size_t)(slash - path) + 1;
    if (folder_n + (size_t)n >= PATH_MAX) {
        return false;
    }
    memcpy(path + folder_n, target, (size_t)n);
    path[folder_n + (size_t)n] = '\0';
    return true;
}

/* Returns the name of a file that does not exist yet, at the end of symbolic links if `path` is
 * one; the caller frees it. */
static char *name_new(const char *path)
{
    char name[PATH_MAX];
    if ((size_t)snprintf(name, sizeof name, "%s", path) >= sizeof name) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    for (int links = 0; links < LINKS_MAX && follow_link(name); links++) {
    }
    return strdup(name);
}

/* Opens the output. A device or pipe is written to directly, because a file in its place would
 * break it. Symbolic links stay, and their target is made or replaced. A replaced file keeps its
 * permissions, which may be for its owner alone. */
static int open_output(struct export_file *file, const char *path)
{
    struct stat info;
    const bool is_there = stat(path, &info) == 0;
    if (is_there && !S_ISREG(info.st_mode)) {
        return open(path, O_WRONLY | O_CLOEXEC);
    }
    if (!is_there && errno != ENOENT) {
        return -1;
    }
    file->path = is_there ? realpath(path, NULL) : name_new(path);
    const mode_t mode = is_there ? info.st_mode & 0777 : new_mode();
    return file->path == NULL ? -1 : open_temporary(file->path, mode);
}

static gzFile open_gz(int fd, bool is_gzip)
{
    const int own = dup(fd);
    if (own < 0) {
        return NULL;
    }
    /* "T" makes zlib pass the bytes through. */
    gzFile gz = gzdopen(own, is_gzip ? "wb" : "wbT");
    if (gz == NULL) {
        (void)close(own);
        errno = ENOMEM;
    } else {
        (void)gzbuffer(gz, GZ_BUFFER_BYTES);
    }
    return gz;
}

static void remove_temporary(void)
{
    if (temporary[0] != '\0') {
        (void)unlink(temporary);
        remember_temporary("");
    }
}

struct export_file *export_file_open(const char *path, bool is_gzip)
{
    struct export_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    file->fd = path == NULL ? -1 : open_output(file, path);
    if (path == NULL || file->fd >= 0) {
        file->gz = open_gz(path == NULL ? STDOUT_FILENO : file->fd, is_gzip);
    }
    if (file->gz == NULL) {
        const int failure = errno;
        export_file_abandon(file);
        errno = failure;
        return NULL;
    }
    return file;
}

bool export_file_is_terminal(const struct export_file *file)
{
    return isatty(file->fd < 0 ? STDOUT_FILENO : file->fd) == 1;
}

/* zlib reports the error of a failed write in errno. */
bool export_file_write(struct export_file *file, const void *bytes, size_t n)
{
    while (n > 0) {
        const unsigned part = n > 1 << 20 ? 1 << 20 : (unsigned)n;
        errno = 0;
        if (gzwrite(file->gz, bytes, part) != (int)part) {
            errno = errno == 0 ? EIO : errno;
            return false;
        }
        bytes = (const char *)bytes + part;
        n -= part;
    }
    return true;
}

/* Writes the file's new name to disk, by syncing its directory. A directory that may be written but
 * not read cannot be synced, and some file systems sync none; neither is a failure of the
 * export. */
static bool sync_directory(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno == EACCES;
    }
    const bool is_done = fsync(fd) == 0 || errno == EINVAL;
    const int failure = errno;
    (void)close(fd);
    errno = failure;
    return is_done;
}

static bool close_gz(struct export_file *file)
{
    errno = 0;
    const bool is_closed = gzclose(file->gz) == Z_OK;
    file->gz = NULL;
    if (!is_closed && errno == 0) {
        errno = EIO;
    }
    return is_closed;
}

bool export_file_finish(struct export_file *file)
{
    /* In this order: the rest of gzip, the bytes, the name. */
    bool is_done = close_gz(file);
    if (is_done && file->path != NULL) {
        is_done = fsync(file->fd) == 0 && rename(temporary, file->path) == 0;
        if (is_done) {
            remember_temporary("");
            is_done = sync_directory(file->path);
        }
    }
    const int failure = errno;
    export_file_abandon(file);
    errno = failure;
    return is_done;
}

void export_file_abandon(struct export_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->gz != NULL) {
        (void)gzclose(file->gz);
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    if (file->path != NULL) {
        remove_temporary();
    }
    free(file->path);
    free(file);
}
