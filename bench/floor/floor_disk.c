/* Measures how many durable writes a second the disk makes: one block, then fdatasync. */
#include "bench/floor/floor.h"

#include "bench/lib/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OVERWRITTEN_BLOCKS = 256 };

struct disk {
    const struct floor_options *options;
    int fd;
    uint8_t *block;
    int64_t next;  // number of the next block
};

static struct load_outcome write_block(void *context, struct load_slot *slot)
{
    struct disk *disk = context;
    (void)slot;
    const int64_t size = disk->options->block_bytes;
    const int64_t at = disk->next++;
    const off_t offset =
        (off_t)(disk->options->is_overwriting ? at % OVERWRITTEN_BLOCKS * size : at * size);
    if (pwrite(disk->fd, disk->block, (size_t)size, offset) != (ssize_t)size ||
        fdatasync(disk->fd) != 0) {
        return (struct load_outcome){.reason = "IO", .text = strerror(errno)};
    }
    return (struct load_outcome){.op = LOAD_WRITE, .messages = 1};
}

/* Creates the file, filled with the blocks that an overwriting run needs. */
static bool make_file(struct disk *disk)
{
    const size_t size = (size_t)disk->options->block_bytes;
    bool is_ok = disk->fd >= 0 && disk->block != NULL;
    for (size_t b = 0; is_ok && disk->options->is_overwriting && b < OVERWRITTEN_BLOCKS; b++) {
        is_ok = write(disk->fd, disk->block, size) == (ssize_t)size;
    }
    return is_ok && fsync(disk->fd) == 0;
}

int floor_disk(const struct floor_options *options)
{
    char directory[SCRATCH_PATH_MAX];
    char path[SCRATCH_PATH_MAX + 16];
    if (!scratch_make(options->directory, directory)) {
        return EXIT_FAILURE;
    }
    (void)snprintf(path, sizeof path, "%s/blocks", directory);
    struct disk disk = {options, open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                        calloc(1, (size_t)options->block_bytes), 0};
    struct floor_run run = {.options = options,
                            .profile =
                                options->is_overwriting ? "disk, overwriting" : "disk, appending",
                            .settings = floor_settings(options, 1),
                            .work = {.context = &disk, .run = write_block}};
    const int status =
        make_file(&disk) ? floor_measure(&run) : floor_fail("%s: %s", path, strerror(errno));
    if (disk.fd >= 0) {
        (void)close(disk.fd);
    }
    free(disk.block);
    scratch_remove(directory);
    return status;
}
