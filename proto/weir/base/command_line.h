/* A program's options, by argp. */
#ifndef WEIR_BASE_COMMAND_LINE_H
#define WEIR_BASE_COMMAND_LINE_H

#include <argp.h>

/* argp_parse, which prints what --help, --usage and --version ask for and then ends the program in
 * good order, whether anybody could be given it or not. With this one the program says what kept it
 * and ends with 1. For the thread that starts the program. */
error_t weir_command_line_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                                void *input);

#endif
