#include "server/calls/auth.h"

#include "server/calls/dispatch.h"
#include "server/calls/server_parts.h"
#include "server/namespaces/tenants.h"
#include "weir/base/table_hash.h"
#include "weir/rules/token_text.h"

#include <assert.h>

static const char namespace_key[] = "namespace";

/* The end of a token, which is random: enough to tell the tokens of a server apart. */
enum { TOKEN_TAIL_BYTES = 8 };

/* Refuses a well-formed token. The text is the same for every reason, so that a client does not
 * learn whether the namespace exists. */
static weir_status unauthorized(struct weir_error *err)
{
    return weir_fail(err, WEIR_AUTH_UNAUTHORIZED, "the token is unknown or has been revoked");
}

/* Tells a failure of the registry as one after which the client may try again. */
static weir_status backend_failure(weir_status st, struct weir_error *err)
{
    if (st == WEIR_BACKEND_ERROR) {
        err->status = WEIR_BACKEND_UNAVAILABLE;
    }
    return err->status;
}

/* Methods of WEIR_ACCESS_OWNER, which may destroy a namespace, always ask the registry: in the last
 * second another server may have deleted the namespace, or rotated away a token that leaked. */
static struct weir_tenant_lookup lookup_for(const struct weir_call *call)
{
    const bool is_owners = weir_methods[call->method].access == WEIR_ACCESS_OWNER;
    return (struct weir_tenant_lookup){.max_age_us = is_owners ? 0 : WEIR_TENANT_TTL_US,
                                       .must_not_block = call->must_not_block,
                                       .deadline_us = call->deadline_us};
}

/* Finds the tenant that the token opens. A cached hash that does not match may be out of date, so
 * the registry is asked before a token is refused. For an unknown namespace the registry
 * is asked and a hash compared as well, so that it looks the same as a wrong secret. */
static weir_status find_by_token(struct weir_call *call, struct weir_slice id,
                                 const struct weir_token_hash *hash, struct weir_error *err)
{
    struct weir_tenant_lookup lookup = lookup_for(call);
    for (;;) {
        static const struct weir_token_hash none = {{0}};
        weir_status st = weir_tenants_find(call->server->tenants, id, &call->arena, &lookup, err);
        if (st != WEIR_OK && st != WEIR_NAMESPACE_NOT_FOUND) {
            return backend_failure(st, err);
        }
        const bool is_match =
            weir_token_hash_equal(hash, st == WEIR_OK ? &lookup.tenant->token_hash : &none);
        if (st == WEIR_OK && is_match) {
            call->tenant = lookup.tenant;
            return WEIR_OK;
        }
        weir_tenant_release(lookup.tenant);
        if (lookup.is_fresh) {
            return unauthorized(err);
        }
        lookup.max_age_us = 0;
    }
}

weir_status weir_auth_fail_unnamed(struct weir_error *err)
{
    return weir_fail_field(err, "metadata[\"namespace\"]",
                           "an admin must name the namespace to act on");
}

static weir_status find_by_name(struct weir_call *call, struct weir_slice id,
                                struct weir_error *err)
{
    weir_status st = weir_namespace_check(id, "metadata[\"namespace\"]", err);
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_tenant_lookup lookup = lookup_for(call);
    st = weir_tenants_find(call->server->tenants, id, &call->arena, &lookup, err);
    call->tenant = lookup.tenant;
    return st == WEIR_NAMESPACE_NOT_FOUND ? st : backend_failure(st, err);
}

/* The namespace in the metadata tells calls with the admin token apart. */
uint32_t weir_auth_owner_of(struct weir_slice request)
{
    struct weir_slice token;
    struct weir_slice named;
    weir_request_frame_peek(request, namespace_key, &token, &named);
    const size_t n = token.n < TOKEN_TAIL_BYTES ? token.n : TOKEN_TAIL_BYTES;
    const struct weir_slice tail = {token.p == NULL ? NULL : token.p + token.n - n, n};
    return (uint32_t)weir_table_hash(weir_table_hash(WEIR_TABLE_SEED, tail), named);
}

