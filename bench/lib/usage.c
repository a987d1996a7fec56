#include "bench/lib/usage.h"

#include "bench/lib/count_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Reads the process's own clock: /proc/PID/stat counts in steps of 10 ms, which is more than an
 * idle server uses in a measurement. */
static bool read_cpu(pid_t pid, double *cpu_s)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return false;
    }
    *cpu_s = (double)used.tv_sec + (double)used.tv_nsec / 1e9;
    return true;
}

static bool read_resident(pid_t pid, double *kib)
{
    char path[64];
    unsigned long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    FILE *file = fopen(path, "r");
    const bool is_read = file != NULL && fscanf(file, "%*u %lu", &pages) == 1;
    if (file != NULL) {
        (void)fclose(file);
    }
    *kib = (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
    return is_read;
}

static bool read_counts(const char *path, struct usage *usage)
{
    struct count_file counts;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool is_read = fd >= 0 && read(fd, &counts, sizeof counts) == (ssize_t)sizeof counts;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (is_read) {
        usage->heap_calls = counts.heap_calls;
        usage->heap_bytes = counts.heap_bytes;
        usage->syncs = counts.syncs;
    }
    return is_read;
}

void usage_now(struct usage *usage, pid_t server, const char *counts_file)
{
    struct rusage own;
    *usage = (struct usage){0};
    (void)getrusage(RUSAGE_SELF, &own);
    usage->own_cpu_s = seconds(own.ru_utime) + seconds(own.ru_stime);
    usage->has_server = server > 0 && read_cpu(server, &usage->server_cpu_s) &&
                        read_resident(server, &usage->server_resident_kib);
    usage->has_counts = counts_file != NULL && read_counts(counts_file, usage);
}
