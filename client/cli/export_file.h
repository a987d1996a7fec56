/* Where an export goes: standard output, a device or pipe, or a file that appears only when it is
 * whole. Plain or gzip. */
#ifndef WEIR_CLIENT_EXPORT_FILE_H
#define WEIR_CLIENT_EXPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>

struct export_file;

/* `path` NULL is standard output. The bytes go to a file of another name beside `path`. NULL with
 * the reason in errno. One export file at a time: a signal that ends the program removes it. */
struct export_file *export_file_open(const char *path, bool is_gzip);

/* Whether it is a terminal, which may take bytes for orders. */
bool export_file_is_terminal(const struct export_file *file);

/* False with the reason in errno where it cannot be written. */
bool export_file_write(struct export_file *file, const void *bytes, size_t n);

/* Ends gzip, writes all to disk and gives the file its name. False with the reason in errno; then
 * what was there before is still there, unless it is only the directory that could not be written
 * to disk: then the whole file is there, and a power loss may take its name. Frees `file`. */
bool export_file_finish(struct export_file *file);

/* Removes what has been written. Frees `file`; NULL is allowed. */
void export_file_abandon(struct export_file *file);

#endif
