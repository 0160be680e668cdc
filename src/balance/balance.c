#include "balance/balance.h"

#include <stdlib.h>
#include <string.h>

#include "balance/hosts.h"
#include "balance/private.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- life */

static struct balance_plan *empty_plan(void)
{
    const struct opt_list none = {NULL, 0};
    const uint8_t *apex = NULL;
    struct diag *diag = diag_new(1);
    struct balance_plan *plan;
    if (balance_plan_make(&plan, &none, &apex, &none, NULL, diag))
        abort(); /* there is nothing to find fault with */
    diag_free(diag);
    return plan;
}

struct balance *balance_new(uv_loop_t *loop, struct pool_directory *directory, bool probing)
{
    struct post *post = post_open(loop);
    if (!post)
        return NULL;
    struct balance *balance = mem_zalloc(1, sizeof *balance);
    balance->loop = loop;
    balance->post = post;
    balance->directory = directory;
    balance->plan = empty_plan();
    hash_key_random(&balance->key);
    ring_init(&balance->all);
    ring_init(&balance->urgent);
    ring_init(&balance->normal);
    ring_init(&balance->death_walks);
    ring_init(&balance->walks);
    ring_init(&balance->rescans);
    ring_init(&balance->news);
    ring_init(&balance->leaving);
    ring_init(&balance->parked);
    ring_init(&balance->order_pools);
    ring_init(&balance->looks);
    ring_init(&balance->staying);
    hold_init(&balance->hold);
    uv_timer_init(loop, &balance->summary);
    uv_unref((uv_handle_t *)&balance->summary);
    balance->alarms = alarms_open(balance, loop);
    if (probing) {
        balance->probe = probe_new(work_wake, balance);
        balance->load = load_new(loop, balance);
    }
    balance->hosts = hosts_new(balance);
    return balance;
}

enum err balance_start(struct balance *balance, uint64_t start_wait_ms)
{
    balance->answering = true;
    return balance->probe ? probe_start(balance->probe, start_wait_ms / 2) : ERR_OK;
}

static void lose_all(struct balance *balance)
{
    while (!ring_is_empty(&balance->all))
        work_lose_pool(container_of(balance->all.after, struct balance_pool, all));
    balance->loading = false;
    hold_end_anchors(balance);
    while (work_one(balance) || checks_release_one(balance) || hosts_release_one(balance->hosts)) {
    }
}

static void on_close(uv_handle_t *handle) { free(container_of(handle, struct balance, summary)); }

void balance_free(struct balance *balance)
{
    if (!balance)
        return;
    balance->hold_on_told = false; /* that its targets go is no end to tell of */
    lose_all(balance);
    if (balance->rescan_diag)
        work_end_rescan(balance);
    probe_free(balance->probe);
    balance->probe = NULL;
    settle_fini(balance);
    while (balance->job_cnt)
        uv_run(balance->loop, UV_RUN_ONCE);
    do {
        post_run_all(balance->post);
        rcu_drain();
    } while (balance->retire_cnt || balance->passing_cnt);
    operate_fini(balance);
    look_fini(balance);
    hosts_free(balance->hosts); /* only now, for slices look there */
    verdict_summary(balance);
    load_free(balance->load);
    balance_plan_free(balance->plan);
    pointed_fini(balance);
    map_fini(&balance->pools);
    map_fini(&balance->zones);
    map_fini(&balance->targets);
    free(balance->by_handle);
    post_close(balance->post);
    alarm_clear(balance->alarms, &balance->hold_alarm);
    alarms_close(balance->alarms);
    hold_fini(&balance->hold);
    uv_close((uv_handle_t *)&balance->summary, on_close);
}

/* ---- plans */

void balance_set_plan(struct balance *balance, struct balance_plan **plan)
{
    struct balance_plan *was = balance->plan;
    balance->plan = *plan;
    *plan = NULL;
    if (balance->probe)
        probe_set_checks_max(balance->probe, balance->plan->checks_max);
    balance->loading = true;
    hosts_again(balance->hosts);
    hold_follow_plan(balance);
    was->older = balance->old_plans;
    balance->old_plans = was;
    if (!was->user_cnt)
        work_free_plan(balance, was);
}

const struct balance_plan *balance_get_plan(const struct balance *balance) { return balance->plan; }

struct balance_plan *balance_hold_plan(struct balance *balance)
{
    balance->plan->user_cnt++;
    return balance->plan;
}

