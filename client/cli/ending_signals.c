#include "client/cli/ending_signals.h"

#include <stddef.h>

static void add_unless_ignored(sigset_t *set, int number)
{
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN) {
        (void)sigaddset(set, number);
    }
}

void ending_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    add_unless_ignored(set, SIGINT);
    add_unless_ignored(set, SIGHUP);
}
