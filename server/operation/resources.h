/* Threads and file descriptors: checks before the start that the system grants enough, and divides
 * the descriptors among store, HTTP and clients. A shortage in the middle of a start would be
 * reported badly or not at all. Called while the server starts; nothing is kept. */
#ifndef WEIR_SERVER_RESOURCES_H
#define WEIR_SERVER_RESOURCES_H

#include "server/base/config.h"

/* Raises the limit of open files as far as the system allows, and checks that open files and
 * threads suffice; BACKEND_UNAVAILABLE with a text for the operator otherwise. To be called before
 * nng is first used. */
weir_status weir_resources_check(const struct weir_config *config, struct weir_error *err);

/* Returns how many sessions the store may open: by the files that each keeps open, or by
 * --store-connections where it keeps none. */
size_t weir_resources_sessions(const struct weir_config *config);

/* Returns the lowest descriptor that a client's connection must not have: those from there on are
 * for the store and HTTP. At most WEIR_DESCRIPTORS_MAX, as higher ones are not tracked. */
int weir_resources_connections_below(void);

/* Returns how many connections HTTP may have: at most `wanted`, at least one. */
size_t weir_resources_http_connections(size_t wanted);

/* Returns how many slow reads may run at a time; see slow_reads.h. */
size_t weir_resources_slow_reads(const struct weir_config *config);

#endif
