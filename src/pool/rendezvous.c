#include "pool/rendezvous.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "pool/log2.h"

/* Keeps the keys of members, slots and clients apart. */
enum purpose { PURPOSE_MEMBER = 1, PURPOSE_SLOT, PURPOSE_CLIENT };

/* Both halves of an address as numbers, whatever the machine's byte order; an IPv4 address is the first half's upper
 * part. */
static void halves(uint64_t half[2], const struct addr *address)
{
    memcpy(half, address->bytes, sizeof address->bytes);
    half[0] = be64toh(half[0]);
    half[1] = be64toh(half[1]);
}

static uint64_t key_of(uint64_t seed, enum purpose purpose, uint64_t family, const uint64_t half[2])
{
    uint64_t key = pool_rendezvous_mix(seed, (uint64_t)purpose << 8 | family);
    return pool_rendezvous_mix(pool_rendezvous_mix(key, half[0]), half[1]);
}

void pool_rendezvous_init(struct pool_rendezvous *rendezvous, uint64_t seed)
{
    rendezvous->seed = seed;
    rendezvous->cnt = 0;
}

void pool_rendezvous_add(struct pool_rendezvous *rendezvous, const struct addr *address, uint32_t weight)
{
    assert(rendezvous->cnt < POOL_MEMBERS_MAX && weight && weight <= POOL_WEIGHT_MAX);
    uint64_t half[2];
    halves(half, address);
    rendezvous->key[rendezvous->cnt] = key_of(rendezvous->seed, PURPOSE_MEMBER, address->family, half);
    rendezvous->weight[rendezvous->cnt++] = weight;
}

/* Both keys are well mixed already: one multiplication is enough for their pair, and 4,096 times 1,000 of them take
 * milliseconds. */
static inline uint64_t pair(uint64_t slot_key, uint64_t member_key) { return hash_fold(slot_key, member_key); }

/* Highest score −w / log u is least cost L/w with L = −log2 u. Two compare by cross products, exactly: L ≤ 2^46, w <
 * 2^16. Ties go to the earlier member, so the first of equal ones stays. Most members fail already by the bound that
 * needs no logarithm. */
static unsigned best(const struct pool_rendezvous *rendezvous, uint64_t slot_key)
{
    unsigned winner = 0;
    uint64_t cost = pool_log2_cost(pair(slot_key, rendezvous->key[0])), weight = rendezvous->weight[0];
    for (unsigned i = 1; i < rendezvous->cnt; i++) {
        uint64_t hash = pair(slot_key, rendezvous->key[i]), limit = cost * rendezvous->weight[i];
        if (pool_log2_bound(hash) * weight >= limit)
            continue;
        uint64_t other = pool_log2_cost(hash);
        if (other * weight < limit) {
            winner = i;
            cost = other;
            weight = rendezvous->weight[i];
        }
    }
    return winner;
}

/* Those who came against the present winner. They need not come behind it, so ties are decided by number. */
static unsigned update(const struct pool_rendezvous *rendezvous, uint64_t slot_key,
                       const struct pool_rendezvous_change *change, unsigned present)
{
    unsigned winner = change->kept[present];
    if (winner == POOL_RENDEZVOUS_GONE)
        return best(rendezvous, slot_key);
    if (!change->fresh_cnt)
        return winner;
    uint64_t cost = pool_log2_cost(pair(slot_key, rendezvous->key[winner])), weight = rendezvous->weight[winner];
    for (unsigned i = 0; i < change->fresh_cnt; i++) {
        unsigned fresh = change->fresh[i];
        uint64_t hash = pair(slot_key, rendezvous->key[fresh]), limit = cost * rendezvous->weight[fresh];
        if (pool_log2_bound(hash) * weight > limit)
            continue;
        uint64_t other = pool_log2_cost(hash);
        if (other * weight < limit || (other * weight == limit && fresh < winner)) {
            winner = fresh;
            cost = other;
            weight = rendezvous->weight[fresh];
        }
    }
    return winner;
}

/* Where nobody is gone, the present winner's score and the newcomers' against everybody's. */
static bool saves_work(unsigned cnt, const struct pool_rendezvous_change *change)
{
    return change && change->fresh_cnt + 1 < cnt;
}

uint64_t pool_rendezvous_scores(unsigned cnt, const struct pool_rendezvous_change *change)
{
    if (!saves_work(cnt, change))
        return (uint64_t)POOL_SLOTS_MAX * cnt;
    uint64_t kept = change->fresh_cnt ? change->fresh_cnt + 1 : 0, scores = 0;
    for (unsigned slot = 0; slot < POOL_SLOTS_MAX; slot++)
        scores += change->kept[change->slots[slot]] == POOL_RENDEZVOUS_GONE ? cnt : kept;
    return scores;
}

void pool_rendezvous_fill(uint16_t *slots, const struct pool_rendezvous *rendezvous,
                          const struct pool_rendezvous_change *change)
{
    assert(rendezvous->cnt);
    if (!saves_work(rendezvous->cnt, change))
        change = NULL;
    uint64_t base = pool_rendezvous_mix(rendezvous->seed, PURPOSE_SLOT);
    for (unsigned slot = 0; slot < POOL_SLOTS_MAX; slot++) {
        uint64_t slot_key = pool_rendezvous_mix(base, slot);
        slots[slot] =
            (uint16_t)(change ? update(rendezvous, slot_key, change, change->slots[slot]) : best(rendezvous, slot_key));
    }
}

static uint64_t first_bits(unsigned bits) { return bits >= 64 ? UINT64_MAX : ~(UINT64_MAX >> bits); }

uint32_t pool_rendezvous_client_slot(uint64_t seed, const struct addr *client, unsigned prefix4, unsigned prefix6)
{
    unsigned bits = client->family == ADDR_V4 ? prefix4 : prefix6;
    uint64_t half[2];
    halves(half, client);
    half[0] &= first_bits(bits);
    half[1] &= bits > 64 ? first_bits(bits - 64) : 0;
    return (uint32_t)(key_of(seed, PURPOSE_CLIENT, client->family, half) >> (64 - 12));
}
_Static_assert(POOL_SLOTS_MAX == 1 << 12, "the upper 12 bits of a hash are a slot");
