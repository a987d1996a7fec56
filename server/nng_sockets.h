/* The sockets of nng, as this program makes them behave (nng_sockets.c). */
#ifndef WEIR_SERVER_NNG_SOCKETS_H
#define WEIR_SERVER_NNG_SOCKETS_H

/* Has `report` called, at most once a minute, when a connection cannot be taken for want of
 * descriptors; `fault` is an errno. On a thread of nng; NULL ends it. */
void weir_nng_sockets_report(void (*report)(void *context, int fault), void *context);

#endif
