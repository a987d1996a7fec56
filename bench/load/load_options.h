/* The options of weir-load: parses them, checks them against each other and against the profile,
 * and refuses contradictory settings with a message that names the option. */
#ifndef WEIR_BENCH_LOAD_OPTIONS_H
#define WEIR_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit status for invalid settings. */
enum { EXIT_USAGE = 2 };

struct load_options {
    const char *profile;
    const char *server;
    char *token;        // owned; NULL for none
    char *admin_token;  // owned; NULL for none
    int64_t workers;
    int64_t in_flight;    // requests per worker
    int64_t connections;  // shared by the workers
    double rate;          // 0: closed loop
    bool is_random;       // arrivals with random gaps
    double seconds;
    double warmup_s;
    int64_t timeout_ms;
    bool stops_on_error;
    bool is_quiet;
    bool is_against_echo;
    int64_t seed;
    const char *plot_file;
    const char *json_file;
    const char *counts_file;
    int64_t server_pid;

    /* Options of the profile; those it does not use keep their defaults. */
    const char *category;  // NULL: a new category with a generated name
    int64_t streams;
    int64_t data_bytes;
    int64_t batch;     // messages per write or read; 0 (profile batch only): random, 1 to 1,000
    int64_t messages;  // written before a read profile starts
    bool is_newest;    // reads return the newest messages
    int64_t write_percent;
    int64_t group_size;
    int64_t subscribers;
    int64_t namespaces;
    int64_t waiting;  // readers that wait for messages that never arrive
};

/* Parses argv. Exits the program on --help, --version and wrong usage (EXIT_USAGE). Strings are
 * borrowed from argv and the environment, except the tokens, which load_options_free releases. */
void load_options_parse(struct load_options *options, int argc, char **argv);
void load_options_free(struct load_options *options);

#endif
