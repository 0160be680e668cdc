#include "admin/view_pools.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

const char *const view_pool_state_names[POOL_EMPTY + 1] = {[POOL_LIVE] = "live",
                                                           [POOL_ALL_DOWN] = "all_down",
                                                           [POOL_ALL_DRAINED] = "all_drained",
                                                           [POOL_EMPTY] = "empty"};
const char *const view_pool_policy_names[POOL_HASH + 1] = {[POOL_ROUND_ROBIN] = "round_robin",
                                                           [POOL_WEIGHTED] = "weighted",
                                                           [POOL_RANDOM] = "random",
                                                           [POOL_HASH] = "hash"};

const char *view_pool_type(enum addr_family family) { return family == ADDR_V4 ? "A" : "AAAA"; }

void view_pools_free(struct view_pools *view)
{
    if (!view)
        return;
    arena_fini(&view->arena);
    free(view->pools);
    free(view);
}

struct taking {
    struct view_pools *view;
    size_t cap;
};

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

static void take(void *arg, const struct balance_pool_view *pool)
{
    struct taking *taking = arg;
    struct view_pools *view = taking->view;
    if (view->cnt == taking->cap) {
        taking->cap = taking->cap ? taking->cap * 2 : 64;
        view->pools = mem_realloc(view->pools, taking->cap, sizeof *view->pools);
    }
    struct balance_pool_view *copy = &view->pools[view->cnt++];
    *copy = *pool;
    copy->owner = arena_dup(&view->arena, pool->owner, name_len(pool->owner), 1);
    copy->apex = arena_dup(&view->arena, pool->apex, name_len(pool->apex), 1);
    copy->members = take_members(&view->arena, pool);
}

struct view_pools *view_pools_none(void)
{
    struct view_pools *view = mem_zalloc(1, sizeof *view);
    arena_init(&view->arena);
    view->taken_wall_ms = clock_wall_ms();
    return view;
}

struct view_pools *view_pools_take(const struct balance *balance, const uint8_t *owner)
{
    struct view_pools *view = view_pools_none();
    struct taking taking = {view, 0};
    balance_each_pool(balance, owner, take, &taking);
    return view;
}
