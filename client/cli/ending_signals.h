/* The signals that end the program. */
#ifndef WEIR_CLIENT_ENDING_SIGNALS_H
#define WEIR_CLIENT_ENDING_SIGNALS_H

#include <signal.h>

/* SIGTERM, and of SIGINT and SIGHUP those that are not ignored: who started the program may have
 * asked for that, as nohup does. */
void ending_signals(sigset_t *set);

#endif
