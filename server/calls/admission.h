/* Admission: passes requests on to dispatch, or refuses them at once.
 *
 * Calls in flight are bounded in number, those of each owner and all (places.h), and in bytes of
 * their requests; no small request is refused because of the bytes of large ones. Replies that
 * clients have not read are bounded in bytes, by connection and in total, because many small
 * requests can ask for much. A request beyond a bound gets LIMIT_EXCEEDED, or BACKEND_UNAVAILABLE
 * where no call has ended for a second, because the store hangs then; while the server stops it
 * gets SHUTTING_DOWN. The counters are in struct weir_server (server_parts.h). Any thread; nothing
 * here blocks, except that weir_admission_arrived may lead or serve on the spot (dispatch.h). */
#ifndef WEIR_SERVER_ADMISSION_H
#define WEIR_SERVER_ADMISSION_H

#include "weir/base/fail.h"

struct weir_exchange;
struct weir_server;

/* Takes over a request, on a thread of the transport: admits it and calls weir_dispatch_arrived, or
 * refuses it. */
void weir_admission_arrived(void *server, struct weir_exchange *exchange);

/* Checks that another reply of any size is allowed; LIMIT_EXCEEDED where its client, or all clients
 * together, have left too many bytes unread. */
weir_status weir_admission_check_unread(const struct weir_server *server,
                                        struct weir_exchange *exchange, struct weir_error *err);

/* Ends a call's count against its bound, because it is about to be answered, or to wait. To be
 * called before the reply is sent: the client may send its next request as soon as it has the
 * reply, and that must not be refused as one too many. `has_waited`: the call counted as a waiting
 * read. */
void weir_admission_answers(struct weir_server *server, struct weir_exchange *exchange,
                            bool has_waited);

/* Counts out an admitted call whose request had `bytes`, after its reply was given to the
 * transport. This is the last thing done for a call: the server may be gone afterwards. */
void weir_admission_finished(struct weir_server *server, size_t bytes);

/* Counts out a read that has waited, and was not in flight any more, after its reply was given to
 * the transport. The server may be gone afterwards. */
void weir_admission_waited(struct weir_server *server);

/* Answers an exchange with SHUTTING_DOWN. */
void weir_admission_refuse_stopping(struct weir_exchange *exchange);

/* Answers an exchange with a failure, without a call. Closes the connection where there is no
 * memory for the reply. */
void weir_admission_refuse(struct weir_exchange *exchange, const struct weir_error *err);

#endif
