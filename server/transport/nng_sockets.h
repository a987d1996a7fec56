/* The sockets of nng, as this program makes them behave (nng_sockets.c). */
#ifndef WEIR_SERVER_NNG_SOCKETS_H
#define WEIR_SERVER_NNG_SOCKETS_H

#include <stddef.h>

enum weir_nng_sockets_event {
    WEIR_NNG_SOCKETS_FULL,  // a connection cannot be taken for want of descriptors: an errno
    WEIR_NNG_SOCKETS_ENDED  // one was ended for what it held of a message; partial_messages.h
};

/* Has `report` called, for each of these at most once a minute. On a thread of nng; NULL ends it.
 */
void weir_nng_sockets_report(void (*report)(void *context, enum weir_nng_sockets_event event,
                                            int fault),
                             void *context);

/* A connection whose descriptor is this one or a higher one is closed at once and reported, so that
 * there are descriptors left for files. Before the first connection; 0, as at first: none is. */
void weir_nng_sockets_take_below(int descriptor);

/* Messages longer than that are the end of their connection, as nng has been told to have it
 * (NNG_OPT_RECVMAXSZ). Before the first connection; 0, as at first: there are none. */
void weir_nng_sockets_refuse_above(size_t message_max);

#endif
