/* Shared by the commands of weir-floor, each of which measures one of the limits that bound
 * weir. */
#ifndef WEIR_BENCH_FLOOR_H
#define WEIR_BENCH_FLOOR_H

#include "bench/lib/load.h"
#include "bench/lib/usage.h"

struct floor_options {
    const char *command;
    const char *url;        // of an echo server or of a store
    const char *directory;  // parent of temporary files
    const char *operation;  // "write", "read-stream", "read-category", "empty"
    const char *json_file;
    int64_t workers;
    int64_t in_flight;  // requests per worker
    int64_t connections;
    int64_t batch;  // messages per reply, rows per transaction
    int64_t data_bytes;
    int64_t block_bytes;
    int64_t streams;
    int64_t messages;
    double seconds;
    double warmup_s;
    bool is_overwriting;
    bool is_in_memory;
    bool is_durability_normal;
    bool is_quiet;
};

/* What one command measures. */
struct floor_run {
    const struct floor_options *options;
    const char *profile;  // name in the report
    struct load_settings settings;
    struct load_work work;
    /* Ends outstanding work between the end of the load and its report; may be NULL. */
    void (*end)(void *context);
};

/* Runs the load and prints the report. Returns the exit status. */
int floor_measure(struct floor_run *run);

/* Returns the load settings for the options, with `slots` slots. */
struct load_settings floor_settings(const struct floor_options *options, size_t slots);

/* Prints the failure on standard error. Returns the exit status of a failure. */
int floor_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The commands. Each returns the exit status. */
int floor_echo_server(const struct floor_options *options);
int floor_echo_client(const struct floor_options *options);
int floor_disk(const struct floor_options *options);
int floor_sqlite(const struct floor_options *options);
int floor_store(const struct floor_options *options);

#endif
