/* Doubly linked rings through members, for things that must leave a list in constant time. */
#ifndef WEIR_SERVER_LIST_H
#define WEIR_SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A ring's head, or a member's place in it. A member that is in no ring points to itself. */
struct weir_link {
    struct weir_link *next;
    struct weir_link *before;
};

static inline void weir_link_init(struct weir_link *link)
{
    link->next = link;
    link->before = link;
}

static inline bool weir_link_is_alone(const struct weir_link *link)
{
    return link->next == link;
}

/* Puts `link`, which is alone, at the end of the ring. */
static inline void weir_link_append(struct weir_link *head, struct weir_link *link)
{
    link->before = head->before;
    link->next = head;
    head->before->next = link;
    head->before = link;
}

static inline void weir_link_remove(struct weir_link *link)
{
    link->before->next = link->next;
    link->next->before = link->before;
    weir_link_init(link);
}

/* The struct that a link is member of. */
#define WEIR_LINKED(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

#endif
