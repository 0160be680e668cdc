/* The tiers of a pool's members, of one family or of both together, and which of them is to be answered from. Pure.
 *
 * A tier is good when each family that has members in it is: at least one of them is live, and so many of those that
 * are not drained as min_up asks for. The first good one is chosen, else the first in which anybody is live. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "pool/pool.h"

/* Members of a tier that are of one family and to be used: drained ones are none, unless all are. */
struct pool_tier_part {
    uint16_t usable, up, unknown;
};
struct pool_tier {
    uint32_t number;
    struct pool_tier_part parts[2];
};
/* Those that have members to be used, ascending. */
struct pool_tiers {
    unsigned cnt;
    struct pool_tier tiers[2 * POOL_MEMBERS_MAX];
};

/* Unknown members count as live exactly when their tier has no up member of their family. */
static inline unsigned pool_tier_part_live(const struct pool_tier_part *part)
{
    return part->up ? part->up : part->unknown;
}

/* True when every member has weight 0, so that drains are ignored. */
bool pool_members_all_drained(const struct pool_member *members, size_t cnt) ATTR_PURE;
/* A drained member is none for every later step, also where tiers ask whether somebody is up: otherwise draining the
 * only member with a verdict would leave those without one unused. */
static inline bool pool_member_usable(const struct pool_member *member, bool ignore_drains)
{
    return ignore_drains || member->weight;
}

static inline void pool_tiers_init(struct pool_tiers *tiers) { tiers->cnt = 0; }
/* Counts the members of a family in, as part 0 or 1. */
void pool_tiers_add(struct pool_tiers *tiers, unsigned part, const struct pool_member *members, size_t cnt)
    ATTR_NONNULL(1);
/* The first of that number or a higher one in which anybody is live; NULL: none. */
const struct pool_tier *pool_tiers_live_from(const struct pool_tiers *tiers,
                                             uint32_t number) ATTR_NONNULL_ALL ATTR_PURE;
/* NULL: nobody lives. */
const struct pool_tier *pool_tiers_choose(const struct pool_tiers *tiers, uint64_t min_up) ATTR_NONNULL_ALL ATTR_PURE;
/* That tier is there, and good. */
bool pool_tiers_is_good(const struct pool_tiers *tiers, uint32_t number, uint64_t min_up) ATTR_NONNULL_ALL ATTR_PURE;
/* Some member of a lower number has no verdict. */
bool pool_tiers_unknown_below(const struct pool_tiers *tiers, uint32_t number) ATTR_NONNULL_ALL ATTR_PURE;
