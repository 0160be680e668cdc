#include "pool/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "pool/rendezvous.h"

void pool_explained_free(struct pool_explained *explained)
{
    if (!explained)
        return;
    pool_table_free(explained->table);
    free(explained->tiers);
    free(explained->members);
    free(explained);
}

/* ---- tiers */

static struct pool_explained_tier *find_tier(struct pool_explained *e, uint32_t number)
{
    unsigned at = 0;
    while (at < e->tier_cnt && e->tiers[at].number < number)
        at++;
    if (at == e->tier_cnt || e->tiers[at].number != number) {
        memmove(&e->tiers[at + 1], &e->tiers[at], (e->tier_cnt - at) * sizeof *e->tiers);
        e->tiers[at] = (struct pool_explained_tier){.number = number};
        e->tier_cnt++;
    }
    return &e->tiers[at];
}

static void count_member(struct pool_explained *e, const struct pool_member *member,
                         const struct pool_explained_member *seen)
{
    struct pool_explained_tier *tier = find_tier(e, member->tier);
    bool counts = member->weight || e->choice.all_drained;
    tier->members++;
    tier->undrained += counts;
    tier->up += counts && pool_member_verdict(member) == HEALTH_UP;
    tier->unknown += counts && pool_member_verdict(member) == HEALTH_UNKNOWN;
    tier->live += seen->live;
    tier->used |= seen->used;
}

static void count_tiers(struct pool_explained *e, const struct pool_source *source)
{
    e->tiers = mem_zalloc(source->cnt + 1, sizeof *e->tiers);
    for (size_t i = 0; i < source->cnt; i++)
        if (!e->choice.site || source->members[i].site == e->choice.site)
            count_member(e, &source->members[i], &e->members[i]);
    for (unsigned i = 0; i < e->tier_cnt; i++)
        e->tiers[i].is_enough =
            e->tiers[i].live && e->tiers[i].live * POOL_MIN_UP_ONE >= source->settings->min_up * e->tiers[i].undrained;
}

/* ---- members */

static double weight_of(const struct pool_explained *e, const struct pool_source *source, size_t index)
{
    const struct pool_member *member = &source->members[index];
    if (e->choice.all_drained || source->settings->policy == POOL_ROUND_ROBIN)
        return 1;
    return member->weight * ((double)(POOL_PART_ONE - member->withheld) / POOL_PART_ONE);
}

static void see_members(struct pool_explained *e, const struct pool_source *source)
{
    uint16_t site = source->settings->site;
    for (size_t i = 0; i < source->cnt; i++) {
        struct pool_explained_member *member = &e->members[i];
        bool is_near = site && source->members[i].site == site;
        member->live = pool_member_live(source->members, source->cnt, i);
        member->share = pool_table_share(e->table, &source->members[i].address);
        member->inclusion = pool_table_inclusion(e->table, &source->members[i].address);
        e->near_cnt += is_near;
        e->near_live_cnt += is_near && member->live;
    }
    for (unsigned i = 0; i < e->choice.cnt; i++) {
        e->members[e->choice.member[i]].used = true;
        e->members[e->choice.member[i]].weight = weight_of(e, source, e->choice.member[i]);
    }
}

/* ---- the table */

/* Where the address stands in a record, behind owner (a pointer), type, class, TTL and length. */
enum { RR_ADDRESS_AT = 12 };

/* What a worker would do for the client. */
static void see_client(struct pool_explained *e, const struct pool_source *source, const struct addr *client)
{
    struct random_state rng = {{1, 2}};
    uint32_t position = 0;
    unsigned rr_cnt;
    const struct pool_table *table = e->table;
    if (table->outcome != POOL_ANSWER || table->pick != POOL_PICK_HASH)
        return;
    e->slot = pool_rendezvous_client_slot(table->seed, client, table->hash_prefix4, table->hash_prefix6);
    const uint8_t *rr = pool_table_pick(table, &position, &rng, client, &rr_cnt);
    for (; rr_cnt; rr_cnt--, rr += table->rr_len)
        for (size_t i = 0; i < source->cnt; i++)
            if (!memcmp(rr + RR_ADDRESS_AT, source->members[i].address.bytes, table->rr_len - RR_ADDRESS_AT))
                e->members[i].given = true;
}

struct pool_explained *pool_explain(const struct pool_source *source, const struct addr *client)
{
    struct pool_explained *e = mem_zalloc(1, sizeof *e);
    e->members = mem_zalloc(source->cnt, sizeof *e->members);
    pool_choose(&e->choice, source->settings, source->members, source->cnt);
    e->table = pool_table_compile(source->settings, source->family, source->members, source->cnt, source->fallback,
                                  source->fallback_cnt, NULL);
    e->ttl_sec = pool_table_ttl(e->table);
    see_members(e, source);
    count_tiers(e, source);
    if (client)
        see_client(e, source, client);
    return e;
}
