/* Completes requests by the descriptors of their messages. Copies only the parts that change. */
#include "client/lib/request.h"

#include "weir/rules/token.h"
#include "weir/rules/uuid.h"
#include "weir/v1/message_store.pb-c.h"

struct completion {
    struct weir_arena *arena;
    struct weir_error *err;
};

/* Returns a member of a message by its offset: its type is known from its descriptor only. */
static const void *member(const ProtobufCMessage *message, unsigned offset)
{
    return (const char *)message + offset;
}

static void *member_of_copy(ProtobufCMessage *message, unsigned offset)
{
    return (char *)message + offset;
}

static weir_status fail_random(struct completion *c)
{
    return weir_fail(c->err, WEIR_BACKEND_UNAVAILABLE, "cannot get random bytes from the system");
}

static ProtobufCMessage *shallow_copy(struct completion *c, const ProtobufCMessage *message)
{
    ProtobufCMessage *copy = weir_arena_alloc(c->arena, message->descriptor->sizeof_message);
    if (copy != NULL) {
        memcpy(copy, message, message->descriptor->sizeof_message);
    }
    return copy;
}

static weir_status complete_new_message(struct completion *c, const ProtobufCMessage *message,
                                        const ProtobufCMessage **out)
{
    const Weir__V1__NewMessage *in = (const Weir__V1__NewMessage *)message;
    if (in->id != NULL) {
        *out = message;
        return WEIR_OK;
    }
    ProtobufCMessage *copy = shallow_copy(c, message);
    char *text = weir_arena_alloc(c->arena, WEIR_UUID_TEXT + 1);
    if (copy == NULL || text == NULL) {
        return weir_arena_fail(c->arena, c->err);
    }
    struct weir_uuid id;
    if (!weir_uuid_make_v7(&id)) {
        return fail_random(c);
    }
    weir_uuid_format(&id, text);
    ((Weir__V1__NewMessage *)copy)->id = text;
    *out = copy;
    return WEIR_OK;
}

static weir_status complete_message(struct completion *c, const ProtobufCMessage *message,
                                    const ProtobufCMessage **out);

/* Completes the elements of an array. *changed is NULL if none changed, else a new array. */
static weir_status complete_elements(struct completion *c, const ProtobufCMessage *const *elements,
                                     size_t n, const ProtobufCMessage ***changed)
{
    *changed = NULL;
    for (size_t i = 0; i < n; i++) {
        const ProtobufCMessage *complete = NULL;
        const weir_status st = complete_message(c, elements[i], &complete);
        if (st != WEIR_OK) {
            return st;
        }
        if (complete == elements[i]) {
            continue;
        }
        if (*changed == NULL) {
            *changed = weir_arena_array(c->arena, n, sizeof(void *));
            if (*changed == NULL) {
                return weir_arena_fail(c->arena, c->err);
            }
            memcpy(*changed, elements, n * sizeof(void *));
        }
        (*changed)[i] = complete;
    }
    return WEIR_OK;
}

static weir_status complete_field(struct completion *c, const ProtobufCFieldDescriptor *field,
                                  const ProtobufCMessage *message, ProtobufCMessage **copy)
{
    const ProtobufCMessage *const *elements = member(message, field->offset);
    size_t n = *elements == NULL ? 0 : 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        n = *(const size_t *)member(message, field->quantifier_offset);
        elements = *(const ProtobufCMessage *const *const *)member(message, field->offset);
    } else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
               *(const uint32_t *)member(message, field->quantifier_offset) != field->id) {
        n = 0;
    }
    const ProtobufCMessage **changed = NULL;
    const weir_status st = complete_elements(c, elements, n, &changed);
    if (st != WEIR_OK || changed == NULL) {
        return st;
    }
    if (*copy == NULL) {
        *copy = shallow_copy(c, message);
        if (*copy == NULL) {
            return weir_arena_fail(c->arena, c->err);
        }
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        *(const ProtobufCMessage ***)member_of_copy(*copy, field->offset) = changed;
    } else {
        *(const ProtobufCMessage **)member_of_copy(*copy, field->offset) = changed[0];
    }
    return WEIR_OK;
}

/* The recursion ends because no message type of weir.v1 contains itself. */
static weir_status complete_message(struct completion *c, const ProtobufCMessage *message,
                                    const ProtobufCMessage **out)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    if (type == &weir__v1__new_message__descriptor) {
        return complete_new_message(c, message, out);
    }
    ProtobufCMessage *copy = NULL;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (type->fields[i].type != PROTOBUF_C_TYPE_MESSAGE) {
            continue;
        }
        const weir_status st = complete_field(c, &type->fields[i], message, &copy);
        if (st != WEIR_OK) {
            return st;
        }
    }
    *out = copy == NULL ? message : copy;
    return WEIR_OK;
}

static const ProtobufCFieldDescriptor *find_field(const ProtobufCMessage *message, const char *name,
                                                  ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field != NULL && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED ? field
                                                                                             : NULL;
}

static struct weir_slice string_field(const ProtobufCMessage *message,
                                      const ProtobufCFieldDescriptor *field)
{
    return weir_slice_of(*(char *const *)member(message, field->offset));
}

static weir_status complete_token(struct completion *c, const char *token_field,
                                  const ProtobufCMessage *request, const ProtobufCMessage **out)
{
    *out = request;
    const ProtobufCFieldDescriptor *token =
        find_field(request, token_field, PROTOBUF_C_TYPE_STRING);
    const ProtobufCFieldDescriptor *name = find_field(request, "namespace", PROTOBUF_C_TYPE_STRING);
    if (token == NULL || name == NULL || string_field(request, token).p != NULL) {
        return WEIR_OK;
    }
    const struct weir_slice id = string_field(request, name);
    struct weir_error invalid;
    weir_error_init(&invalid);
    if (id.p == NULL || weir_namespace_check(id, "namespace", &invalid) != WEIR_OK) {
        return WEIR_OK;
    }
    ProtobufCMessage *copy = shallow_copy(c, request);
    char *text = weir_arena_alloc(c->arena, WEIR_TOKEN_MAX_BYTES + 1);
    if (copy == NULL || text == NULL) {
        return weir_arena_fail(c->arena, c->err);
    }
    const weir_status st = weir_token_make(id, text, c->err);
    if (st != WEIR_OK) {
        return fail_random(c);
    }
    *(char **)member_of_copy(copy, token->offset) = text;
    *out = copy;
    return WEIR_OK;
}

weir_status request_complete(const struct weir_method *method, const ProtobufCMessage *request,
                             struct weir_arena *arena, const ProtobufCMessage **complete,
                             struct weir_error *err)
{
    struct completion c = {arena, err};
    switch (method->retry) {
    case WEIR_RETRY_BY_MESSAGE_ID:
        return complete_message(&c, request, complete);
    case WEIR_RETRY_BY_TOKEN:
        return complete_token(&c, method->token_field, request, complete);
    case WEIR_RETRY_NEVER:
    case WEIR_RETRY_SAFE:
        break;
    }
    *complete = request;
    return WEIR_OK;
}

uint32_t request_wait_ms(const ProtobufCMessage *request)
{
    const ProtobufCFieldDescriptor *field = find_field(request, "wait_ms", PROTOBUF_C_TYPE_UINT32);
    if (field == NULL || !*(const protobuf_c_boolean *)member(request, field->quantifier_offset)) {
        return 0;
    }
    return *(const uint32_t *)member(request, field->offset);
}
