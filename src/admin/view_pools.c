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
    free(view->orders);
    free(view);
}

static const struct operate_order *take_order(struct arena *arena, const struct operate_order *order)
{
    if (!order)
        return NULL;
    struct operate_order *copy = arena_dup(arena, order, sizeof *order, _Alignof(struct operate_order));
    copy->reason = arena_strdup(arena, order->reason);
    return copy;
}

static const struct balance_member_view *take_members(struct arena *arena, const struct balance_pool_view *pool)
{
    struct balance_member_view *members =
        arena_alloc(arena, pool->member_cnt * sizeof *members, _Alignof(struct balance_member_view));
    for (size_t i = 0; i < pool->member_cnt; i++) {
        members[i] = pool->members[i];
        members[i].reason = *members[i].reason ? arena_strdup(arena, members[i].reason) : "";
        members[i].drain = take_order(arena, members[i].drain);
        members[i].force = take_order(arena, members[i].force);
        members[i].host = members[i].host ? arena_dup(arena, members[i].host, name_len(members[i].host), 1) : NULL;
    }
    return members;
}

static const struct balance_host_view *take_hosts(struct arena *arena, const struct balance_pool_view *pool)
{
    struct balance_host_view *hosts =
        arena_alloc(arena, pool->host_cnt * sizeof *hosts, _Alignof(struct balance_host_view));
    for (size_t i = 0; i < pool->host_cnt; i++) {
        struct balance_host_view *host = &hosts[i];
        *host = pool->hosts[i];
        host->name = arena_dup(arena, host->name, name_len(host->name), 1);
        if (host->address_cnt)
            host->addresses = arena_dup(arena, host->addresses, host->address_cnt * sizeof *host->addresses,
                                        _Alignof(struct addr));
    }
    return hosts;
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
    copy->hosts = pool->host_cnt ? take_hosts(&view->arena, pool) : NULL;
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

struct order_taking {
    struct view_pools *view;
    const uint8_t *owner; /* NULL: all */
};

static void take_one_order(void *arg, const struct operate_member *member, enum operate_kind kind,
                           const struct operate_order *order)
{
    const struct order_taking *taking = arg;
    struct view_pools *view = taking->view;
    if (taking->owner && !name_equal(taking->owner, member->owner))
        return;
    if (view->order_cnt == view->order_cap) {
        view->order_cap = view->order_cap ? view->order_cap * 2 : 16;
        view->orders = mem_realloc(view->orders, view->order_cap, sizeof *view->orders);
    }
    struct view_order *copy = &view->orders[view->order_cnt++];
    *copy = (struct view_order){*member, kind, *order};
    copy->member.owner = take_name(view, member->owner);
    copy->member.apex = take_name(view, member->apex);
    copy->order.reason = arena_strdup(&view->arena, order->reason);
}

void view_pools_take_orders(struct view_pools *view, const struct balance *balance, const uint8_t *owner)
{
    struct order_taking taking = {view, owner};
    operate_each(balance, take_one_order, &taking);
}

static int cmp_pools(const void *a, const void *b)
{
    const struct balance_pool_view *x = a, *y = b;
    int cmp = x->apex == y->apex ? 0 : name_cmp(x->apex, y->apex);
    cmp = cmp ? cmp : name_cmp(x->owner, y->owner);
    return cmp ? cmp : (x->family > y->family) - (x->family < y->family);
}

static int cmp_orders(const void *a, const void *b)
{
    const struct view_order *x = a, *y = b;
    int cmp = name_cmp(x->member.apex, y->member.apex);
    cmp = cmp ? cmp : name_cmp(x->member.owner, y->member.owner);
    cmp = cmp ? cmp : addr_cmp(&x->member.address, &y->member.address);
    return cmp ? cmp : (x->kind > y->kind) - (x->kind < y->kind);
}

static bool is_shown(const struct view_pools *view, const struct operate_member *member)
{
    const struct balance_pool_view key = {
        .apex = member->apex, .owner = member->owner, .family = (enum addr_family)member->address.family};
    const struct balance_pool_view *pool =
        view->cnt ? bsearch(&key, view->pools, view->cnt, sizeof key, cmp_pools) : NULL;
    for (size_t i = 0; pool && i < pool->member_cnt; i++)
        if (addr_same_host(&pool->members[i].address, &member->address))
            return true;
    return false;
}

static void keep_orders_without_member(struct view_pools *view)
{
    size_t kept = 0;
    for (size_t i = 0; i < view->order_cnt; i++)
        if (!is_shown(view, &view->orders[i].member))
            view->orders[kept++] = view->orders[i];
    view->order_cnt = kept;
    if (kept)
        qsort(view->orders, kept, sizeof *view->orders, cmp_orders);
}

void view_pools_sort(struct view_pools *view)
{
    if (view->cnt)
        qsort(view->pools, view->cnt, sizeof *view->pools, cmp_pools);
    keep_orders_without_member(view);
}
