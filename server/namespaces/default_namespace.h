/* The namespace `default`, which every server has, and how its first token reaches its owner. */
#ifndef WEIR_SERVER_DEFAULT_NAMESPACE_H
#define WEIR_SERVER_DEFAULT_NAMESPACE_H

#include "server/operation/config.h"
#include "server/operation/log.h"
#include "store/store.h"

#define WEIR_DEFAULT_NAMESPACE "default"

static inline bool weir_namespace_is_default(struct weir_slice id)
{
    return weir_slice_is(id, WEIR_DEFAULT_NAMESPACE);
}

/* Creates it where it is missing, with the configured token or a fresh one. A fresh one is kept in
 * DIRECTORY/default.token (mode 0600) of a SQLite store, before the namespace is created, so that
 * no crash loses it; of other stores it is printed once on standard error. PRECONDITION where it
 * exists and the configured token is not its own. */
weir_status weir_default_namespace_ensure(struct weir_store *store,
                                          const struct weir_config *config,
                                          const struct weir_log *log, struct weir_error *err);

/* Its token has changed: rewrites DIRECTORY/default.token where there is one, unless it has changed
 * again since. */
weir_status weir_default_namespace_keep_token(const struct weir_config *config,
                                              struct weir_store *store, const char *token,
                                              struct weir_error *err);

/* A token that dies with the namespace must not come to life again with the one that the next start
 * makes. So before a deletion another one is written to DIRECTORY/default.token.next, where there
 * is a default.token, and after it takes that one's place: by the second call, unless the namespace
 * has been made anew by then, or, if a crash comes first, by the start that finds the namespace
 * missing. One that was not needed is of no meaning. */
weir_status weir_default_namespace_prepare_token(const struct weir_config *config,
                                                 struct weir_error *err);
weir_status weir_default_namespace_take_prepared_token(const struct weir_config *config,
                                                       struct weir_store *store,
                                                       struct weir_error *err);

#endif
