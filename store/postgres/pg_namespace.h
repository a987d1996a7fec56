/* Where a namespace lives in the database, and the cache of those that are known to be up to date.
 *
 * Schema and lock derive from the id alone; the rest is in the registry. Cache and list of open
 * sessions are fields of the backend, guarded by its namespaces_mutex, which is a leaf: it is never
 * held while the database is asked. Any thread may call the functions. */
#ifndef WEIR_STORE_POSTGRES_PG_NAMESPACE_H
#define WEIR_STORE_POSTGRES_PG_NAMESPACE_H

#include "weir/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct pg_backend;
struct pg_layout;

enum {
    WEIR_PG_SCHEMA_DIGEST_BYTES = 28,                               // of the id's digest
    WEIR_PG_SCHEMA_BYTES = 5 + 2 * WEIR_PG_SCHEMA_DIGEST_BYTES + 1  // "weir_", the digits, a NUL
};

/* A namespace that is created anew under the same id has the same schema and lock. */
struct pg_namespace {
    char schema[WEIR_PG_SCHEMA_BYTES];
    int64_t lock_key;  // of its advisory lock
    /* From the registry: */
    int64_t created_at_us;
    const struct pg_layout *layout;
    uint64_t owner;  // of its prepared statements; never 0
};

/* Sets schema and lock_key, which derive from the id, and no other field. */
void weir_pg_namespace_name(struct weir_slice id, struct pg_namespace *ns);

/* Returns a copy of a SQL text in which the marks of pg_dialect.h are replaced. The caller frees
 * it; NULL if out of memory. */
char *weir_pg_expand(const struct pg_namespace *ns, const char *text);

/* Fills *ns, whose name is set, from the cache. Returns false if the namespace is not there. */
bool weir_pg_namespace_recall(struct pg_backend *backend, struct pg_namespace *ns);

/* Puts a namespace whose schema is up to date into the cache. */
void weir_pg_namespace_remember(struct pg_backend *backend, const struct pg_namespace *ns);

/* Makes the next call that needs the namespace, and the next call of each session of its id, ask
 * the registry again. */
void weir_pg_namespace_forget(struct pg_backend *backend, const struct pg_namespace *ns);

/* Does what weir_pg_namespace_forget does wherever the known namespace is not the one that was
 * created at created_at_us, according to the registry. */
void weir_pg_namespace_check(struct pg_backend *backend, const struct pg_namespace *ns,
                             int64_t created_at_us);

#endif
