#include "store/sqlite/sqlite_alloc.h"

#include <malloc.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a block of each class. A page of SQLite's page cache takes slightly more than 4 KiB: in
 * blocks of 8 KiB the same parts of all pages would fall into the same few lines of the processor's
 * caches. */
static const int class_bytes[] = {64, 128, 256, 512, 1024, 2048, 4096, 4608, 8192};

enum {
    CLASSES = sizeof class_bytes / sizeof class_bytes[0],
    KEPT_OF_A_CLASS = 16,  // blocks; 330 KiB for each thread at most
    TRIM_EACH = 64         // closed connections; some 20 MiB
};

/* A header in front of the bytes that SQLite gets. */
struct block {
    struct block *next;  // in the list of kept blocks
    int capacity;        // of `bytes`
    alignas(max_align_t) unsigned char bytes[];
};

/* The free blocks of a thread. */
struct keeper {
    struct block *kept[CLASSES];
    int kept_n[CLASSES];
    bool is_registered;  // forget_kept runs when the thread ends
    bool is_over;        // the thread is ending: further blocks are freed
};

static _Thread_local struct keeper keeper;
static pthread_key_t at_thread_end;

static struct block *block_of(void *bytes)
{
    return (struct block *)((unsigned char *)bytes - offsetof(struct block, bytes));
}

/* Returns the smallest class for n bytes; CLASSES for a size beyond the largest class. */
static int class_of(int n)
{
    int rank = 0;
    while (rank < CLASSES && class_bytes[rank] < n) {
        rank++;
    }
    return rank;
}

static int capacity_of(int n)
{
    const int rank = class_of(n);
    return rank < CLASSES ? class_bytes[rank] : (n + 7) & ~7;
}

static void forget_kept(void *context)
{
    struct keeper *ending = context;
    ending->is_over = true;
    for (int rank = 0; rank < CLASSES; rank++) {
        while (ending->kept[rank] != NULL) {
            struct block *block = ending->kept[rank];
            ending->kept[rank] = block->next;
            free(block);
        }
    }
}

static void *take(int n)
{
    const int rank = class_of(n);
    struct block *block = rank < CLASSES ? keeper.kept[rank] : NULL;
    if (block != NULL) {
        keeper.kept[rank] = block->next;
        keeper.kept_n[rank]--;
        return block->bytes;
    }
    const int capacity = capacity_of(n);
    block = malloc(sizeof *block + (size_t)capacity);
    if (block == NULL) {
        return NULL;
    }
    block->capacity = capacity;
    return block->bytes;
}

static void give_back(void *bytes)
{
    if (bytes == NULL) {
        return;
    }
    struct block *block = block_of(bytes);
    const int rank = class_of(block->capacity);
    if (!keeper.is_registered && !keeper.is_over) {
        keeper.is_registered = pthread_setspecific(at_thread_end, &keeper) == 0;
    }
    if (rank == CLASSES || keeper.kept_n[rank] == KEPT_OF_A_CLASS || !keeper.is_registered ||
        keeper.is_over) {
        free(block);
        return;
    }
    block->next = keeper.kept[rank];
    keeper.kept[rank] = block;
    keeper.kept_n[rank]++;
}

/* Resizes a block beyond the largest class by realloc, because the C library moves its pages
 * instead of copying bytes. A database in memory is one such block that doubles, and copying it
 * would stop all its users meanwhile. */
static void *resize_large(struct block *block, int n)
{
    const int capacity = capacity_of(n);
    struct block *moved = realloc(block, sizeof *block + (size_t)capacity);
    if (moved == NULL) {
        return NULL;
    }
    moved->capacity = capacity;
    return moved->bytes;
}

static void *resize(void *bytes, int n)
{
    const int capacity = block_of(bytes)->capacity;
    if (n <= capacity) {
        return bytes;
    }
    if (class_of(capacity) == CLASSES) {
        return resize_large(block_of(bytes), n);
    }
    void *moved = take(n);
    if (moved != NULL) {
        memcpy(moved, bytes, (size_t)capacity);
        give_back(bytes);
    }
    return moved;
}

static int size_of(void *bytes)
{
    return bytes == NULL ? 0 : block_of(bytes)->capacity;
}

static int initialise(void *context)
{
    (void)context;
    return SQLITE_OK;
}

static void shut_down(void *context)
{
    (void)context;
}

void weir_sqlite_alloc_install(void)
{
    static const sqlite3_mem_methods methods = {.xMalloc = take,
                                                .xFree = give_back,
                                                .xRealloc = resize,
                                                .xSize = size_of,
                                                .xRoundup = capacity_of,
                                                .xInit = initialise,
                                                .xShutdown = shut_down};
    if (pthread_key_create(&at_thread_end, forget_kept) == 0) {
        (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
    }
}

void weir_sqlite_alloc_closed(void)
{
    static atomic_uint closed;
    if ((atomic_fetch_add_explicit(&closed, 1, memory_order_relaxed) + 1) % TRIM_EACH == 0) {
        (void)malloc_trim(0);
    }
}
