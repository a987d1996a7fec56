#include "bench/lib/usage.h"

#include "bench/lib/count_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Reads user and system time, fields 14 and 15 of /proc/PID/stat. The process name before them may
 * contain any character, so parsing starts after the last ')'. */
static bool read_cpu(pid_t pid, double *cpu_s)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    (void)fclose(file);
    unsigned long user = 0;
    unsigned long system = 0;
    const char *rest = strrchr(text, ')');
    if (rest == NULL || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                               &user, &system) != 2) {
        return false;
    }
    *cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
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
