/* What happens to a pool although nothing else does: steps of slow starts, members whose way back waits for flap_hold,
 * a tier that is gone back to, turns of standbys. One alarm a family sees to all of it. */
#include "balance/private.h"
#include "base/clock.h"
#include "pool/ramp.h"
#include "pool/trickle.h"

/* ---- slow start */

static bool is_ready(const struct pool_member *member)
{
    return pool_member_verdict(member) == HEALTH_UP && member->weight;
}

void later_follow_ramp(struct balance_side *side, const struct plan_group *group)
{
    uint64_t length_ms = group->slow_start_ms;
    if (!side->ramp_ms)
        return;
    uint32_t withheld = length_ms ? pool_ramp_withheld(side->ramp_ms, length_ms, clock_mono_ms()) : 0;
    side->withheld[WITHHELD_SLOW_START] = withheld;
    if (!withheld)
        side->ramp_ms = 0;
}

/* Whose verdict is the first has been there all along, as far as we know; and who was never really away has lost
 * nothing that it must find again. */
void later_member_changed(const struct balance_family *family, struct balance_side *side,
                          const struct pool_member *was, const struct pool_member *is)
{
    const struct plan_group *group = family->group;
    if (is_ready(is) && !is_ready(was) && pool_member_verdict(was) != HEALTH_UNKNOWN && group->slow_start_ms &&
        !checks_restored(family->pool->balance, side))
        side->ramp_ms = clock_mono_ms();
    if (!is_ready(is) && side->ramp_ms) {
        side->ramp_ms = 0;
        side->withheld[WITHHELD_SLOW_START] = 0;
    }
    later_follow_ramp(side, group);
}

/* ---- flips */

enum health_verdict later_verdict(const struct balance_family *family, struct balance_side *side,
                                  enum health_verdict counts, enum health_verdict seen)
{
    if (checks_restored(family->pool->balance, side)) { /* what is undone was no flip, and waits for nothing */
        side->flap = (struct health_flap){0};
        return seen;
    }
    return health_flap_step(&side->flap, counts, seen, family->group->flap_hold_ms, clock_mono_ms());
}

/* Somebody who comes and goes is better than nobody. */
bool later_let_in(struct balance_family *family)
{
    bool any = false;
    for (uint32_t i = 0; i < family->cnt; i++) {
        if (!family->sides[i].flap.waits)
            continue;
        family->sides[i].flap.flipped_ms = 0;
        any |= verdict_refresh(family, i, "does not wait for flap_hold: no other is up");
    }
    return any;
}

/* ---- alarms */

static void on_alarm(struct balance *balance, struct balance_alarm *alarm)
{
    struct balance_family *family = container_of(alarm, struct balance_family, alarm);
    (void)balance;
    if (!family->group)
        return;
    for (uint32_t i = 0; i < family->cnt; i++) {
        struct balance_side *side = &family->sides[i];
        if (!side->ramp_ms && !side->flap.waits)
            continue;
        later_follow_ramp(side, family->group);
        verdict_refresh(family, i, "flap_hold is over");
    }
    work_queue(family->pool, TODO_COMPILE_A << family->index, false); /* which sets the next alarm */
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Standbys that are too many for their share have it by turns. */
static bool takes_turns(const struct balance_family *family, const struct pool_choice *choice)
{
    return choice->trickle_tier && choice->cnt - choice->own_cnt > pool_trickle_slots(family->settings.trickle);
}

void later_arm(struct balance_family *family, const struct pool_choice *choice)
{
    enum { TURN_MS = 60000 };
    const struct plan_group *group = family->group;
    uint64_t due_ms = failback_due_ms(family), now_ms = clock_mono_ms();
    if (takes_turns(family, choice))
        due_ms = earlier(due_ms, now_ms + TURN_MS);
    bool sides = group->slow_start_ms || group->flap_hold_ms;
    for (uint32_t i = 0; sides && i < family->cnt; i++) {
        const struct balance_side *side = &family->sides[i];
        due_ms = earlier(due_ms, health_flap_due_ms(&side->flap, group->flap_hold_ms));
        if (side->ramp_ms)
            due_ms = earlier(due_ms, pool_ramp_due_ms(side->ramp_ms, group->slow_start_ms, now_ms));
    }
    alarm_set(family->pool->balance->alarms, &family->alarm, due_ms, on_alarm);
}

void later_forget(struct balance_family *family) { alarm_clear(family->pool->balance->alarms, &family->alarm); }

bool later_one(struct balance *balance)
{
    return ring_is_empty(&balance->urgent) && (alarm_one(balance->alarms) || failback_one(balance));
}
