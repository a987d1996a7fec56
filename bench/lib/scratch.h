/* Directories that a measurement makes and takes away again. */
#ifndef WEIR_BENCH_SCRATCH_H
#define WEIR_BENCH_SCRATCH_H

#include <stdbool.h>

enum { SCRATCH_PATH_MAX = 512 };

/* Makes an empty directory under `parent` (NULL: TMPDIR or /tmp). False after saying why on
 * standard error. */
bool scratch_make(const char *parent, char path[SCRATCH_PATH_MAX]);

/* Removes it with all it holds. */
void scratch_remove(const char *path);

#endif
