/* A share of the answers for the next tier: the answer sets of two tiers as one list. No answer mixes tiers, so that
 * the share is exact whatever the number of addresses in an answer, and an answer of the standby shows what only it can
 * do. Pure integer arithmetic. Any thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "pool/shares.h"

/* How many of POOL_SLOTS_MAX slots that is: one at least. */
static inline unsigned pool_trickle_slots(uint32_t trickle)
{
    uint64_t slots = ((uint64_t)POOL_SLOTS_MAX * trickle + POOL_TRICKLE_ONE / 2) / POOL_TRICKLE_ONE;
    return slots ? (unsigned)slots : 1;
}
/* Of more sets than there are slots for, only so many are kept: others with each turn, all of them in some. */
void pool_trickle_thin(struct pool_shares *next, uint32_t trickle, uint32_t turn) ATTR_NONNULL_ALL;
/* Divides POOL_SLOTS_MAX slots, where lengths that are exact would ask for more: each tier has its part of them,
 * whatever the weights and numbers in it. Likewise those of `own` first; their sum. */
unsigned pool_trickle_divide(uint32_t *slots, const struct pool_shares *own, const struct pool_shares *next,
                             uint32_t trickle) ATTR_NONNULL_ALL;
/* The weights of all sets, first those of `own`, then those of `next` (NULL: none), such that the latter together have
 * `trickle` of POOL_TRICKLE_ONE: exactly, unless the numbers needed for that were beyond 32 bits, which 4,096 slots are
 * far too coarse for. Returns their number, at most as many as members; their sum is below 2^32. */
unsigned pool_trickle_lengths(uint32_t *length, const struct pool_shares *own, const struct pool_shares *next,
                              uint32_t trickle) ATTR_NONNULL(1, 2);
