#include "server/handlers/handlers.h"

#include "server/calls/auth.h"
#include "server/calls/server_parts.h"
#include "server/handlers/check_namespace.h"
#include "server/handlers/namespace_info.h"
#include "server/namespaces/default_namespace.h"
#include "server/namespaces/tenants.h"
#include "weir/rules/time_text.h"

/* Drops the cached tenant of a namespace that has just been changed. */
static void forget(struct weir_call *call, struct weir_slice id)
{
    weir_tenants_forget(call->server->tenants, id);
}

/* Copies the token that the client supplied, or makes a new one. */
static weir_status choose_token(const char *supplied, struct weir_slice id,
                                char token[WEIR_TOKEN_MAX_BYTES + 1], struct weir_error *err)
{
    if (supplied == NULL) {
        return weir_token_make(id, token, err);
    }
    /* A supplied token has been parsed, so it fits. */
    memcpy(token, supplied, strlen(supplied) + 1);
    return WEIR_OK;
}

/* Prepares the file with the token of `default` for a rotation. A failure is logged only: it
 * matters only if the server crashes before the rotation has ended. */
static void prepare_rotation(const struct weir_call *call, struct weir_slice id, const char *token)
{
    struct weir_error err;
    weir_error_init(&err);
    if (weir_namespace_is_default(id) &&
        weir_default_namespace_prepare_rotation(call->server->config, token, &err) != WEIR_OK) {
        weir_log_say(&call->server->log, WEIR_LOG_ERROR, "%s", err.text);
    }
}

/* Keeps the file with the token of `default` up to date. A failure is logged only: the token has
 * been changed by then. */
static void keep_default_token(const struct weir_call *call, struct weir_slice id,
                               const char *token)
{
    if (!weir_namespace_is_default(id)) {
        return;
    }
    struct weir_error err;
    weir_error_init(&err);
    if (weir_default_namespace_keep_token(call->server->config, call->server->store, token, &err) !=
        WEIR_OK) {
        weir_log_say(&call->server->log, WEIR_LOG_ERROR, "%s", err.text);
    }
}

static weir_status prepare_default_token(const struct weir_call *call, struct weir_slice id,
                                         struct weir_error *err)
{
    if (!weir_namespace_is_default(id) ||
        weir_default_namespace_prepare_token(call->server->config, err) == WEIR_OK) {
        return WEIR_OK;
    }
    /* The text names the file: it is for the operator, not for the client. */
    weir_log_say(&call->server->log, WEIR_LOG_ERROR, "%s", err->text);
    return weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                     "the next token of namespace default cannot be written; nothing was deleted");
}

static void take_prepared_token(const struct weir_call *call, struct weir_slice id)
{
    struct weir_error err;
    weir_error_init(&err);
    if (weir_namespace_is_default(id) &&
        weir_default_namespace_take_prepared_token(call->server->config, call->server->store,
                                                   &err) != WEIR_OK) {
        weir_log_say(&call->server->log, WEIR_LOG_ERROR, "%s", err.text);
    }
}

/* ---- create ---- */

