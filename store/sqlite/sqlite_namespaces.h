/* Making and deleting namespaces: their rows in the registry and their files. The two calls are
 * slots of `struct weir_store_ops`, thread-safe, with the semantics of store.h. */
#ifndef WEIR_STORE_SQLITE_NAMESPACES_H
#define WEIR_STORE_SQLITE_NAMESPACES_H

#include "store/sqlite/sqlite_backend.h"

weir_status weir_sqlite_namespace_create(struct weir_backend *base,
                                         struct weir_namespace_record *record, int64_t deadline_us,
                                         bool *is_same, struct weir_error *err);
weir_status weir_sqlite_namespace_delete(struct weir_backend *base, struct weir_slice id,
                                         int64_t deadline_us, int64_t *messages_deleted,
                                         struct weir_error *err);

/* Finishes deletions that were interrupted; called while the store is being opened. Files that
 * cannot be removed are reported to the operator and stay listed. */
void weir_sqlite_finish_deletions(struct sqlite_backend *backend);

#endif
