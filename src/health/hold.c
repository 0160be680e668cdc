#include "health/hold.h"

#include <stdlib.h>

#include "health/hold_window.h"

/* Targets that a piece of hold_next looks at. */
enum { PIECE_MOST = 64 };

static struct hold_target *of_failing(struct ring *link)
{
    return container_of(link, struct hold_target, failing);
}

/* ---- counts */

static bool passes(const struct hold_target *target)
{
    return (target->seen == HEALTH_UP && !target->unsettled) || (target->seen == HEALTH_DOWN && target->unsettled);
}

/* An anchor answers only when that is settled: a single reply on a line that loses most is none. */
static void count(struct hold *hold, const struct hold_target *target, size_t by)
{
    hold->target_cnt += by;
    if (target->seen == HEALTH_UNKNOWN)
        hold->unknown_cnt += by;
    if (passes(target))
        hold->passing_cnt += by;
    if (!ring_is_empty(&target->anchor)) {
        hold->anchor_cnt += by;
        hold->anchor_down_cnt += target->seen == HEALTH_DOWN ? by : 0;
        hold->anchor_answer_cnt += target->seen == HEALTH_UP && !target->unsettled ? by : 0;
    }
}
enum { MINUS_ONE = -1 };

/* ---- who differs */

static void stop_differing(struct hold *hold, struct hold_target *target)
{
    hold->differing_cnt -= !ring_is_empty(&target->differing);
    ring_remove(&target->differing);
}

static void follow_difference(struct hold *hold, struct hold_target *target)
{
    stop_differing(hold, target);
    if (!hold_target_differs(target))
        return;
    hold->differing_cnt++;
    ring_add(target->seen == HEALTH_UP ? &hold->ups : &target->window->differing, &target->differing);
}

static void count_as(struct hold *hold, struct hold_target *target, enum health_verdict verdict)
{
    target->counts = verdict;
    target->restored_in = 0;
    follow_difference(hold, target);
}

static void restore(struct hold *hold, struct hold_target *target)
{
    count_as(hold, target, target->before);
    target->restored_in = hold->begun_cnt;
}

/* ---- who fails */

static void begin_failing(struct hold *hold, struct hold_target *target, uint64_t now_ms)
{
    target->failing_ms = now_ms;
    target->before = target->counts;
    ring_add(&hold->failing, &target->failing);
    hold_burst_add(target);
}

static void stop_failing(struct hold *hold, struct hold_target *target)
{
    hold_burst_remove(hold, target);
    if (hold->restore == &target->failing)
        hold->restore = target->failing.before;
    ring_remove(&target->failing);
}

/* ---- beginning and end */

static bool all_anchors_down(const struct hold *hold)
{
    return hold->anchor_cnt && hold->anchor_down_cnt == hold->anchor_cnt;
}

static bool is_well(const struct hold *hold)
{
    return hold->anchor_cnt ? hold->anchor_answer_cnt : hold->passing_cnt * 2 > hold->target_cnt || !hold->target_cnt;
}

/* The later the last anchor was well, the later is the moment: each was for the last time, at the earliest, a window
 * before it failed. */
static uint64_t moment_of_anchors(const struct hold *hold)
{
    uint64_t moment_ms = 0;
    for (const struct ring *at = hold->anchors.after; at != &hold->anchors; at = at->after) {
        const struct hold_target *target = container_of(at, struct hold_target, anchor);
        uint64_t ms = target->failing_ms > target->window->ms ? target->failing_ms - target->window->ms : 0;
        moment_ms = ms > moment_ms ? ms : moment_ms;
    }
    return moment_ms;
}

static void begin(struct hold *hold, enum hold_cause cause, uint64_t now_ms)
{
    hold->is_on = true;
    hold->cause = cause;
    hold->since_ms = now_ms;
    hold->begun_cnt++;
    hold->moment_ms = cause == HOLD_BY_ANCHORS ? moment_of_anchors(hold) : hold_burst_ms(hold);
    hold->restore = hold->failing.before;
}

static void end(struct hold *hold, enum hold_end why, uint64_t now_ms)
{
    bool at_once = why == HOLD_END_RELEASED || why == HOLD_END_LONG;
    hold->is_on = false;
    hold->is_blocked = at_once;
    hold->end = why;
    hold->restore = &hold->failing;
    for (struct hold_window *window = hold->windows; window; window = window->next)
        window->due_ms = at_once ? now_ms : now_ms + window->ms;
}

static void judge(struct hold *hold, uint64_t now_ms)
{
    hold_burst_follow(hold, now_ms);
    if (is_well(hold)) {
        hold->is_blocked = false;
        if (hold->is_on)
            end(hold, hold->anchor_cnt ? HOLD_END_ANSWER : HOLD_END_PASS, now_ms);
    } else if (hold->is_on || hold->is_blocked || !hold->max_ms) {
        return;
    } else if (all_anchors_down(hold)) {
        begin(hold, HOLD_BY_ANCHORS, now_ms);
    } else if (!hold->anchor_answer_cnt && hold_burst_is_most(hold)) {
        begin(hold, HOLD_BY_TARGETS, now_ms);
    }
}

/* ---- what counts */

/* It began to fail after the moment, and that has counted. */
static bool is_to_restore(const struct hold *hold, const struct hold_target *target)
{
    return !ring_is_empty(&target->failing) && target->failing_ms >= hold->moment_ms &&
           target->counts == HEALTH_DOWN && target->before != HEALTH_DOWN;
}

static void heed_held(struct hold *hold, struct hold_target *target)
{
    if (target->counts == HEALTH_UNKNOWN && target->seen == HEALTH_UP)
        count_as(hold, target, HEALTH_UP);
    else
        follow_difference(hold, target);
}

