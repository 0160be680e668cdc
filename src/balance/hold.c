#include "balance/hold.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/opt.h"

/* ---- what people are told */

static void tell_begin(const struct hold *hold)
{
    char most[OPT_DURATION_TEXT_MAX], span[OPT_DURATION_TEXT_MAX], why[160];
    if (hold->cause == HOLD_BY_ANCHORS)
        snprintf(why, sizeof why, "every anchor (%zu) is down", hold->anchor_cnt);
    else
        snprintf(why, sizeof why, "%zu of %zu targets began to fail within one interval of each, in %s",
                 hold->fresh_cnt, hold->target_cnt, opt_duration_to_text(span, hold->since_ms - hold->moment_ms));
    log_error("hold: %s, so the failure is taken for our own: verdicts stay what they were, for at most %s; "
              "%zu of %zu targets fail; \"rondoctl release\" ends it",
              why, opt_duration_to_text(most, hold->max_ms), hold_failing_cnt(hold), hold->target_cnt);
}

static const char *why_ended(const struct hold *hold)
{
    switch (hold->end) {
    case HOLD_END_ANSWER:
        return "an anchor answers again";
    case HOLD_END_PASS:
        return "most targets pass again";
    case HOLD_END_RELEASED:
        return "released by an operator";
    case HOLD_END_LONG:
        return "hold_max has passed, it is no longer taken for our own failure";
    case HOLD_END_NONE:
        break;
    }
    return "";
}

static void tell_end(const struct hold *hold)
{
    char length[OPT_DURATION_TEXT_MAX];
    uint64_t sec = (clock_mono_ms() - hold->since_ms) / 1000;
    log_warning("hold ended after %s: %s; %zu of %zu targets fail", opt_duration_to_text(length, sec * 1000),
                why_ended(hold), hold_failing_cnt(hold), hold->target_cnt);
}

static void on_alarm(struct balance *balance, struct balance_alarm *alarm);

/* Whatever was done to the hold may have begun or ended it. */
static void follow(struct balance *balance)
{
    const struct hold *hold = &balance->hold;
    if (hold->begun_cnt != balance->hold_told) {
        balance->hold_told = hold->begun_cnt;
        balance->hold_on_told = true;
        tell_begin(hold);
    }
    if (!hold->is_on && balance->hold_on_told) {
        balance->hold_on_told = false;
        tell_end(hold);
    }
    alarm_set(balance->alarms, &balance->hold_alarm, hold_due_ms(hold), on_alarm);
}

static void on_alarm(struct balance *balance, struct balance_alarm *alarm)
{
    (void)alarm;
    hold_advance(&balance->hold, clock_mono_ms());
    /* What is due is work for hold_one, which sets the next alarm when it has none. */
    if (balance->hold.is_on || balance->hold_on_told)
        follow(balance);
}

/* ---- targets */

static void take_over(struct balance_target *target)
{
    target->verdict = target->hold.counts;
    target->unsettled = hold_target_unsettled(&target->hold);
}

static void fill_anchor(struct probe_spec *spec, const struct balance_plan *plan, size_t index)
{
    probe_spec_fill(spec, plan->anchors[index].probe, &plan->anchors[index].address, "");
    if (plan->anchors[index].address.port)
        spec->address.port = plan->anchors[index].address.port;
    spec->timing.start_gap_ms = plan->start_gap_ms;
}

static void tell_anchor(const struct balance *balance, const struct balance_target *target,
                        const struct probe_event *event)
{
    const struct hold *hold = &balance->hold;
    char address[ADDR_TEXT_MAX];
    struct probe_spec spec;
    size_t i = 0;
    while (balance->anchors[i] != target)
        i++;
    fill_anchor(&spec, balance->plan, i);
    log_write(event->verdict == HEALTH_DOWN ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE,
              "anchor %s is %s (%s), %zu of %zu down",
              addr_port_to_text(address, &spec.address), health_verdict_name(event->verdict),
              event->reason, hold->anchor_down_cnt, hold->anchor_cnt);
}

void hold_take_event(struct balance *balance, struct balance_target *target, const struct probe_event *event)
{
    enum health_verdict before = target->hold.seen;
    hold_observe(&balance->hold, &target->hold, event->verdict, event->unsettled, clock_mono_ms());
    take_over(target);
    if (target->anchor_cnt && event->verdict != before)
        tell_anchor(balance, target, event);
    follow(balance);
}

