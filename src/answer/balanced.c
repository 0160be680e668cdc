#include "answer/balanced.h"

#include "answer/section.h"
#include "base/rcu.h"

/* Positions are kept as counts from a start that is each pool's, family's and worker's own: an even mixing of
 * its index with the worker's seed (the finaliser of splitmix64, G. Steele, D. Lea, C. Flood, 2014). So memory
 * is touched only for pools that are asked for. */
static uint32_t start_of(uint64_t seed, uint32_t index)
{
    uint64_t x = seed + index * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

static void put(struct query *q, const struct pool_table *table, uint32_t index)
{
    const struct query_context *c = q->context;
    uint32_t start = start_of(c->position_seed, index), position = start + c->positions[index];
    unsigned rr_cnt;
    const uint8_t *records = pool_table_pick(table, &position, c->rng, q->client, &rr_cnt);
    c->positions[index] = position - start;
    if (section_put_pool(q, records, rr_cnt, table->rr_len))
        answer_count(c->counters, pool);
}

enum balanced balanced_put(struct query *query, uint32_t pool, uint16_t type, uint32_t *negative_ttl_sec)
{
    unsigned family = type == RR_AAAA;
    const struct query_context *c = query->context;
    const struct pool_table *table = rcu_read(c->pools->entries[pool].tables[family]);
    if (unlikely(!table))
        return BALANCED_WHOLE;
    switch ((enum pool_outcome)table->outcome) {
    case POOL_ANSWER:
        put(query, table, pool * 2 + family);
        return BALANCED_DONE;
    case POOL_NODATA:
        answer_count(c->counters, pool_down);
        *negative_ttl_sec = table->negative_ttl_sec;
        return BALANCED_NODATA;
    case POOL_FAIL:
        break;
    }
    answer_count(c->counters, pool_down);
    return BALANCED_FAIL;
}
