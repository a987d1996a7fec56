/* The user's named servers (`weir context`). The file weir/contexts.json in the configuration
 * directory (XDG_CONFIG_HOME, else ~/.config) keeps them, readable by the user alone. It holds the
 * names of token files, never a token. */
#ifndef WEIR_CLIENT_CONTEXT_H
#define WEIR_CLIENT_CONTEXT_H

#include "weir/base/arena.h"
#include "weir/base/fail.h"

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

/* Reads the file; without one there are no contexts. INVALID_REQUEST naming the file if it cannot
 * be read, is damaged or has more than CONTEXTS_MAX contexts; `contexts` is freed then. */
weir_status contexts_load(struct contexts *contexts, struct weir_error *err);

/* Replaces the file as a whole. INVALID_REQUEST if it cannot be written. */
weir_status contexts_save(const struct contexts *contexts, struct weir_error *err);
void contexts_free(struct contexts *contexts);

/* Returns the context of that name, NULL if there is none. */
const struct context *contexts_find(const struct contexts *contexts, const char *name);

/* Adds or replaces a context; the first one becomes the current one. Keeps files by their absolute
 * paths. INVALID_REQUEST if there are too many contexts, a file does not exist, or a text is not
 * UTF-8; the contexts must not be saved then. */
weir_status contexts_put(struct contexts *contexts, const char *name,
                         const char *const settings[CONTEXT_SETTINGS], struct weir_error *err);

/* Makes a context the current one. False if there is none of that name. */
bool contexts_use(struct contexts *contexts, const char *name);

/* Removes a context; removing the current one leaves none current. False if there is none of that
 * name. */
bool contexts_remove(struct contexts *contexts, const char *name);

#endif