/* Chooses the namespace of the call: for an admin the one named in the metadata, else the token's
 * own. Another caller may name only the token's own. */
static weir_status choose_namespace(struct weir_call *call, enum weir_access access,
                                    struct weir_error *err)
{
    const struct weir_slice named = weir_request_frame_metadata(&call->frame, namespace_key);
    if (call->is_admin && named.p != NULL && access == WEIR_ACCESS_NAMESPACE) {
        weir_tenant_release(call->tenant);
        call->tenant = NULL;
        return find_by_name(call, named, err);
    }
    if (!call->is_admin && named.p != NULL &&
        !weir_slice_equal(named, weir_tenant_id(call->tenant))) {
        return unauthorized(err);
    }
    if (call->tenant == NULL && access == WEIR_ACCESS_NAMESPACE) {
        return weir_auth_fail_unnamed(err);
    }
    return WEIR_OK;
}

/* ---- test mode ---- */

static weir_status find_or_create(struct weir_call *call, struct weir_slice id,
                                  const struct weir_token_hash *hash, struct weir_error *err)
{
    struct weir_tenants *tenants = call->server->tenants;
    struct weir_tenant_lookup lookup = lookup_for(call);
    weir_status st = weir_tenants_find(tenants, id, &call->arena, &lookup, err);
    if (st == WEIR_NAMESPACE_NOT_FOUND) {
        struct weir_namespace_record record = {.id = id, .token_hash = *hash};
        bool is_same = false;
        weir_error_init(err);
        st = weir_namespace_create(call->server->store, &record, call->deadline_us, &is_same, err);
        if (st != WEIR_OK && st != WEIR_NAMESPACE_EXISTS) {
            return st;
        }
        weir_error_init(err);
        lookup.max_age_us = 0;
        st = weir_tenants_find(tenants, id, &call->arena, &lookup, err);
    }
    call->tenant = lookup.tenant;
    return st;
}

/* Accepts any token. One that parses names its namespace, which is created at first use; anything
 * else means `default`. */
static weir_status believe_token(struct weir_call *call, struct weir_error *err)
{
    const struct weir_slice token = call->frame.token;
    struct weir_token_hash hash;
    uint8_t parsed[WEIR_NAMESPACE_MAX_BYTES];
    size_t parsed_n = 0;
    struct weir_slice id = weir_slice_of(WEIR_DEFAULT_NAMESPACE);
    weir_token_hash(token, &hash);
    if (token.p != NULL && weir_token_parse(token, parsed, &parsed_n)) {
        id = weir_slice(parsed, parsed_n);
    }
    const weir_status st = find_or_create(call, id, &hash, err);
    call->is_admin = !call->server->config->has_admin_token && weir_namespace_is_default(id);
    return st;
}

/* ---- tokens ---- */

static weir_status check_token(struct weir_call *call, struct weir_error *err)
{
    const struct weir_slice token = call->frame.token;
    const struct weir_config *config = call->server->config;
    struct weir_token_hash hash;
    /* A longer token is not even hashed. */
    if (token.n > 0 && token.n <= WEIR_TOKEN_TEXT_MAX_BYTES) {
        weir_token_hash(token, &hash);
        if (config->has_admin_token && weir_token_hash_equal(&hash, &config->admin_token_hash)) {
            call->is_admin = true;
            return WEIR_OK;
        }
    }
    if (config->is_test_mode) {
        return believe_token(call, err);
    }
    if (token.n == 0) {
        return weir_fail(err, WEIR_AUTH_REQUIRED, "this method requires a token");
    }
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    if (token.n > WEIR_TOKEN_TEXT_MAX_BYTES || !weir_token_parse(token, id, &id_n)) {
        return weir_fail(
            err, WEIR_AUTH_INVALID_TOKEN,
            "the token is malformed: a namespace's token begins with ns_ and ends with "
            "64 hexadecimal digits");
    }
    const weir_status st = find_by_token(call, weir_slice(id, id_n), &hash, err);
    if (st == WEIR_OK && !config->has_admin_token) {
        call->is_admin = weir_namespace_is_default(weir_slice(id, id_n));
    }
    return st;
}

