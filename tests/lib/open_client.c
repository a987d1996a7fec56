#include "tests/lib/open_client.h"

#include <check.h>

struct weir_client *open_client_with(const struct weir_client_options *options)
{
    struct weir_client *client = NULL;
    struct weir_error err;
    weir_error_init(&err);
    ck_assert_msg(weir_client_open(options, &client, &err) == WEIR_OK, "%s", err.text);
    return client;
}

struct weir_client *open_client(const char *url, const char *token)
{
    struct weir_client_options options = WEIR_CLIENT_OPTIONS_INIT;
    options.url = url;
    options.token = token;
    return open_client_with(&options);
}
