/* Moves what writers have put in the WAL back into the database file, from a thread of its own, so
 * that no write waits for it. */
#include "store/sqlite/sqlite_int.h"

#include <stdio.h>
#include <stdlib.h>

struct request {
    struct request *next;
    char name[WEIR_SQLITE_NAME_BYTES];
};

struct sqlite_checkpointer {
    struct sqlite_backend *backend;
    pthread_t thread;
    pthread_mutex_t mutex;      // guards what follows; a leaf of the lock order
    pthread_cond_t changed;     // a request, the end of one, or the stop
    struct request *requests;   // oldest first, one for a database
    struct request *under_way;  // NULL between two
    bool is_stopping;
};

static void checkpoint(struct sqlite_backend *backend, const char *name)
{
    sqlite3 *db = NULL;
    struct weir_error err;
    weir_error_init(&err);
    bool is_missing = false;
    if (weir_sqlite_connect(backend, name, &weir_sqlite_namespace_schema, &db, &is_missing, &err) !=
        WEIR_OK) {
        if (!is_missing) {
            weir_sqlite_report(backend, "%s: the checkpoint failed: %s", name, err.text);
        }
        return;
    }
    const int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        weir_sqlite_report(backend, "%s: the checkpoint failed: %s", name, sqlite3_errstr(rc));
    }
    (void)sqlite3_close(db);
}

static struct request *wait_for_request(struct sqlite_checkpointer *checkpointer)
{
    (void)pthread_mutex_lock(&checkpointer->mutex);
    while (checkpointer->requests == NULL && !checkpointer->is_stopping) {
        (void)pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    }
    struct request *request = checkpointer->is_stopping ? NULL : checkpointer->requests;
    if (request != NULL) {
        checkpointer->requests = request->next;
        checkpointer->under_way = request;
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    return request;
}

static void *run(void *context)
{
    struct sqlite_checkpointer *checkpointer = context;
    struct request *request = NULL;
    while ((request = wait_for_request(checkpointer)) != NULL) {
        checkpoint(checkpointer->backend, request->name);
        (void)pthread_mutex_lock(&checkpointer->mutex);
        checkpointer->under_way = NULL;
        (void)pthread_cond_broadcast(&checkpointer->changed);
        (void)pthread_mutex_unlock(&checkpointer->mutex);
        free(request);
    }
    return NULL;
}

struct sqlite_checkpointer *weir_sqlite_checkpointer_start(struct sqlite_backend *backend)
{
    struct sqlite_checkpointer *checkpointer = calloc(1, sizeof *checkpointer);
    if (checkpointer == NULL) {
        return NULL;
    }
    checkpointer->backend = backend;
    (void)pthread_mutex_init(&checkpointer->mutex, NULL);
    (void)pthread_cond_init(&checkpointer->changed, NULL);
    if (pthread_create(&checkpointer->thread, NULL, run, checkpointer) != 0) {
        (void)pthread_cond_destroy(&checkpointer->changed);
        (void)pthread_mutex_destroy(&checkpointer->mutex);
        free(checkpointer);
        return NULL;
    }
    return checkpointer;
}

void weir_sqlite_checkpointer_stop(struct sqlite_checkpointer *checkpointer)
{
    if (checkpointer == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&checkpointer->mutex);
    checkpointer->is_stopping = true;
    (void)pthread_cond_broadcast(&checkpointer->changed);
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    (void)pthread_join(checkpointer->thread, NULL);
    while (checkpointer->requests != NULL) {
        struct request *request = checkpointer->requests;
        checkpointer->requests = request->next;
        free(request);
    }
    (void)pthread_cond_destroy(&checkpointer->changed);
    (void)pthread_mutex_destroy(&checkpointer->mutex);
    free(checkpointer);
}

/* The place in the list where the request for a database is, or where it would go. */
static struct request **place_locked(struct sqlite_checkpointer *checkpointer, const char *name)
{
    struct request **at = &checkpointer->requests;
    while (*at != NULL && strcmp((*at)->name, name) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* Without memory it is asked again when the WAL has grown once more. */
void weir_sqlite_checkpointer_ask(struct sqlite_checkpointer *checkpointer, const char *name)
{
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return;
    }
    (void)snprintf(request->name, sizeof request->name, "%s", name);
    (void)pthread_mutex_lock(&checkpointer->mutex);
    struct request **at = place_locked(checkpointer, name);
    if (*at == NULL) {
        *at = request;
        request = NULL;
        (void)pthread_cond_broadcast(&checkpointer->changed);
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    free(request);
}

void weir_sqlite_checkpointer_forget(struct sqlite_checkpointer *checkpointer, const char *name)
{
    if (checkpointer == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&checkpointer->mutex);
    struct request **at = place_locked(checkpointer, name);
    struct request *dropped = *at;
    if (dropped != NULL) {
        *at = dropped->next;
    }
    while (checkpointer->under_way != NULL && strcmp(checkpointer->under_way->name, name) == 0) {
        (void)pthread_cond_wait(&checkpointer->changed, &checkpointer->mutex);
    }
    (void)pthread_mutex_unlock(&checkpointer->mutex);
    free(dropped);
}
