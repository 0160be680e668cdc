#include "pool/trickle.h"

#include <assert.h>
#include <string.h>

#include "pool/gcd.h"
#include "pool/schedule.h"

/* Sets in lowest terms, and what each is multiplied by. */
struct part {
    const struct pool_shares *shares;
    uint32_t divisor;
    uint64_t sum, factor;
};

static struct part part_of(const struct pool_shares *shares)
{
    struct part part = {.shares = shares};
    for (unsigned i = 0; i < shares->cnt; i++)
        part.divisor = (uint32_t)pool_gcd(shares->length[i], part.divisor);
    for (unsigned i = 0; i < shares->cnt; i++)
        part.sum += shares->length[i] / part.divisor;
    return part;
}

/* With sums S and T and the part p/q for the latter: each of the former times T·(q − p), each of the latter times S·p
 * makes T·S·(q − p) to S·T·p. Sums are at most 1,024 weights of 16 bits each, times 20 bits of parts. */
static void balance(struct part *own, struct part *next, uint32_t trickle)
{
    own->factor = next->sum * (POOL_TRICKLE_ONE - trickle);
    next->factor = own->sum * trickle;
    uint64_t divisor = pool_gcd(own->factor, next->factor);
    own->factor /= divisor;
    next->factor /= divisor;
}

/* Sums below that stay as they are, others are brought down to it. */
#define SUM_MOST (UINT64_C(1) << 31)

static uint32_t *put(uint32_t *out, const struct part *part, unsigned __int128 sum)
{
    for (unsigned i = 0; i < part->shares->cnt; i++) {
        unsigned __int128 length = (unsigned __int128)part->factor * (part->shares->length[i] / part->divisor);
        if (sum > SUM_MOST)
            length = length * SUM_MOST / sum;
        *out++ = length ? (uint32_t)length : 1;
    }
    return out;
}

unsigned pool_trickle_lengths(uint32_t *length, const struct pool_shares *own, const struct pool_shares *next,
                              uint32_t trickle)
{
    if (!next) {
        memcpy(length, own->length, own->cnt * sizeof *length);
        return own->cnt;
    }
    assert(trickle && trickle < POOL_TRICKLE_ONE && own->cnt + next->cnt <= POOL_MEMBERS_MAX);
    struct part a = part_of(own), b = part_of(next);
    balance(&a, &b, trickle);
    unsigned __int128 sum = (unsigned __int128)a.factor * a.sum + (unsigned __int128)b.factor * b.sum;
    return (unsigned)(put(put(length, &a, sum), &b, sum) - length);
}

void pool_trickle_thin(struct pool_shares *next, uint32_t trickle, uint32_t turn)
{
    unsigned most = pool_trickle_slots(trickle), cnt = next->cnt, kept = 0;
    unsigned first = (unsigned)((uint64_t)turn * most % cnt);
    if (cnt <= most)
        return;
    for (unsigned s = 0; s < cnt; s++) {
        if ((s + cnt - first) % cnt >= most)
            continue;
        next->length[kept] = next->length[s];
        memmove(next->member[kept++], next->member[s], sizeof next->member[s]);
    }
    next->cnt = kept;
}

unsigned pool_trickle_divide(uint32_t *slots, const struct pool_shares *own, const struct pool_shares *next,
                             uint32_t trickle)
{
    unsigned of_next = pool_trickle_slots(trickle);
    pool_schedule_divide(slots, own->length, own->cnt, POOL_SLOTS_MAX - of_next);
    pool_schedule_divide(slots + own->cnt, next->length, next->cnt, of_next);
    return POOL_SLOTS_MAX;
}
