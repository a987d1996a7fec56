/* The file of contexts: the contexts read are those that jansson finds, and a saved file reads back
 * as the same contexts. */
#include "client/cli/context.h"
#include "tests/fuzz/fuzz.h"
#include "weir/rules/json_text.h"

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[128];

static void remove_directory(void)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
    (void)rmdir(directory);
}

/* Makes one directory per process, in memory if possible, because saving waits for the disk. */
static void make_directory(void)
{
    if (path[0] == '\0') {
        (void)snprintf(directory, sizeof directory, "%s/fuzz_context_XXXXXX",
                       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        require(mkdtemp(directory) != NULL && setenv("XDG_CONFIG_HOME", directory, 1) == 0);
        (void)snprintf(path, sizeof path, "%s/weir", directory);
        require(mkdir(path, 0700) == 0);
        (void)snprintf(path, sizeof path, "%s/weir/contexts.json", directory);
        require(atexit(remove_directory) == 0);
    }
}

static void write_file(struct weir_slice text)
{
    FILE *file = fopen(path, "wb");
    require(file != NULL && (text.n == 0 || fwrite(text.p, 1, text.n, file) == text.n));
    require(fclose(file) == 0);
}

static bool same(const char *a, const char *b)
{
    return weir_slice_equal(weir_slice_of(a), weir_slice_of(b));
}

/* ---- against jansson ---- */

static void compare_settings(const struct context *ours, const json_t *theirs)
{
    static const char *const names[CONTEXT_SETTINGS] = {
        [CONTEXT_SERVER] = "server",       [CONTEXT_TOKEN_FILE] = "token_file",
        [CONTEXT_NAMESPACE] = "namespace", [CONTEXT_TLS_CA] = "tls_ca",
        [CONTEXT_TLS_CERT] = "tls_cert",   [CONTEXT_TLS_KEY] = "tls_key",
    };
    for (size_t s = 0; s < CONTEXT_SETTINGS; s++) {
        require(same(ours->settings[s], json_string_value(json_object_get(theirs, names[s]))));
    }
}

/* Duplicate and escaped names are not compared; their effect is the file author's concern. */
static void compare(const struct contexts *ours, struct weir_slice text)
{
    json_t *root =
        json_loadb((const char *)text.p, text.n,
                   JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES, NULL);
    json_t *theirs = json_object_get(root, "contexts");
    if (root != NULL && memchr(text.p, '\\', text.n) == NULL) {
        const char *name;
        json_t *context;
        require(ours->n == json_object_size(theirs));
        require(same(ours->current, json_string_value(json_object_get(root, "current"))));
        json_object_foreach(theirs, name, context)
        {
            const struct context *found = contexts_find(ours, name);
            require(found != NULL);
            compare_settings(found, context);
        }
    }
    json_decref(root);
}

/* ---- saved and read again ---- */

static void save_and_load(const struct contexts *first)
{
    struct weir_error err;
    weir_error_init(&err);
    struct contexts second;
    require(contexts_save(first, &err) == WEIR_OK && contexts_load(&second, &err) == WEIR_OK);
    require(second.n == first->n && same(second.current, first->current));
    for (size_t i = 0; i < first->n; i++) {
        require(same(second.all[i].name, first->all[i].name));
        for (size_t s = 0; s < CONTEXT_SETTINGS; s++) {
            require(same(second.all[i].settings[s], first->all[i].settings[s]));
        }
    }
    contexts_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_slice text = weir_slice(data, size);
    struct weir_error err;
    weir_error_init(&err);
    make_directory();
    write_file(text);
    const bool is_json = weir_json_check(text, "contexts", NULL, &err) == WEIR_OK;
    struct contexts contexts;
    const weir_status st = contexts_load(&contexts, &err);
    const bool is_refused = !is_json || strstr(err.text, "more than 256 contexts") != NULL;
    require(st == (is_refused ? WEIR_INVALID_REQUEST : WEIR_OK));
    if (st == WEIR_OK) {
        compare(&contexts, text);
        save_and_load(&contexts);
        contexts_free(&contexts);
    }
    return 0;
}
