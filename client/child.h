/* Running a shell command for a message. */
#ifndef WEIR_CLIENT_CHILD_H
#define WEIR_CLIENT_CHILD_H

#include "weir/v1/message_store.pb-c.h"

#include <stdbool.h>

/* Runs `command` in a shell, with the message as a record on its standard input and described in
 * its environment, and waits for its end. True where it ended with status 0; otherwise why not is
 * said on standard error. The child has the usual signals: the caller ignores SIGPIPE, and may
 * block others. */
bool child_run(const char *command, const Weir__V1__Message *message, uint32_t attempt);

#endif
