#include "bench/lib/machine.h"

#include <nng/nng.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* Reads the value of the first "name : value" line of a file under /proc; "unknown" without one. */
static void find_value(const char *path, const char *name, char *value, size_t size)
{
    (void)snprintf(value, size, "unknown");
    FILE *file = fopen(path, "r");
    char line[512];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, name, strlen(name)) == 0 && colon != NULL) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(value, size, "%s", colon + 1 + strspn(colon + 1, " \t"));
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

json_t *machine_describe(void)
{
    char cpu[128];
    find_value("/proc/cpuinfo", "model name", cpu, sizeof cpu);
    struct utsname kernel = {.release = "unknown"};
    (void)uname(&kernel);
    const json_int_t cores = sysconf(_SC_NPROCESSORS_ONLN);
    const json_int_t page = sysconf(_SC_PAGESIZE);
    const json_int_t pages = sysconf(_SC_PHYS_PAGES);
    return json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "cpu", cpu, "cores", cores,
                     "memory_mib", pages * page / (1024 * 1024), "kernel", kernel.release,
                     "compiler", COMPILER, "build", WEIR_BENCH_BUILD, "sqlite",
                     sqlite3_libversion(), "nng", nng_version());
}
