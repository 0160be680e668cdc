#include "pool/tiers.h"

#include <string.h>

bool pool_members_all_drained(const struct pool_member *members, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        if (members[i].weight)
            return false;
    return true;
}

/* Where the tier of that number is, or would be. */
static unsigned place_of(const struct pool_tiers *tiers, uint32_t number)
{
    unsigned low = 0, high = tiers->cnt;
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (tiers->tiers[mid].number < number)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct pool_tier *tier_of(struct pool_tiers *tiers, uint32_t number)
{
    unsigned place = place_of(tiers, number);
    struct pool_tier *tier = &tiers->tiers[place];
    if (place == tiers->cnt || tier->number != number) {
        memmove(tier + 1, tier, (tiers->cnt - place) * sizeof *tier);
        *tier = (struct pool_tier){.number = number};
        tiers->cnt++;
    }
    return tier;
}

void pool_tiers_add(struct pool_tiers *tiers, unsigned part, const struct pool_member *members, size_t cnt)
{
    bool ignore_drains = pool_members_all_drained(members, cnt);
    for (size_t i = 0; i < cnt; i++) {
        if (!pool_member_usable(&members[i], ignore_drains))
            continue;
        struct pool_tier_part *counts = &tier_of(tiers, members[i].tier)->parts[part];
        enum health_verdict verdict = pool_member_verdict(&members[i]);
        counts->usable++;
        counts->up = (uint16_t)(counts->up + (verdict == HEALTH_UP));
        counts->unknown = (uint16_t)(counts->unknown + (verdict == HEALTH_UNKNOWN));
    }
}

static bool lives(const struct pool_tier *tier)
{
    return pool_tier_part_live(&tier->parts[0]) || pool_tier_part_live(&tier->parts[1]);
}

_Static_assert(POOL_MEMBERS_MAX <= UINT64_MAX / POOL_MIN_UP_ONE, "products that are compared fit");

static bool is_good(const struct pool_tier *tier, uint64_t min_up)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct pool_tier_part *part = &tier->parts[i];
        unsigned live = pool_tier_part_live(part);
        if (part->usable && (!live || live * POOL_MIN_UP_ONE < min_up * part->usable))
            return false;
    }
    return true;
}

const struct pool_tier *pool_tiers_live_from(const struct pool_tiers *tiers, uint32_t number)
{
    for (unsigned i = place_of(tiers, number); i < tiers->cnt; i++)
        if (lives(&tiers->tiers[i]))
            return &tiers->tiers[i];
    return NULL;
}

const struct pool_tier *pool_tiers_choose(const struct pool_tiers *tiers, uint64_t min_up)
{
    for (unsigned i = 0; i < tiers->cnt; i++)
        if (is_good(&tiers->tiers[i], min_up))
            return &tiers->tiers[i];
    return pool_tiers_live_from(tiers, 0);
}

bool pool_tiers_is_good(const struct pool_tiers *tiers, uint32_t number, uint64_t min_up)
{
    unsigned place = place_of(tiers, number);
    return place < tiers->cnt && tiers->tiers[place].number == number && is_good(&tiers->tiers[place], min_up);
}

bool pool_tiers_unknown_below(const struct pool_tiers *tiers, uint32_t number)
{
    for (unsigned i = 0, end = place_of(tiers, number); i < end; i++)
        if (tiers->tiers[i].parts[0].unknown || tiers->tiers[i].parts[1].unknown)
            return true;
    return false;
}
