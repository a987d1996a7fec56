/* Opens clients of a test's server. The caller closes the client. The test fails if it cannot be
 * opened. */
#ifndef WEIR_TESTS_LIB_OPEN_CLIENT_H
#define WEIR_TESTS_LIB_OPEN_CLIENT_H

#include "client/weir.h"

struct weir_client *open_client(const char *url, const char *token);

/* Opens a client with the given options. */
struct weir_client *open_client_with(const struct weir_client_options *options);

#endif
