/* Joined replies: small replies of a connection that wait for the next one, to leave with it by one
 * call of the system. nng takes them for sent.
 *
 * Only a reply behind which another one is announced may be joined (pending_replies.h). Both leave
 * when the other one is sent or withdrawn. If its thread takes long, or the kernel has no room when
 * it is withdrawn, what is joined leaves with the sweep of the connections, within a second.
 *
 * State is process-wide, by descriptor. Thread-safe. The lock is a leaf, held over system calls
 * that do not block. */
#ifndef WEIR_SERVER_JOINED_REPLIES_H
#define WEIR_SERVER_JOINED_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* What a connection can have joined: some forty replies to writes. Allocated when it joins its
 * first reply, and kept for the descriptor's next connections. */
enum { WEIR_JOINED_BYTES = 2048 };

/* Joins a message of `n` bytes. Returns false, without a change, if there is no room for it. */
bool weir_joined_add(int descriptor, const struct msghdr *message, size_t n);

/* Sends what is joined and, behind it, the message without its first `skip` bytes. Returns as
 * sendmsg() does, but counts only bytes of the message: -1 with EAGAIN if the kernel has not taken
 * all that is joined. A message has at most WEIR_NNG_PARTS_MAX parts (nng_connections.h). */
ssize_t weir_joined_send(int descriptor, const struct msghdr *message, size_t skip, int flags);

/* Sends what is joined. Returns false if the kernel has no room for some of it, which is left. */
bool weir_joined_flush(int descriptor);

/* Returns how many bytes are joined. */
size_t weir_joined_bytes(int descriptor);

/* Discards what is joined: the connection has ended. */
void weir_joined_drop(int descriptor);

#endif
