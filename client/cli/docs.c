/* Writes the man pages and the bash completion of `weir` from the table of commands. The build runs
 * it; it is not installed.
 *
 *     weir-docs man DIRECTORY    weir.1 and weir-COMMAND.1 for each command
 *     weir-docs bash FILE        bash-completion's file */
#include "client/cli/cli_options.h"
#include "weir/base/roff.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

/* ---- man pages ---- */

static void put_line(FILE *out, const char *text)
{
    weir_roff_put(out, text, strlen(text));
    (void)fputc('\n', out);
}

/* Writes a command's text: empty lines separate paragraphs, an indented line is an example. */
static void put_text(FILE *out, const char *text)
{
    while (*text != '\0') {
        const size_t n = strcspn(text, "\n");
        if (n == 0) {
            (void)fputs(".PP\n", out);
        } else if (text[0] == ' ') {
            (void)fputs(".RS 4\n.nf\n", out);
            weir_roff_put(out, text + strspn(text, " "), n - strspn(text, " "));
            (void)fputs("\n.fi\n.RE\n", out);
        } else {
            weir_roff_put(out, text, n);
            (void)fputc('\n', out);
        }
        text += n + (text[n] == '\n' ? 1 : 0);
    }
}

static void put_options(FILE *out, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        (void)fputs(".TP\n", out);
        if (o->key < 256) {
            (void)fprintf(out, "\\fB\\-%c\\fR, ", o->key);
        }
        (void)fputs("\\fB\\-\\-", out);
        weir_roff_put(out, o->name, strlen(o->name));
        (void)fputs("\\fR", out);
        if (o->arg != NULL) {
            (void)fputs("=\\fI", out);
            weir_roff_put(out, o->arg, strlen(o->arg));
            (void)fputs("\\fR", out);
        }
        (void)fputc('\n', out);
        weir_roff_put(out, o->doc, strlen(o->doc));
        (void)fputs(".\n", out);
    }
}

static void put_head(FILE *out, const char *page, const char *summary)
{
    (void)fputs(".TH \"", out);
    weir_roff_put(out, page, strlen(page));
    (void)fputs("\" 1 \"\" \"weir " WEIR_VERSION "\" \"weir\"\n.SH NAME\n", out);
    weir_roff_put(out, page, strlen(page));
    (void)fputs(" \\- ", out);
    put_line(out, summary);
}

/* "namespace create" has the page weir-namespace-create. */
static void page_name(const struct cli_command *c, char *page, size_t size)
{
    (void)snprintf(page, size, "weir-%s", c->name);
    for (char *at = page; *at != '\0'; at++) {
        if (*at == ' ') {
            *at = '-';
        }
    }
}

static void put_command_page(FILE *out, const struct cli_command *c)
{
    char page[128];
    page_name(c, page, sizeof page);
    put_head(out, page, c->summary);
    (void)fprintf(out, ".SH SYNOPSIS\n\\fBweir %s\\fR [\\fIOPTION\\fR...] ", c->name);
    put_line(out, c->args);
    (void)fputs(".SH DESCRIPTION\n", out);
    put_text(out, c->text);
    (void)fputs(".SH OPTIONS\n", out);
    if (c->options != NULL) {
        put_options(out, c->options);
        (void)fputs(".PP\n", out);
    }
    (void)fputs("The options of \\fBweir\\fR(1) may also be given.\n", out);
    (void)fputs(".SH SEE ALSO\n\\fBweir\\fR(1)\n", out);
}

static void put_environment(FILE *out)
{
    (void)fputs(".SH ENVIRONMENT\n"
                ".TP\n"
                "\\fBWEIR_TOKEN\\fR\n"
                "The token itself; takes precedence over \\fBWEIR_TOKEN_FILE\\fR.\n",
                out);
    for (const struct cli_option *o = cli_common_options; o->name != NULL; o++) {
        if (o->env != NULL) {
            (void)fprintf(out, ".TP\n\\fB%s\\fR\nAs \\fB\\-\\-", o->env);
            weir_roff_put(out, o->name, strlen(o->name));
            (void)fputs("\\fR.\n", out);
        }
    }
}

