/* A client of a test's server; the test fails where it cannot be opened. */
#ifndef WEIR_TESTS_LIB_OPEN_CLIENT_H
#define WEIR_TESTS_LIB_OPEN_CLIENT_H

#include "client/weir.h"

struct weir_client *open_client(const char *url, const char *token);

/* With settings of the test's. */
struct weir_client *open_client_with(const struct weir_client_options *options);

#endif
