/* The order of weighted slots: how many slots each weight gets, and Tijdeman's order of them (R. Tijdeman, "The
 * chairman assignment problem", Discrete Mathematics 32, 1980): whatever number of answers was given since the start of
 * a cycle, each item has had less than one answer more or less than its ideal. Pure integer arithmetic, equal on all
 * machines. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "pool/pool.h"

/* Slots of each of `cnt` items (1..1024) with these weights (> 0, their sum below 2^32), in lowest terms; returns their
 * sum, at most 4,096. *exact is false when the weights ask for more: then 4,096 are shared by largest remainder (ties:
 * the earlier item), with at least one for each. */
unsigned pool_schedule_shares(uint32_t *share, const uint32_t *weight, unsigned cnt, bool *exact) ATTR_NONNULL_ALL;

/* Divides exactly so many slots among them in the same way; at least as many as items, at most 4,096. */
void pool_schedule_divide(uint32_t *share, const uint32_t *weight, unsigned cnt, unsigned slots) ATTR_NONNULL_ALL;

/* Writes the order of the items to slots[0..total), `total` the sum of the shares, at most 4,096; ties go to the
 * earlier item. */
void pool_schedule_order(uint16_t *slots, const uint32_t *share, unsigned cnt, unsigned total) ATTR_NONNULL_ALL;
