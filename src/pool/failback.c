#include "pool/failback.h"

static void use(struct pool_failback *state, uint32_t tier, const struct pool_tiers *tiers, uint64_t now_ms)
{
    if (state->tier && tier > state->tier) {
        state->from = state->tier;
        state->moved_ms = now_ms;
        state->is_loose = pool_tiers_unknown_below(tiers, tier);
    } else if (tier != state->tier) {
        state->from = 0;
        state->is_loose = false;
    }
    state->tier = tier;
    state->better = 0;
}

/* The one that is waited for stays the same while it is good, also when another of a still lower number comes up:
 * somebody who comes and goes must not keep the pool from those that stay. */
static void follow_better(struct pool_failback *state, const struct pool_tiers *tiers, uint32_t best, uint64_t min_up,
                          uint64_t now_ms)
{
    bool stands = state->better && pool_tiers_is_good(tiers, state->better, min_up);
    if (stands)
        return;
    state->better = pool_tiers_is_good(tiers, best, min_up) ? best : 0;
    state->better_since_ms = now_ms;
}

static bool may_go_back(const struct pool_failback *state, uint64_t wait_ms, uint64_t now_ms)
{
    return state->is_loose || !wait_ms || pool_failback_due_ms(state, wait_ms) <= now_ms;
}

uint32_t pool_failback_step(struct pool_failback *state, const struct pool_tiers *tiers, uint64_t min_up,
                            uint64_t wait_ms, uint64_t now_ms)
{
    const struct pool_tier *best = pool_tiers_choose(tiers, min_up);
    const struct pool_tier *in_use = pool_tiers_live_from(tiers, state->tier);
    if (state->is_loose && !pool_tiers_unknown_below(tiers, state->tier)) {
        /* The last one has become known just now, and maybe by that what is best. */
        if (best && best->number < state->tier)
            use(state, best->number, tiers, now_ms);
        state->is_loose = false;
    }
    if (!best) {
        state->tier = state->better = 0;
    } else if (!in_use || in_use->number != state->tier || best->number >= state->tier) {
        use(state, best->number, tiers, now_ms);
    } else {
        follow_better(state, tiers, best->number, min_up, now_ms);
        if (may_go_back(state, wait_ms, now_ms))
            use(state, state->is_loose || !wait_ms ? best->number : state->better, tiers, now_ms);
    }
    return state->tier;
}

uint64_t pool_failback_due_ms(const struct pool_failback *state, uint64_t wait_ms)
{
    if (!state->better || wait_ms == POOL_FAILBACK_MANUAL)
        return UINT64_MAX;
    return state->better_since_ms + wait_ms;
}

void pool_failback_go(struct pool_failback *state) { state->tier = state->better = 0; }

void pool_failback_undo(struct pool_failback *state, uint64_t since_ms)
{
    if (!state->tier || !state->from || state->moved_ms < since_ms)
        return;
    state->tier = state->from;
    state->from = state->better = 0;
}
