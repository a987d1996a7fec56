/* The limits that bound weir, each measured by itself: what weir-floor's commands share. */
#ifndef WEIR_BENCH_FLOOR_H
#define WEIR_BENCH_FLOOR_H

#include "bench/lib/load.h"
#include "bench/lib/usage.h"

struct floor_options {
    const char *command;
    const char *url;        // of an echo, or of a store
    const char *directory;  // where files are made, removed afterwards
    const char *operation;  // "write", "read-stream", "read-category", "empty"
    const char *json_file;
    int64_t workers;
    int64_t in_flight;  // of each
    int64_t connections;
    int64_t batch;  // messages of a reply, rows of a transaction
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

/* What a command measures with. */
struct floor_run {
    const struct floor_options *options;
    const char *profile;  // what it is called in the report
    struct load_settings settings;
    struct load_work work;
    /* Between the end of the load and its report: ends what the work has under way; may be NULL. */
    void (*end)(void *context);
};

/* Runs the load and shows what came of it. The exit status. */
int floor_measure(struct floor_run *run);

/* The settings that the options ask for, with so many slots. */
struct load_settings floor_settings(const struct floor_options *options, size_t slots);

/* Says what is wrong on standard error; returns the exit status of a failure. */
int floor_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The commands; each returns the exit status. */
int floor_echo_server(const struct floor_options *options);
int floor_echo_client(const struct floor_options *options);
int floor_disk(const struct floor_options *options);
int floor_sqlite(const struct floor_options *options);
int floor_store(const struct floor_options *options);

#endif
