/* Settings and reports of the socket calls that this program defines in place of the C library's,
 * so that nng handles its connections well (nng_connections.h). Only a program that links the
 * object library weir_nng_sockets has them.
 *
 * The limits are set before the first connection. */
#ifndef WEIR_SERVER_NNG_SOCKETS_H
#define WEIR_SERVER_NNG_SOCKETS_H

#include <stddef.h>

enum weir_nng_sockets_event {
    WEIR_NNG_SOCKETS_FULL,          // a connection was refused because descriptors are exhausted
    WEIR_NNG_SOCKETS_ENDED,         // connections were ended, see partial_messages.h
    WEIR_NNG_SOCKETS_TOO_LONG,      // one was ended for a message that is too long
    WEIR_NNG_SOCKETS_NOT_SP,        // one was ended because what came is not SP, or no request
    WEIR_NNG_SOCKETS_WEBSOCKET,     // one was ended for its HTTP or its frames, see ws_frames.h
    WEIR_NNG_SOCKETS_NO_WEBSOCKET,  // nng has answered a request of HTTP with an error
    WEIR_NNG_SOCKETS_EVENTS
};

/* Has `report` called for each kind of event, at most once a minute, on a thread of nng; `fault` is
 * an errno, of use with WEIR_NNG_SOCKETS_FULL only. NULL ends the reports; no call of an earlier
 * `report` is under way when this function returns. */
void weir_nng_sockets_report(void (*report)(void *context, enum weir_nng_sockets_event event,
                                            int fault),
                             void *context);

/* Limits connections to descriptors below `descriptor`, which leaves the others for files: a new
 * connection with any other descriptor is closed at once and reported. 0, the default: no limit. */
void weir_nng_sockets_take_below(int descriptor);

/* Limits received messages to `message_max` bytes: a longer message ends its connection. To be the
 * same as nng's own limit (NNG_OPT_RECVMAXSZ). 0, the default: no limit. */
void weir_nng_sockets_refuse_above(size_t message_max);

#endif
