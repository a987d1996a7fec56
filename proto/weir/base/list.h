/* Intrusive doubly linked lists: each list is a ring through its head, and an element embeds one
 * struct weir_link for each list that it can be in, so that it can be removed in constant time.
 * Nothing here allocates or locks. */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a list, or an element's link in it. An unlinked element points to itself. */
struct weir_link {
    struct weir_link *next;
    struct weir_link *before;
};

static inline void weir_link_init(struct weir_link *link)
{
    link->next = link;
    link->before = link;
}

/* Whether an element is in no list, or a list is empty. */
static inline bool weir_link_is_alone(const struct weir_link *link)
{
    return link->next == link;
}

/* Appends `link`, which must be in no list, at the end. */
static inline void weir_link_append(struct weir_link *head, struct weir_link *link)
{
    link->before = head->before;
    link->next = head;
    head->before->next = link;
    head->before = link;
}

/* Has no effect on a link that is in no list. */
static inline void weir_link_remove(struct weir_link *link)
{
    link->before->next = link->next;
    link->next->before = link->before;
    weir_link_init(link);
}

/* Moves all elements of a list to the end of another one. */
static inline void weir_link_move_all(struct weir_link *from, struct weir_link *to)
{
    if (!weir_link_is_alone(from)) {
        from->next->before = to->before;
        to->before->next = from->next;
        from->before->next = to;
        to->before = from->before;
        weir_link_init(from);
    }
}

/* The struct of type `type` whose member `member` is *link. */
#define WEIR_LINKED(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The first of the elements of type `type` in a list; NULL where there is none. */
#define WEIR_FIRST_LINKED(head, type, member) \
    (weir_link_is_alone(head) ? NULL : WEIR_LINKED((head)->next, type, member))

#endif
