/* What the system must give before a server is started. Asked for beforehand, because what fails in
 * the middle of a start is not told well, or not at all. */
#ifndef WEIR_SERVER_RESOURCES_H
#define WEIR_SERVER_RESOURCES_H

#include "server/config.h"

/* BACKEND_UNAVAILABLE with a text for the operator where it would not do. Before nng is first used.
 */
weir_status weir_resources_check(const struct weir_config *config, struct weir_error *err);

#endif
