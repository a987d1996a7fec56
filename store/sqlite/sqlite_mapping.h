/* The index of a WAL, the file NAME-shm, is memory that all processes with the database open share.
 *
 * SQLite writes to it without asking for room: it makes sure of room by one byte in every 4 KiB of
 * the file, which takes a whole 4 KiB only where the blocks of the file system are as large. Where
 * they are smaller and the disk is full, a write to the memory ends the process by SIGBUS. So the
 * blocks are taken before the file is mapped; where there are none left, opening the database or
 * lengthening the index fails. */
#ifndef WEIR_STORE_SQLITE_MAPPING_H
#define WEIR_STORE_SQLITE_MAPPING_H

/* Has every writable mapping of SQLite's take its blocks first; to be called once, before SQLite is
 * used. If its VFS does not allow it, or the file system cannot do so, files are mapped as they
 * are. */
void weir_sqlite_mapping_install(void);

#endif
