/* The signals that end the program. */
#ifndef WEIR_CLIENT_ENDING_SIGNALS_H
#define WEIR_CLIENT_ENDING_SIGNALS_H

#include <signal.h>

/* Fills `set` with SIGTERM and, unless they are ignored, SIGINT and SIGHUP: the parent process may
 * have asked to ignore them, as nohup does. */
void ending_signals(sigset_t *set);

#endif
