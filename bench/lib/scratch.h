/* Temporary directories of a measurement. */
#ifndef WEIR_BENCH_SCRATCH_H
#define WEIR_BENCH_SCRATCH_H

#include <stdbool.h>

enum { SCRATCH_PATH_MAX = 512 };

/* Creates an empty directory under `parent` (NULL: TMPDIR or /tmp). Returns false after a message
 * on standard error. */
bool scratch_make(const char *parent, char path[SCRATCH_PATH_MAX]);

/* Removes the directory with its contents. */
void scratch_remove(const char *path);

#endif
