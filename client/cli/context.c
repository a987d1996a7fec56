/* Reads, changes and writes the file of contexts. Changes happen in memory; saving replaces the
 * file as a whole. */

/* For realpath, which is an X/Open function in glibc. */
#define _XOPEN_SOURCE 700

#include "client/cli/context.h"

#include "client/cli/json_walk.h"
#include "client/lib/json_out.h"
#include "weir/rules/json_text.h"
#include "weir/rules/utf8.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static const char *const setting_names[CONTEXT_SETTINGS] = {
    [CONTEXT_SERVER] = "server",       [CONTEXT_TOKEN_FILE] = "token_file",
    [CONTEXT_NAMESPACE] = "namespace", [CONTEXT_TLS_CA] = "tls_ca",
    [CONTEXT_TLS_CERT] = "tls_cert",   [CONTEXT_TLS_KEY] = "tls_key",
};

/* ---- the file ---- */

static bool find_directory(char *path, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (config != NULL && config[0] == '/') {
        n = snprintf(path, size, "%s/weir", config);
    } else if (home != NULL && home[0] != '\0') {
        n = snprintf(path, size, "%s/.config/weir", home);
    }
    return n > 0 && (size_t)n < size;
}

static bool find_file(char *path, size_t size)
{
    char directory[PATH_MAX];
    if (!find_directory(directory, sizeof directory)) {
        return false;
    }
    const int n = snprintf(path, size, "%s/contexts.json", directory);
    return n > 0 && (size_t)n < size;
}

static weir_status fail_file(struct weir_error *err, const char *path, const char *reason)
{
    return weir_fail(err, WEIR_INVALID_REQUEST, "'%s': %s", path, reason);
}

/* Reads the file into the arena; *text is absent if there is no file. */
static weir_status read_file(struct contexts *contexts, const char *path, struct weir_slice *text,
                             struct weir_error *err)
{
    *text = weir_slice(NULL, 0);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return errno == ENOENT ? WEIR_OK : fail_file(err, path, strerror(errno));
    }
    uint8_t *bytes = weir_arena_bytes(&contexts->arena, FILE_BYTES_MAX + 1);
    const size_t n = bytes == NULL ? 0 : fread(bytes, 1, FILE_BYTES_MAX + 1, file);
    const bool is_whole = bytes != NULL && ferror(file) == 0 && n <= FILE_BYTES_MAX;
    (void)fclose(file);
    if (!is_whole) {
        return fail_file(err, path, "cannot be read, or is too long");
    }
    *text = weir_slice(bytes, n);
    return WEIR_OK;
}

/* ---- reading ---- */

/* Returns the string of a checked JSON value; NULL for any other value. */
static const char *take_text(struct contexts *contexts, struct weir_slice value)
{
    size_t n = 0;
    uint8_t *text =
        value.n == 0 || value.p[0] != '"' ? NULL : weir_arena_bytes(&contexts->arena, value.n + 1);
    if (text == NULL || !weir_json_unescape(value, text, &n)) {
        return NULL;
    }
    text[n] = '\0';
    return (const char *)text;
}

/* False beyond CONTEXTS_MAX contexts: the next save would lose the rest. */
static bool take_context(struct contexts *contexts, struct weir_slice key, struct weir_slice json)
{
    if (contexts->n == CONTEXTS_MAX) {
        return false;
    }
    struct context *c = &contexts->all[contexts->n++];
    c->name = take_text(contexts, key);
    size_t at = 0;
    struct weir_slice name;
    struct weir_slice value;
    const char *fault = NULL;
    while (json_next_member(json, &at, &name, &value, &fault)) {
        const struct weir_slice bare = weir_slice(name.p + 1, name.n - 2);
        for (size_t s = 0; s < CONTEXT_SETTINGS; s++) {
            if (weir_slice_is(bare, setting_names[s])) {
                c->settings[s] = take_text(contexts, value);
            }
        }
    }
    return true;
}

