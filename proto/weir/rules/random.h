/* Random bytes of the operating system, fit for secrets. */
#ifndef WEIR_RULES_RANDOM_H
#define WEIR_RULES_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fills `n` bytes. Blocks only while the system is still gathering its first randomness after boot.
 * False if the system gives none; the bytes are then undefined. Thread-safe. */
bool weir_random_bytes(void *bytes, size_t n);

#endif
