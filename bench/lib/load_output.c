#include "bench/lib/load_output.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

int load_output_fault(const char *path)
{
    struct stat st;
    if (path == NULL || is_stdout(path)) {
        return 0;
    }
    if (stat(path, &st) == 0) {
        return S_ISDIR(st.st_mode) ? EISDIR : access(path, W_OK) == 0 ? 0 : errno;
    }
    if (errno != ENOENT || path[0] == '\0') {
        return errno;
    }
    char *copy = strdup(path);
    const int fault = copy == NULL || access(dirname(copy), W_OK) == 0 ? 0 : errno;
    free(copy);
    return fault;
}

static bool tell(const struct load_report *report, const char *path, bool is_written)
{
    if (!is_written) {
        (void)fprintf(stderr, "%s: cannot write %s\n", report->program, path);
    }
    return is_written;
}

static bool write_file(const char *path, const struct load_report *report,
                       bool (*write)(FILE *, const struct load_report *))
{
    FILE *out = is_stdout(path) ? stdout : fopen(path, "w");
    bool is_written = out != NULL && write(out, report) && fflush(out) == 0;
    if (out != NULL && out != stdout) {
        is_written = fclose(out) == 0 && is_written;
    }
    return tell(report, path, is_written);
}

static bool write_json(FILE *out, const struct load_report *report)
{
    json_t *json = load_report_json(report);
    const bool is_written = json != NULL &&
                            json_dumpf(json, out, JSON_COMPACT | JSON_REAL_PRECISION(10)) == 0 &&
                            fputc('\n', out) != EOF;
    json_decref(json);
    return is_written;
}

bool load_output_write(const struct load_output *output, const struct load_report *report)
{
    bool is_written = true;
    if (!output->is_quiet && !is_stdout(output->json_file) && !is_stdout(output->plot_file)) {
        load_report_text(stdout, report);
        is_written = tell(report, "standard output", fflush(stdout) == 0);
    }
    if (output->is_quiet && load_report_errors(report->load) > 0) {
        load_report_put_errors(stderr, report->load);
    }
    if (output->json_file != NULL) {
        is_written = write_file(output->json_file, report, write_json) && is_written;
    }
    if (output->plot_file != NULL) {
        is_written = write_file(output->plot_file, report, load_report_plot) && is_written;
    }
    return is_written;
}
