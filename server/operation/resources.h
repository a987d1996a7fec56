/* What the system must give before a server is started. Asked for beforehand, because what fails in
 * the middle of a start is not told well, or not at all. */
#ifndef WEIR_SERVER_RESOURCES_H
#define WEIR_SERVER_RESOURCES_H

#include "server/operation/config.h"

/* Raises the limit of open files as far as it goes; that and the threads must do, else
 * BACKEND_UNAVAILABLE with a text for the operator. Before nng is first used. */
weir_status weir_resources_check(const struct weir_config *config, struct weir_error *err);

/* How many sessions the store may open. With SQLite they are files of this process. */
size_t weir_resources_sessions(const struct weir_config *config);

/* The lowest descriptor that no connection of a client is to have: those from there on are for the
 * store, and for HTTP; and beyond WEIR_DESCRIPTORS_MAX nobody looks after connections. */
int weir_resources_connections_below(void);

/* How many connections HTTP may have, of the `wanted` that it would like: at least one. */
size_t weir_resources_http_connections(size_t wanted);

/* How many reads that may look at much there are to be at a time; slow_reads.h. */
size_t weir_resources_slow_reads(const struct weir_config *config);

#endif
