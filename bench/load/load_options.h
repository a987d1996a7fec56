/* The options of weir-load: read, checked against each other and against the profile, or refused
 * with the name of what makes no sense. */
#ifndef WEIR_BENCH_LOAD_OPTIONS_H
#define WEIR_BENCH_LOAD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The exit status for settings that make no sense. */
enum { EXIT_USAGE = 2 };

struct load_options {
    const char *profile;
    const char *server;
    char *token;        // NULL if there is none; to be freed
    char *admin_token;  // the same
    int64_t workers;
    int64_t in_flight;    // of each worker
    int64_t connections;  // shared by the workers
    double rate;          // 0: closed loop
    bool is_random;       // arrivals
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

    /* Of the profile; what it does not use is at its default. */
    const char *category;  // NULL: a new one, made up
    int64_t streams;
    int64_t data_bytes;
    int64_t batch;     // messages of a write or a read; 0 (batch only): from 1 to 1,000 by chance
    int64_t messages;  // written before a read profile starts
    bool is_newest;    // reads are of the newest messages
    int64_t write_percent;
    int64_t group_size;
    int64_t subscribers;
    int64_t namespaces;
    int64_t waiting;  // readers that wait for what never comes
};

/* Ends the program on --help, --version and wrong usage (EXIT_USAGE). */
void load_options_parse(struct load_options *options, int argc, char **argv);
void load_options_free(struct load_options *options);

#endif
