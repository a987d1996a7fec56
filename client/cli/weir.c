/* The main function of the command line program `weir`. */
#include "client/cli/cli.h"
#include "weir/base/standard_streams.h"

#include <signal.h>
#include <stdio.h>

static int check_words(const struct cli *cli, const struct cli_option *options)
{
    for (const struct cli_option *o = options; o != NULL && o->name != NULL; o++) {
        const char *text = o->words == NULL ? NULL : cli_text(cli, o->key);
        if (text == NULL) {
            continue;
        }
        bool is_known = false;
        char known[64] = "";
        size_t n = 0;
        for (const char *const *word = o->words; *word != NULL && n < sizeof known; word++) {
            is_known = is_known || strcmp(*word, text) == 0;
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n == 0 ? "" : ", ", *word);
        }
        if (!is_known) {
            return cli_usage(cli, "--%s: '%s' is not one of: %s", o->name, text, known);
        }
    }
    return CLI_DONE;
}

int main(int argc, char **argv)
{
    struct cli cli = {.call = WEIR_CALL_OPTIONS_INIT};
    weir_error_init(&cli.err);
    if (!weir_standard_streams_take()) {
        return CLI_REFUSED;
    }
    /* A write beyond the file size limit (ulimit -f) then fails, instead of killing the program. */
    (void)signal(SIGXFSZ, SIG_IGN);
    cli_parse(argc, argv, &cli.values);
    int status = check_words(&cli, cli.values.command->options);
    if (status == CLI_DONE) {
        status = check_words(&cli, cli_common_options);
    }
    if (status == CLI_DONE) {
        status = cli.values.command->run(&cli);
    }
    cli_free(&cli);
    return status == CLI_DONE ? cli_flush(&cli) : status;
}
