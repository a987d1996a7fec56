#include "server/operation/samples.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Prometheus' text format, version 0.0.4. */

struct text {
    char *bytes;
    size_t n;
    size_t cap;
    bool is_broken;    // memory has run out
    const char *name;  // last name whose HELP and TYPE were written
};

static bool make_room(struct text *text, size_t n)
{
    if (text->is_broken || text->cap - text->n > n) {
        return !text->is_broken;
    }
    const size_t cap = 2 * text->cap + n + 4096;
    char *bytes = realloc(text->bytes, cap);
    if (bytes == NULL) {
        text->is_broken = true;
        return false;
    }
    text->bytes = bytes;
    text->cap = cap;
    return true;
}

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (n < 0 || !make_room(text, (size_t)n)) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text->bytes + text->n, text->cap - text->n, format, arguments);
    va_end(arguments);
    text->n += (size_t)n;
}

/* Writes the labels. Their values are this program's own and need no escapes. */
static void add_labels(struct text *text, const struct weir_sample *sample, const char *bound)
{
    const size_t n = sample->labels_n;
    if (n == 0 && bound == NULL) {
        return;
    }
    add(text, "{");
    for (size_t i = 0; i < n; i++) {
        add(text, "%s%s=\"%s\"", i == 0 ? "" : ",", sample->labels[i].name,
            sample->labels[i].value);
    }
    if (bound != NULL) {
        add(text, "%sle=\"%s\"", n == 0 ? "" : ",", bound);
    }
    add(text, "}");
}

static void add_histogram(struct text *text, const struct weir_sample *sample)
{
    const struct weir_histogram_scale *scale = sample->scale;
    for (size_t i = 0; i <= scale->n; i++) {
        char bound[32] = "+Inf";
        if (i < scale->n) {
            (void)snprintf(bound, sizeof bound, "%g", weir_histogram_bound(scale, i));
        }
        add(text, "%s_bucket", sample->name);
        add_labels(text, sample, bound);
        add(text, " %llu\n", (unsigned long long)sample->view.cumulative[i]);
    }
    add(text, "%s_sum", sample->name);
    add_labels(text, sample, NULL);
    add(text, " %.17g\n%s_count", sample->view.sum, sample->name);
    add_labels(text, sample, NULL);
    add(text, " %llu\n", (unsigned long long)sample->view.cumulative[scale->n]);
}

static void add_sample(void *context, const struct weir_sample *sample)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    struct text *text = context;
    if (text->name != sample->name) {
        add(text, "# HELP %s %s\n# TYPE %s %s\n", sample->name, sample->help, sample->name,
            types[sample->kind]);
        text->name = sample->name;
    }
    if (sample->kind == WEIR_METRIC_HISTOGRAM) {
        add_histogram(text, sample);
        return;
    }
    add(text, "%s", sample->name);
    add_labels(text, sample, NULL);
    add(text, " %.17g\n", sample->value);
}

char *weir_samples_text(struct weir_server *server, size_t *n)
{
    struct text text = {.bytes = NULL};
    weir_samples_visit(server, add_sample, &text);
    if (text.is_broken) {
        free(text.bytes);
        return NULL;
    }
    *n = text.n;
    return text.bytes;
}
