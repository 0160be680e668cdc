/* Randomness: the kernel's for secrets and seeds, and a fast generator private to a thread for choices that need no
 * secrecy (rotation, jitter). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Fills `out` from getrandom(2); aborts when the kernel has none. Any thread. */
void random_bytes(void *out, size_t len) ATTR_NONNULL_ALL;

/* xoroshiro128+ (Blackman, Vigna 2018); owned by one thread. */
struct random_state {
    uint64_t s[2];
};
void random_seed(struct random_state *rng) ATTR_NONNULL_ALL; /* from the kernel */
static inline uint64_t random_u64(struct random_state *rng)
{
    uint64_t s0 = rng->s[0], s1 = rng->s[1], out = s0 + s1;
    s1 ^= s0;
    rng->s[0] = (s0 << 24 | s0 >> 40) ^ s1 ^ (s1 << 16);
    rng->s[1] = s1 << 37 | s1 >> 27;
    return out;
}
/* Uniform in [0, bound), bound > 0; the bias of the multiply is below bound / 2^32. */
static inline uint32_t random_below(struct random_state *rng, uint32_t bound)
{
    return (uint32_t)((random_u64(rng) >> 32) * (uint64_t)bound >> 32);
}
