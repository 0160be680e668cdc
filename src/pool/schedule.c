#include "pool/schedule.h"

#include <assert.h>
#include <string.h>

#include "pool/gcd.h"
#include "pool/sort.h"

/* An item's number in the low bits of a key. */
enum { INDEX_BITS = 10, INDEX_MASK = (1 << INDEX_BITS) - 1 };
_Static_assert(POOL_MEMBERS_MAX <= 1 << INDEX_BITS, "a number fits");

/* Divides by the greatest common divisor and returns the sum. */
static uint64_t reduce(uint32_t *share, const uint32_t *weight, unsigned cnt)
{
    uint32_t divisor = 0;
    uint64_t total = 0;
    for (unsigned i = 0; i < cnt; i++)
        divisor = (uint32_t)pool_gcd(weight[i], divisor);
    for (unsigned i = 0; i < cnt; i++)
        total += share[i] = weight[i] / divisor;
    return total;
}

/* Largest remainder with a floor of one slot. Lightest first, whoever would get less than one slot gets one and leaves
 * with it, so that the rest share what remains in their own proportions; as every one of them then has a quota of at
 * least 1, so have all heavier ones. */
static void apportion(uint32_t *share, const uint32_t *weight, unsigned cnt, uint64_t total, uint64_t slots)
{
    uint64_t key[POOL_MEMBERS_MAX];
    uint64_t left;
    unsigned at = 0, remainders = 0;
    for (unsigned i = 0; i < cnt; i++)
        key[i] = (uint64_t)weight[i] << INDEX_BITS | i;
    pool_sort(key, cnt);
    for (; (key[at] >> INDEX_BITS) * slots < total; at++) {
        share[key[at] & INDEX_MASK] = 1;
        total -= key[at] >> INDEX_BITS;
        slots--;
    }
    left = slots;
    for (; at < cnt; at++) {
        uint64_t index = key[at] & INDEX_MASK, quota = (key[at] >> INDEX_BITS) * slots;
        left -= share[index] = (uint32_t)(quota / total);
        key[remainders++] = (total - 1 - quota % total) << INDEX_BITS | index; /* largest remainder first */
    }
    pool_sort(key, remainders);
    assert(left <= remainders);
    for (unsigned i = 0; i < left; i++)
        share[key[i] & INDEX_MASK]++;
}

unsigned pool_schedule_shares(uint32_t *share, const uint32_t *weight, unsigned cnt, bool *exact)
{
    assert(cnt && cnt <= POOL_MEMBERS_MAX);
    uint64_t total = reduce(share, weight, cnt);
    assert(total <= UINT32_MAX);
    *exact = total <= POOL_SLOTS_MAX;
    if (*exact)
        return (unsigned)total;
    uint32_t slots[POOL_MEMBERS_MAX];
    apportion(slots, share, cnt, total, POOL_SLOTS_MAX);
    return (unsigned)reduce(share, slots, cnt);
}

void pool_schedule_divide(uint32_t *share, const uint32_t *weight, unsigned cnt, unsigned slots)
{
    uint64_t total = 0;
    assert(cnt && cnt <= slots && slots <= POOL_SLOTS_MAX);
    for (unsigned i = 0; i < cnt; i++)
        total += weight[i];
    apportion(share, weight, cnt, total, slots);
}

/* A binary heap, least key first. */
struct heap {
    unsigned cnt;
    uint64_t key[POOL_MEMBERS_MAX];
};

static void heap_push(struct heap *heap, uint64_t key)
{
    unsigned at = heap->cnt++;
    while (at && heap->key[(at - 1) / 2] > key) {
        heap->key[at] = heap->key[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap->key[at] = key;
}

static uint64_t heap_pop(struct heap *heap)
{
    uint64_t least = heap->key[0], last = heap->key[--heap->cnt];
    unsigned at = 0;
    for (unsigned child; (child = 2 * at + 1) < heap->cnt; at = child) {
        child += child + 1 < heap->cnt && heap->key[child + 1] < heap->key[child];
        if (heap->key[child] >= last)
            break;
        heap->key[at] = heap->key[child];
    }
    heap->key[at] = last;
    return least;
}

/* Tijdeman's order as a schedule by deadlines. With n items, D = 2n − 2, item i's share w of the W slots and g answers
 * given to it so far:
 *   it may be chosen from the first step t with t·w/W − g ≥ 1/D, which is t ≥ (g·D + 1)·W / (D·w);
 *   of those that may, the one whose deadline (g + 1 − 1/D)·W/w comes first is chosen, ties by number.
 * W and D are the same for all, so deadlines compare as (g·D + D − 1)/w. With w ≤ 4096 two different ones are at least
 * 2^-24 apart, so that after scaling by 2^25 and cutting they still differ, and equal ones are still equal: one
 * integer, exact, with the number in its low bits. (g·D + D − 1 < 2^24, scaled < 2^49, with the number < 2^59.)
 *
 * Items that must wait stand in a list for the step at which they may be chosen, the others in a heap: W·log n steps
 * instead of W·n, which keeps 4,096 slots for 1,000 members well below a millisecond. */
struct order {
    unsigned cnt, total;
    const uint32_t *share;
    uint32_t given[POOL_MEMBERS_MAX];
    int16_t next[POOL_MEMBERS_MAX];
    int16_t waiting[POOL_SLOTS_MAX + 1]; /* by step, 1 and up; -1: nobody */
    struct heap ready;
};

/* Not before step `earliest`: one that was chosen late may be chosen again at once. */
static void wait_for_turn(struct order *order, unsigned item, unsigned earliest)
{
    uint64_t d = 2 * order->cnt - 2, at_least = (order->given[item] * d + 1) * order->total,
             per_step = d * order->share[item];
    uint64_t step = (at_least + per_step - 1) / per_step;
    step = step > earliest ? step : earliest;
    if (step > order->total)
        return; /* not again in this cycle */
    order->next[item] = order->waiting[step];
    order->waiting[step] = (int16_t)item;
}

static void make_ready(struct order *order, unsigned item)
{
    uint64_t d = 2 * order->cnt - 2;
    uint64_t deadline = ((order->given[item] * d + d - 1) << 25) / order->share[item];
    heap_push(&order->ready, deadline << INDEX_BITS | item);
}

void pool_schedule_order(uint16_t *slots, const uint32_t *share, unsigned cnt, unsigned total)
{
    assert(cnt && cnt <= POOL_MEMBERS_MAX && total <= POOL_SLOTS_MAX);
    if (cnt == 1) { /* D would be 0 */
        memset(slots, 0, total * sizeof *slots);
        return;
    }
    struct order order = {.cnt = cnt, .total = total, .share = share};
    memset(order.waiting, 0xff, sizeof order.waiting);
    for (unsigned i = 0; i < cnt; i++)
        wait_for_turn(&order, i, 1);
    for (unsigned step = 1; step <= total; step++) {
        for (int item = order.waiting[step]; item >= 0; item = order.next[item])
            make_ready(&order, (unsigned)item);
        assert(order.ready.cnt); /* Tijdeman's theorem */
        unsigned chosen = (unsigned)(heap_pop(&order.ready) & INDEX_MASK);
        slots[step - 1] = (uint16_t)chosen;
        order.given[chosen]++;
        wait_for_turn(&order, chosen, step + 1);
    }
}
