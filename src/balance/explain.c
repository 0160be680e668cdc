#include "balance/explain.h"

#include <stdlib.h>
#include <string.h>

#include "balance/failback.h"
#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"

void balance_explained_free(struct balance_explained *explained)
{
    if (!explained)
        return;
    pool_source_drop(&explained->source);
    free(explained->file);
    free(explained->other);
    free(explained);
}

static void copy_name(uint8_t out[NAME_MAX_LEN], const uint8_t *name) { memcpy(out, name, name_len(name)); }

static void take_failback(struct balance_explained *explained, const struct balance_family *family)
{
    const struct plan_group *group = family->group;
    const struct balance_family *other = &family->pool->families[!family->index];
    explained->keeps_tier = !failback_is_simple(group);
    explained->failback = (group->is_together ? &family->pool->families[0] : family)->failback;
    explained->failback_ms = group->failback_ms;
    if (!group->is_together || !other->group)
        return;
    explained->other_cnt = other->cnt;
    explained->other = mem_dup(other->members, other->cnt * sizeof *other->members);
}

struct balance_explained *balance_explain(const struct balance *balance, uint32_t handle, enum addr_family family)
{
    const struct balance_pool *pool = handle < balance->by_handle_cap ? balance->by_handle[handle] : NULL;
    const struct balance_family *of_pool = pool ? &pool->families[family == ADDR_V6] : NULL;
    const struct plan_group *group = of_pool ? of_pool->group : NULL;
    if (!group)
        return NULL;
    struct balance_explained *explained = mem_zalloc(1, sizeof *explained);
    struct pool_source source = compile_source(of_pool);
    pool_source_keep(&explained->source, &source);
    copy_name(explained->owner, pool->owner);
    copy_name(explained->apex, pool->zone->apex);
    copy_name(explained->group_name, group->name);
    explained->is_below = group->is_below;
    explained->file = group->where.file ? mem_strdup(group->where.file) : NULL;
    explained->line = group->where.line;
    take_failback(explained, of_pool);
    return explained;
}

uint32_t balance_explained_tier(const struct balance_explained *explained, const struct pool_member *members,
                                const struct pool_member *other)
{
    struct pool_failback failback = explained->failback;
    struct pool_tiers tiers;
    unsigned index = explained->source.family == ADDR_V6;
    if (!explained->keeps_tier)
        return 0;
    pool_tiers_init(&tiers);
    pool_tiers_add(&tiers, index, members, explained->source.cnt);
    pool_tiers_add(&tiers, !index, other, explained->other_cnt);
    return pool_failback_step(&failback, &tiers, explained->source.settings->min_up, explained->failback_ms,
                              clock_mono_ms());
}
