#include "loop/grace.h"

#include <stddef.h>

static void on_loop(struct post_item *item)
{
    struct grace *grace = (struct grace *)(void *)((char *)item - offsetof(struct grace, item));
    grace->fn(grace);
}

static void on_grace_end(struct rcu_deferred *deferred)
{
    struct grace *grace = (struct grace *)(void *)((char *)deferred - offsetof(struct grace, deferred));
    post_send(grace->post, &grace->item, on_loop);
}

void grace_after(struct grace *grace, struct post *post, void (*fn)(struct grace *self))
{
    grace->post = post;
    grace->fn = fn;
    rcu_defer(&grace->deferred, on_grace_end);
}