static void put_main_page(FILE *out)
{
    put_head(out, "weir", "write to and read from a weir message store");
    (void)fputs(".SH SYNOPSIS\n\\fBweir\\fR [\\fIOPTION\\fR...] \\fICOMMAND\\fR "
                "[\\fIARGUMENT\\fR...]\n.SH COMMANDS\n",
                out);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        (void)fprintf(out, ".TP\n\\fB%s\\fR ", c->name);
        put_line(out, c->args);
        (void)fprintf(out, "%s. See \\fB", c->summary);
        char page[128];
        page_name(c, page, sizeof page);
        weir_roff_put(out, page, strlen(page));
        (void)fputs("\\fR(1).\n", out);
    }
    (void)fputs(".SH OPTIONS\n"
                "Options may be given before or after the command.\n",
                out);
    put_options(out, cli_common_options);
    put_environment(out);
    (void)fputs(".SH EXIT STATUS\n"
                ".TP\n"
                "0\n"
                "Done.\n"
                ".TP\n"
                "1\n"
                "The server refused (its reason is on standard error), input could not be used, "
                "output could not be written, or a command of \\fB\\-\\-exec\\fR failed.\n"
                ".TP\n"
                "2\n"
                "Wrong usage, including files that cannot be opened.\n"
                ".TP\n"
                "3\n"
                "The server could not be reached or did not answer in time.\n"
                ".SH FILES\n"
                ".TP\n"
                "\\fI./weir\\-data/default.token\\fR\n"
                "The token of a server started in this directory, used where no token is given.\n"
                ".TP\n"
                "\\fI~/.config/weir/contexts.json\\fR\n"
                "The contexts kept by \\fBweir context\\fR.\n"
                ".SH SEE ALSO\n"
                "\\fBweir\\-server\\fR(8)\n",
                out);
}

static int close_file(FILE *out, const char *path)
{
    const int is_bad = ferror(out);
    if (fclose(out) != 0 || is_bad) {
        (void)fprintf(stderr, "weir-docs: %s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static FILE *open_file(const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL) {
        (void)fprintf(stderr, "weir-docs: %s: %s\n", path, strerror(errno));
    }
    return out;
}

static int write_man(const char *directory)
{
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/weir.1", directory);
    FILE *out = open_file(path);
    if (out == NULL) {
        return EXIT_FAILURE;
    }
    put_main_page(out);
    int status = close_file(out, path);
    for (const struct cli_command *c = cli_commands; c->name != NULL && status == 0; c++) {
        char page[128];
        page_name(c, page, sizeof page);
        (void)snprintf(path, sizeof path, "%s/%s.1", directory, page);
        out = open_file(path);
        if (out == NULL) {
            return EXIT_FAILURE;
        }
        put_command_page(out, c);
        status = close_file(out, path);
    }
    return status;
}

/* ---- completion ---- */

/* Writes each first word of a command once. */
static void put_first_words(FILE *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        const size_t n = strcspn(c->name, " ");
        bool is_first = true;
        for (const struct cli_command *b = cli_commands; b != c; b++) {
            is_first = is_first && !(strncmp(b->name, c->name, n) == 0 && b->name[n] == c->name[n]);
        }
        if (is_first) {
            (void)fprintf(out, " %.*s", (int)n, c->name);
        }
    }
    (void)fputs(" help", out);
}

static void put_second_words(FILE *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        const size_t n = strcspn(c->name, " ");
        if (c->name[n] == ' ' &&
            (c == cli_commands || strncmp((c - 1)->name, c->name, n + 1) != 0)) {
            (void)fprintf(out, "        %.*s) words=\"", (int)n, c->name);
            for (const struct cli_command *d = c;
                 d->name != NULL && strncmp(d->name, c->name, n + 1) == 0; d++) {
                (void)fprintf(out, "%s%s", d == c ? "" : " ", d->name + n + 1);
            }
            (void)fputs("\" ;;\n", out);
        }
    }
}

static void put_option_names(FILE *out, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        (void)fprintf(out, " --%s%s", o->name, o->arg == NULL ? "" : "=");
    }
}

static void put_command_options(FILE *out)
{
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        if (c->options != NULL) {
            (void)fprintf(out, "        '%s') options=\"", c->name);
            put_option_names(out, c->options);
            (void)fputs("\" ;;\n", out);
        }
    }
}

