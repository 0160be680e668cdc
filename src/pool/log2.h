/* −log2 of a hash taken as a number between 0 and 1, in fixed point and from a table in the source, so that every
 * machine, compiler and C library gives the same bits. Linear between 257 points: a relative error of at most 0.1 %
 * everywhere, also next to 1, where the error of log2 itself falls with its value. Any thread. */
#pragma once

#include <stdint.h>

enum { POOL_LOG2_FRACTION_BITS = 40 };

extern const uint64_t pool_log2_table[257];

/* −log2((hash | 1) / 2^64), times 2^40: above 0, at most 2^46; never rises with `hash`. */
static inline uint64_t pool_log2_cost(uint64_t hash)
{
    unsigned zeros = (unsigned)__builtin_clzll(hash | 1);
    uint64_t mantissa = (hash | 1) << zeros;
    unsigned at = (unsigned)(mantissa >> 55) & 0xff;
    /* 30 bits of the 55: a step of the table is below 2^33 */
    uint64_t rest = (mantissa >> 25) & ((UINT64_C(1) << 30) - 1);
    uint64_t low = pool_log2_table[at], high = pool_log2_table[at + 1];
    return ((uint64_t)(zeros + 1) << POOL_LOG2_FRACTION_BITS) - (low + ((high - low) * rest >> 30));
}

/* A lower bound of pool_log2_cost without table: −log2(u) ≥ (1 − u)/ln 2 and 1/ln 2 = 1.4427 > 23/16; chords of a
 * convex function lie above it, so that the table's value keeps the bound too. */
static inline uint64_t pool_log2_bound(uint64_t hash) { return (~hash >> (64 - POOL_LOG2_FRACTION_BITS)) * 23 >> 4; }
