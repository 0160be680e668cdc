#include "answer/balanced.h"

#include "answer/section.h"
#include "base/rcu.h"
#include "pool/classes.h"

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

/* The answer depends on so many bits of the subnet that a trusted resolver asks for, if it told them (RFC 7871 7.2.1):
 * on as many as the step of a pool that looks at most. */
static void depend_on(struct query *q, unsigned bits)
{
    unsigned scope = bits < q->opt.ecs.source_prefix ? bits : q->opt.ecs.source_prefix;
    if (scope > q->opt.ecs_scope)
        q->opt.ecs_scope = (uint8_t)scope;
}

/* The client whose hash decides where a subnet does, as far as it was told and the pool goes by it. */
static const struct addr *subnet_client(struct query *q, const struct pool_table *table)
{
    const struct addr *subnet = &q->opt.subnet;
    depend_on(q, subnet->family == ADDR_V4 ? table->hash_prefix4 : table->hash_prefix6);
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

/* There are no addresses to give. */
static enum balanced deny(struct query *q, const struct pool_table *table, uint32_t *negative_ttl_sec)
{
    *negative_ttl_sec = table->negative_ttl_sec;
    if (table->empty)
        return BALANCED_NODATA; /* nobody is down */
    answer_count(q->context->counters, pool_down);
    q->opt.ede = EDNS_EDE_OTHER;
    return table->outcome == POOL_FAIL ? BALANCED_FAIL : BALANCED_NODATA;
}

/* The class of whom hash pools would go by. */
static unsigned class_of(struct query *q)
{
    const struct answer_sites *sites = q->context->settings->sites;
    if (!sites)
        return 0;
    if (!(q->opt.flags & QUERY_OPT_ECS_TRUSTED))
        return prefix_map_value(sites->map, q->client);
    struct prefix_match match = prefix_map_find(sites->map, &q->opt.subnet, q->opt.ecs.source_prefix);
    depend_on(q, match.scope);
    return match.value;
}

/* The table of the client's class, and whose turn it is. Apart, so that pools without classes do not pay for it. */
static ATTR_NOINLINE const struct pool_class_table *find_class(struct query *q, const struct pool_table *root)
{
    return pool_classes_find(root, class_of(q));
}

static enum balanced give(struct query *q, const struct pool_table *table, uint32_t index, uint32_t *negative_ttl_sec)
{
    if (likely(table->outcome == POOL_ANSWER)) {
        put(q, table, index);
        return BALANCED_DONE;
    }
    if (table->outcome != POOL_BY_CLASS)
        return deny(q, table, negative_ttl_sec);
    const struct pool_class_table *at = find_class(q, table);
    return give(q, at->table, at->handle * 2 + index % 2, negative_ttl_sec); /* once: no root is in a root */
}

enum balanced balanced_put(struct query *query, uint32_t pool, uint16_t type, uint32_t *negative_ttl_sec)
{
    unsigned family = type == RR_AAAA;
    const struct pool_table *table = rcu_read(query->context->pools->entries[pool].tables[family]);
    if (unlikely(!table))
        return BALANCED_WHOLE;
    return give(query, table, pool * 2 + family, negative_ttl_sec);
}
