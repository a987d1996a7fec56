/* A write of new messages to one stream, made again and again in the same memory, and the check of
 * its response. Used by one thread at a time. */
#ifndef WEIR_BENCH_WRITE_REQUEST_H
#define WEIR_BENCH_WRITE_REQUEST_H

#include "bench/load/streams.h"

/* What a message takes of a request beside its data, at most: its id, type and stream, and of an
 * import its positions. */
enum { MESSAGE_BESIDE_DATA_BYTES = 256 };

struct write_request {
    Weir__V1__WriteMessagesRequest request;
    Weir__V1__Expectation expectation;
    Weir__V1__NewMessage *messages;
    Weir__V1__NewMessage **pointers;
    char *ids;   // room of them, each with its NUL
    char *data;  // the same
    size_t data_bytes;
    size_t room;
    char stream[STREAM_NAME_MAX];
};

/* Room for writes of up to `room` messages. */
bool write_request_init(struct write_request *write, size_t room, size_t data_bytes);
void write_request_fini(struct write_request *write);

/* New messages with new ids; the data of the first carries `seed`, those that follow numbers made
 * from it. False where the system gives no random bytes. */
bool write_request_fill(struct write_request *write, size_t n, uint64_t seed);

/* The write's stream must have this version. */
void write_request_expect(struct write_request *write, int64_t version);

/* What is wrong with the response, in constant text; NULL for nothing. The write's own positions
 * follow each other and begin at `least` or later, or right behind the version that it expected. */
const char *write_request_check(const struct write_request *write,
                                const Weir__V1__WriteMessagesResponse *response, int64_t least);

#endif
