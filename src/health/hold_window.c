#include "health/hold_window.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- windows */

struct hold_window *hold_window_take(struct hold *hold, const struct health_timing *timing)
{
    uint64_t ms = health_first_contrary_ms(timing) + HEALTH_PUBLISH_MS;
    struct hold_window *window = hold->windows;
    while (window && window->ms != ms)
        window = window->next;
    if (!window) {
        window = mem_zalloc(1, sizeof *window);
        window->ms = ms;
        window->next = hold->windows;
        ring_init(&window->differing);
        ring_init(&window->recent);
        window->late = &window->recent;
        hold->windows = window;
    }
    window->cnt++;
    return window;
}

void hold_window_drop(struct hold *hold, struct hold_window *window)
{
    struct hold_window **at = &hold->windows;
    if (--window->cnt)
        return;
    while (*at != window)
        at = &(*at)->next;
    *at = window->next;
    free(window);
}

/* ---- what begins to fail */

static struct hold_target *of_recent(struct ring *link) { return container_of(link, struct hold_target, recent); }

void hold_burst_add(struct hold_target *target)
{
    struct hold_window *window = target->window;
    ring_add(&window->recent, &target->recent);
    if (window->late == &window->recent)
        window->late = &target->recent;
}

static void count_fresh(struct hold *hold, struct hold_target *target, bool is_fresh)
{
    target->window->fresh_cnt += (size_t)is_fresh - target->is_fresh;
    hold->fresh_cnt += (size_t)is_fresh - target->is_fresh;
    target->is_fresh = is_fresh;
}

void hold_burst_remove(struct hold *hold, struct hold_target *target)
{
    if (target->window->late == &target->recent)
        target->window->late = target->recent.after;
    count_fresh(hold, target, false);
    ring_remove(&target->recent);
}

uint64_t hold_burst_ms(const struct hold *hold)
{
    uint64_t moment_ms = UINT64_MAX;
    for (const struct hold_window *window = hold->windows; window; window = window->next) {
        uint64_t ms = !ring_is_empty(&window->recent) ? of_recent(window->recent.after)->failing_ms : UINT64_MAX;
        moment_ms = ms < moment_ms ? ms : moment_ms;
    }
    return moment_ms;
}

/* ---- whom the moment explains */

/* Who was never seen alive has not died. */
static void explain(struct hold *hold, uint64_t moment_ms)
{
    for (struct hold_window *window = hold->windows; window; window = window->next)
        for (; window->late != &window->recent; window->late = window->late->after) {
            struct hold_target *target = of_recent(window->late);
            if (target->failing_ms > moment_ms + window->ms)
                break;
            count_fresh(hold, target, target->before == HEALTH_UP);
        }
}

static bool explains_too_few(const struct hold *hold, uint64_t moment_ms, uint64_t now_ms)
{
    size_t missed_cnt = 0;
    for (const struct hold_window *window = hold->windows; window; window = window->next)
        if (moment_ms + window->ms < now_ms)
            missed_cnt += window->cnt - window->fresh_cnt;
    return missed_cnt * HOLD_PARTS >= hold->target_cnt * (HOLD_PARTS - HOLD_PARTS_OF);
}

bool hold_burst_is_most(const struct hold *hold)
{
    return hold->target_cnt >= HOLD_TARGETS_LEAST &&
           hold->fresh_cnt * HOLD_PARTS > hold->target_cnt * HOLD_PARTS_OF;
}

/* An anchor answered all the time: it was not us, also if that one should fail some day. */
static bool came_to_nothing(const struct hold *hold, uint64_t moment_ms, uint64_t now_ms)
{
    bool is_over = hold_burst_is_most(hold);
    for (const struct hold_window *window = hold->windows; window && is_over; window = window->next)
        is_over = !window->fresh_cnt || moment_ms + window->ms < now_ms;
    return is_over;
}

static void give_up(struct hold *hold, uint64_t moment_ms)
{
    for (struct hold_window *window = hold->windows; window; window = window->next)
        while (!ring_is_empty(&window->recent) && of_recent(window->recent.after)->failing_ms == moment_ms)
            hold_burst_remove(hold, of_recent(window->recent.after));
}

void hold_burst_follow(struct hold *hold, uint64_t now_ms)
{
    for (uint64_t moment_ms; (moment_ms = hold_burst_ms(hold)) != UINT64_MAX; give_up(hold, moment_ms)) {
        explain(hold, moment_ms);
        if (!explains_too_few(hold, moment_ms, now_ms) && !came_to_nothing(hold, moment_ms, now_ms))
            break;
    }
}
