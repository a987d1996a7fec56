/* Decodes a reply into one block: counts the bytes that protobuf-c will allocate, allocates them at
 * once, and lets protobuf-c allocate from that block. */
#include "client/lib/response.h"

#include "client/weir.h"
#include "weir/wire/check.h"
#include "weir/wire/field.h"

#include <stdalign.h>
#include <stdlib.h>

enum {
    ALIGN = alignof(max_align_t),
    /* protobuf-c notes the fields of a message in slabs: the first slab, of 16 notes, lies on its
     * stack; each further slab is twice as long as the last and comes from the allocator. */
    FIRST_SLAB_NOTES = 16,
    NOTE_BYTES = 32
};

/* One allocation of a response. The message itself is the first thing in the first block. */
struct block {
    struct block *next;
    alignas(max_align_t) uint8_t bytes[];
};

/* Allocates a response from its first block. If that is too small, which can only happen with a
 * protobuf-c that allocates differently, the rest goes into further blocks. */
struct cursor {
    ProtobufCAllocator allocator;
    struct block *first;
    uint8_t *at;
    size_t left;
};

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) / ALIGN * ALIGN;
}

static void *allocate_from_block(void *data, size_t n)
{
    struct cursor *cursor = data;
    const size_t need = aligned(n);
    if (need <= cursor->left) {
        void *p = cursor->at;
        cursor->at += need;
        cursor->left -= need;
        return p;
    }
    struct block *more = malloc(sizeof *more + n);
    if (more == NULL) {
        return NULL;
    }
    more->next = cursor->first->next;
    cursor->first->next = more;
    return more->bytes;
}

static void ignore_free(void *data, void *p)
{
    (void)data;
    (void)p;
}

static void free_blocks(struct block *block)
{
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

static size_t element_bytes(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return sizeof(uint64_t);
    }
}

static size_t message_bytes(const ProtobufCMessageDescriptor *type, struct weir_slice bytes);

/* Returns the bytes that a field takes in addition to its message's struct. */
static size_t field_bytes(const ProtobufCFieldDescriptor *field,
                          const struct weir_wire_field *found)
{
    if (field == NULL) {
        return sizeof(ProtobufCMessageUnknownField) + 2 * ALIGN + aligned(found->bytes.n + 10);
    }
    size_t n = 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        n = element_bytes(field->type);
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return n + message_bytes(field->descriptor, found->bytes);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES) {
        return n + aligned(found->bytes.n + 1);
    }
    /* Packed numbers take at least one byte each. */
    return found->type == WEIR_WIRE_BYTES ? n * found->bytes.n : n;
}

static size_t slab_bytes(size_t fields_n)
{
    size_t total = 0;
    size_t notes = FIRST_SLAB_NOTES;
    size_t room = FIRST_SLAB_NOTES;
    while (room < fields_n) {
        notes *= 2;
        room += notes;
        total += notes * NOTE_BYTES;
    }
    return total;
}

/* Returns the bytes that protobuf-c will allocate to unpack `bytes`, or a little more. The payload
 * has been checked, so the depth is limited and the sum is bounded by a multiple of the payload. */
static size_t message_bytes(const ProtobufCMessageDescriptor *type, struct weir_slice bytes)
{
    size_t total = aligned(type->sizeof_message) + type->n_fields * (size_t)ALIGN;
    size_t fields_n = 0;
    struct weir_wire_field found;
    const char *fault = NULL;
    while (weir_wire_next(&bytes, &found, &fault)) {
        total += field_bytes(protobuf_c_message_descriptor_get_field(type, found.number), &found);
        fields_n++;
    }
    return total + slab_bytes(fields_n);
}

/* Returns the most elements a reply may have. Messages of an honest reply take many bytes each. */
static size_t elements_max(struct weir_slice payload)
{
    return payload.n / 8 + 4096;
}

weir_status response_unpack(const ProtobufCMessageDescriptor *type, struct weir_slice payload,
                            ProtobufCMessage **response, struct weir_error *err)
{
    struct weir_error fault;
    weir_error_init(&fault);
    if (weir_wire_check(payload, type, elements_max(payload), NULL, &fault) != WEIR_OK) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "the reply is not a %s: %s", type->name,
                         fault.text);
    }
    const size_t room = message_bytes(type, payload);
    struct cursor cursor = {.first = malloc(sizeof *cursor.first + room), .left = room};
    if (cursor.first == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    cursor.first->next = NULL;
    cursor.at = cursor.first->bytes;
    cursor.allocator = (ProtobufCAllocator){
        .alloc = allocate_from_block, .free = ignore_free, .allocator_data = &cursor};
    ProtobufCMessage *message =
        protobuf_c_message_unpack(type, &cursor.allocator, payload.n, payload.p);
    if (message == NULL) {
        free_blocks(cursor.first);
        return weir_fail(err, WEIR_BACKEND_ERROR, "the reply is not a %s", type->name);
    }
    *response = message;
    return WEIR_OK;
}

/* ---- writes ---- */

/* The field numbers of WriteMessagesRequest, WriteStreamsRequest and StreamWrite. */
enum { MESSAGES_OF_REQUEST = 2, WRITES_OF_REQUEST = 1, MESSAGES_OF_WRITE = 2 };

/* Takes the next field with that number off the front of *rest; false if there is none. */
static bool next_field(struct weir_slice *rest, uint32_t number, struct weir_slice *bytes)
{
    struct weir_wire_field field;
    const char *fault = NULL;
    while (weir_wire_next(rest, &field, &fault)) {
        if (field.number == number) {
            *bytes = field.bytes;
            return true;
        }
    }
    return false;
}

static size_t count_fields(struct weir_slice packed, uint32_t number)
{
    struct weir_slice bytes;
    size_t n = 0;
    while (next_field(&packed, number, &bytes)) {
        n++;
    }
    return n;
}

static weir_status check_written_n(size_t written_n, size_t messages_n, struct weir_error *err)
{
    return written_n == messages_n
               ? WEIR_OK
               : weir_fail(err, WEIR_BACKEND_ERROR,
                           "the reply to a write of %zu messages lists %zu", messages_n, written_n);
}

static weir_status check_results(struct weir_slice request,
                                 const Weir__V1__WriteStreamsResponse *response,
                                 struct weir_error *err)
{
    struct weir_slice write;
    size_t n = 0;
    weir_status st = WEIR_OK;
    while (st == WEIR_OK && next_field(&request, WRITES_OF_REQUEST, &write)) {
        const size_t written_n = n < response->n_results ? response->results[n]->n_written : 0;
        st = check_written_n(written_n, count_fields(write, MESSAGES_OF_WRITE), err);
        n++;
    }
    if (st == WEIR_OK && n != response->n_results) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "the reply to a write of %zu streams lists %zu",
                         n, response->n_results);
    }
    return st;
}

weir_status response_check_written(struct weir_slice request, const ProtobufCMessage *response,
                                   struct weir_error *err)
{
    if (response->descriptor == &weir__v1__write_messages_response__descriptor) {
        const Weir__V1__WriteMessagesResponse *written =
            (const Weir__V1__WriteMessagesResponse *)response;
        return check_written_n(written->n_written, count_fields(request, MESSAGES_OF_REQUEST), err);
    }
    if (response->descriptor == &weir__v1__write_streams_response__descriptor) {
        return check_results(request, (const Weir__V1__WriteStreamsResponse *)response, err);
    }
    return WEIR_OK;
}

void weir_response_free(const void *response)
{
    if (response != NULL) {
        /* The message is the first thing in its block. */
        free_blocks((struct block *)((uintptr_t)response - offsetof(struct block, bytes)));
    }
}
