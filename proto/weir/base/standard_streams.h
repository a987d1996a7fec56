/* What a program does first, before it opens anything. */
#ifndef WEIR_BASE_STANDARD_STREAMS_H
#define WEIR_BASE_STANDARD_STREAMS_H

#include <stdbool.h>

/* A program that is started without standard input, output or error (`>&-`) gives their numbers to
 * the next files it opens, and what it prints then goes into a connection. This takes the numbers
 * that are free, so that what is read and printed there goes on to fail with EBADF. False where
 * there is no /dev/null. */
bool weir_standard_streams_take(void);

#endif
