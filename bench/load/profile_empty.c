/* The profile `empty`: a request that reads and writes nothing, which measures the request path of
 * the server alone. */
#include "bench/load/profile.h"

static weir_status prepare(struct profile_run *run, struct weir_error *err)
{
    (void)run;
    (void)err;
    return WEIR_OK;
}

static void on_info(void *context, weir_status status, Weir__V1__GetServerInfoResponse *response,
                    const struct weir_error *err)
{
    struct load_slot *slot = context;
    if (status != WEIR_OK) {
        profile_fail(slot, LOAD_EMPTY, err);
        return;
    }
    weir_response_free(response);
    const struct load_outcome outcome = {.op = LOAD_EMPTY};
    load_finish(slot, &outcome);
}

static void start(void *context, struct load_slot *slot)
{
    struct profile_run *run = context;
    Weir__V1__GetServerInfoRequest request = WEIR__V1__GET_SERVER_INFO_REQUEST__INIT;
    struct weir_error err;
    weir_error_init(&err);
    if (weir_system_get_server_info_async(profile_client(run, slot), &request, NULL, on_info, slot,
                                          &err) != WEIR_OK) {
        profile_fail(slot, LOAD_EMPTY, &err);
    }
}

static void free_nothing(struct profile_run *run)
{
    (void)run;
}

const struct profile profile_empty = {
    .name = "empty",
    .doc = "requests that read and write nothing (GetServerInfo)",
    .uses = 0,
    .batch = 1,
    .batch_max = 1,
    .prepare = prepare,
    .start = start,
    .free = free_nothing,
};
