/* Parses the options of a program with argp. */
#ifndef WEIR_BASE_COMMAND_LINE_H
#define WEIR_BASE_COMMAND_LINE_H

#include <argp.h>

/* Calls argp_parse. That function prints the texts of --help, --usage and --version and then ends
 * the program with 0, even if the output could not be written; in that case this function makes the
 * program report the error and end with 1. Called on the main thread. */
error_t weir_command_line_parse(const struct argp *argp, int argc, char **argv, unsigned flags,
                                void *input);

#endif
