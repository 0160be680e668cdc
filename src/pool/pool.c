#include "pool/pool.h"

#include <assert.h>

#include "pool/near.h"
#include "pool/tiers.h"

/* With a wish: that tier or the next that lives, or, as for lack of one on any other day, the first. */
static const struct pool_tier *choose_tier(const struct pool_tiers *tiers, const struct pool_settings *settings)
{
    const struct pool_tier *wanted = settings->tier ? pool_tiers_live_from(tiers, settings->tier) : NULL;
    return wanted ? wanted : pool_tiers_choose(tiers, settings->min_up);
}

static bool live_in(const struct pool_tier_part *tier, const struct pool_member *member)
{
    enum health_verdict verdict = pool_member_verdict(member);
    return verdict == HEALTH_UP || (verdict == HEALTH_UNKNOWN && !tier->up);
}

static void use(struct pool_choice *choice, const struct pool_member *member, size_t index)
{
    choice->member[choice->cnt++] = (uint16_t)index;
    choice->unsettled |= member->probed && member->unsettled;
    choice->unknown |= pool_member_verdict(member) == HEALTH_UNKNOWN;
}

/* Where nothing is withheld, weights are what was written. Else all grow by the same power of two, the largest that
 * every configured weight can bear, so that a member's weight depends on no other's momentary part. */
static void weigh(struct pool_choice *choice, const struct pool_member *members, bool equal_weights)
{
    uint32_t most = 1, withheld = 0;
    for (unsigned i = 0; i < choice->cnt; i++) {
        const struct pool_member *member = &members[choice->member[i]];
        uint32_t weight = member->weight < POOL_WEIGHT_MAX ? member->weight : POOL_WEIGHT_MAX;
        choice->weight[i] = equal_weights ? 1 : weight;
        most = choice->weight[i] > most ? choice->weight[i] : most;
        withheld |= member->withheld;
    }
    if (!withheld)
        return;
    unsigned shift = 0;
    while ((most << (shift + 1)) <= POOL_WEIGHT_MAX)
        shift++;
    for (unsigned i = 0; i < choice->cnt; i++) {
        uint64_t part = POOL_PART_ONE - members[choice->member[i]].withheld;
        uint32_t weight = (uint32_t)(((uint64_t)choice->weight[i] << shift) * part >> POOL_PART_BITS);
        choice->weight[i] = weight ? weight : 1;
    }
}

static bool has_trickle(const struct pool_choice *choice, const struct pool_settings *settings)
{
    return settings->trickle && choice->state == POOL_LIVE && settings->policy != POOL_ROUND_ROBIN &&
           settings->policy != POOL_HASH;
}

/* Only who is known to be up: the next tier is given work to prove that it can do it, not to find out. */
static void add_trickle(struct pool_choice *choice, const struct pool_tiers *tiers, const struct pool_member *members,
                        size_t cnt)
{
    const struct pool_tier *next = pool_tiers_live_from(tiers, choice->tier + 1);
    while (next && !next->parts[0].up)
        next = pool_tiers_live_from(tiers, next->number + 1);
    if (!next)
        return;
    choice->trickle_tier = next->number;
    for (size_t i = 0; i < cnt; i++)
        if (members[i].tier == next->number && members[i].weight && pool_member_verdict(&members[i]) == HEALTH_UP)
            use(choice, &members[i], i);
}

/* The tier is what the choice is made of. */
static void use_tier(struct pool_choice *choice, const struct pool_tier *tier, const struct pool_member *members,
                     size_t cnt, bool as_if_up)
{
    choice->tier = tier->number;
    for (size_t i = 0; i < cnt; i++)
        if (members[i].tier == tier->number && pool_member_usable(&members[i], choice->all_drained) &&
            (as_if_up || live_in(&tier->parts[0], &members[i])))
            use(choice, &members[i], i);
    choice->own_cnt = choice->cnt;
}

void pool_choose(struct pool_choice *choice, const struct pool_settings *settings, const struct pool_member *members,
                 size_t cnt)
{
    assert(cnt <= POOL_MEMBERS_MAX);
    if (settings->site) {
        pool_near_choose(choice, settings, members, cnt);
        return;
    }
    choice->state = POOL_EMPTY;
    choice->site = 0;
    choice->tier = choice->trickle_tier = 0;
    choice->cnt = choice->own_cnt = 0;
    choice->unsettled = choice->unknown = choice->all_drained = false;
    if (!cnt)
        return;

    struct pool_tiers tiers;
    pool_tiers_init(&tiers);
    choice->all_drained = pool_members_all_drained(members, cnt);
    pool_tiers_add(&tiers, 0, members, cnt);
    const struct pool_tier *tier = choose_tier(&tiers, settings);
    choice->state = !tier ? POOL_ALL_DOWN : choice->all_drained ? POOL_ALL_DRAINED : POOL_LIVE;
    bool as_if_up = !tier && settings->all_down == POOL_SERVE_ALL;
    if (as_if_up)
        tier = &tiers.tiers[0];
    if (!tier)
        return;

    use_tier(choice, tier, members, cnt, as_if_up);
    if (has_trickle(choice, settings))
        add_trickle(choice, &tiers, members, cnt);
    weigh(choice, members, choice->all_drained || settings->policy == POOL_ROUND_ROBIN);
}

bool pool_member_live(const struct pool_member *members, size_t cnt, size_t index)
{
    assert(index < cnt);
    bool ignore_drains = pool_members_all_drained(members, cnt);
    if (!pool_member_usable(&members[index], ignore_drains))
        return false;
    struct pool_tier_part tier = {0};
    for (size_t i = 0; i < cnt; i++)
        tier.up = (uint16_t)(tier.up + (members[i].tier == members[index].tier &&
                                        pool_member_usable(&members[i], ignore_drains) &&
                                        pool_member_verdict(&members[i]) == HEALTH_UP));
    return live_in(&tier, &members[index]);
}
