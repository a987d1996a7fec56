#include "store/lane.h"

#include "weir/base/monotonic.h"

#include <assert.h>

void weir_lane_init(struct weir_lane *lane)
{
    *lane = (struct weir_lane){.first = NULL};
    weir_cond_init(&lane->enough);
    (void)pthread_mutex_init(&lane->mutex, NULL);
}

void weir_lane_fini(struct weir_lane *lane)
{
    assert(lane->first == NULL && !lane->is_led);
    (void)pthread_mutex_destroy(&lane->mutex);
    (void)pthread_cond_destroy(&lane->enough);
}

static bool is_enough(const struct weir_lane *lane)
{
    return lane->load.writes + lane->queued >= lane->wanted;
}

bool weir_lane_add(struct weir_lane *lane, struct weir_write *write)
{
    write->next = NULL;
    (void)pthread_mutex_lock(&lane->mutex);
    if (lane->last != NULL) {
        lane->last->next = write;
    } else {
        lane->first = write;
    }
    lane->last = write;
    const bool is_leader = !lane->is_led;
    lane->is_led = true;
    lane->queued++;
    if (lane->is_waiting && is_enough(lane)) {
        (void)pthread_cond_signal(&lane->enough);
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    return is_leader;
}

/* ---- the size of a write ---- */

static void add_message(struct weir_load *load, const struct weir_new_message *message)
{
    load->messages++;
    load->bytes += message->type.n + message->data.n + message->metadata.n;
}

static void add_append(struct weir_load *load, const struct weir_append *append)
{
    for (size_t s = 0; s < append->n; s++) {
        for (size_t m = 0; m < append->streams[s].n; m++) {
            add_message(load, &append->streams[s].messages[m]);
        }
    }
}

static void add_write(struct weir_load *load, const struct weir_write *write)
{
    load->writes++;
    switch (write->kind) {
    case WEIR_WRITE_APPEND:
        add_append(load, &write->of.append);
        break;
    case WEIR_WRITE_IMPORT:
        for (size_t r = 0; r < write->of.import.n; r++) {
            add_message(load, &write->of.import.records[r].message);
        }
        break;
    case WEIR_WRITE_CLEAR:
        break;
    }
}

static bool is_within_bounds(const struct weir_load *load)
{
    return load->writes <= WEIR_GROUP_WRITES_MAX && load->messages <= WEIR_GROUP_MESSAGES_MAX &&
           load->bytes <= WEIR_GROUP_BYTES_MAX;
}

/* ---- taking ---- */

/* Counts the write into the group's load if the group has room for it; returns whether it has. */
static bool make_room(struct weir_load *load, const struct weir_write *write)
{
    struct weir_load with = *load;
    add_write(&with, write);
    const bool has_room = load->writes == 0 || is_within_bounds(&with);
    if (has_room) {
        *load = with;
    }
    return has_room;
}

/* Takes as many queued writes as the group has room for. Only the leader removes writes, and other
 * threads only add behind `last`; so the leader measures the writes without the mutex. */
static struct weir_write *take(struct weir_lane *lane)
{
    (void)pthread_mutex_lock(&lane->mutex);
    assert(lane->is_led);
    struct weir_write *first = lane->first;
    const struct weir_write *end = lane->last;
    (void)pthread_mutex_unlock(&lane->mutex);
    if (first == NULL || !make_room(&lane->load, first)) {
        return NULL;
    }
    struct weir_write *last = first;
    const size_t before = lane->load.writes - 1;
    while (last != end && make_room(&lane->load, last->next)) {
        last = last->next;
    }

    (void)pthread_mutex_lock(&lane->mutex);
    lane->first = last->next;
    lane->queued -= lane->load.writes - before;
    if (lane->first == NULL) {
        lane->last = NULL;
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    last->next = NULL;
    return first;
}

struct weir_write *weir_lane_take(struct weir_lane *lane)
{
    lane->load = (struct weir_load){.writes = 0};
    return take(lane);
}

/* Waits until the group and the queue have the wanted number of writes, or until `until_us`. If
 * writes are queued at the start, they did not fit into the group or have just arrived, and waiting
 * is pointless. */
static void wait_for_enough(struct weir_lane *lane, int64_t until_us)
{
    (void)pthread_mutex_lock(&lane->mutex);
    bool goes_on = lane->queued == 0;
    lane->is_waiting = true;
    while (goes_on && !is_enough(lane)) {
        goes_on = weir_cond_wait_until(&lane->enough, &lane->mutex, until_us);
    }
    lane->is_waiting = false;
    (void)pthread_mutex_unlock(&lane->mutex);
}

struct weir_write *weir_lane_join(struct weir_lane *lane, struct weir_write *last, int64_t wait_us)
{
    assert(last->next == NULL);
    last->next = take(lane);
    if (last->next == NULL && wait_us > 0 && lane->load.writes < lane->wanted) {
        wait_for_enough(lane, weir_monotonic_us() + wait_us);
        lane->wanted = 0;
        last->next = take(lane);
    }
    return last->next;
}

struct weir_write *weir_lane_take_late(struct weir_lane *lane)
{
    const int64_t now_us = weir_monotonic_us();
    struct weir_write *late = NULL;
    struct weir_write **late_end = &late;
    (void)pthread_mutex_lock(&lane->mutex);
    assert(lane->is_led);
    lane->last = NULL;
    for (struct weir_write **at = &lane->first; *at != NULL;) {
        struct weir_write *write = *at;
        if (write->deadline_us > now_us) {
            lane->last = write;
            at = &write->next;
            continue;
        }
        *at = write->next;
        write->next = NULL;
        *late_end = write;
        late_end = &write->next;
        lane->queued--;
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    return late;
}

/* Returns the number of writes that the next group should have, a part of those under way. While
 * some writes wait for their commit, others should be in preparation, so that neither the disk nor
 * the processors stand still. With few writes under way the next ones may take long to arrive: a
 * third is enough then to keep a commit from carrying only a straggler or two. */
static size_t wanted_writes(size_t under_way)
{
    const size_t third = (under_way + 2) / 3;
    const size_t wanted = under_way < WEIR_LANE_WAITS_FROM ? 0
                          : under_way < WEIR_LANE_MANY     ? third
                                                           : under_way / 2;
    return wanted < WEIR_GROUP_WRITES_MAX ? wanted : WEIR_GROUP_WRITES_MAX;
}

bool weir_lane_go_on(struct weir_lane *lane)
{
    (void)pthread_mutex_lock(&lane->mutex);
    assert(lane->is_led);
    lane->wanted = wanted_writes(lane->load.writes + lane->queued);
    lane->is_led = lane->first != NULL;
    const bool is_leader = lane->is_led;
    (void)pthread_mutex_unlock(&lane->mutex);
    return is_leader;
}
