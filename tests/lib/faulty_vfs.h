/* A VFS between SQLite and the file system that makes the Nth operation fail: opening, reading,
 * writing, syncing, truncating, sizing, locking, deleting, mapping shared memory. */
#ifndef WEIR_TESTS_LIB_FAULTY_VFS_H
#define WEIR_TESTS_LIB_FAULTY_VFS_H

#include <stdbool.h>
#include <stdint.h>

/* Becomes the default VFS of the process. */
void faulty_vfs_install(void);

/* From now on operations are counted from 0, and the Nth fails (0: none); with `is_lasting` all
 * that follow fail too. */
void faulty_vfs_start(uint64_t fail_at, bool is_lasting);
uint64_t faulty_vfs_stop(bool *has_failed);

#endif
