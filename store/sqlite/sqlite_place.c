/* Whether the store is still where it was opened. A directory that is removed or renamed under a
 * server takes its files along, and SQLite goes on writing to them: what is acknowledged then is
 * gone with the process, or known to nobody who looks for the store by its name. */
#include "store/sqlite/sqlite_int.h"

#include "weir/rules/time_text.h"

#include <errno.h>
#include <stdlib.h>

enum { LOOK_EVERY_US = 500 * 1000 };

weir_status weir_sqlite_place_keep(struct sqlite_backend *backend, char *path,
                                   struct weir_error *err)
{
    struct sqlite_place *place = &backend->place;
    place->path = path;
    if (path == NULL) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "out of memory");
    }
    if (!weir_sqlite_mark(path, &place->mark)) {
        return weir_fail(err, WEIR_BACKEND_UNAVAILABLE, "%s cannot be looked at: %s", path,
                         strerror(errno));
    }
    return WEIR_OK;
}

/* True for one thread at a time, now and then. */
static bool is_time_to_look(struct sqlite_place *place)
{
    const int64_t now_us = weir_monotonic_us();
    int64_t look_at_us = atomic_load_explicit(&place->look_at_us, memory_order_relaxed);
    return now_us >= look_at_us && atomic_compare_exchange_strong_explicit(
                                       &place->look_at_us, &look_at_us, now_us + LOOK_EVERY_US,
                                       memory_order_relaxed, memory_order_relaxed);
}

weir_status weir_sqlite_place_check(struct sqlite_backend *backend, struct weir_error *err)
{
    struct sqlite_place *place = &backend->place;
    if (place->path == NULL) {
        return WEIR_OK;
    }
    if (is_time_to_look(place) && !weir_sqlite_is_marked(place->path, place->mark) &&
        !atomic_exchange(&place->is_lost, true)) {
        weir_backend_report(&backend->base,
                            "%s has been removed, renamed or replaced while it is in use: nothing "
                            "is written any more until the server is started again",
                            place->path);
    }
    return atomic_load_explicit(&place->is_lost, memory_order_relaxed)
               ? weir_fail(err, WEIR_BACKEND_UNAVAILABLE,
                           "the store is not where it was opened: the server has to be started "
                           "again")
               : WEIR_OK;
}
