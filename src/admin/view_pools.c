#include "admin/view_pools.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

const char *const view_pool_state_names[POOL_EMPTY + 1] = {[POOL_LIVE] = "live",
                                                           [POOL_ALL_DOWN] = "all_down",
                                                           [POOL_ALL_DRAINED] = "all_drained",
                                                           [POOL_EMPTY] = "empty"};
const char *const view_pool_policy_names[POOL_POLICY_CNT] = {[POOL_ROUND_ROBIN] = "round_robin",
                                                           [POOL_WEIGHTED] = "weighted",
                                                           [POOL_RANDOM] = "random",
                                                           [POOL_HASH] = "hash",
                                                           [POOL_FASTEST] = "fastest",
                                                           [POOL_LEAST_CONNECTIONS] = "least_connections",
                                                           [POOL_LEAST_LOAD] = "least_load"};

const char *view_pool_type(enum addr_family family) { return family == ADDR_V4 ? "A" : "AAAA"; }

void view_pools_free(struct view_pools *view)
{
    if (!view)
        return;
    arena_fini(&view->arena);
    free(view->pools);
    free(view);
}

static const struct balance_member_view *take_members(struct arena *arena, const struct balance_pool_view *pool)
{
    struct balance_member_view *members =
        arena_alloc(arena, pool->member_cnt * sizeof *members, _Alignof(struct balance_member_view));
    for (size_t i = 0; i < pool->member_cnt; i++) {
        members[i] = pool->members[i];
        members[i].reason = *members[i].reason ? arena_strdup(arena, members[i].reason) : "";
    }
    return members;
}

static const uint8_t *take_name(struct view_pools *view, const uint8_t *name)
{
    return arena_dup(&view->arena, name, name_len(name), 1);
}

static void take(void *arg, const struct balance_pool_view *pool)
{
    struct view_pools *view = arg;
    if (view->cnt == view->cap) {
        view->cap = view->cap ? view->cap * 2 : 64;
        view->pools = mem_realloc(view->pools, view->cap, sizeof *view->pools);
    }
    const struct balance_pool_view *last = view->cnt ? &view->pools[view->cnt - 1] : NULL;
    struct balance_pool_view *copy = &view->pools[view->cnt++];
    *copy = *pool;
    copy->owner = take_name(view, pool->owner);
    copy->apex = last && name_equal(last->apex, pool->apex) ? last->apex : take_name(view, pool->apex);
    copy->members = take_members(&view->arena, pool);
}

struct view_pools *view_pools_new(void)
{
    struct view_pools *view = mem_zalloc(1, sizeof *view);
    arena_init(&view->arena);
    view->taken_wall_ms = clock_wall_ms();
    return view;
}

void view_pools_take(struct view_pools *view, const struct balance *balance, const uint8_t *owner)
{
    balance_each_pool(balance, owner, take, view);
}

bool view_pools_walk(struct view_pools *view, const struct balance *balance, uint64_t budget_us)
{
    view->taken_wall_ms = clock_wall_ms();
    return balance_walk_pools(balance, &view->walked, budget_us, take, view);
}

static int cmp_pools(const void *a, const void *b)
{
    const struct balance_pool_view *x = a, *y = b;
    int cmp = x->apex == y->apex ? 0 : name_cmp(x->apex, y->apex);
    cmp = cmp ? cmp : name_cmp(x->owner, y->owner);
    return cmp ? cmp : (x->family > y->family) - (x->family < y->family);
}

void view_pools_sort(struct view_pools *view)
{
    if (view->cnt)
        qsort(view->pools, view->cnt, sizeof *view->pools, cmp_pools);
}
