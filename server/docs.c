/* Writes the man page and the bash completion of weir-server from templates and the table of
 * options that weir-server itself parses. The build runs this program; it is not installed.
 *
 *     weir-server-docs TEMPLATE OUTPUT
 *
 * A line of the template that consists of "@NAME@" is replaced by the output of the part of that
 * name (`parts` below). */
#include "server/base/config.h"
#include "weir/base/roff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 4096 };

/* ---- the manual page, for man(7) ---- */

static void put_roff(FILE *out, const char *text)
{
    weir_roff_put(out, text, strlen(text));
}

static void put_man_title(FILE *out)
{
    (void)fprintf(out, ".TH WEIR\\-SERVER 8 \"\" \"weir %s\" \"System Administration\"\n",
                  WEIR_VERSION);
}

static void put_man_options(FILE *out)
{
    struct weir_config_option option;
    for (size_t i = 0; weir_config_option(i, &option); i++) {
        (void)fputs(".TP\n\\fB\\-\\-", out);
        put_roff(out, option.name);
        (void)fputs("\\fR", out);
        if (option.value != NULL) {
            (void)fputs("=\\fI", out);
            put_roff(out, option.value);
            (void)fputs("\\fR", out);
        }
        (void)fputc('\n', out);
        put_roff(out, option.help);
        (void)fputs(option.help[strlen(option.help) - 1] == '.' ? "\n" : ".\n", out);
        if (option.standard != NULL) {
            (void)fputs("Default: ", out);
            put_roff(out, option.standard);
            (void)fputs(".\n", out);
        }
        (void)fprintf(out, "Variable:\n.BR %s .\n", option.variable);
    }
}

/* ---- the completion, for bash ---- */

static void put_bash_options(FILE *out)
{
    (void)fputs("    local options='--help --usage --version", out);
    struct weir_config_option option;
    for (size_t i = 0; weir_config_option(i, &option); i++) {
        (void)fprintf(out, " --%s", option.name);
    }
    (void)fputs("'\n", out);
}

/* Writes a case for each option whose value is a choice or a file, and for each flag. */
static void put_bash_values(FILE *out)
{
    struct weir_config_option option;
    for (size_t i = 0; weir_config_option(i, &option); i++) {
        if (option.choices != NULL) {
            (void)fprintf(out, "    --%s) words='", option.name);
            for (const char *c = option.choices; *c != '\0'; c++) {
                (void)fputc(*c == '|' ? ' ' : *c, out);
            }
            (void)fputs("' ;;\n", out);
        } else if (option.value != NULL && strcmp(option.value, "FILE") == 0) {
            (void)fprintf(out, "    --%s) kind=file ;;\n", option.name);
        } else if (option.value == NULL) {
            (void)fprintf(out, "    --%s) kind=flag ;;\n", option.name);
        }
    }
}

/* ---- templates ---- */

static const struct part {
    const char *line;
    void (*put)(FILE *out);
} parts[] = {
    {"@MAN_TITLE@\n", put_man_title},
    {"@MAN_OPTIONS@\n", put_man_options},
    {"@BASH_OPTIONS@\n", put_bash_options},
    {"@BASH_VALUES@\n", put_bash_values},
};

static void put_line(FILE *out, const char *line)
{
    for (size_t i = 0; i < WEIR_COUNTOF(parts); i++) {
        if (strcmp(line, parts[i].line) == 0) {
            parts[i].put(out);
            return;
        }
    }
    (void)fputs(line, out);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        (void)fprintf(stderr, "weir-server-docs: %s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    return file;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fputs("usage: weir-server-docs TEMPLATE OUTPUT\n", stderr);
        return EXIT_FAILURE;
    }
    FILE *in = open_file(argv[1], "re");
    FILE *out = open_file(argv[2], "we");
    char line[LINE_BYTES];
    while (fgets(line, sizeof line, in) != NULL) {
        put_line(out, line);
    }
    const bool is_written = ferror(in) == 0 && ferror(out) == 0;
    (void)fclose(in);
    if (fclose(out) != 0 || !is_written) {
        (void)fprintf(stderr, "weir-server-docs: %s could not be written\n", argv[2]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
