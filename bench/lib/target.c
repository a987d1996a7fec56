#include "bench/lib/target.h"

bool target_is_met(const struct target *target)
{
    return target->kind == TARGET_AT_MOST ? target->value <= target->limit
                                          : target->value >= target->limit;
}

json_t *target_to_json(const struct target *target)
{
    return json_pack("{s:s, s:s, s:f, s:f, s:f, s:f, s:b}", "what", target->what, "kind",
                     target->kind == TARGET_AT_MOST ? "at most" : "at least", "limit",
                     target->limit, "value", target->value, "low", target->low, "high",
                     target->high, "met", target_is_met(target));
}
