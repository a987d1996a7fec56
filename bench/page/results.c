#include "bench/page/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 1024, KEY_BYTES = 64 };

/* A cached result file. */
struct loaded {
    struct loaded *next;
    char *name;
    size_t round;
    json_t *json;  // NULL if the file does not exist
};

struct results {
    char *directory;
    size_t rounds;
    struct loaded *loaded;
};

static size_t count_rounds(const char *directory)
{
    size_t n = 0;
    char path[PATH_BYTES];
    struct stat st;
    do {
        (void)snprintf(path, sizeof path, "%s/%zu", directory, ++n);
    } while (n <= RESULTS_ROUNDS_MAX && stat(path, &st) == 0);
    return n - 1;
}

struct results *results_open(const char *directory)
{
    const size_t rounds = count_rounds(directory);
    if (rounds == 0) {
        (void)fprintf(stderr, "%s: no results found\n", directory);
        return NULL;
    }
    struct results *results = calloc(1, sizeof *results);
    if (results != NULL) {
        results->rounds = rounds;
        results->directory = strdup(directory);
    }
    if (results == NULL || results->directory == NULL) {
        (void)fputs("out of memory\n", stderr);
        free(results);
        return NULL;
    }
    return results;
}

void results_close(struct results *results)
{
    while (results->loaded != NULL) {
        struct loaded *loaded = results->loaded;
        results->loaded = loaded->next;
        json_decref(loaded->json);
        free(loaded->name);
        free(loaded);
    }
    free(results->directory);
    free(results);
}

size_t results_rounds(const struct results *results)
{
    return results->rounds;
}

static json_t *load(const struct results *results, const char *name, size_t round)
{
    char path[PATH_BYTES];
    json_error_t error;
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/%zu/%s.json", results->directory, round, name);
    if (stat(path, &st) != 0 || st.st_size == 0) {
        return NULL;
    }
    json_t *json = json_load_file(path, 0, &error);
    if (json == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, error.text);
    }
    return json;
}

json_t *results_find(struct results *results, const char *name, size_t round)
{
    for (const struct loaded *l = results->loaded; l != NULL; l = l->next) {
        if (l->round == round && strcmp(l->name, name) == 0) {
            return l->json;
        }
    }
    struct loaded *loaded = calloc(1, sizeof *loaded);
    char *copy = strdup(name);
    if (loaded == NULL || copy == NULL) {
        free(loaded);
        free(copy);
        return NULL;
    }
    *loaded = (struct loaded){results->loaded, copy, round, load(results, name, round)};
    results->loaded = loaded;
    return loaded->json;
}

/* Returns a member of an object, or an element of an array by its index. */
static const json_t *child(const json_t *json, const char *key)
{
    if (json_is_array(json)) {
        return json_array_get(json, strtoul(key, NULL, 10));
    }
    return json_object_get(json, key);
}

/* Returns the number at the end of a path, or NAN. The names of percentiles contain dots, so the
 * rest of the path is tried as one key first. */
static double number_at(const json_t *json, const char *path)
{
    if (json == NULL) {
        return NAN;
    }
    const json_t *whole = child(json, path);
    if (json_is_number(whole)) {
        return json_number_value(whole);
    }
    const char *dot = strchr(path, '.');
    if (dot == NULL || (size_t)(dot - path) >= KEY_BYTES) {
        return NAN;
    }
    char key[KEY_BYTES];
    memcpy(key, path, (size_t)(dot - path));
    key[dot - path] = '\0';
    return number_at(child(json, key), dot + 1);
}

size_t results_figure(struct results *results, const char *name, const char *path,
                      double values[RESULTS_ROUNDS_MAX])
{
    size_t n = 0;
    for (size_t r = 0; r < results->rounds; r++) {
        values[r] = number_at(results_find(results, name, r + 1), path);
        n += isnan(values[r]) ? 0 : 1;
    }
    return n;
}

struct estimate results_estimate_of(const double values[RESULTS_ROUNDS_MAX], size_t n)
{
    double there[RESULTS_ROUNDS_MAX];
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(values[i])) {
            there[found++] = values[i];
        }
    }
    return stats_estimate(there, found);
}

struct estimate results_estimate(struct results *results, const char *name, const char *path)
{
    double values[RESULTS_ROUNDS_MAX];
    (void)results_figure(results, name, path, values);
    return results_estimate_of(values, results->rounds);
}
