/* The query path's share of the pool: one division, no policy. A table's slots and sets say everything; only the way to
 * a slot (the next one, any one, the client's) is a choice. */
#include "pool/rendezvous.h"
#include "pool/table.h"

/* x mod d for d = 1..16 without a division (D. Lemire, O. Kaser, N. Kurz, "Faster remainder by direct computation",
 * 2019): exact for all 32-bit x. The reciprocal of 1 wraps to 0, which gives the right 0. */
#define RECIPROCAL(d) (UINT64_MAX / (d) + 1)
static const uint64_t reciprocals[POOL_ANSWERS_MAX + 1] = {
    0,              RECIPROCAL(1),  RECIPROCAL(2),  RECIPROCAL(3),  RECIPROCAL(4),  RECIPROCAL(5),
    RECIPROCAL(6),  RECIPROCAL(7),  RECIPROCAL(8),  RECIPROCAL(9),  RECIPROCAL(10), RECIPROCAL(11),
    RECIPROCAL(12), RECIPROCAL(13), RECIPROCAL(14), RECIPROCAL(15), RECIPROCAL(16)};

static inline uint32_t remainder_of(uint32_t x, uint32_t d)
{
    return (uint32_t)((__uint128_t)(reciprocals[d] * x) * d >> 64);
}

/* `cycle` whole cycles were gone through before this visit of `slot`: the set stood cycle · per_turn + (its visits in
 * this one) times, and each visit turns it by one. */
static const uint8_t *records(const struct pool_table *table, uint32_t slot, uint32_t cycle, unsigned *rr_cnt)
{
    uint32_t entry = table->slots[slot];
    const struct pool_set *set = &table->sets[entry & POOL_SLOT_SET_MASK];
    uint32_t start = remainder_of(cycle * set->per_turn + (entry >> POOL_SLOT_SET_BITS), set->starts);
    *rr_cnt = set->rr_cnt;
    return table->bytes + set->at + start * table->rr_len;
}

/* One draw serves twice: of random × slots, the whole part is the slot (biased by less than 2^-52), and what is behind
 * the point is uniform again and is the rotation. */
static const uint8_t *pick_random(const struct pool_table *table, struct random_state *rng, unsigned *rr_cnt)
{
    __uint128_t product = (__uint128_t)random_u64(rng) * table->slot_cnt;
    const struct pool_set *set = &table->sets[table->slots[(uint32_t)(product >> 64)] & POOL_SLOT_SET_MASK];
    uint32_t start = (uint32_t)((__uint128_t)(uint64_t)product * set->starts >> 64);
    *rr_cnt = set->rr_cnt;
    return table->bytes + set->at + start * table->rr_len;
}

static inline uint32_t client_slot(const struct pool_table *table, const struct addr *client)
{
    return pool_rendezvous_client_slot(table->seed, client, table->hash_prefix4, table->hash_prefix6);
}

const uint8_t *pool_table_pick(const struct pool_table *table, uint32_t *position, struct random_state *rng,
                               const struct addr *client, unsigned *rr_cnt)
{
    switch ((enum pool_pick)table->pick) {
    case POOL_PICK_RANDOM:
        return pick_random(table, rng, rr_cnt);
    case POOL_PICK_HASH:
        return records(table, client_slot(table, client), 0, rr_cnt);
    case POOL_PICK_NEXT:
        break;
    }
    uint32_t now = (*position)++; /* wraps: once in 2^32 answers the order jumps */
    return records(table, now % table->slot_cnt, now / table->slot_cnt, rr_cnt);
}
