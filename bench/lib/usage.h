/* Resources used during a measurement: CPU time of this process and of the server, the server's
 * memory, and the counters of libweir-count.so. */
#ifndef WEIR_BENCH_USAGE_H
#define WEIR_BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
    double own_cpu_s;
    bool has_server;
    double server_cpu_s;
    double server_resident_kib;
    bool has_counts;
    uint64_t heap_calls;
    uint64_t heap_bytes;
    uint64_t syncs;
};

/* Reads the current values. `server` 0 and `counts_file` NULL mean none; a source that cannot be
 * read leaves its has_... false. */
void usage_now(struct usage *usage, pid_t server, const char *counts_file);

#endif
