/* A database with its schema and nothing else, as the bytes of its file.
 *
 * SQLite makes it in memory: beside one that it made in the file system there would be a journal, a
 * WAL and the WAL's index, each of them made and removed again for an empty database. */
#include "store/sqlite/sqlite_int.h"

/* Of SQLite's file format: who reads and who writes the file must know WAL. */
enum { WRITE_VERSION_AT = 18, READ_VERSION_AT = 19, IS_WAL = 2 };

static weir_status make(sqlite3 *db, const struct sqlite_schema *schema, struct sqlite_image *image,
                        struct weir_error *err)
{
    const weir_status status = weir_sqlite_migrate(db, schema, NULL, NULL, err);
    if (status != WEIR_OK) {
        return status;
    }
    /* Without the pages of what earlier steps made and later ones dropped. */
    const int rc = sqlite3_exec(db, "VACUUM", NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        return weir_sqlite_fail(err, rc, "make a database");
    }
    sqlite3_int64 n = 0;
    image->bytes = sqlite3_serialize(db, "main", &n, 0);
    if (image->bytes == NULL) {
        return weir_sqlite_fail(err, SQLITE_NOMEM, "make a database");
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
    /* A name without a slash is this connection's alone. */
    const int rc = sqlite3_open_v2("image", &db,
                                   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
                                       SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                   "memdb");
    const weir_status status = rc == SQLITE_OK ? make(db, schema, image, err)
                                               : weir_sqlite_fail(err, rc, "make a database");
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
