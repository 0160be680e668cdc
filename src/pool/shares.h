/* Which members stand together in an answer of k records, so that each is in k·w/W of the answers: systematic sampling
 * (W. G. Madow, 1949). Lay the members out in order on a line, each k·w long; points at distance W, moved together from
 * 0 to W, choose k members each time, and as the first point passes the line's W positions the choice changes at most n
 * times. With k = 1 the sets are the members themselves. Pure integer arithmetic. Any thread. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "pool/pool.h"

struct pool_shares {
    unsigned cnt;                                        /* sets, at most as many as members */
    unsigned rr_cnt;                                     /* members in each set */
    uint32_t length[POOL_MEMBERS_MAX];                   /* of each set: its weight among the sets */
    uint16_t member[POOL_MEMBERS_MAX][POOL_ANSWERS_MAX]; /* ascending */
};

/* `cnt` members (1..1024) with weights 1..65535; `answers` is at least 1 and is cut to `cnt` and 16. Members whose k·w
 * reaches W are in every set. */
void pool_shares_make(struct pool_shares *shares, const uint32_t *weight, unsigned cnt,
                      unsigned answers) ATTR_NONNULL_ALL;
