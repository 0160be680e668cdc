/* An intrusive list both ways: a ring is its own head, an item that is in none points to itself. Neither owns anything.
 * One thread at a time. */
#pragma once

#include <stdbool.h>

struct ring {
    struct ring *before, *after;
};
static inline void ring_init(struct ring *r) { r->before = r->after = r; }
static inline bool ring_is_empty(const struct ring *r) { return r->after == r; } /* of an item: it is in none */
static inline void ring_add(struct ring *ring, struct ring *item) /* as the last */
{
    item->before = ring->before;
    item->after = ring;
    ring->before->after = item;
    ring->before = item;
}
static inline void ring_remove(struct ring *item)
{
    item->before->after = item->after;
    item->after->before = item->before;
    ring_init(item);
}
