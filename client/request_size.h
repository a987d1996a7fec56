/* Requests of the sizes that the server reads. It closes the connection that a larger one comes on,
 * so that nothing would tell a request that is too large from a connection that was lost. */
#ifndef WEIR_CLIENT_REQUEST_SIZE_H
#define WEIR_CLIENT_REQUEST_SIZE_H

#include "client/cli.h"

/* Before a request is made: asks the server for its limit, once and only for requests that not
 * every server reads. From then on larger ones are LIMIT_EXCEEDED, unsent. Fails as a call does. */
weir_status request_size_ask(struct cli *cli, const ProtobufCMessage *request);

/* The same, and halves *messages_n, the number of messages that `request` is about to be made with,
 * until it can be sent or holds only one. */
weir_status request_size_cut(struct cli *cli, const ProtobufCMessage *request, size_t *messages_n);

#endif