void balance_give_plan(struct balance *balance, struct balance_plan *plan)
{
    if (!--plan->user_cnt && plan != balance->plan)
        work_free_plan(balance, plan);
}

/* ---- hosts */

void balance_set_resolvers(struct balance *balance, const struct addr *resolvers, size_t cnt)
{
    if (balance->hosts->resolver)
        resolver_use(balance->hosts->resolver, resolvers, cnt);
}

void balance_set_own_zones(struct balance *balance,
                           void (*find)(void *arg, const uint8_t *name, struct zone_served *served), void *arg)
{
    balance->hosts->find = find;
    balance->hosts->find_arg = arg;
}

/* ---- zones and pools */

struct balance_zone *balance_find_zone(const struct balance *balance, const uint8_t *apex)
{
    struct map_link *link = map_first(&balance->zones, name_hash(apex, &balance->key));
    while (link && !name_equal(container_of(link, struct balance_zone, link)->apex, apex))
        link = map_next(link);
    return link ? container_of(link, struct balance_zone, link) : NULL;
}

const struct plan_group *balance_find_group(const struct balance *balance, const struct balance_plan *plan,
                                            const struct balance_zone *zone, const uint8_t *owner)
{
    const struct plan_group *group = plan_find(plan, zone->apex, owner);
    return group && group->is_below && pointed_is(balance, owner) ? NULL : group;
}

struct balance_zone *balance_add_zone(struct balance *balance, const uint8_t *apex)
{
    unsigned len = name_len(apex);
    struct balance_zone *zone = mem_zalloc(1, sizeof *zone + len);
    memcpy(zone->apex, apex, len);
    ring_init(&zone->pools);
    ring_init(&zone->rescan);
    ring_init(&zone->fresh);
    ring_init(&zone->lost);
    zone->rescan_at = &zone->pools;
    zone->plan = balance->plan;
    zone->plan->user_cnt++;
    map_add(&balance->zones, &zone->link, name_hash(apex, &balance->key));
    return zone;
}

static uint64_t pool_hash(const struct balance *balance, const struct balance_zone *zone, const uint8_t *owner)
{
    return name_hash(owner, &balance->key) ^ (zone->link.hash << 1 | 1);
}

struct balance_pool *balance_find_pool(const struct balance *balance, const struct balance_zone *zone,
                                       const uint8_t *owner)
{
    for (struct map_link *link = map_first(&balance->pools, pool_hash(balance, zone, owner)); link;
         link = map_next(link)) {
        struct balance_pool *pool = container_of(link, struct balance_pool, link);
        if (pool->zone == zone && name_equal(pool->owner, owner))
            return pool;
    }
    return NULL;
}

static void note_handle(struct balance *balance, struct balance_pool *pool)
{
    size_t cap = balance->by_handle_cap;
    while (cap <= pool->handle)
        cap = cap ? cap * 2 : 64;
    if (cap != balance->by_handle_cap) {
        balance->by_handle = mem_realloc(balance->by_handle, cap, sizeof *balance->by_handle);
        memset(balance->by_handle + balance->by_handle_cap, 0,
               (cap - balance->by_handle_cap) * sizeof *balance->by_handle);
        balance->by_handle_cap = cap;
    }
    balance->by_handle[pool->handle] = pool;
}

struct balance_pool *balance_add_pool(struct balance *balance, struct balance_zone *zone, const uint8_t *owner)
{
    uint32_t handle = pool_directory_take(balance->directory);
    unsigned len = name_len(owner);
    if (!handle)
        return NULL;
    struct balance_pool *pool = mem_zalloc(1, sizeof *pool + len);
    memcpy(pool->owner, owner, len);
    pool->balance = balance;
    pool->zone = zone;
    pool->handle = handle;
    for (unsigned i = 0; i < 2; i++) {
        pool->families[i].pool = pool;
        pool->families[i].index = i;
        ring_init(&pool->families[i].staying);
    }
    ring_init(&pool->queue);
    ring_init(&pool->change);
    ring_init(&pool->load);
    ring_add(&balance->all, &pool->all);
    ring_add(&zone->pools, &pool->of_zone);
    map_add(&balance->pools, &pool->link, pool_hash(balance, zone, owner));
    note_handle(balance, pool);
    return pool;
}

size_t balance_pool_cnt(const struct balance *balance) { return balance->pool_cnt; }
