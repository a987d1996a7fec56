/* Starts, wakes and ends long polls, numbered 0 to POLLS_MAX - 1. Every poll that a test begins
 * must be ended. */
#ifndef WEIR_TESTS_RPC_POLLS_H
#define WEIR_TESTS_RPC_POLLS_H

#include "tests/rpc/rpc_fixture.h"

enum { POLLS_MAX = 3000, LONG_MS = 60000 };

extern struct rpc_pending pending[POLLS_MAX];

/* The request of a poll. Members that are 0 or NULL are not sent, unless their comment says
 * otherwise. */
struct poll_of {
    const char *stream;    // or category
    const char *category;  // "" for all categories
    int64_t from;
    int64_t from_global;  // position of a stream read, instead of `from`
    uint32_t wait_ms;
    uint32_t timeout_ms;
    const char *type;
    const char *other_type;  // a second type
    const char *correlation;
    int64_t group_member;
    int64_t group_size;
    const char *token;         // NULL: the token of namespace default
    const char *namespace_id;  // sent with the admin token
};

/* Packs the request into static memory, which the next call overwrites. */
struct weir_slice pack_poll(const struct poll_of *of);

void begin(size_t i, const struct poll_of *of);

/* Waits until the server holds `waiting` polls and has no call in flight. */
void wait_until(size_t waiting);

/* Ends a poll and checks its number of messages and next position, or its failure. */
void end_with(size_t i, size_t n_messages, int64_t next_position);
void end_failed(size_t i, weir_status want);

/* Write one message; `metadata` may be NULL. `put` writes to namespace default. */
void write_as(const char *token, const char *stream, const char *type, const char *metadata);
void put(const char *stream);

/* ---- a separate namespace ---- */

#define TENANT "ns_dGVuYW50_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FRESH  "ns_dGVuYW50_1111111111111111111111111111111111111111111111111111111111111111"

void create_tenant(void);
void delete_tenant(void);

/* Rotates the token from TENANT to FRESH. */
void rotate_tenant(void);

#endif