/* One that a hold has left as it was, and that passes again without a verdict so far, goes on so. */
static void heed(struct hold *hold, struct hold_target *target)
{
    bool goes_on = !ring_is_empty(&target->differing) && hold_target_differs(target) && target->seen == HEALTH_DOWN;
    if (!goes_on || !target->unsettled)
        count_as(hold, target, target->seen);
}

static void follow_failing(struct hold *hold, struct hold_target *target, uint64_t now_ms)
{
    if (target->seen == HEALTH_UP && !target->unsettled)
        stop_failing(hold, target);
    else if (target->seen != HEALTH_UNKNOWN && !passes(target) && ring_is_empty(&target->failing))
        begin_failing(hold, target, now_ms);
}

void hold_observe(struct hold *hold, struct hold_target *target, enum health_verdict verdict, bool unsettled,
                  uint64_t now_ms)
{
    if (hold->is_on && is_to_restore(hold, target))
        restore(hold, target);
    count(hold, target, (size_t)MINUS_ONE);
    target->seen = verdict;
    target->unsettled = unsettled;
    count(hold, target, 1);
    follow_failing(hold, target, now_ms);
    if (hold->is_on)
        heed_held(hold, target);
    else
        heed(hold, target);
    judge(hold, now_ms);
}

/* ---- coming and going */

void hold_init(struct hold *hold)
{
    *hold = (struct hold){.max_ms = 0};
    ring_init(&hold->anchors);
    ring_init(&hold->failing);
    ring_init(&hold->ups);
    ring_init(&hold->settling);
    hold->restore = &hold->failing;
}

void hold_fini(struct hold *hold)
{
    while (hold->windows) {
        struct hold_window *window = hold->windows;
        hold->windows = window->next;
        free(window);
    }
}

void hold_add(struct hold *hold, struct hold_target *target, const struct health_timing *timing,
              enum health_verdict verdict, bool unsettled, bool is_remembered, uint64_t now_ms)
{
    bool is_doubtful = hold->is_on && verdict == HEALTH_DOWN && !is_remembered;
    *target = (struct hold_target){.window = hold_window_take(hold, timing),
                                   .seen = verdict,
                                   .counts = is_doubtful ? HEALTH_UNKNOWN : verdict,
                                   .unsettled = unsettled};
    ring_init(&target->failing);
    ring_init(&target->recent);
    ring_init(&target->differing);
    ring_init(&target->anchor);
    count(hold, target, 1);
    follow_difference(hold, target);
    follow_failing(hold, target, now_ms);
}

void hold_remove(struct hold *hold, struct hold_target *target)
{
    stop_failing(hold, target);
    stop_differing(hold, target);
    hold_set_anchor(hold, target, false);
    count(hold, target, (size_t)MINUS_ONE);
    hold_window_drop(hold, target->window);
}

void hold_set_anchor(struct hold *hold, struct hold_target *target, bool is_anchor)
{
    count(hold, target, (size_t)MINUS_ONE);
    ring_remove(&target->anchor);
    if (is_anchor)
        ring_add(&hold->anchors, &target->anchor);
    count(hold, target, 1);
}

void hold_set_max(struct hold *hold, uint64_t max_ms, uint64_t now_ms)
{
    hold->max_ms = max_ms;
    hold_advance(hold, now_ms);
}

/* ---- time */

void hold_advance(struct hold *hold, uint64_t now_ms)
{
    judge(hold, now_ms);
    if (hold->is_on && now_ms >= hold->since_ms + hold->max_ms)
        end(hold, HOLD_END_LONG, now_ms);
}

bool hold_release(struct hold *hold, uint64_t now_ms)
{
    if (!hold->is_on)
        return false;
    end(hold, HOLD_END_RELEASED, now_ms);
    return true;
}

uint64_t hold_due_ms(const struct hold *hold)
{
    uint64_t due_ms = UINT64_MAX;
    if (hold->is_on)
        return hold->since_ms + hold->max_ms;
    for (const struct hold_window *window = hold->windows; window; window = window->next)
        if (!ring_is_empty(&window->differing) && window->due_ms < due_ms)
            due_ms = window->due_ms;
    return due_ms;
}

/* ---- in pieces */

static bool next_restored(struct hold *hold, struct hold_target **target)
{
    for (unsigned n = 0; n < PIECE_MOST; n++) {
        struct hold_target *at = of_failing(hold->restore);
        if (hold->restore == &hold->failing || at->failing_ms < hold->moment_ms)
            break;
        hold->restore = hold->restore->before;
        if (!is_to_restore(hold, at))
            continue;
        restore(hold, at);
        *target = at;
        return true;
    }
    return hold->restore != &hold->failing && of_failing(hold->restore)->failing_ms >= hold->moment_ms;
}

static struct hold_target *first_of(struct ring *list)
{
    return !ring_is_empty(list) ? container_of(list->after, struct hold_target, differing) : NULL;
}

static struct hold_target *first_due(struct hold *hold, uint64_t now_ms)
{
    for (struct hold_window *window = hold->windows; window; window = window->next)
        if (!ring_is_empty(&window->differing) && window->due_ms <= now_ms)
            return first_of(&window->differing);
    return NULL;
}

bool hold_next(struct hold *hold, struct hold_target **target, uint64_t now_ms)
{
    *target = NULL;
    if (hold->is_on)
        return next_restored(hold, target);
    struct hold_target *next = first_of(&hold->ups);
    if (!next)
        next = first_due(hold, now_ms);
    if (!next)
        return false;
    if (next->seen == HEALTH_DOWN && next->unsettled && !hold->is_blocked) {
        ring_remove(&next->differing);
        ring_add(&hold->settling, &next->differing);
    } else {
        count_as(hold, next, next->seen);
        *target = next;
    }
    return true;
}
