/* Running a shell command for a message. */
#ifndef WEIR_CLIENT_CHILD_H
#define WEIR_CLIENT_CHILD_H

#include "weir/v1/message_store.pb-c.h"

#include <stdint.h>

/* What became of a command. */
enum child_outcome {
    CHILD_DONE,     // it ended with status 0
    CHILD_FAILED,   // it failed, or the message cannot be handed to it
    CHILD_KILLED,   // a signal ended it, which may have been meant for this program as well
    CHILD_NOT_RUN,  // it could not be run, or is lost: that is not the message's fault
};

/* Runs `command` in a shell, with the message as a record on its standard input and described in
 * its environment, and waits for its end. What went wrong is said on standard error. The child has
 * the usual signals: the caller ignores SIGPIPE, does not ignore SIGCHLD, and may block others. */
enum child_outcome child_run(const char *command, const Weir__V1__Message *message,
                             uint32_t attempt);

#endif
