/* When does a pool go back to a better tier? To one of a higher number it goes at once, whenever the one in use is not
 * the pipeline's choice any more; back to one of a lower number at once, after that has been good for a time, or only
 * when it is told to. Pure: time comes in as numbers.
 *
 * Stays until the tier in use has no live member; then the pipeline chooses anew. A move that was made while members of
 * lower tiers had no verdict yet, as at a start, binds nobody: whoever was slow to be known is gone back to at once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "pool/tiers.h"

/* How long a better tier must have been good: 0 not at all, and never. */
#define POOL_FAILBACK_AUTO UINT64_C(0)
#define POOL_FAILBACK_MANUAL UINT64_MAX

struct pool_failback {
    uint32_t tier;            /* in use; 0: none so far */
    uint32_t better;          /* one of a lower number that is good again; 0: none */
    uint64_t better_since_ms; /* from then on, without a break */
    uint32_t from;            /* the tier in use before the last move to a higher number */
    uint64_t moved_ms;        /* when that was */
    bool is_loose;            /* that was made while somebody below was unknown */
};

/* The tier to be used from `now_ms` on; 0: none lives. To be asked when members have changed, and when it is due. */
uint32_t pool_failback_step(struct pool_failback *state, const struct pool_tiers *tiers, uint64_t min_up,
                            uint64_t wait_ms, uint64_t now_ms) ATTR_NONNULL_ALL;
/* When something happens without a change of members; UINT64_MAX: never. */
uint64_t pool_failback_due_ms(const struct pool_failback *state, uint64_t wait_ms) ATTR_NONNULL_ALL ATTR_PURE;
/* The next step goes where the pipeline says. */
void pool_failback_go(struct pool_failback *state) ATTR_NONNULL_ALL;
/* The members that a move since `since_ms` was made for turned out to be well: it is taken back. */
void pool_failback_undo(struct pool_failback *state, uint64_t since_ms) ATTR_NONNULL_ALL;