/* Writes the options that take a value as a shell pattern. */
static void put_valued(FILE *out, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        if (o->arg != NULL && o->key < 256) {
            (void)fprintf(out, "|-%c", o->key);
        }
        if (o->arg != NULL) {
            (void)fprintf(out, "|--%s", o->name);
        }
    }
}

static void put_all_valued(FILE *out)
{
    (void)fputs("        case ${COMP_WORDS[i-1]} in '='", out);
    put_valued(out, cli_common_options);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        put_valued(out, c->options);
    }
    (void)fputs(") continue ;; esac\n", out);
}

/* Whether an earlier command has an option of that name. */
static bool is_known(const struct cli_command *command, const char *name)
{
    for (const struct cli_command *c = cli_commands; c < command; c++) {
        for (const struct cli_option *o = c->options; o != NULL && o->name != NULL; o++) {
            if (strcmp(o->name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* Writes how to complete the value of each option: a file, or one of some words. `command` is NULL
 * for the options of all commands. */
static void put_option_values(FILE *out, const struct cli_option *options,
                              const struct cli_command *command)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        const bool is_file = o->arg != NULL && strcmp(o->arg, "FILE") == 0;
        if ((!is_file && o->words == NULL) || (command != NULL && is_known(command, o->name))) {
            continue;
        }
        (void)fputs("        ", out);
        if (o->key < 256) {
            (void)fprintf(out, "-%c|", o->key);
        }
        (void)fprintf(out, "--%s) COMPREPLY=($(compgen ", o->name);
        (void)fputs(is_file ? "-f" : "-W \"", out);
        for (const char *const *word = o->words; word != NULL && *word != NULL; word++) {
            (void)fprintf(out, "%s%s", word == o->words ? "" : " ", *word);
        }
        (void)fputs(
            is_file ? " -- \"$current\")); return ;;\n" : "\" -- \"$current\")); return ;;\n", out);
    }
}

static void put_completion(FILE *out)
{
    (void)fputs("# Completion of weir for bash, made from the table of its commands.\n"
                "_weir()\n{\n"
                "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local first= second= word words= options= i\n"
                "    # readline takes '=' for a word of its own.\n"
                "    if [[ $current == '=' ]]; then current=; "
                "elif [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        word=${COMP_WORDS[i]}\n"
                "        if [[ $word == -* || $word == '=' ]]; then continue; fi\n",
                out);
    put_all_valued(out);
    (void)fputs("        if [[ -z $first ]]; then first=$word; elif [[ -z $second ]]; then "
                "second=$word; fi\n"
                "    done\n"
                "    case $previous in\n",
                out);
    put_option_values(out, cli_common_options, NULL);
    for (const struct cli_command *c = cli_commands; c->name != NULL; c++) {
        put_option_values(out, c->options, c);
    }
    (void)fputs("    esac\n    case $first in\n        '') words=\"", out);
    put_first_words(out);
    (void)fputs("\" ;;\n", out);
    put_second_words(out);
    (void)fputs("    esac\n"
                "    if [[ $current != -* && -n $words && -z $second ]]; then\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
                "        return\n"
                "    fi\n"
                "    case $first in\n        import) [[ $current == -* ]] || "
                "{ COMPREPLY=($(compgen -f -- \"$current\")); return; } ;;\n    esac\n"
                "    [[ -n $words ]] && first=\"$first $second\"\n"
                "    case $first in\n",
                out);
    put_command_options(out);
    (void)fputs("    esac\n    options=\"$options", out);
    put_option_names(out, cli_common_options);
    (void)fputs(" --help\"\n"
                "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
                "    [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
                "}\n"
                "complete -F _weir weir\n",
                out);
}

static int write_bash(const char *path)
{
    FILE *out = open_file(path);
    if (out == NULL) {
        return EXIT_FAILURE;
    }
    put_completion(out);
    return close_file(out, path);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "man") == 0) {
        return write_man(argv[2]);
    }
    if (argc == 3 && strcmp(argv[1], "bash") == 0) {
        return write_bash(argv[2]);
    }
    (void)fprintf(stderr, "usage: weir-docs man DIRECTORY | bash FILE\n");
    return CLI_USAGE;
}
