/* Where requests enter: admitted and queued, or refused at once.
 *
 * Calls in flight are bounded in number and in bytes of their requests, and what clients have not
 * read of their replies in bytes, by connection and in all: many small requests can ask for much. A
 * request too many is LIMIT_EXCEEDED, or BACKEND_UNAVAILABLE where no call has come to an end for a
 * while, because then it is the store that hangs; while the server stops it is SHUTTING_DOWN.
 * Nothing here blocks. */
#ifndef WEIR_SERVER_ADMISSION_H
#define WEIR_SERVER_ADMISSION_H

#include "server/server.h"
#include "server/transport/exchange.h"

/* Takes a request from the transport. */
void weir_admission_arrived(void *server, struct weir_exchange *exchange);

/* Whether there may be another reply of any size: its client, or all of them, may have left too
 * much unread. LIMIT_EXCEEDED. */
weir_status weir_admission_check_unread(const struct weir_server *server,
                                        struct weir_exchange *exchange, struct weir_error *err);

/* A call is about to be answered, or to wait: it no longer counts against the bound on calls. To be
 * called before the reply is given away, because the client may send its next request as soon as it
 * has the reply, and that must not be refused as one too many. */
void weir_admission_answers(struct weir_server *server, bool has_waited);

/* An admitted call, whose request had `bytes`, is finished and its reply given to the transport.
 * The last thing done for a call: the server may be gone afterwards. */
void weir_admission_finished(struct weir_server *server, size_t bytes);

/* The same for a call that had begun to wait, which is no longer in flight. */
void weir_admission_waited(struct weir_server *server);

void weir_admission_refuse_stopping(struct weir_exchange *exchange);

/* Answers an exchange with a failure, without a call. Closes the connection where there is no
 * memory even for that. */
void weir_admission_refuse(struct weir_exchange *exchange, const struct weir_error *err);

#endif