static bool take_contexts(struct contexts *contexts, struct weir_slice json)
{
    size_t at = 0;
    struct weir_slice name;
    struct weir_slice value;
    const char *fault = NULL;
    bool is_taken = true;
    while (is_taken && json_next_member(json, &at, &name, &value, &fault)) {
        is_taken = take_context(contexts, name, value);
    }
    return is_taken;
}

static bool take_file(struct contexts *contexts, struct weir_slice text)
{
    size_t at = 0;
    struct weir_slice name;
    struct weir_slice value;
    const char *fault = NULL;
    bool is_taken = true;
    while (is_taken && json_next_member(text, &at, &name, &value, &fault)) {
        if (weir_slice_is(name, "\"current\"")) {
            contexts->current = take_text(contexts, value);
        } else if (weir_slice_is(name, "\"contexts\"")) {
            is_taken = take_contexts(contexts, value);
        }
    }
    return is_taken;
}

weir_status contexts_load(struct contexts *contexts, struct weir_error *err)
{
    *contexts = (struct contexts){0};
    weir_arena_init(&contexts->arena, SIZE_MAX, 0);
    char path[PATH_MAX];
    if (!find_file(path, sizeof path)) {
        return WEIR_OK;
    }
    struct weir_slice text;
    weir_status st = read_file(contexts, path, &text, err);
    struct weir_error fault;
    weir_error_init(&fault);
    if (st == WEIR_OK && text.p != NULL &&
        weir_json_check(text, "contexts", NULL, &fault) != WEIR_OK) {
        st = fail_file(err, path, fault.text);
    }
    if (st == WEIR_OK && text.p != NULL && !take_file(contexts, text)) {
        st = weir_fail(err, WEIR_INVALID_REQUEST, "'%s' holds more than %d contexts", path,
                       CONTEXTS_MAX);
    }
    if (st != WEIR_OK) {
        contexts_free(contexts);
    }
    return st;
}

void contexts_free(struct contexts *contexts)
{
    weir_arena_fini(&contexts->arena);
}

/* ---- writing ---- */

static void put_context(FILE *out, const struct context *c)
{
    json_put_string(out, weir_slice_of(c->name));
    (void)fputs(":{", out);
    bool is_first = true;
    for (size_t s = 0; s < CONTEXT_SETTINGS; s++) {
        if (c->settings[s] != NULL) {
            (void)fprintf(out, "%s\"%s\":", is_first ? "" : ",", setting_names[s]);
            json_put_string(out, weir_slice_of(c->settings[s]));
            is_first = false;
        }
    }
    (void)fputc('}', out);
}

static void put_contexts(FILE *out, const struct contexts *contexts)
{
    (void)fputs("{\"current\":", out);
    if (contexts->current == NULL) {
        (void)fputs("null", out);
    } else {
        json_put_string(out, weir_slice_of(contexts->current));
    }
    (void)fputs(",\n\"contexts\":{", out);
    for (size_t i = 0; i < contexts->n; i++) {
        (void)fputs(i == 0 ? "\n" : ",\n", out);
        put_context(out, &contexts->all[i]);
    }
    (void)fputs("}}\n", out);
}

/* Makes the directory and its missing parents, accessible to the user alone. */
static bool make_directories(const char *path)
{
    char part[PATH_MAX];
    (void)snprintf(part, sizeof part, "%s", path);
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            if (mkdir(part, 0700) != 0 && errno != EEXIST) {
                return false;
            }
            *at = '/';
        }
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST;
}

/* Writes a file under a unique name, which replaces the X's of `temporary`: another program may be
 * saving at the same time. */
static bool write_file(const struct contexts *contexts, char *temporary)
{
    const int fd = mkstemp(temporary);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return false;
    }
    put_contexts(out, contexts);
    const bool is_written = fflush(out) == 0 && ferror(out) == 0 && fsync(fd) == 0;
    return fclose(out) == 0 && is_written;
}

