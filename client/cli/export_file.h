/* The output of an export, plain or gzip: standard output, a device or pipe, or a file that appears
 * only when it is complete. */
#ifndef WEIR_CLIENT_EXPORT_FILE_H
#define WEIR_CLIENT_EXPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct export_file;

/* Opens the output, standard output if `path` is NULL. A file is written under a temporary name
 * beside `path`, which a signal that ends the program removes; so one export file may be open at a
 * time. NULL with errno set on failure. */
struct export_file *export_file_open(const char *path, bool is_gzip);

/* Whether the output is a terminal, which control characters could control. */
bool export_file_is_terminal(const struct export_file *file);

/* Writes `n` bytes. False with errno set on failure. */
bool export_file_write(struct export_file *file, const void *bytes, size_t n);

/* Ends gzip, writes everything to disk and gives the file its name. Frees `file`. False with errno
 * set on failure: an older file is then untouched, unless only syncing the directory has failed; in
 * that case the new file is complete, but a power loss may undo its name. */
bool export_file_finish(struct export_file *file);

/* Removes the temporary file and frees `file`. NULL is allowed. */
void export_file_abandon(struct export_file *file);

#endif
