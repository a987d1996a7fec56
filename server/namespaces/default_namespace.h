/* The namespace `default`, which every store has, and the file that holds its token.
 *
 * weir_server_start makes the namespace where it is missing; handlers keep the file up to date. All
 * functions block on the store and on files. One thread or process at a time changes the file. */
#ifndef WEIR_SERVER_DEFAULT_NAMESPACE_H
#define WEIR_SERVER_DEFAULT_NAMESPACE_H

#include "server/base/config.h"
#include "server/base/log.h"
#include "store/store.h"

/* Creates the namespace where it is missing, with the configured token or a new one. With a SQLite
 * store in a directory the new token is written to DIRECTORY/default.token (mode 0600) before the
 * namespace is created, so that no crash loses it; with another store it is printed once on
 * standard error. PRECONDITION where the namespace exists with another token than the configured
 * one, or the file is not usable; BACKEND_UNAVAILABLE where a file cannot be written; what the
 * store returns otherwise. */
weir_status weir_default_namespace_ensure(struct weir_store *store,
                                          const struct weir_config *config,
                                          const struct weir_log *log, struct weir_error *err);

/* Before the token becomes `token`: writes it to DIRECTORY/default.token.rotated, if there is a
 * default.token. If a crash comes between the change and weir_default_namespace_keep_token, the
 * next start renames it; where the token has not been changed the file has no effect.
 * BACKEND_UNAVAILABLE where it cannot be written. */
weir_status weir_default_namespace_prepare_rotation(const struct weir_config *config,
                                                    const char *token, struct weir_error *err);

/* Rewrites DIRECTORY/default.token, if it exists, after the token has become `token`. Leaves it
 * where the token has changed again since. BACKEND_UNAVAILABLE where it cannot be written. */
weir_status weir_default_namespace_keep_token(const struct weir_config *config,
                                              struct weir_store *store, const char *token,
                                              struct weir_error *err);

/* Before the namespace is deleted: writes a new token to DIRECTORY/default.token.next, if there is
 * a default.token. The namespace that the next start makes gets that token and not the one of the
 * deleted namespace, which must not become valid again. Where the deletion fails the file has no
 * effect. BACKEND_UNAVAILABLE where it cannot be written. */
weir_status weir_default_namespace_prepare_token(const struct weir_config *config,
                                                 struct weir_error *err);

/* After the deletion: renames default.token.next to default.token, unless the namespace has been
 * created again by then. If a crash comes first, the start that finds the namespace missing renames
 * it. */
weir_status weir_default_namespace_take_prepared_token(const struct weir_config *config,
                                                       struct weir_store *store,
                                                       struct weir_error *err);

#endif
