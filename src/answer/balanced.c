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

/* The client whose hash decides: the subnet that a trusted resolver asks for, as far as it told it and the pool goes by
 * it (RFC 7871 7.2.1), else the resolver itself. */
static const struct addr *subnet_client(struct query *q, const struct pool_table *table)
{
    const struct addr *subnet = &q->opt.subnet;
    unsigned most = subnet->family == ADDR_V4 ? table->hash_prefix4 : table->hash_prefix6,
             source = q->opt.ecs.source_prefix;
    q->opt.ecs_scope = (uint8_t)(source < most ? source : most);
    return subnet;
}

static const uint8_t *pick(struct query *q, const struct pool_table *table, uint32_t *position, unsigned *rr_cnt)
{
    bool subnet = unlikely(q->opt.flags & QUERY_OPT_ECS_TRUSTED) && table->pick == POOL_PICK_HASH;
    return pool_table_pick(table, position, q->context->rng, subnet ? subnet_client(q, table) : q->client, rr_cnt);
}

static void put(struct query *q, const struct pool_table *table, uint32_t index)
{
    const struct query_context *c = q->context;
    uint32_t start = start_of(c->position_seed, index), position = start + c->positions[index];
    unsigned rr_cnt;
    const uint8_t *records = pick(q, table, &position, &rr_cnt);
    c->positions[index] = position - start;
    if (unlikely(table->all_down))
        q->opt.ede = EDNS_EDE_OTHER; /* optrr_write has the words */
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
        *negative_ttl_sec = table->negative_ttl_sec;
        break;
    case POOL_FAIL:
        break;
    }
    answer_count(c->counters, pool_down);
    query->opt.ede = EDNS_EDE_OTHER;
    return table->outcome == POOL_NODATA ? BALANCED_NODATA : BALANCED_FAIL;
}
