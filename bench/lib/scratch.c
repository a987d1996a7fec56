/* Declares nftw, which belongs to the XSI extension of POSIX 2008. */
#define _XOPEN_SOURCE 700

#include "bench/lib/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_DIRECTORIES = 8 };

bool scratch_make(const char *parent, char path[SCRATCH_PATH_MAX])
{
    const char *base = parent != NULL ? parent : getenv("TMPDIR");
    const int n = snprintf(path, SCRATCH_PATH_MAX, "%s/weir-bench-XXXXXX",
                           base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (n >= SCRATCH_PATH_MAX) {
        (void)fputs("the path of the directory is too long\n", stderr);
        return false;
    }
    if (mkdtemp(path) == NULL) {
        (void)fprintf(stderr, "cannot create %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void scratch_remove(const char *path)
{
    if (nftw(path, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS) != 0) {
        (void)fprintf(stderr, "cannot remove %s: %s\n", path, strerror(errno));
    }
}
