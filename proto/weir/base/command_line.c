#include "weir/base/command_line.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program;  // name of the program while argp_parse runs, else NULL

/* An exit handler: argp calls exit itself, so this is the only place to check its output. */
static void check_output(void)
{
    if (program == NULL) {
        return;
    }
    const int fault = fflush(stdout) == 0 ? 0 : errno;
    if (fault != 0 || ferror(stdout)) {
        (void)fprintf(stderr, "%s: standard output: %s\n", program,
                      fault == 0 ? "it could not be written" : strerror(fault));
        _exit(EXIT_FAILURE);
    }
}

error_t weir_command_line_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                                void *input)
{
    static bool is_watched;
    if (!is_watched) {
        is_watched = atexit(check_output) == 0;
    }
    const char *slash = argc == 0 ? NULL : strrchr(argv[0], '/');
    program = slash != NULL ? slash + 1 : argc == 0 ? "" : argv[0];
    const error_t fault = argp_parse(argp, argc, argv, flags, NULL, input);
    program = NULL;
    return fault;
}
