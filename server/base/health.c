#include "server/base/health.h"

#include "server/base/log.h"
#include "store/store.h"
#include "weir/base/monotonic.h"

enum {
    /* Longest wait for an answer: a slower store counts as not serving. */
    PING_US = 1000 * 1000,
    /* How long an answer holds. */
    AGE_US = 500 * 1000
};

static bool is_known(const struct weir_health *health)
{
    const int64_t asked_at_us = atomic_load(&health->asked_at_us);
    return asked_at_us != 0 && weir_monotonic_us() - asked_at_us <= AGE_US;
}

/* Whether the question has been open too long: a deadline does not end every wait for a disk. */
static bool is_overdue(const struct weir_health *health)
{
    const int64_t since_us = atomic_load(&health->asking_since_us);
    return since_us != 0 && weir_monotonic_us() - since_us > PING_US;
}

/* Asks the store and notes the answer. The time limit is fixed instead of the caller's deadline,
 * because the answer is given to other callers too. */
static void ask(struct weir_health *health)
{
    struct weir_error err;
    weir_error_init(&err);
    const int64_t now_us = weir_monotonic_us();
    atomic_store(&health->asking_since_us, now_us);
    const bool is_bad = weir_store_ping(health->store, now_us + PING_US, &err) != WEIR_OK;
    const bool was_bad = atomic_exchange(&health->is_bad, is_bad);
    atomic_store(&health->asked_at_us, weir_monotonic_us());
    atomic_store(&health->asking_since_us, 0);
    if (is_bad && !was_bad) {
        weir_log_say(health->log, WEIR_LOG_WARN, "not serving: %s", err.text);
    } else if (was_bad && !is_bad) {
        weir_log_say(health->log, WEIR_LOG_INFO, "serving again");
    }
}

bool weir_health_is_good(struct weir_health *health)
{
    if (!is_known(health) && !atomic_exchange(&health->is_being_asked, true)) {
        /* Another thread may have asked since. */
        if (!is_known(health)) {
            ask(health);
        }
        atomic_store(&health->is_being_asked, false);
    }
    return !is_overdue(health) && !atomic_load(&health->is_bad);
}
