#include "bench/load/profile.h"

#include <stdio.h>

const struct profile *const profiles[] = {
    &profile_mixed,  &profile_write,       &profile_conditional_write,
    &profile_batch,  &profile_read_stream, &profile_read_category,
    &profile_group,  &profile_tail,        &profile_tenants,
    &profile_import, &profile_empty};

const size_t profiles_n = WEIR_COUNTOF(profiles);

const struct profile *profile_find(const char *name)
{
    for (size_t p = 0; p < profiles_n; p++) {
        if (strcmp(profiles[p]->name, name) == 0) {
            return profiles[p];
        }
    }
    return NULL;
}

const char *profile_uncertainty(const struct profile_run *run)
{
    if (run->options->is_against_echo) {
        return "an echo stores nothing";
    }
    if (run->options->category != NULL) {
        return "the category may hold other messages";
    }
    if (load_errors_now(run->load) > 0) {
        return "an error leaves open whether a message was stored";
    }
    return atomic_load(&run->load->in_flight) > 0 ? "some requests were not answered" : NULL;
}

void profile_report_unverified(const struct profile_run *run, const char *why)
{
    if (!run->options->is_quiet) {
        (void)fprintf(stderr, "weir-load: what was acknowledged was not counted: %s\n", why);
    }
}

struct weir_client *profile_client(const struct profile_run *run, const struct load_slot *slot)
{
    return run->clients[slot->number % run->clients_n];
}

void profile_fail(struct load_slot *slot, enum load_op op, const struct weir_error *err)
{
    const struct load_outcome outcome = load_failure(op, err);
    load_finish(slot, &outcome);
}

struct load_outcome profile_wrong_reply(enum load_op op, const char *what)
{
    return (struct load_outcome){.op = op, .reason = "WRONG_REPLY", .text = what};
}
