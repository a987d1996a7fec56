/* Accepts nng's connections, within the limit of descriptors, and tells which connection a
 * descriptor belongs to (nng_connections.h, 6 and 7). */
#define _GNU_SOURCE
#include "server/transport/nng_connections.h"

#include "server/transport/partial_messages.h"
#include "weir/base/monotonic.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REPORT_EVERY_US = 60 * 1000 * 1000 };

struct weir_nng_connection weir_nng_connections[WEIR_DESCRIPTORS_MAX];

/* ---- reports ---- */

static struct {
    pthread_mutex_t lock;  // guards this struct; held during `call`, see weir_nng_sockets_report
    void (*call)(void *context, enum weir_nng_sockets_event event, int fault);
    void *context;
    int64_t not_before_us[WEIR_NNG_SOCKETS_EVENTS];
} report = {.lock = PTHREAD_MUTEX_INITIALIZER};

void weir_nng_sockets_report(void (*call)(void *context, enum weir_nng_sockets_event event,
                                          int fault),
                             void *context)
{
    (void)pthread_mutex_lock(&report.lock);
    report.call = call;
    report.context = context;
    (void)pthread_mutex_unlock(&report.lock);
}

void weir_nng_report(enum weir_nng_sockets_event event)
{
    const int fault = errno;
    (void)pthread_mutex_lock(&report.lock);
    if (report.call != NULL && weir_monotonic_us() >= report.not_before_us[event]) {
        report.not_before_us[event] = weir_monotonic_us() + REPORT_EVERY_US;
        report.call(report.context, event, fault);
    }
    (void)pthread_mutex_unlock(&report.lock);
    errno = fault;
}

/* ---- accepting ---- */

static int descriptor_bound;  // connections have lower descriptors; 0: no limit

void weir_nng_sockets_take_below(int descriptor)
{
    descriptor_bound = descriptor;
}

int accept(int listener, struct sockaddr *address, socklen_t *address_n)
{
    const int fd = accept4(listener, address, address_n, 0);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
        weir_nng_report(WEIR_NNG_SOCKETS_FULL);
    }
    if (descriptor_bound > 0 && fd >= descriptor_bound) {
        (void)close(fd);
        errno = EMFILE;
        weir_nng_report(WEIR_NNG_SOCKETS_FULL);
        return -1;
    }
    if (fd >= 0 && fd < WEIR_DESCRIPTORS_MAX) {
        uint8_t *ahead = weir_nng_connections[fd].ahead;
        weir_nng_connections[fd] = (struct weir_nng_connection){
            .is_accepted = true, .ahead = ahead != NULL ? ahead : malloc(WEIR_NNG_AHEAD_BYTES)};
        weir_pending_opened(fd);
        weir_partial_opened(fd, weir_monotonic_us());
    }
    return fd;
}

/* ---- identifying a connection ---- */

int getsockopt(int fd, int level, int option, void *value, socklen_t *value_n)
{
    if (weir_pending_is_asking() && weir_nng_connection_of(fd) != NULL) {
        weir_pending_answer(fd);
    }
    return (int)syscall(SYS_getsockopt, fd, level, option, value, value_n);
}
