#include "weir/base/standard_streams.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool weir_standard_streams_take(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const bool is_free = fcntl(fd, F_GETFD) < 0 && errno == EBADF;
        /* open returns the lowest free number, which is fd. The mode is the opposite of the
         * stream's use, so that using the stream fails. */
        if (is_free && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
            warn("cannot open /dev/null in place of a closed standard stream");
            return false;
        }
    }
    return true;
}
