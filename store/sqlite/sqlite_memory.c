#include "store/sqlite/sqlite_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sqlite_memory *weir_sqlite_memory_find(struct sqlite_backend *backend, const char *name)
{
    (void)pthread_mutex_lock(&backend->memory_mutex);
    struct sqlite_memory *memory = backend->memory;
    while (memory != NULL && strcmp(memory->name, name) != 0) {
        memory = memory->next;
    }
    (void)pthread_mutex_unlock(&backend->memory_mutex);
    return memory;
}

bool weir_sqlite_memory_add(struct sqlite_backend *backend, const char *name, sqlite3 *keeper)
{
    struct sqlite_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL) {
        return false;
    }
    (void)pthread_mutex_init(&memory->gate, NULL);
    (void)pthread_rwlock_init(&memory->lock, NULL);
    (void)snprintf(memory->name, sizeof memory->name, "%s", name);
    memory->keeper = keeper;
    (void)pthread_mutex_lock(&backend->memory_mutex);
    memory->next = backend->memory;
    backend->memory = memory;
    (void)pthread_mutex_unlock(&backend->memory_mutex);
    return true;
}

void weir_sqlite_memory_remove(struct sqlite_backend *backend, const char *name)
{
    (void)pthread_mutex_lock(&backend->memory_mutex);
    struct sqlite_memory **at = &backend->memory;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    struct sqlite_memory *memory = *at;
    if (memory != NULL) {
        *at = memory->next;
    }
    (void)pthread_mutex_unlock(&backend->memory_mutex);
    if (memory != NULL) {
        (void)sqlite3_close(memory->keeper);
        (void)pthread_rwlock_destroy(&memory->lock);
        (void)pthread_mutex_destroy(&memory->gate);
        free(memory);
    }
}

void weir_sqlite_memory_begin(struct sqlite_memory *memory, enum weir_session_kind kind)
{
    if (memory == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&memory->gate);
    if (kind == WEIR_SESSION_WRITE) {
        (void)pthread_rwlock_wrlock(&memory->lock);
    } else {
        (void)pthread_rwlock_rdlock(&memory->lock);
    }
    (void)pthread_mutex_unlock(&memory->gate);
}

void weir_sqlite_memory_end(struct sqlite_memory *memory)
{
    if (memory != NULL) {
        (void)pthread_rwlock_unlock(&memory->lock);
    }
}
