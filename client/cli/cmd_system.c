/* weir health, info, stats, chunks. */
#include "client/cli/cli.h"
#include "client/cli/output.h"
#include "client/lib/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
    static const char *const columns[] = {"server_version", "protocol_version", "message_db_compat",
                                          "backend", "schema_version"};
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    output_text(&out, response->server_version);
    output_number(&out, response->protocol_version);
    output_text(&out, response->message_db_compat);
    output_text(&out, response->backend);
    output_number(&out, response->schema_version);
    output_end_row(&out);
    output_end(&out);
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
    static const char *const columns[] = {"status", "backend", "uptime_us"};
    struct output out;
    output_begin_single(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    output_text(&out, is_serving ? "SERVING" : "NOT_SERVING");
    output_text(&out, response->backend);
    output_number(&out, response->uptime_us);
    output_end_row(&out);
    output_end(&out);
    weir_response_free(response);
    return is_serving ? CLI_DONE : CLI_REFUSED;
}

/* ---- stats ---- */

static void put_labels(FILE *out, const Weir__V1__Metric *metric)
{
    (void)fputc('{', out);
    for (size_t i = 0; i < metric->n_labels; i++) {
        (void)fputs(i == 0 ? "" : ",", out);
        json_put_string(out, weir_slice_of(metric->labels[i]->key));
        (void)fputc(':', out);
        json_put_string(out, weir_slice_of(metric->labels[i]->value));
    }
    (void)fputc('}', out);
}

static void put_histogram(FILE *out, const Weir__V1__Histogram *h)
{
    (void)fprintf(out, "{\"count\":%" PRIu64 ",\"sum\":%.17g,\"bounds\":[", h->count, h->sum);
    for (size_t i = 0; i < h->n_bounds; i++) {
        (void)fprintf(out, "%s%.17g", i == 0 ? "" : ",", h->bounds[i]);
    }
    (void)fputs("],\"cumulative_counts\":[", out);
    for (size_t i = 0; i < h->n_cumulative_counts; i++) {
        (void)fprintf(out, "%s%" PRIu64, i == 0 ? "" : ",", h->cumulative_counts[i]);
    }
    (void)fputs("]}", out);
}

static void put_metric_json(const Weir__V1__Metric *metric)
{
    (void)fputs("{\"name\":", stdout);
    json_put_string(stdout, weir_slice_of(metric->name));
    (void)fputs(",\"labels\":", stdout);
    put_labels(stdout, metric);
    if (metric->has_value) {
        (void)printf(",\"value\":%.17g", metric->value);
    }
    if (metric->histogram != NULL) {
        (void)fputs(",\"histogram\":", stdout);
        put_histogram(stdout, metric->histogram);
    }
    (void)fputs("}\n", stdout);
}

/* Returns the lowest bound below which at least that share of the samples lies; the highest bound
 * if none does. */
static double quantile(const Weir__V1__Histogram *h, double share)
{
    for (size_t i = 0; i < h->n_bounds && i < h->n_cumulative_counts; i++) {
        if ((double)h->cumulative_counts[i] >= share * (double)h->count) {
            return h->bounds[i];
        }
    }
    return h->n_bounds == 0 ? 0.0 : h->bounds[h->n_bounds - 1];
}

static void put_metric_row(struct output *out, const Weir__V1__Metric *metric)
{
    char *labels = NULL;
    size_t n = 0;
    FILE *text = open_memstream(&labels, &n);
    if (text != NULL) {
        put_labels(text, metric);
        (void)fclose(text);
    }
    char value[160];
    const Weir__V1__Histogram *h = metric->histogram;
    if (h == NULL) {
        (void)snprintf(value, sizeof value, "%.15g", metric->value);
    } else {
        (void)snprintf(value, sizeof value,
                       "%" PRIu64 " samples, mean %.3g, p50 <= %.3g, p99 <= %.3g", h->count,
                       h->count == 0 ? 0.0 : h->sum / (double)h->count, quantile(h, 0.5),
                       quantile(h, 0.99));
    }
    output_text(out, metric->name);
    output_text(out, metric->n_labels == 0 ? NULL : labels);
    output_text(out, value);
    output_end_row(out);
    free(labels);
}

