#include "pool/pool.h"

#include <assert.h>
#include <string.h>

#include "pool/near.h"

struct tier {
    uint32_t number;
    unsigned usable, up, unknown;
};

/* The tiers that have members to be used, ascending. */
struct tally {
    unsigned cnt;
    struct tier tiers[POOL_MEMBERS_MAX];
};

static bool all_drained(const struct pool_member *members, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        if (members[i].weight)
            return false;
    return true;
}

/* A drained member is none for every later step, also where tiers ask whether somebody is up: otherwise draining the
 * only member with a verdict would leave those without one unused. */
static bool usable(const struct pool_member *member, bool ignore_drains) { return ignore_drains || member->weight; }

static struct tier *tier_of(struct tally *tally, uint32_t number)
{
    unsigned low = 0, high = tally->cnt;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (tally->tiers[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    struct tier *tier = &tally->tiers[low];
    if (low == tally->cnt || tier->number != number) {
        memmove(tier + 1, tier, (tally->cnt - low) * sizeof *tier);
        *tier = (struct tier){.number = number};
        tally->cnt++;
    }
    return tier;
}

static void count(struct tally *tally, const struct pool_member *members, size_t cnt, bool ignore_drains)
{
    tally->cnt = 0;
    for (size_t i = 0; i < cnt; i++) {
        if (!usable(&members[i], ignore_drains))
            continue;
        struct tier *tier = tier_of(tally, members[i].tier);
        tier->usable++;
        tier->up += pool_member_verdict(&members[i]) == HEALTH_UP;
        tier->unknown += pool_member_verdict(&members[i]) == HEALTH_UNKNOWN;
    }
}

/* Unknown members count exactly when their tier has no up member. */
static unsigned live_cnt(const struct tier *tier) { return tier->up ? tier->up : tier->unknown; }

_Static_assert(POOL_MEMBERS_MAX <= UINT64_MAX / POOL_MIN_UP_ONE, "products that choose_tier compares fit");

/* The first with a live member and enough of them; else the first with any; else NULL. */
static const struct tier *choose_tier(const struct tally *tally, uint64_t min_up)
{
    const struct tier *any = NULL;
    for (unsigned i = 0; i < tally->cnt; i++) {
        const struct tier *tier = &tally->tiers[i];
        unsigned live = live_cnt(tier);
        if (live && live * POOL_MIN_UP_ONE >= min_up * tier->usable)
            return tier;
        if (live && !any)
            any = tier;
    }
    return any;
}

static bool live_in(const struct tier *tier, const struct pool_member *member)
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
    choice->tier = 0;
    choice->cnt = 0;
    choice->unsettled = choice->unknown = choice->all_drained = false;
    if (!cnt)
        return;

    struct tally tally;
    choice->all_drained = all_drained(members, cnt);
    count(&tally, members, cnt, choice->all_drained);
    const struct tier *tier = choose_tier(&tally, settings->min_up);
    choice->state = !tier ? POOL_ALL_DOWN : choice->all_drained ? POOL_ALL_DRAINED : POOL_LIVE;
    bool as_if_up = !tier && settings->all_down == POOL_SERVE_ALL;
    if (as_if_up)
        tier = &tally.tiers[0];
    if (!tier)
        return;

    choice->tier = tier->number;
    bool equal_weights = choice->all_drained || settings->policy == POOL_ROUND_ROBIN;
    for (size_t i = 0; i < cnt; i++)
        if (members[i].tier == tier->number && usable(&members[i], choice->all_drained) &&
            (as_if_up || live_in(tier, &members[i])))
            use(choice, &members[i], i);
    weigh(choice, members, equal_weights);
}

bool pool_member_live(const struct pool_member *members, size_t cnt, size_t index)
{
    assert(index < cnt);
    bool ignore_drains = all_drained(members, cnt);
    if (!usable(&members[index], ignore_drains))
        return false;
    struct tier tier = {.number = members[index].tier};
    for (size_t i = 0; i < cnt; i++)
        tier.up += members[i].tier == tier.number && usable(&members[i], ignore_drains) &&
                   pool_member_verdict(&members[i]) == HEALTH_UP;
    return live_in(&tier, &members[index]);
}
