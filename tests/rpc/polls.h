/* Long polls, what wakes them and what ends them, in short words. A test has polls of the numbers 0
 * to POLLS_MAX - 1 under way; each that is begun must be ended. */
#ifndef WEIR_TESTS_RPC_POLLS_H
#define WEIR_TESTS_RPC_POLLS_H

#include "tests/rpc/rpc_fixture.h"

enum { POLLS_MAX = 3000, LONG_MS = 60000 };

extern struct rpc_pending pending[POLLS_MAX];

/* What is asked for; what is 0 or NULL is not sent, or as its comment says. */
struct poll_of {
    const char *stream;    // or
    const char *category;  // "" for all
    int64_t from;
    int64_t from_global;  // of a stream, instead
    uint32_t wait_ms;
    uint32_t timeout_ms;
    const char *type;
    const char *other_type;  // as well
    const char *correlation;
    int64_t group_member;
    int64_t group_size;
    const char *token;         // NULL: that of namespace default
    const char *namespace_id;  // with the admin's token
};

/* In memory that the next one takes. */
struct weir_slice pack_poll(const struct poll_of *of);

void begin(size_t i, const struct poll_of *of);

/* Waits until the server holds so many polls and has nothing else to do. */
void wait_until(size_t waiting);

/* Ends a poll, which must have so many messages, or fail so. */
void end_with(size_t i, size_t n_messages, int64_t next_position);
void end_failed(size_t i, weir_status want);

/* Writes one message; `metadata` may be NULL. `put` does so in namespace default. */
void write_as(const char *token, const char *stream, const char *type, const char *metadata);
void put(const char *stream);

/* ---- a namespace of its own ---- */

#define TENANT "ns_dGVuYW50_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FRESH  "ns_dGVuYW50_1111111111111111111111111111111111111111111111111111111111111111"

void create_tenant(void);
void delete_tenant(void);

/* From TENANT to FRESH. */
void rotate_tenant(void);

#endif
