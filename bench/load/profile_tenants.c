/* The profile `tenants`: many namespaces of very different load. The k-th busiest namespace
 * receives a share of the operations proportional to 1/k (Zipf's law with exponent 1). */
#include "bench/lib/end_signals.h"
#include "bench/lib/payload.h"
#include "bench/load/operations.h"

#include <stdio.h>
#include <stdlib.h>

enum { READ_BATCH = 10, VERIFY_STREAMS_MAX = 20000, ID_MAX = PROFILE_NAME_MAX + 24 };

struct tenant {
    char id[ID_MAX];
    char *token;
    double share;  // cumulative: of this tenant and those before it
    struct streams streams;
};

struct tenants {
    struct operations operations;
    struct tenant *all;
    size_t n;
    size_t made;  // namespaces created on the server
};

static weir_status create_namespace(struct profile_run *run, struct tenant *tenant,
                                    struct weir_error *err)
{
    Weir__V1__CreateNamespaceRequest request = WEIR__V1__CREATE_NAMESPACE_REQUEST__INIT;
    Weir__V1__CreateNamespaceResponse *response = NULL;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    request.namespace_ = tenant->id;
    options.token = run->options->admin_token;
    const weir_status status =
        weir_namespaces_create_namespace(run->clients[0], &request, &options, &response, err);
    if (status == WEIR_OK) {
        tenant->token = strdup(response->token);
        weir_response_free(response);
    }
    return status == WEIR_OK && tenant->token == NULL
               ? weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory")
               : status;
}

static weir_status delete_namespace(struct profile_run *run, const struct tenant *tenant,
                                    struct weir_error *err)
{
    Weir__V1__DeleteNamespaceRequest request = WEIR__V1__DELETE_NAMESPACE_REQUEST__INIT;
    Weir__V1__DeleteNamespaceResponse *response = NULL;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    request.namespace_ = (char *)(uintptr_t)tenant->id;
    request.has_force = true;
    request.force = true;
    options.token = run->options->admin_token;
    const weir_status status =
        weir_namespaces_delete_namespace(run->clients[0], &request, &options, &response, err);
    weir_response_free(response);
    return status;
}

/* Deletes the namespaces. Stops at the first unreachable call, since each further one would wait
 * for its deadline, and at a second signal, which asks for an immediate end. */
static void delete_all(struct profile_run *run, struct tenants *tenants)
{
    struct weir_error err;
    weir_error_init(&err);
    bool goes_on = true;
    while (tenants->made > 0 && goes_on) {
        const struct tenant *last = &tenants->all[tenants->made - 1];
        weir_status status = end_signals_check(&err);
        goes_on = status == WEIR_OK;
        if (goes_on) {
            weir_error_init(&err);
            status = delete_namespace(run, last, &err);
            goes_on = !load_is_unreachable(&err);
        }
        if (goes_on && status != WEIR_OK) {
            (void)fprintf(stderr, "weir-load: namespace %s is left behind: %s\n", last->id,
                          err.text);
        }
        tenants->made -= goes_on;
    }
    if (tenants->made > 0) {
        (void)fprintf(stderr, "weir-load: %zu namespaces are left behind, %s to %s: %s\n",
                      tenants->made, tenants->all[0].id, tenants->all[tenants->made - 1].id,
                      err.text);
    }
}

/* Writes one message to the namespace. The server opens a namespace's files at its first use, and a
 * warm-up would not reach the quietest of many; this keeps that cost out of the measurement. */
static weir_status use_namespace(struct profile_run *run, struct tenants *tenants,
                                 struct tenant *tenant, struct weir_error *err)
{
    struct write_request *write = &tenants->operations.slots[0].write;
    Weir__V1__WriteMessagesResponse *response = NULL;
    struct weir_call_options options = WEIR_CALL_OPTIONS_INIT;
    options.token = tenant->token;
    streams_name(&tenant->streams, 0, write->stream);
    if (!write_request_fill(write, 1, 0)) {
        return weir_fail(err, WEIR_BACKEND_ERROR, "cannot get random bytes from the system");
    }
    const weir_status status = weir_message_store_write_messages(run->clients[0], &write->request,
                                                                 &options, &response, err);
    if (status == WEIR_OK) {
        streams_wrote(&tenant->streams, 0, 0, 1);
        weir_response_free(response);
    }
    return status;
}

