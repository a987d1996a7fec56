/* The image of an empty database: a schema and nothing else, as the bytes of its file
 * (sqlite_image.c). */
#ifndef WEIR_STORE_SQLITE_IMAGE_H
#define WEIR_STORE_SQLITE_IMAGE_H

#include "store/sqlite/sqlite_schema.h"

#include <stddef.h>

struct sqlite_image {
    unsigned char *bytes;  // NULL: not made
    size_t n;
};

struct sqlite_backend;

/* Makes an image, which the caller frees with weir_sqlite_image_free if it is OK. */
weir_status weir_sqlite_image_make(const struct sqlite_schema *schema, struct sqlite_image *image,
                                   struct weir_error *err);
void weir_sqlite_image_free(struct sqlite_image *image);

/* Returns the image of a namespace's database, which belongs to the backend. It is made once,
 * because the steps of the schema take longer than everything else about a new file. */
weir_status weir_sqlite_image_of_namespace(struct sqlite_backend *backend,
                                           const struct sqlite_image **image,
                                           struct weir_error *err);

#endif
