/* Messages to the loop: any thread posts items, their functions run on the loop, in the order of posting. What waits is
 * worked off in slices of a millisecond, with the loop's other events in between: ten thousand loaded zones must not
 * hold up anything else. A function of an item should itself take well under that. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "base/attr.h"

/* Embed in what is posted; it stays in place until its function runs, which may free it. */
struct post_item {
    struct post_item *next;
    void (*fn)(struct post_item *self);
};

struct post;

/* Nothing may wait or come any more, no thread be within post_send. The handle
 * goes with the loop's next round. [loop] */
void post_close(struct post *post) ATTR_NONNULL_ALL;
/* NULL when the system gives no descriptor or does not watch it, which is logged. [loop] */
struct post *post_open(uv_loop_t *loop) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* [any thread] */
void post_send(struct post *post, struct post_item *item, void (*fn)(struct post_item *self)) ATTR_NONNULL_ALL;
/* Runs all that waits, and what that posts in turn, now; for shutdown. [loop] */
void post_run_all(struct post *post) ATTR_NONNULL_ALL;
