/* An SQLite VFS that wraps the default one and makes the Nth operation fail: open, read, write,
 * sync, truncate, file size, lock, delete, map of shared memory. */
#ifndef WEIR_TESTS_LIB_FAULTY_VFS_H
#define WEIR_TESTS_LIB_FAULTY_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Installs the VFS as the default of the process. */
void faulty_vfs_install(void);

/* Starts counting operations from 0; number fail_at fails (0: none) and, with `is_lasting`, all
 * operations after it. faulty_vfs_stop returns the number of operations. */
void faulty_vfs_start(uint64_t fail_at, bool is_lasting);
uint64_t faulty_vfs_stop(bool *has_failed);

#endif
