/* Runs a shell command for a message. */
#ifndef WEIR_CLIENT_CHILD_H
#define WEIR_CLIENT_CHILD_H

#include "weir/v1/message_store.pb-c.h"

#include <stdint.h>

/* The outcome of a command. */
enum child_outcome {
    CHILD_DONE,     // exit status 0
    CHILD_FAILED,   // another exit status, or the message cannot be passed to a command
    CHILD_KILLED,   // ended by a signal, which may have been meant for this program as well
    CHILD_NOT_RUN,  // not started or found, or lost, for a reason other than the message
};

/* Runs `command` in a shell, with the message as a record on its standard input and described in
 * its environment, and waits for its end. Reports failures on standard error. The caller ignores
 * SIGPIPE, does not ignore SIGCHLD, and may block other signals; the child has SIGPIPE and SIGXFSZ
 * at their defaults and no signal blocked. */
enum child_outcome child_run(const char *command, const Weir__V1__Message *message,
                             uint32_t attempt);

#endif
