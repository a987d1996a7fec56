#define _GNU_SOURCE
#include "tests/lib/remove_tree.h"

#include <ftw.h>
#include <stdio.h>

enum { DIRECTORIES_OPEN = 16 };

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void remove_tree(const char *directory)
{
    (void)nftw(directory, remove_entry, DIRECTORIES_OPEN, FTW_DEPTH | FTW_PHYS);
}
