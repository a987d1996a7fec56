/* weir health, info. */
#include "client/cli.h"
#include "client/json_out.h"

#include <inttypes.h>
#include <stdio.h>

static const char *text_or_unknown(const char *text)
{
    return text == NULL ? "unknown" : text;
}

static void put_line(const char *name, const char *text)
{
    (void)printf("%-20s", name);
    json_put_plain(stdout, weir_slice_of(text_or_unknown(text)));
    (void)fputc('\n', stdout);
}

static void put_member(const char *name, const char *text)
{
    (void)printf("\"%s\":", name);
    json_put_string(stdout, weir_slice_of(text_or_unknown(text)));
    (void)fputc(',', stdout);
}

static void put_info(const struct cli *cli, const Weir__V1__GetServerInfoResponse *info)
{
    if (cli_is_for_people(cli)) {
        put_line("server version", info->server_version);
        (void)printf("%-20s%" PRId32 "\n", "protocol version", info->protocol_version);
        put_line("message db compat", info->message_db_compat);
        put_line("backend", info->backend);
        (void)printf("%-20s%" PRId32 "\n", "schema version", info->schema_version);
        return;
    }
    (void)fputc('{', stdout);
    put_member("server_version", info->server_version);
    put_member("message_db_compat", info->message_db_compat);
    put_member("backend", info->backend);
    (void)printf("\"protocol_version\":%" PRId32 ",\"schema_version\":%" PRId32 "}\n",
                 info->protocol_version, info->schema_version);
}

int cmd_info(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    const Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    Weir__V1__GetServerInfoResponse *response = NULL;
    if (weir_system_get_server_info(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    put_info(cli, response);
    weir_response_free(response);
    return CLI_DONE;
}

int cmd_health(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    const Weir__V1__CheckHealthRequest request = WEIR__V1__CHECK_HEALTH_REQUEST__INIT;
    Weir__V1__CheckHealthResponse *response = NULL;
    if (weir_system_check_health(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    const bool is_serving =
        response->status == WEIR__V1__CHECK_HEALTH_RESPONSE__SERVING_STATUS__SERVING;
    const char *text = is_serving ? "SERVING" : "NOT_SERVING";
    if (cli_is_for_people(cli)) {
        put_line("status", text);
        put_line("backend", response->backend);
        (void)printf("%-20s%.1f s\n", "uptime", (double)response->uptime_us / 1e6);
    } else {
        (void)fputc('{', stdout);
        put_member("status", text);
        put_member("backend", response->backend);
        (void)printf("\"uptime_us\":%" PRId64 "}\n", response->uptime_us);
    }
    weir_response_free(response);
    return is_serving ? CLI_DONE : CLI_REFUSED;
}
