#include "server/namespaces/own_writes.h"

int64_t weir_write_change(const struct weir_write *write)
{
    int64_t n = 0;
    switch (write->kind) {
    case WEIR_WRITE_APPEND:
        for (size_t i = 0; i < write->of.append.n && !write->of.append.is_duplicate; i++) {
            n += (int64_t)write->of.append.streams[i].n;
        }
        break;
    case WEIR_WRITE_IMPORT:
        n = write->of.import.imported;
        break;
    case WEIR_WRITE_CLEAR:
        n = -write->of.clear.messages_deleted;
        break;
    }
    return n;
}

void weir_own_writes_begin(struct weir_own_writes *own)
{
    (void)atomic_fetch_add(&own->begun, 1);
}

void weir_own_writes_end(struct weir_own_writes *own, const struct weir_write *group)
{
    int64_t appended = 0;
    int64_t messages = 0;
    for (const struct weir_write *write = group; write != NULL; write = write->next) {
        const int64_t change = write->err->status == WEIR_OK ? weir_write_change(write) : 0;
        appended += write->kind == WEIR_WRITE_APPEND ? change : 0;
        messages += change;
    }
    (void)atomic_fetch_add(&own->appended, appended);
    (void)atomic_fetch_add(&own->messages, messages);
    (void)atomic_fetch_add(&own->ended, 1);
}

/* Reads the ended commits first and the begun ones last: if both numbers are equal, nothing was
 * changed in between. */
bool weir_own_writes_see(struct weir_own_writes *own, struct weir_own_writes_seen *seen)
{
    seen->commits = atomic_load(&own->ended);
    seen->appended = atomic_load(&own->appended);
    seen->messages = atomic_load(&own->messages);
    return weir_own_writes_is_same(own, seen);
}

bool weir_own_writes_is_same(struct weir_own_writes *own, const struct weir_own_writes_seen *seen)
{
    return atomic_load(&own->begun) == seen->commits;
}

struct weir_head weir_own_writes_subtract(const struct weir_own_writes_seen *seen,
                                          const struct weir_head *head)
{
    return (struct weir_head){.position = head->position - seen->appended,
                              .messages = head->messages - seen->messages};
}
