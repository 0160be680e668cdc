/* Weighted rendezvous: each of 4,096 slots goes to the member with the highest score, which for a hash h of (seed,
 * slot, address) is −w / log h (C. Schindelhauer and G. Schomaker, "Weighted distributed hash tables", SPAA 2005): its
 * share is w/W, and what happens to one member moves no slot between two others. Integer arithmetic and constants of
 * our own throughout: the same members give the same slots on all nameservers, whatever the machine. Any thread. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/hash.h"
#include "pool/pool.h"

/* Who takes part; the caller adds them in canonical order, which also decides ties. */
struct pool_rendezvous {
    uint64_t seed;
    unsigned cnt;
    uint64_t key[POOL_MEMBERS_MAX];
    uint32_t weight[POOL_MEMBERS_MAX];
};

/* What differs from an earlier result. */
struct pool_rendezvous_change {
    const uint16_t *slots; /* the earlier ones, in numbers of then */
    uint16_t
        kept[POOL_MEMBERS_MAX]; /* number of then → number of now; POOL_RENDEZVOUS_GONE: left, or has another weight */
    unsigned fresh_cnt;
    uint16_t fresh[POOL_MEMBERS_MAX]; /* numbers of now of those who came, or have another weight; ascending */
};
enum { POOL_RENDEZVOUS_GONE = 0xffff };

void pool_rendezvous_init(struct pool_rendezvous *rendezvous, uint64_t seed) ATTR_NONNULL_ALL;
/* Adds a member with a weight of 1..65535. */
void pool_rendezvous_add(struct pool_rendezvous *rendezvous, const struct addr *address,
                         uint32_t weight) ATTR_NONNULL_ALL;
/* Fills slots[0..4096). With a `change` only slots whose member is gone are scored anew, in the others those who came
 * against the present one; NULL: all. The result is the same. */
void pool_rendezvous_fill(uint16_t *slots, const struct pool_rendezvous *rendezvous,
                          const struct pool_rendezvous_change *change) ATTR_NONNULL(1, 2);
/* How many scores that computes among `cnt` members, at two to four nanoseconds each. */
uint64_t pool_rendezvous_scores(unsigned cnt, const struct pool_rendezvous_change *change);

/* 64 well mixed bits of two words. The constants only have to be odd and without pattern: e/4, the square root of 5 and
 * the golden ratio (their fractions). Changing one moves every client of every hash pool. */
static inline uint64_t pool_rendezvous_mix(uint64_t a, uint64_t b)
{
    return hash_fold(hash_fold(a ^ UINT64_C(0xadf85458a2bb4a9b), b ^ UINT64_C(0x3c6ef372fe94f82b)),
                     UINT64_C(0x9e3779b97f4a7c15));
}

/* The slot of a client, whose address is cut to the prefix; the same for A and AAAA. [worker] */
uint32_t pool_rendezvous_client_slot(uint64_t seed, const struct addr *client, unsigned prefix4,
                                     unsigned prefix6) ATTR_NONNULL_ALL;
