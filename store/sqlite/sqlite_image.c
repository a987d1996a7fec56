/* The image of an empty database: a schema and nothing else, as the bytes of a file.
 *
 * SQLite makes it in memory. In the file system it would make and remove a journal, a WAL and the
 * WAL's index just for an empty database. */
#include "store/sqlite/sqlite_image.h"

#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/sqlite_status.h"

/* Offsets in SQLite's file format: both bytes say that readers and writers must support WAL. */
enum { WRITE_VERSION_AT = 18, READ_VERSION_AT = 19, IS_WAL = 2 };

static weir_status make(sqlite3 *db, const struct sqlite_schema *schema, struct sqlite_image *image,
                        struct weir_error *err)
{
    const weir_status status = weir_sqlite_migrate(db, schema, NULL, NULL, err);
    if (status != WEIR_OK) {
        return status;
    }
    /* Removes the pages of tables that earlier steps made and later ones dropped. */
    const int rc = sqlite3_exec(db, "VACUUM", NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        return weir_sqlite_fail(err, rc, "create a database");
    }
    sqlite3_int64 n = 0;
    image->bytes = sqlite3_serialize(db, "main", &n, 0);
    if (image->bytes == NULL) {
        return weir_sqlite_fail(err, SQLITE_NOMEM, "create a database");
    }
    image->n = (size_t)n;
    image->bytes[WRITE_VERSION_AT] = IS_WAL;
    image->bytes[READ_VERSION_AT] = IS_WAL;
    return WEIR_OK;
}

weir_status weir_sqlite_image_make(const struct sqlite_schema *schema, struct sqlite_image *image,
                                   struct weir_error *err)
{
    sqlite3 *db = NULL;
    /* A memdb name without a slash is private to the connection. */
    const int rc = sqlite3_open_v2("image", &db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   "memdb");
    const weir_status status = rc == SQLITE_OK ? make(db, schema, image, err)
                                               : weir_sqlite_fail(err, rc, "create a database");
    (void)sqlite3_close(db);
    return status;
}

void weir_sqlite_image_free(struct sqlite_image *image)
{
    sqlite3_free(image->bytes);
}

weir_status weir_sqlite_image_of_namespace(struct sqlite_backend *backend,
                                           const struct sqlite_image **image,
                                           struct weir_error *err)
{
    weir_status status = WEIR_OK;
    (void)pthread_mutex_lock(&backend->image_mutex);
    if (backend->image.bytes == NULL) {
        status = weir_sqlite_image_make(&weir_sqlite_namespace_schema, &backend->image, err);
    }
    (void)pthread_mutex_unlock(&backend->image_mutex);
    *image = &backend->image;
    return status;
}
