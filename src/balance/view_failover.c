/* What people see of tiers that are stayed on, of members on their way back, and of holds. */
#include "balance/private.h"
#include "base/clock.h"

static uint64_t wall_of(uint64_t mono_ms) { return clock_wall_ms() + mono_ms - clock_mono_ms(); }

static bool is_held(const struct balance_side *side)
{
    for (uint32_t i = 0; i < side->check_cnt; i++)
        if (hold_target_differs(&side->checks[i].target->hold))
            return true;
    return false;
}

void view_failover_member(struct balance_member_view *view, const struct balance_family *family, uint32_t index)
{
    const struct balance_side *side = &family->sides[index];
    uint32_t left = POOL_PART_ONE - side->withheld[WITHHELD_SLOW_START];
    view->held = is_held(side);
    view->weight_percent = (left * 100 + POOL_PART_ONE / 2) >> POOL_PART_BITS;
    if (side->flap.waits)
        view->waits_until_wall_ms = wall_of(health_flap_due_ms(&side->flap, family->group->flap_hold_ms));
}

void view_failover_pool(struct balance_pool_view *view, const struct balance_family *family,
                        const struct pool_choice *choice)
{
    const struct plan_group *group = family->group;
    const struct pool_failback *state =
        group->is_together ? &family->pool->families[0].failback : &family->failback;
    view->together = group->is_together;
    view->slow_start = group->slow_start_ms && family->settings.policy != POOL_ROUND_ROBIN;
    view->flap_hold = group->flap_hold_ms;
    view->trickle_tier = choice->trickle_tier;
    view->trickle = choice->trickle_tier ? (double)family->settings.trickle / POOL_TRICKLE_ONE : 0;
    view->better_tier = state->better;
    if (!state->better)
        return;
    view->better_since_wall_ms = wall_of(state->better_since_ms);
    if (group->failback_ms != POOL_FAILBACK_MANUAL)
        view->back_wall_ms = wall_of(pool_failback_due_ms(state, group->failback_ms));
}