int cmd_stats(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    const Weir__V1__GetStatsRequest request = WEIR__V1__GET_STATS_REQUEST__INIT;
    Weir__V1__GetStatsResponse *response = NULL;
    if (weir_system_get_stats(cli->client, &request, &cli->call, &response, &cli->err) != WEIR_OK) {
        return cli_failed(cli);
    }
    static const char *const columns[] = {"name", "labels", "value"};
    const bool is_for_people = cli_is_for_people(cli);
    struct output out;
    output_begin(&out, stdout, is_for_people, columns, WEIR_COUNTOF(columns));
    for (size_t i = 0; i < response->n_metrics; i++) {
        if (is_for_people) {
            put_metric_row(&out, response->metrics[i]);
        } else {
            put_metric_json(response->metrics[i]);
        }
    }
    output_end(&out);
    weir_response_free(response);
    return CLI_DONE;
}

/* ---- chunks ---- */

int cmd_chunks_list(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    const Weir__V1__ListChunksRequest request = WEIR__V1__LIST_CHUNKS_REQUEST__INIT;
    Weir__V1__ListChunksResponse *response = NULL;
    if (weir_chunks_list_chunks(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed(cli);
    }
    static const char *const columns[] = {"name",       "range_start", "range_end",
                                          "compressed", "size_bytes",  "row_count"};
    struct output out;
    output_begin(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    for (size_t i = 0; i < response->n_chunks; i++) {
        const Weir__V1__ChunkInfo *chunk = response->chunks[i];
        output_text(&out, chunk->name);
        output_time(&out, chunk->has_range_start_us, chunk->range_start_us);
        output_time(&out, chunk->has_range_end_us, chunk->range_end_us);
        output_bool(&out, chunk->compressed);
        output_number(&out, chunk->size_bytes);
        output_number(&out, chunk->row_count);
        output_end_row(&out);
    }
    output_end(&out);
    weir_response_free(response);
    return CLI_DONE;
}

static void put_names(const struct cli *cli, char *const *names, size_t n)
{
    static const char *const columns[] = {"name"};
    struct output out;
    output_begin(&out, stdout, cli_is_for_people(cli), columns, WEIR_COUNTOF(columns));
    for (size_t i = 0; i < n; i++) {
        output_text(&out, names[i]);
        output_end_row(&out);
    }
    output_end(&out);
}

int cmd_chunks_compress(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__CompressChunksRequest request = WEIR__V1__COMPRESS_CHUNKS_REQUEST__INIT;
    request.older_than = (char *)(uintptr_t)cli->values.args[0];
    Weir__V1__CompressChunksResponse *response = NULL;
    if (weir_chunks_compress_chunks(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed_in_doubt(cli);
    }
    put_names(cli, response->names, response->n_names);
    weir_response_free(response);
    return CLI_DONE;
}

int cmd_chunks_drop(struct cli *cli)
{
    const int status = cli_connect(cli);
    if (status != CLI_DONE) {
        return status;
    }
    Weir__V1__DropChunksRequest request = WEIR__V1__DROP_CHUNKS_REQUEST__INIT;
    request.older_than = (char *)(uintptr_t)cli->values.args[0];
    request.confirm = (char *)(uintptr_t)cli_text(cli, CLI_CONFIRM);
    Weir__V1__DropChunksResponse *response = NULL;
    if (weir_chunks_drop_chunks(cli->client, &request, &cli->call, &response, &cli->err) !=
        WEIR_OK) {
        return cli_failed_in_doubt(cli);
    }
    put_names(cli, response->names, response->n_names);
    weir_response_free(response);
    return CLI_DONE;
}
