/* What began to fail together: a part of hold.c, and private to it.
 *
 * Whom a failure of our own cuts off at some moment is seen to fail within its window from then on: the time that the
 * next check may take to begin and to end. So targets fail together when one moment explains all of them, each by its
 * own window; that others are asked once an hour makes nobody's longer. Moments that come into question are those at
 * which some target began to fail. Looked at is the oldest of them that may still explain most targets: once too many
 * have had their time since it and did not begin to fail, or the time of all that it explains is over, the next one
 * takes its place. */
#pragma once

#include "base/container.h"
#include "health/hold.h"

/* Targets whose checks take equally long to say something new. */
struct hold_window {
    struct hold_window *next;
    uint64_t ms;
    size_t cnt;                 /* targets */
    struct ring differing; /* those that were seen to be down, and count as something else */
    uint64_t due_ms;            /* not before then do they count as that */
    struct ring recent;    /* those that began to fail since the moment, in that order */
    struct ring *late;     /* the first of them that did so when its window was over; &recent: none */
    size_t fresh_cnt;           /* of those before it, who were up */
};

/* More than PARTS_OF tenths. */
enum { HOLD_PARTS = 10, HOLD_PARTS_OF = 9 };

/* Probes of different timing are few. */
struct hold_window *hold_window_take(struct hold *hold, const struct health_timing *timing) ATTR_NONNULL_ALL;
void hold_window_drop(struct hold *hold, struct hold_window *window) ATTR_NONNULL_ALL;

/* The target begins to fail; or does so no longer. */
void hold_burst_add(struct hold_target *target) ATTR_NONNULL_ALL;
void hold_burst_remove(struct hold *hold, struct hold_target *target) ATTR_NONNULL_ALL;
/* Brings `fresh_cnt` up to date. What is given up on the way was added before, once each. */
void hold_burst_follow(struct hold *hold, uint64_t now_ms) ATTR_NONNULL_ALL;
/* They are so many that the failure may be our own. */
bool hold_burst_is_most(const struct hold *hold) ATTR_NONNULL_ALL ATTR_PURE;
/* The moment; UINT64_MAX: nobody fails that might count. */
uint64_t hold_burst_ms(const struct hold *hold) ATTR_NONNULL_ALL ATTR_PURE;
