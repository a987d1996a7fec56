/* How a call writes: into its namespace's lane, and back with its group. */
#ifndef WEIR_SERVER_WRITING_H
#define WEIR_SERVER_WRITING_H

#include "server/call.h"

/* For dispatch: gives the call to the lane. Where nobody leads that, this thread does, unless the
 * call must not block: then a worker is asked to. */
void weir_writing_start(struct weir_call *call);

#endif
