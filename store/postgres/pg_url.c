#include "store/postgres/pg_url.h"

#include <assert.h>
#include <stdlib.h>

/* ---- parsing ---- */

static const char *option(const struct pg_url *url, const char *keyword)
{
    for (const PQconninfoOption *o = url->options; o->keyword != NULL; o++) {
        if (strcmp(o->keyword, keyword) == 0) {
            return o->val;
        }
    }
    return NULL;
}

static size_t count_items(const char *list)
{
    size_t n = 1;
    for (; list != NULL && *list != '\0'; list++) {
        n += *list == ',';
    }
    return n;
}

static char *normal_url(const char *text, const char *scheme)
{
    static const char standard[] = "postgresql://";
    const size_t skip = strncmp(text, scheme, strlen(scheme)) == 0 ? strlen(scheme) : 0;
    const size_t n = strlen(text + skip);
    char *url = malloc(sizeof standard + n);
    if (url != NULL) {
        memcpy(url, standard, sizeof standard);
        memcpy(url + (skip > 0 ? sizeof standard - 1 : 0), text + skip, n + 1);
    }
    return url;
}

/* Leaves out libpq's own reason, which quotes the URL. */
static weir_status fail_url(struct weir_error *err)
{
    return weir_fail_field(
        err, "store",
        "the URL is not a valid PostgreSQL URL, whose form is "
        "postgresql://user@host:5432/database, with %%XX for special characters and no parameters "
        "that libpq %d does not know",
        PQlibVersion() / 10000);
}

/* Returns false if an '@' is left in the host, port or database. A special character that is not
 * escaped turns part of the password into host, port or database, which would be quoted when that
 * is not found. */
static bool is_well_formed(const char *url)
{
    const char *place = strstr(url, "://") + 3;
    const size_t credentials = strcspn(place, "@/");
    if (place[credentials] == '@') {
        place += credentials + 1;
    }
    return memchr(place, '@', strcspn(place, "?")) == NULL;
}

static bool are_ports(const char *list)
{
    return list == NULL || strspn(list, "0123456789,") == strlen(list);
}

static weir_status check_lists(const struct pg_url *url, struct weir_error *err)
{
    const size_t hosts = count_items(option(url, "host"));
    const size_t ports = count_items(option(url, "port"));
    if (ports > 1 && ports != url->hosts) {
        return weir_fail_field(err, "store", "the URL has %zu hosts and %zu ports", url->hosts,
                               ports);
    }
    if (option(url, "hostaddr") != NULL && option(url, "host") != NULL && hosts != url->hosts) {
        return weir_fail_field(err, "store", "the URL has %zu hosts and %zu addresses", hosts,
                               url->hosts);
    }
    return WEIR_OK;
}

static int64_t timeout_of(const char *seconds)
{
    const long n = seconds == NULL ? 0 : strtol(seconds, NULL, 10);
    return n <= 0 || n > 86400 ? INT64_MAX : (int64_t)n * 1000000;
}

weir_status weir_pg_url_parse(const char *text, const char *scheme, struct pg_url *url,
                              struct weir_error *err)
{
    char *normal = normal_url(text, scheme);
    if (normal == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    char *reason = NULL;
    url->options = is_well_formed(normal) ? PQconninfoParse(normal, &reason) : NULL;
    PQfreemem(reason);
    free(normal);
    if (url->options == NULL) {
        return fail_url(err);
    }
    if (!are_ports(option(url, "port"))) {
        weir_pg_url_free(url);
        return fail_url(err);
    }
    const char *addresses = option(url, "hostaddr");
    url->hosts = count_items(addresses != NULL ? addresses : option(url, "host"));
    url->connect_timeout_us = timeout_of(option(url, "connect_timeout"));
    const weir_status status = check_lists(url, err);
    if (status != WEIR_OK) {
        weir_pg_url_free(url);
    }
    return status;
}

void weir_pg_url_free(struct pg_url *url)
{
    PQconninfoFree(url->options);
    url->options = NULL;
}

/* ---- one host ---- */

static void add(struct pg_target *target, const char *keyword, const char *value)
{
    assert(target->n + 1 < WEIR_PG_KEYWORDS_MAX);
    target->keywords[target->n] = keyword;
    target->values[target->n] = value;
    target->n++;
}

/* Adds item `at` of a comma-separated list; a single item serves all hosts. */
static void add_item(struct pg_target *target, const char *keyword, const char *list, size_t at,
                     char area[WEIR_PG_HOST_BYTES])
{
    if (list == NULL) {
        return;
    }
    const size_t items = count_items(list);
    for (size_t skip = items > 1 ? at : 0; skip > 0; skip--) {
        list = strchr(list, ',') + 1;
    }
    const size_t n = strcspn(list, ",");
    if (n < WEIR_PG_HOST_BYTES) {
        memcpy(area, list, n);
        area[n] = '\0';
        add(target, keyword, area);
    }
}

static bool is_ours(const char *keyword)
{
    static const char *const ours[] = {"host", "hostaddr", "port", "client_encoding"};
    for (size_t k = 0; k < WEIR_COUNTOF(ours); k++) {
        if (strcmp(ours[k], keyword) == 0) {
            return true;
        }
    }
    return false;
}

static void add_default(const struct pg_url *url, struct pg_target *target, const char *keyword,
                        const char *value)
{
    if (option(url, keyword) == NULL) {
        add(target, keyword, value);
    }
}

void weir_pg_url_target(const struct pg_url *url, size_t host, struct pg_target *target)
{
    target->n = 0;
    for (const PQconninfoOption *o = url->options; o->keyword != NULL; o++) {
        if (o->val != NULL && !is_ours(o->keyword)) {
            add(target, o->keyword, o->val);
        }
    }
    add_item(target, "host", option(url, "host"), host, target->host);
    add_item(target, "hostaddr", option(url, "hostaddr"), host, target->hostaddr);
    add_item(target, "port", option(url, "port"), host, target->port);
    add(target, "client_encoding", "UTF8");
    /* A standby is refused, so that the new primary is found after a failover. */
    add_default(url, target, "target_session_attrs", "read-write");
    add_default(url, target, "application_name", "weir-server");
    /* A host that vanishes, or a firewall that forgets a connection, would go unnoticed for a
     * quarter of an hour. */
    add_default(url, target, "keepalives_idle", "30");
    add_default(url, target, "keepalives_interval", "10");
    add_default(url, target, "tcp_user_timeout", "10000");
    target->keywords[target->n] = NULL;
    target->values[target->n] = NULL;
}

/* ---- secrets ---- */

void weir_pg_url_redact(const struct pg_url *url, char *text)
{
    const char *password = option(url, "password");
    if (password != NULL && password[0] != '\0') {
        for (char *at = strstr(text, password); at != NULL; at = strstr(at, password)) {
            memset(at, '*', strlen(password));
            at += strlen(password);
        }
    }
    for (; *text != '\0'; text++) {
        *text = *text == '\n' || *text == '\r' ? ' ' : *text;
    }
}