WEIR_HANDLER(weir_handle_create_namespace, Weir__V1__CreateNamespaceRequest)
{
    struct weir_namespace_record record;
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    weir_status st = weir_check_create_namespace(call, request, &record, err);
    if (st == WEIR_OK) {
        st = choose_token(request->token, record.id, token, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    weir_token_hash(weir_slice_of(token), &record.token_hash);
    bool is_same = false;
    st = weir_namespace_create(call->server->store, &record, call->deadline_us, &is_same, err);
    if (st != WEIR_OK && !(st == WEIR_NAMESPACE_EXISTS && is_same)) {
        return st;
    }
    forget(call, record.id);
    keep_default_token(call, record.id, token);
    weir_error_init(err);
    Weir__V1__CreateNamespaceResponse response = WEIR__V1__CREATE_NAMESPACE_RESPONSE__INIT;
    response.namespace_ = request->namespace_;
    response.token = token;
    response.has_created_at_us = true;
    response.created_at_us = record.created_at_us;
    return weir_call_reply(call, &response.base, err);
}

/* ---- delete, rotate, clear ---- */

WEIR_HANDLER(weir_handle_delete_namespace, Weir__V1__DeleteNamespaceRequest)
{
    struct weir_slice id;
    weir_status st = weir_check_namespace_id(request->namespace_, &id, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (weir_namespace_is_default(id) && !(request->has_force && request->force)) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "namespace default can be deleted with `force` only");
    }
    st = prepare_default_token(call, id, err);
    if (st != WEIR_OK) {
        return st;
    }
    int64_t messages_deleted = 0;
    st = weir_namespace_delete(call->server->store, id, call->deadline_us, &messages_deleted, err);
    forget(call, id);
    if (st != WEIR_OK) {
        return st;
    }
    take_prepared_token(call, id);
    Weir__V1__DeleteNamespaceResponse response = WEIR__V1__DELETE_NAMESPACE_RESPONSE__INIT;
    response.has_deleted_at_us = true;
    response.deleted_at_us = weir_now_us();
    response.has_messages_deleted = true;
    response.messages_deleted = messages_deleted;
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_rotate_token, Weir__V1__RotateTokenRequest)
{
    struct weir_slice id;
    char token[WEIR_TOKEN_MAX_BYTES + 1];
    weir_status st = weir_check_namespace_id(request->namespace_, &id, err);
    if (st == WEIR_OK && request->new_token != NULL) {
        st = weir_check_new_token(request->new_token, "new_token", id, err);
    }
    if (st == WEIR_OK) {
        st = choose_token(request->new_token, id, token, err);
    }
    if (st != WEIR_OK) {
        return st;
    }
    struct weir_token_hash hash;
    weir_token_hash(weir_slice_of(token), &hash);
    prepare_rotation(call, id, token);
    st = weir_namespace_set_token(call->server->store, id, &hash, call->deadline_us, err);
    forget(call, id);
    if (st != WEIR_OK) {
        return st;
    }
    keep_default_token(call, id, token);
    Weir__V1__RotateTokenResponse response = WEIR__V1__ROTATE_TOKEN_RESPONSE__INIT;
    response.token = token;
    return weir_call_reply(call, &response.base, err);
}

static weir_status reply_clear(struct weir_call *call, struct weir_error *err)
{
    Weir__V1__ClearNamespaceResponse response = WEIR__V1__CLEAR_NAMESPACE_RESPONSE__INIT;
    response.has_messages_deleted = true;
    response.messages_deleted = call->write.of.clear.messages_deleted;
    return weir_call_reply(call, &response.base, err);
}

WEIR_HANDLER(weir_handle_clear_namespace, Weir__V1__ClearNamespaceRequest)
{
    struct weir_slice id;
    weir_status st = weir_check_namespace_id(request->namespace_, &id, err);
    if (st != WEIR_OK) {
        return st;
    }
    if (!weir_slice_equal(weir_slice_of(request->confirm), id)) {
        return weir_fail(err, WEIR_PRECONDITION,
                         "`confirm` must be the id of the namespace that is cleared");
    }
    st = weir_auth_enter(call, id, err);
    if (st != WEIR_OK) {
        return st;
    }
    call->write.of.clear = (struct weir_clear){.messages_deleted = 0};
    return weir_call_write(call, WEIR_WRITE_CLEAR, reply_clear);
}

/* ---- describe ---- */

WEIR_HANDLER(weir_handle_get_namespace, Weir__V1__GetNamespaceRequest)
{
    struct weir_slice id;
    struct weir_namespace_record record;
    Weir__V1__NamespaceInfo info;
    weir_status st = weir_check_namespace_id(request->namespace_, &id, err);
    if (st == WEIR_OK) {
        record.id = id;
        st =
            weir_namespace_find(call->server->store, &record, call->deadline_us, &call->arena, err);
    }
    if (st == WEIR_OK) {
        st = weir_namespace_info_fill(call, &record, &info, err);
    }
    if (st == WEIR_OK) {
        st = weir_namespace_info_count(call, id, &info, err);
    }
    if (st != WEIR_OK) {
        return st == WEIR_NAMESPACE_NOT_FOUND ? weir_fail_no_namespace(err, id) : st;
    }
    Weir__V1__GetNamespaceResponse response = WEIR__V1__GET_NAMESPACE_RESPONSE__INIT;
    response.namespace_ = info.namespace_;
    response.description = info.description;
    response.has_metadata = info.has_metadata;
    response.metadata = info.metadata;
    response.has_created_at_us = info.has_created_at_us;
    response.created_at_us = info.created_at_us;
    response.has_message_count = info.has_message_count;
    response.message_count = info.message_count;
    response.has_stream_count = info.has_stream_count;
    response.stream_count = info.stream_count;
    response.has_last_activity_us = info.has_last_activity_us;
    response.last_activity_us = info.last_activity_us;
    return weir_call_reply(call, &response.base, err);
}
