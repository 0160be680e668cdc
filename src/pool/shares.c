#include "pool/shares.h"

#include <assert.h>
#include <stdbool.h>

#include "pool/sort.h"

struct sampling {
    unsigned always_cnt, rest_cnt;
    uint16_t always[POOL_ANSWERS_MAX]; /* ascending, as `rest` */
    uint16_t rest[POOL_MEMBERS_MAX];
    unsigned k;     /* members of a set taken from the rest */
    uint64_t total; /* the rest's weight */
};

/* Members with k·w ≥ W can't be sampled, their share would exceed 1: they are in every set and leave; the smaller k and
 * W may bring others to that point. At most k members can reach it at once, as their weights sum to at most W. */
static void split(struct sampling *sampling, const uint32_t *weight, unsigned cnt, unsigned answers)
{
    bool always[POOL_MEMBERS_MAX] = {false};
    sampling->k = answers;
    sampling->total = 0;
    for (unsigned i = 0; i < cnt; i++)
        sampling->total += weight[i];
    for (bool again = true; again;) {
        unsigned k = sampling->k;
        uint64_t total = sampling->total;
        again = false;
        for (unsigned i = 0; k && i < cnt; i++)
            if (!always[i] && (uint64_t)k * weight[i] >= total) {
                again = always[i] = true;
                sampling->k--;
                sampling->total -= weight[i];
            }
    }
    sampling->always_cnt = sampling->rest_cnt = 0;
    for (unsigned i = 0; i < cnt; i++)
        if (always[i])
            sampling->always[sampling->always_cnt++] = (uint16_t)i;
        else
            sampling->rest[sampling->rest_cnt++] = (uint16_t)i;
}

/* Ends of the rest's stretches on the line, and the positions of the first point where the choice changes: each
 * stretch's start modulo W, sorted, without duplicates. Returns how many. */
static unsigned lay_out(uint64_t *end, uint64_t *change, const struct sampling *sampling, const uint32_t *weight)
{
    uint64_t at = 0;
    unsigned cnt = 0;
    for (unsigned i = 0; i < sampling->rest_cnt; i++) {
        change[i] = at % sampling->total;
        end[i] = at += (uint64_t)sampling->k * weight[sampling->rest[i]];
    }
    pool_sort(change, sampling->rest_cnt);
    for (unsigned i = 0; i < sampling->rest_cnt; i++)
        if (!i || change[i] != change[i - 1])
            change[cnt++] = change[i];
    return cnt;
}

/* Both lists in one order. */
static void merge(uint16_t *set, const struct sampling *sampling, const uint16_t *chosen)
{
    unsigned a = 0, c = 0;
    while (a < sampling->always_cnt || c < sampling->k)
        if (c == sampling->k || (a < sampling->always_cnt && sampling->always[a] < chosen[c]))
            *set++ = sampling->always[a++];
        else
            *set++ = chosen[c++];
}

void pool_shares_make(struct pool_shares *shares, const uint32_t *weight, unsigned cnt, unsigned answers)
{
    assert(cnt && cnt <= POOL_MEMBERS_MAX && answers);
    answers = answers < POOL_ANSWERS_MAX ? answers : POOL_ANSWERS_MAX;
    answers = answers < cnt ? answers : cnt;
    struct sampling sampling;
    split(&sampling, weight, cnt, answers);
    shares->rr_cnt = answers;
    shares->cnt = 1;
    shares->length[0] = 1;
    if (!sampling.k) {
        merge(shares->member[0], &sampling, NULL);
        return;
    }
    uint64_t end[POOL_MEMBERS_MAX], change[POOL_MEMBERS_MAX];
    unsigned under[POOL_ANSWERS_MAX] = {0}; /* the stretch under each point; they only move on */
    shares->cnt = lay_out(end, change, &sampling, weight);
    for (unsigned s = 0; s < shares->cnt; s++) {
        uint16_t chosen[POOL_ANSWERS_MAX];
        for (unsigned p = 0; p < sampling.k; p++) {
            while (end[under[p]] <= change[s] + p * sampling.total)
                under[p]++;
            chosen[p] = sampling.rest[under[p]];
        }
        merge(shares->member[s], &sampling, chosen);
        shares->length[s] = (uint32_t)((s + 1 < shares->cnt ? change[s + 1] : sampling.total) - change[s]);
    }
}
