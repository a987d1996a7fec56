#include "store/postgres/pg_namespace.h"

#include "store/postgres/pg_session.h"
#include "weir/rules/digest.h"
#include "weir/rules/hex.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- names ---- */

/* Two ids that share 224 bits of their SHA-256 cannot be found. PostgreSQL's names end at 63
 * bytes. */
void weir_pg_namespace_name(struct weir_slice id, struct pg_namespace *ns)
{
    static const char prefix[] = "weir_";
    uint8_t digest[WEIR_SHA256_BYTES];
    weir_digest_sha256(id, digest);
    memcpy(ns->schema, prefix, sizeof prefix - 1);
    *weir_hex_write(ns->schema + sizeof prefix - 1, digest, WEIR_PG_SCHEMA_DIGEST_BYTES) = '\0';
    uint64_t key = 0;
    for (size_t i = 0; i < sizeof key; i++) {
        key = key << 8 | digest[i];
    }
    ns->lock_key = (int64_t)key;
}

enum { LOCK_BYTES = 32 };  // of a number and its type

static size_t replaced_size(const struct pg_namespace *ns, const char *text)
{
    size_t n = strlen(text) + 1;
    for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@')) {
        n += sizeof ns->schema + LOCK_BYTES;
    }
    return n;
}

/* Writes to `out` what replaces the mark at the beginning of `text`; returns the mark's length, 0
 * if there is no mark. */
static size_t replace_mark(const struct pg_namespace *ns, const char *text, char *out)
{
    const bool has_side = ns->layout->has_side_tables;
    *out = '\0';
    if (strncmp(text, "@.", 2) == 0) {
        (void)snprintf(out, sizeof ns->schema + LOCK_BYTES, "%s.", ns->schema);
        return 2;
    }
    if (strncmp(text, "@name@", 6) == 0) {
        (void)snprintf(out, sizeof ns->schema, "%s", ns->schema);
        return 6;
    }
    if (strncmp(text, "@keys@", 6) == 0) {
        (void)snprintf(out, sizeof ns->schema + LOCK_BYTES, "%s.%s", ns->schema,
                       has_side ? "keys" : "stored");
        return 6;
    }
    if (strncmp(text, "@lock@", 6) == 0) {
        (void)snprintf(out, LOCK_BYTES, "(%" PRId64 ")::int8", ns->lock_key);
        return 6;
    }
    if (strncmp(text, "@first_time@", 12) == 0) {
        (void)snprintf(out, sizeof ns->schema, "%s", ns->layout->first_time);
        return 12;
    }
    const bool is_side = strncmp(text, "@side{", 6) == 0;
    const bool is_plain = strncmp(text, "@plain{", 7) == 0;
    if (is_side || is_plain) {
        const size_t mark = is_side ? 6 : 7;
        return is_side == has_side ? mark : (size_t)(strstr(text, "}@") + 2 - text);
    }
    return strncmp(text, "}@", 2) == 0 ? 2 : 0;
}

char *weir_pg_expand(const struct pg_namespace *ns, const char *text)
{
    char *out = malloc(replaced_size(ns, text));
    size_t n = 0;
    while (out != NULL && *text != '\0') {
        const size_t mark = *text == '@' || *text == '}' ? replace_mark(ns, text, out + n) : 0;
        if (mark == 0) {
            out[n++] = *text++;
        } else {
            text += mark;
            n += strlen(out + n);
        }
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}

/* ---- the cache ---- */

static struct pg_namespace *cache_slot(struct pg_backend *backend, const struct pg_namespace *ns)
{
    return &backend->namespace_cache[(uint64_t)ns->lock_key % WEIR_PG_NAMESPACE_CACHE_SLOTS];
}

bool weir_pg_namespace_recall(struct pg_backend *backend, struct pg_namespace *ns)
{
    const struct pg_namespace *slot = cache_slot(backend, ns);
    (void)pthread_mutex_lock(&backend->namespaces_mutex);
    const bool is_known = strcmp(slot->schema, ns->schema) == 0;
    if (is_known) {
        *ns = *slot;
    }
    (void)pthread_mutex_unlock(&backend->namespaces_mutex);
    return is_known;
}

void weir_pg_namespace_remember(struct pg_backend *backend, const struct pg_namespace *ns)
{
    (void)pthread_mutex_lock(&backend->namespaces_mutex);
    *cache_slot(backend, ns) = *ns;
    (void)pthread_mutex_unlock(&backend->namespaces_mutex);
}

void weir_pg_namespace_check(struct pg_backend *backend, const struct pg_namespace *ns,
                             int64_t created_at_us)
{
    struct pg_namespace *slot = cache_slot(backend, ns);
    (void)pthread_mutex_lock(&backend->namespaces_mutex);
    if (strcmp(slot->schema, ns->schema) == 0 && slot->created_at_us != created_at_us) {
        slot->schema[0] = '\0';
    }
    for (struct weir_link *at = backend->sessions.next; at != &backend->sessions; at = at->next) {
        struct pg_session *s = WEIR_LINKED(at, struct pg_session, open);
        if (s->ns.lock_key == ns->lock_key && s->created_at_us != created_at_us) {
            atomic_store(&s->is_outdated, true);
        }
    }
    (void)pthread_mutex_unlock(&backend->namespaces_mutex);
}

void weir_pg_namespace_forget(struct pg_backend *backend, const struct pg_namespace *ns)
{
    weir_pg_namespace_check(backend, ns, INT64_MIN);  // a time that no namespace has
}
