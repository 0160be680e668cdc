/* A function that runs on the loop once no RCU reader can still see what was unpublished before: the
 * reclaimer thread of base/rcu.h only passes it on. For what must be released on the loop's thread; what
 * may be freed anywhere takes rcu_defer itself. */
#pragma once

#include "base/attr.h"
#include "base/rcu.h"
#include "loop/post.h"

/* Embed in what waits. */
struct grace {
    struct rcu_deferred deferred;
    struct post_item item;
    struct post *post;
    void (*fn)(struct grace *self);
};

/* Never waits itself. Before `post` is closed: rcu_drain, then post_run_all. [loop] */
void grace_after(struct grace *grace, struct post *post, void (*fn)(struct grace *self)) ATTR_NONNULL_ALL;