static bool make_tenants(struct profile_run *run, struct tenants *tenants)
{
    const size_t n = (size_t)run->options->namespaces;
    tenants->all = calloc(n, sizeof *tenants->all);
    double share = 0;
    for (size_t t = 0; tenants->all != NULL && t < n; t++) {
        struct tenant *tenant = &tenants->all[t];
        tenants->n++;
        share += 1 / (double)(t + 1);
        tenant->share = share;
        (void)snprintf(tenant->id, sizeof tenant->id, "%s-%06zu", run->category, t);
        if (!streams_init(&tenant->streams, run->category, (size_t)run->options->streams)) {
            return false;
        }
    }
    return tenants->all != NULL;
}

/* Creates the namespaces on the server and uses each once. */
static weir_status create_all(struct profile_run *run, struct tenants *tenants,
                              struct weir_error *err)
{
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && tenants->made < tenants->n) {
        status = end_signals_check(err);
        if (status == WEIR_OK) {
            status = create_namespace(run, &tenants->all[tenants->made], err);
            tenants->made += status == WEIR_OK;
        }
    }
    for (size_t t = 0; status == WEIR_OK && t < tenants->made; t++) {
        status = end_signals_check(err);
        if (status == WEIR_OK) {
            status = use_namespace(run, tenants, &tenants->all[t], err);
        }
    }
    return status;
}

static weir_status prepare(struct profile_run *run, struct weir_error *err)
{
    struct tenants *tenants = calloc(1, sizeof *tenants);
    run->own = tenants;
    if (tenants == NULL || !make_tenants(run, tenants)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    weir_status status = operations_init(&tenants->operations, run, 1, err);
    if (status == WEIR_OK && !run->options->is_against_echo) {
        status = create_all(run, tenants, err);
    }
    if (status != WEIR_OK) {
        delete_all(run, tenants);
    }
    return status;
}

static struct tenant *choose_tenant(const struct tenants *tenants, struct load_slot *slot)
{
    const double unit = (double)(payload_random(&slot->random) >> 11) * 0x1p-53;
    const double wanted = unit * tenants->all[tenants->n - 1].share;
    size_t low = 0;
    size_t high = tenants->n - 1;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (tenants->all[middle].share > wanted) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return &tenants->all[low];
}

static void start(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    struct tenants *tenants = run->own;
    struct tenant *tenant = choose_tenant(tenants, slot);
    struct operation *operation =
        operations_of(&tenants->operations, slot, &tenant->streams, tenant->token);
    if (payload_random(&slot->random) % 100 < (uint64_t)run->options->write_percent) {
        operation_write(operation, 1, payload_random(&slot->random));
    } else {
        operation_read(operation, (size_t)run->options->batch);
    }
}

/* Verifies that each namespace holds exactly the messages that were acknowledged in it. */
static const char *verify(struct profile_run *run, const struct tenants *tenants)
{
    const char *why = profile_uncertainty(run);
    if (why == NULL && tenants->n * (size_t)run->options->streams > VERIFY_STREAMS_MAX) {
        why = "there are more than 20,000 streams in all";
    }
    for (size_t t = 0; why == NULL && t < tenants->n; t++) {
        const struct tenant *tenant = &tenants->all[t];
        why = streams_verify(&tenant->streams, run->clients[0], tenant->token, run->load);
    }
    return why;
}

static void end(struct profile_run *run)
{
    struct tenants *tenants = run->own;
    const char *why = verify(run, tenants);
    if (why != NULL) {
        profile_report_unverified(run, why);
    }
    delete_all(run, tenants);
}

static void free_tenants(struct profile_run *run)
{
    struct tenants *tenants = run->own;
    if (tenants == NULL) {
        return;
    }
    operations_fini(&tenants->operations);
    for (size_t t = 0; t < tenants->n; t++) {
        streams_fini(&tenants->all[t].streams);
        free(tenants->all[t].token);
    }
    free(tenants->all);
    free(tenants);
}

const struct profile profile_tenants = {
    .name = "tenants",
    .doc = "mixed, in many namespaces, some far busier than others",
    .uses = PROFILE_USES_STREAMS | PROFILE_USES_DATA | PROFILE_USES_BATCH |
            PROFILE_USES_WRITE_PERCENT | PROFILE_USES_NAMESPACES,
    .batch = READ_BATCH,
    .batch_max = 10000,
    .prepare = prepare,
    .start = start,
    .end = end,
    .free = free_tenants,
};
