#include "balance/explain.h"

#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/mem.h"

void balance_explained_free(struct balance_explained *explained)
{
    if (!explained)
        return;
    pool_source_drop(&explained->source);
    free(explained->file);
    free(explained);
}

static void copy_name(uint8_t out[NAME_MAX_LEN], const uint8_t *name) { memcpy(out, name, name_len(name)); }

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
    return explained;
}
