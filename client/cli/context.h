/* Named servers of the user: `weir context`. They are kept in weir/contexts.json under the user's
 * configuration directory (XDG_CONFIG_HOME, else ~/.config), readable by the user alone. It holds
 * names of token files, never a token. */
#ifndef WEIR_CLIENT_CONTEXT_H
#define WEIR_CLIENT_CONTEXT_H

#include "weir/base/arena.h"
#include "weir/base/status.h"

enum { CONTEXTS_MAX = 256 };

enum context_setting {
    CONTEXT_SERVER,
    CONTEXT_TOKEN_FILE,
    CONTEXT_NAMESPACE,
    CONTEXT_TLS_CA,
    CONTEXT_TLS_CERT,
    CONTEXT_TLS_KEY,
    CONTEXT_SETTINGS
};

struct context {
    const char *name;
    const char *settings[CONTEXT_SETTINGS];  // NULL if not set
};

struct contexts {
    struct weir_arena arena;  // all texts
    struct context all[CONTEXTS_MAX];
    size_t n;
    const char *current;  // NULL if none
};

/* No file is no contexts. INVALID_REQUEST naming the file where it cannot be read, is damaged or
 * has more than CONTEXTS_MAX. */
weir_status contexts_load(struct contexts *contexts, struct weir_error *err);

/* Writes the file anew, whole or not at all. */
weir_status contexts_save(const struct contexts *contexts, struct weir_error *err);
void contexts_free(struct contexts *contexts);

/* NULL if there is none of that name. */
const struct context *contexts_find(const struct contexts *contexts, const char *name);

/* Adds or replaces; the first one becomes the current one. Files are kept by their absolute paths.
 * INVALID_REQUEST where there are too many, a file does not exist, or something is no UTF-8; what
 * there is must not be saved then. */
weir_status contexts_put(struct contexts *contexts, const char *name,
                         const char *const settings[CONTEXT_SETTINGS], struct weir_error *err);

/* False if there is none of that name. Without the current one there is no current one. */
bool contexts_use(struct contexts *contexts, const char *name);
bool contexts_remove(struct contexts *contexts, const char *name);

#endif