void hold_take_target(struct balance *balance, struct balance_target *target, const struct health_timing *timing,
                      const struct probe_event *known)
{
    hold_add(&balance->hold, &target->hold, timing, known->verdict, known->unsettled, known->is_remembered,
             clock_mono_ms());
    take_over(target);
}

void hold_drop_target(struct balance *balance, struct balance_target *target)
{
    hold_remove(&balance->hold, &target->hold);
    hold_advance(&balance->hold, clock_mono_ms());
    follow(balance);
}

/* ---- anchors */

static struct balance_target **take_anchors(struct balance *balance, const struct balance_plan *plan)
{
    struct balance_target **anchors = mem_zalloc(plan->anchor_cnt, sizeof *anchors);
    for (size_t i = 0; i < plan->anchor_cnt; i++) {
        struct probe_spec spec;
        fill_anchor(&spec, plan, i);
        anchors[i] = checks_take_target(balance, &spec);
        if (!anchors[i]->anchor_cnt++)
            hold_set_anchor(&balance->hold, &anchors[i]->hold, true);
    }
    return anchors;
}

static void drop_anchors(struct balance *balance, struct balance_target **anchors, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        if (!--anchors[i]->anchor_cnt)
            hold_set_anchor(&balance->hold, &anchors[i]->hold, false);
        checks_drop_target(balance, anchors[i]);
    }
    free(anchors);
}

void hold_end_anchors(struct balance *balance)
{
    drop_anchors(balance, balance->anchors, balance->anchor_cnt);
    balance->anchors = NULL;
    balance->anchor_cnt = 0;
}

/* Those of before go last: who is an anchor in both plans stays one all the time. */
void hold_follow_plan(struct balance *balance)
{
    struct balance_target **before = balance->anchors;
    size_t before_cnt = balance->anchor_cnt;
    if (!balance->probe)
        return;
    balance->anchors = take_anchors(balance, balance->plan);
    balance->anchor_cnt = balance->plan->anchor_cnt;
    drop_anchors(balance, before, before_cnt);
    hold_set_max(&balance->hold, balance->plan->hold_max_ms, clock_mono_ms());
    follow(balance);
}

/* ---- in pieces */

/* What a target that is let go of said last. */
static void spread(struct balance *balance, struct hold_target *held)
{
    struct balance_target *target = container_of(held, struct balance_target, hold);
    struct probe_event state;
    take_over(target);
    verdict_keep(balance, target->id);
    if (hold_target_restored(&balance->hold, &target->hold)) {
        verdict_spread(balance, target, "as before the failure of our own");
        return;
    }
    probe_state(balance->probe, target->id, &state);
    verdict_spread(balance, target, state.reason);
}

bool hold_one(struct balance *balance)
{
    struct hold_target *held;
    if (!balance->probe)
        return false;
    if (!hold_next(&balance->hold, &held, clock_mono_ms())) {
        if (!balance->hold_alarm.place)
            alarm_set(balance->alarms, &balance->hold_alarm, hold_due_ms(&balance->hold), on_alarm);
        return false;
    }
    if (held)
        spread(balance, held);
    return true;
}

/* ---- operators */

bool balance_release(struct balance *balance)
{
    bool released = hold_release(&balance->hold, clock_mono_ms());
    follow(balance);
    work_post(balance);
    return released;
}

/* An anchor's own verdict is nobody's but ours, unless members are checked like it. */
static size_t held_cnt(const struct balance *balance)
{
    size_t cnt = balance->hold.differing_cnt;
    for (const struct ring *at = balance->hold.anchors.after; at != &balance->hold.anchors; at = at->after) {
        const struct hold_target *held = container_of(at, const struct hold_target, anchor);
        cnt -= hold_target_differs(held) && !container_of(held, const struct balance_target, hold)->checks;
    }
    return cnt;
}

void balance_hold_look(struct balance_hold_view *view, const struct balance *balance)
{
    const struct hold *hold = &balance->hold;
    uint64_t now_ms = clock_mono_ms(), wall_ms = clock_wall_ms();
    *view = (struct balance_hold_view){
        .is_on = hold->is_on,
        .cause = hold->cause,
        .target_cnt = hold->target_cnt,
        .failing_cnt = hold_failing_cnt(hold),
        .held_cnt = held_cnt(balance),
        .anchor_cnt = hold->anchor_cnt,
        .anchor_down_cnt = hold->anchor_down_cnt,
    };
    if (!hold->is_on)
        return;
    view->since_wall_ms = wall_ms - (now_ms - hold->since_ms);
    view->until_wall_ms = view->since_wall_ms + hold->max_ms;
}
