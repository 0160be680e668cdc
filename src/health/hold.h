/* Is it them, or is it us? When everything seems to die at once it is our own network that is broken, and the verdicts
 * from before are better than those of now: they are held. Pure: no I/O, time comes in as numbers (monotonic ms).
 *
 * A hold begins when every anchor (a target that should always answer) is down, or when more than nine tenths of all
 * targets, ten at least, were up and have begun to fail together, each within its own interval, and no anchor answers;
 * so a site may die, and with anchors even all of them. What counts of a target that began to fail since that moment is
 * then what counted before it began; later verdicts are not heeded, but for those of targets that nothing was known of
 * and that turn out to be up. That moment is the oldest of those failures, or, with anchors, the time at which
 * the last of them to fail may have been well for the last time.
 *
 * It ends when an anchor answers again (without anchors: when most targets pass), by hold_release, or after the time
 * that it may take. In the last two cases the verdicts of now count at once. In the first, those that went down during
 * the hold count once the target has had the time for one more check, as it may be alive again and not have been asked
 * yet; who passes meanwhile never goes down. After the last two, no hold begins until things have been well once.
 *
 * Every event takes the same few steps, however many targets there are; what a beginning or an end changes is handed
 * out one by one, by hold_next. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/ring.h"
#include "health/bounds.h"
#include "health/health.h"

enum { HOLD_TARGETS_LEAST = 10 };
enum hold_cause { HOLD_BY_ANCHORS, HOLD_BY_TARGETS };
enum hold_end { HOLD_END_NONE, HOLD_END_ANSWER, HOLD_END_PASS, HOLD_END_RELEASED, HOLD_END_LONG };

struct hold_window; /* health/hold_window.h */

/* A target as the hold sees it: embedded in the owner's, who reads `counts` and hold_target_unsettled. */
struct hold_target {
    struct ring failing;   /* in the order in which they began to, while they do */
    struct ring recent;    /* likewise, among those of its window since the moment that may explain them */
    struct ring differing; /* while it counts as something else than was seen */
    struct ring anchor;    /* among the anchors, while it is one */
    struct hold_window *window;
    uint64_t failing_ms;         /* when it began to fail, while it does */
    enum health_verdict seen, counts;
    enum health_verdict before;  /* what counted when it began to fail */
    bool unsettled;              /* seen: the last result contradicts it */
    bool is_fresh;               /* it was up, and that moment explains that it fails */
    size_t restored_in;          /* the hold (of begun_cnt) that undid a verdict that had counted; 0: none did */
};

struct hold {
    uint64_t max_ms;          /* 0: there is never a hold */
    bool is_on, is_blocked;   /* blocked: not again until things have been well once */
    enum hold_cause cause;    /* of this one, or the last */
    enum hold_end end;        /* of the last one */
    uint64_t since_ms;
    uint64_t moment_ms;       /* what began to fail from then on is what is not believed */
    size_t begun_cnt;         /* how many there were */
    size_t target_cnt, fresh_cnt, passing_cnt, unknown_cnt;
    size_t anchor_cnt, anchor_down_cnt, anchor_answer_cnt;
    size_t differing_cnt;     /* that count as something else than was seen */
    struct hold_window *windows;
    struct ring anchors;
    struct ring failing; /* all that fail */
    struct ring *restore; /* the next one to be restored, from the last one back; &failing: none */
    struct ring ups;      /* that differ and were seen to be up */
    struct ring settling; /* that differ, have passed since, and will have a verdict soon */
};

void hold_fini(struct hold *hold) ATTR_NONNULL_ALL;
void hold_init(struct hold *hold) ATTR_NONNULL_ALL;
/* How long one may take; 0: none is ever begun, and one that is ends. */
void hold_set_max(struct hold *hold, uint64_t max_ms, uint64_t now_ms) ATTR_NONNULL_ALL;

/* A target that comes, and is known to be so. During a hold, one that checks have found down counts as unknown; where
 * it is known from a former process, that is what counted there, and counts. */
void hold_add(struct hold *hold, struct hold_target *target, const struct health_timing *timing,
              enum health_verdict verdict, bool unsettled, bool is_remembered, uint64_t now_ms) ATTR_NONNULL_ALL;
void hold_remove(struct hold *hold, struct hold_target *target) ATTR_NONNULL_ALL;
void hold_set_anchor(struct hold *hold, struct hold_target *target, bool is_anchor) ATTR_NONNULL_ALL;

/* What was seen of it now. Afterwards `counts` may be another. */
void hold_observe(struct hold *hold, struct hold_target *target, enum health_verdict verdict, bool unsettled,
                  uint64_t now_ms) ATTR_NONNULL_ALL;
/* Time has passed, or targets have gone. */
void hold_advance(struct hold *hold, uint64_t now_ms) ATTR_NONNULL_ALL;
/* When that has something to do; UINT64_MAX: never. */
uint64_t hold_due_ms(const struct hold *hold) ATTR_NONNULL_ALL ATTR_PURE;
/* Ends it; false: there is none. */
bool hold_release(struct hold *hold, uint64_t now_ms) ATTR_NONNULL_ALL;
/* A piece of what a beginning or an end leaves to do: *target (NULL: nobody, in this piece) counts as another. False:
 * nothing is left. */
bool hold_next(struct hold *hold, struct hold_target **target, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;

static inline bool hold_target_differs(const struct hold_target *target) { return target->counts != target->seen; }
/* This hold, or the last one while nothing else was heard of the target, has undone a verdict that had counted. */
static inline bool hold_target_restored(const struct hold *hold, const struct hold_target *target)
{
    return target->restored_in && target->restored_in == hold->begun_cnt;
}
/* What counts is not sure: another verdict waits, or may be on its way. */
static inline bool hold_target_unsettled(const struct hold_target *target)
{
    return target->unsettled || hold_target_differs(target);
}
/* Those that failed when last checked. */
static inline size_t hold_failing_cnt(const struct hold *hold)
{
    return hold->target_cnt - hold->passing_cnt - hold->unknown_cnt;
}
