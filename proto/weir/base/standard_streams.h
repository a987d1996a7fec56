/* Guards the numbers of the standard streams; called before a program opens anything. */
#ifndef WEIR_BASE_STANDARD_STREAMS_H
#define WEIR_BASE_STANDARD_STREAMS_H

#include <stdbool.h>

/* Opens /dev/null on each of the descriptors 0, 1 and 2 that is closed. If a program is started
 * without one of them (`>&-`), the next file or connection it opened would get that number, and
 * output would go there. Reading and writing the descriptor still fails with EBADF. False if
 * /dev/null cannot be opened, after a line on standard error where that is open. */
bool weir_standard_streams_take(void);

#endif
