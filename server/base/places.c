#include "server/base/places.h"

#include "weir/base/fair_share.h"

void weir_places_init(struct weir_places *places, size_t most_of_one)
{
    places->most_of_one = most_of_one;
    atomic_init(&places->taken, 0);
    for (size_t i = 0; i < WEIR_PLACES_LINES; i++) {
        atomic_init(&places->taken_by[i], 0);
    }
}

bool weir_places_take(struct weir_places *places, uint32_t owner)
{
    const size_t most = weir_share_places(places->most_of_one);
    const size_t taken = atomic_fetch_add_explicit(&places->taken, 1, memory_order_relaxed);
    const size_t own = atomic_fetch_add_explicit(&places->taken_by[owner % WEIR_PLACES_LINES], 1,
                                                 memory_order_relaxed);
    const bool may = own < places->most_of_one && weir_share_allows(own, taken, most);
    if (!may) {
        weir_places_end(places, owner);
    }
    return may;
}

void weir_places_end(struct weir_places *places, uint32_t owner)
{
    atomic_fetch_sub_explicit(&places->taken_by[owner % WEIR_PLACES_LINES], 1,
                              memory_order_relaxed);
    atomic_fetch_sub_explicit(&places->taken, 1, memory_order_relaxed);
}

weir_status weir_places_fail(const struct weir_places *places, uint32_t owner, const char *queue,
                             const char *option, struct weir_error *err)
{
    const size_t own =
        atomic_load_explicit(&places->taken_by[owner % WEIR_PLACES_LINES], memory_order_relaxed);
    return own >= places->most_of_one
               ? weir_fail_full(err, queue, option, places->most_of_one, own + 1)
               : weir_fail_full(err, queue, "beside those of other namespaces", own, own + 1);
}