/* Opens the call's tenant. That may take long, so only a worker does it: on another thread the call
 * fails if its tenant is not open yet, and call->is_for_worker has dispatch leave it to a worker.
 */
static weir_status open_tenant(struct weir_call *call, struct weir_error *err)
{
    const bool must_not_open = call->must_not_block || weir_dispatch_is_on_the_spot();
    if (must_not_open && weir_tenant_ns(call->tenant) == NULL) {
        call->is_for_worker = true;
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "the namespace is not open yet");
    }
    return weir_tenant_open(call->tenant, call->deadline_us, err);
}

weir_status weir_auth_check(struct weir_call *call, enum weir_access access, struct weir_error *err)
{
    if (access == WEIR_ACCESS_PUBLIC) {
        return WEIR_OK;
    }
    weir_status st = check_token(call, err);
    if (st == WEIR_OK && access == WEIR_ACCESS_ADMIN && !call->is_admin) {
        return weir_fail(err, WEIR_AUTH_UNAUTHORIZED, "this method requires the admin token");
    }
    if (st == WEIR_OK) {
        st = choose_namespace(call, access, err);
    }
    if (st == WEIR_OK && access == WEIR_ACCESS_NAMESPACE) {
        st = open_tenant(call, err);
    }
    return st;
}

/* Returns a string field of a decoded request; an absent slice where it is not given. */
static struct weir_slice string_field(const ProtobufCMessage *request, const char *name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor, name);
    assert(field != NULL && field->type == PROTOBUF_C_TYPE_STRING);
    const char *const *member =
        (const char *const *)(const void *)((const char *)request + field->offset);
    return weir_slice_of(*member);
}

weir_status weir_auth_check_owner(const struct weir_call *call, const ProtobufCMessage *request,
                                  struct weir_error *err)
{
    const struct weir_slice named = string_field(request, namespace_key);
    if (call->is_admin || named.n == 0) {
        return WEIR_OK;
    }
    return weir_slice_equal(named, weir_tenant_id(call->tenant)) ? WEIR_OK : unauthorized(err);
}

weir_status weir_auth_check_repetition(struct weir_call *call, const struct weir_method *method,
                                       const ProtobufCMessage *request, struct weir_error *err)
{
    const struct weir_slice token = string_field(request, method->token_field);
    uint8_t id[WEIR_NAMESPACE_MAX_BYTES];
    size_t id_n = 0;
    if (!weir_token_parse(token, id, &id_n)) {
        return unauthorized(err);
    }
    struct weir_token_hash hash;
    weir_token_hash(token, &hash);
    weir_error_init(err);
    weir_tenant_release(call->tenant);
    call->tenant = NULL;
    return find_by_token(call, weir_slice(id, id_n), &hash, err);
}

weir_status weir_auth_namespace_gone(struct weir_call *call, struct weir_error *err)
{
    const char *named = weir_error_get_detail(err, "namespace");
    const bool is_own = call->tenant != NULL &&
                        (named == NULL || weir_slice_is(weir_tenant_id(call->tenant), named));
    if (is_own) {
        weir_tenants_forget(call->server->tenants, weir_tenant_id(call->tenant));
    }
    if (!call->is_admin) {
        return unauthorized(err);
    }
    return is_own ? weir_fail_no_namespace(err, weir_tenant_id(call->tenant)) : err->status;
}

weir_status weir_auth_enter(struct weir_call *call, struct weir_slice id, struct weir_error *err)
{
    weir_tenant_release(call->tenant);
    call->tenant = NULL;
    const weir_status st = find_by_name(call, id, err);
    return st == WEIR_OK ? open_tenant(call, err) : st;
}
