#include "loop/grace.h"

#include "base/container.h"

static void on_loop(struct post_item *item)
{
    struct grace *grace = container_of(item, struct grace, item);
    grace->fn(grace);
}

static void on_grace_end(struct rcu_deferred *deferred)
{
    struct grace *grace = container_of(deferred, struct grace, deferred);
    post_send(grace->post, &grace->item, on_loop);
}

void grace_after(struct grace *grace, struct post *post, void (*fn)(struct grace *self))
{
    grace->post = post;
    grace->fn = fn;
    rcu_defer(&grace->deferred, on_grace_end);
}
