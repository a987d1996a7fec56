#include "bench/lib/end_signals.h"

#include "bench/lib/clock.h"

#include <signal.h>

static sigset_t end_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    return signals;
}

void end_signals_block(void)
{
    const sigset_t signals = end_signals();
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

bool end_signals_come(int64_t wait_ns)
{
    const sigset_t signals = end_signals();
    const struct timespec wait = clock_timespec(wait_ns);
    return sigtimedwait(&signals, NULL, &wait) > 0;
}

weir_status end_signals_check(struct weir_error *err)
{
    return end_signals_come(0) ? weir_fail(err, WEIR_CANCELLED, "ended by a signal") : WEIR_OK;
}

void end_signals_wait(void)
{
    const sigset_t signals = end_signals();
    int which = 0;
    (void)sigwait(&signals, &which);
}