weir_status contexts_save(const struct contexts *contexts, struct weir_error *err)
{
    char directory[PATH_MAX];
    char path[PATH_MAX];
    if (!find_directory(directory, sizeof directory) || !find_file(path, sizeof path)) {
        return weir_fail(err, WEIR_INVALID_REQUEST, "neither XDG_CONFIG_HOME nor HOME is set");
    }
    char temporary[PATH_MAX + 16];
    (void)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (!make_directories(directory)) {
        return fail_file(err, directory, strerror(errno));
    }
    if (!write_file(contexts, temporary) || rename(temporary, path) != 0) {
        const int failure = errno;
        (void)unlink(temporary);
        return fail_file(err, path, strerror(failure));
    }
    return WEIR_OK;
}

/* ---- changing ---- */

static struct context *find(struct contexts *contexts, const char *name)
{
    for (size_t i = 0; i < contexts->n; i++) {
        if (contexts->all[i].name != NULL && strcmp(contexts->all[i].name, name) == 0) {
            return &contexts->all[i];
        }
    }
    return NULL;
}

const struct context *contexts_find(const struct contexts *contexts, const char *name)
{
    return find((struct contexts *)(uintptr_t)contexts, name);
}

static const char *keep(struct contexts *contexts, const char *text)
{
    struct weir_slice copy;
    return weir_arena_copy(&contexts->arena, weir_slice_of(text), &copy) ? (const char *)copy.p
                                                                         : NULL;
}

static bool is_file(size_t setting)
{
    return setting != CONTEXT_SERVER && setting != CONTEXT_NAMESPACE;
}

/* Checks that a text is UTF-8: a file with any other text in it could not be read again. */
static weir_status check_text(const char *text, struct weir_error *err)
{
    return weir_utf8_is_valid(weir_slice_of(text))
               ? WEIR_OK
               : weir_fail(err, WEIR_INVALID_REQUEST, "'%s' is not UTF-8", text);
}

static weir_status put_setting(struct contexts *contexts, size_t setting, const char *text,
                               const char **kept, struct weir_error *err)
{
    char absolute[PATH_MAX];
    const char *path = is_file(setting) ? realpath(text, absolute) : text;
    if (path == NULL) {
        return fail_file(err, text, strerror(errno));
    }
    const weir_status st = check_text(path, err);
    if (st == WEIR_OK) {
        *kept = keep(contexts, path);
    }
    return st;
}

weir_status contexts_put(struct contexts *contexts, const char *name,
                         const char *const settings[CONTEXT_SETTINGS], struct weir_error *err)
{
    struct context *c = find(contexts, name);
    weir_status st = check_text(name, err);
    if (st == WEIR_OK && c == NULL && contexts->n == CONTEXTS_MAX) {
        st = weir_fail(err, WEIR_INVALID_REQUEST,
                       "there are already %d contexts, the most that can be kept", CONTEXTS_MAX);
    }
    if (st != WEIR_OK) {
        return st;
    }
    if (c == NULL) {
        c = &contexts->all[contexts->n++];
    }
    *c = (struct context){.name = keep(contexts, name)};
    if (contexts->current == NULL) {
        contexts->current = c->name;
    }
    for (size_t s = 0; st == WEIR_OK && s < CONTEXT_SETTINGS; s++) {
        if (settings[s] != NULL) {
            st = put_setting(contexts, s, settings[s], &c->settings[s], err);
        }
    }
    return st;
}

bool contexts_use(struct contexts *contexts, const char *name)
{
    const struct context *c = find(contexts, name);
    if (c != NULL) {
        contexts->current = c->name;
    }
    return c != NULL;
}

bool contexts_remove(struct contexts *contexts, const char *name)
{
    struct context *c = find(contexts, name);
    if (c == NULL) {
        return false;
    }
    if (contexts->current != NULL && strcmp(contexts->current, name) == 0) {
        contexts->current = NULL;
    }
    const size_t i = (size_t)(c - contexts->all);
    memmove(c, c + 1, (contexts->n - i - 1) * sizeof *c);
    contexts->n--;
    return true;
}
