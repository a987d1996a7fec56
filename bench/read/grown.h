/* Builds a reply without care for its cost: an array that doubles, a malloc for each message and
 * each text, and a payload that is packed separately and copied. */
#ifndef WEIR_BENCH_READ_GROWN_H
#define WEIR_BENCH_READ_GROWN_H

#include "weir/base/fail.h"
#include "weir/rules/uuid.h"
#include "weir/v1/message_store.pb-c.h"

#include <nng/nng.h>

struct grown {
    Weir__V1__Message **messages;
    size_t n;
    size_t room;
};

/* Appends an empty message. Returns NULL without memory. */
Weir__V1__Message *grown_add(struct grown *grown);

/* Copy bytes. Return NULL or false without memory. */
char *grown_text(const void *bytes, size_t n);
char *grown_id(const void *bytes);
bool grown_data(const void *bytes, size_t n, protobuf_c_boolean *is_there,
                ProtobufCBinaryData *data);

weir_status grown_pack(const struct grown *grown, nng_msg **message, struct weir_error *err);

void grown_free(struct grown *grown);

#endif
