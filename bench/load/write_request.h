/* A reusable request that writes new messages to one stream, and the check of its response. One
 * thread at a time uses a request. */
#ifndef WEIR_BENCH_WRITE_REQUEST_H
#define WEIR_BENCH_WRITE_REQUEST_H

#include "bench/load/streams.h"

/* Upper bound of a message's size in a request without its data: id, type and stream name, and the
 * positions in an import. */
enum { MESSAGE_BESIDE_DATA_BYTES = 256 };

struct write_request {
    Weir__V1__WriteMessagesRequest request;
    Weir__V1__Expectation expectation;
    Weir__V1__NewMessage *messages;
    Weir__V1__NewMessage **pointers;
    char *ids;   // room for `room` ids, each with its NUL
    char *data;  // room for the data of `room` messages
    size_t data_bytes;
    char stream[STREAM_NAME_MAX];
};

/* Allocates memory for writes of up to `room` messages. Returns false without memory. */
bool write_request_init(struct write_request *write, size_t room, size_t data_bytes);
void write_request_fini(struct write_request *write);

/* Fills in `n` messages with new ids. The data of the first carries `seed`, that of the others
 * seeds derived from it. Returns false if the system provides no random bytes. */
bool write_request_fill(struct write_request *write, size_t n, uint64_t seed);

/* Makes the write expect this version of its stream. */
void write_request_expect(struct write_request *write, int64_t version);

/* Returns NULL if the response is right, else the fault as constant text. The positions must be
 * consecutive and start at `least` or later, or directly after the expected version if the write
 * has one. */
const char *write_request_check(const struct write_request *write,
                                const Weir__V1__WriteMessagesResponse *response, int64_t least);

#endif
