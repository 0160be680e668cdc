/* What takes time: members made anew, tables, the end of pools, a new plan held against all pools. In slices. */
#include <assert.h>
#include <stdlib.h>

#include "balance/hosts.h"
#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"

/* In one go of a posted slice, of which loop/post.c runs a few together; and in a call from elsewhere. */
enum { SLICE_US = 500, INLINE_US = 500 };

/* Nothing runs beside a validation that could be kept waiting. */
uint64_t work_inline_us(const struct balance *balance, uint64_t begin_us)
{
    uint64_t taken_us = clock_mono_us() - begin_us;
    if (!balance->probe)
        return UINT64_MAX;
    return taken_us < INLINE_US ? INLINE_US - taken_us : 0;
}

/* ---- work in slices */

void work_queue(struct balance_pool *pool, unsigned todo, bool urgent)
{
    struct balance *balance = pool->balance;
    bool queued = pool->todo;
    pool->todo |= (uint8_t)todo;
    if (queued && (pool->urgent || !urgent))
        return;
    ring_remove(&pool->queue);
    ring_add(urgent ? &balance->urgent : &balance->normal, &pool->queue);
    pool->urgent = urgent;
}

void work_free_plan(struct balance *balance, struct balance_plan *plan)
{
    struct balance_plan **at = &balance->old_plans;
    while (*at != plan)
        at = &(*at)->older;
    *at = plan->older;
    balance_plan_free(plan);
}

/* Moves the count of a pool or a zone from its plan to `plan` (NULL: to none). */
static void move_plan(struct balance *balance, struct balance_plan **of, struct balance_plan *plan)
{
    struct balance_plan *was = *of;
    if (plan)
        plan->user_cnt++;
    *of = plan;
    if (was && !--was->user_cnt && was != balance->plan)
        work_free_plan(balance, was);
}

static void set_group(struct balance_pool *pool, const struct plan_group *group)
{
    pool->balance->pool_cnt -= pool->group != NULL;
    pool->balance->pool_cnt += group != NULL;
    pool->group = group;
}

/* Members by the records and the plan of the zone. */
static void rebuild(struct balance_pool *pool)
{
    struct balance_plan *plan = pool->zone->plan; /* a newer one is not for the rrsets that there are */
    set_group(pool, balance_find_group(pool->balance, plan, pool->zone, pool->owner));
    hosts_follow(pool);
    for (unsigned i = 0; i < 2; i++)
        members_rebuild(&pool->families[i]);
    move_plan(pool->balance, &pool->plan, plan); /* only now: what members pointed to may end with the old one */
    load_follow(pool);
}

/* ---- the end of a pool */

/* A handle on its way back. First the version that lost it is published, which happens in the turn of the loop in which
 * it was said to be ready; then readers of the version before go away. */
struct retire {
    struct post_item item;
    struct grace grace;
    struct balance *balance;
    uint32_t handle;
};

static void after_grace(struct grace *grace)
{
    struct retire *retire = container_of(grace, struct retire, grace);
    struct balance *balance = retire->balance;
    for (unsigned i = 0; i < 2; i++)
        pool_table_free(pool_directory_set(balance->directory, retire->handle, i, NULL));
    pool_directory_give(balance->directory, retire->handle);
    balance->retire_cnt--;
    free(retire);
}

static void after_publish(struct post_item *item)
{
    struct retire *retire = container_of(item, struct retire, item);
    grace_after(&retire->grace, retire->balance->post, after_grace);
}

static void retire_handle(struct balance *balance, uint32_t handle)
{
    struct retire *retire = mem_zalloc(1, sizeof *retire);
    retire->balance = balance;
    retire->handle = handle;
    balance->retire_cnt++;
    post_send(balance->post, &retire->item, after_publish);
}

/* Without a group it has no members. */
static void end_members(struct balance_pool *pool)
{
    hosts_follow(pool);
    members_rebuild(&pool->families[0]);
    members_rebuild(&pool->families[1]);
}

static void end_pool(struct balance_pool *pool)
{
    for (unsigned i = 0; i < 2; i++) {
        compile_detach(&pool->families[i]);
        failback_forget(&pool->families[i]);
        later_forget(&pool->families[i]);
        records_free(&pool->families[i]);
    }
    free(pool->hosts);
    move_plan(pool->balance, &pool->plan, NULL);
    classes_end(pool);
    retire_handle(pool->balance, pool->handle);
    free(pool);
}

void work_drop_zone_if_empty(struct balance *balance, struct balance_zone *zone)
{
    if (!ring_is_empty(&zone->pools) || zone->preparing)
        return;
    if (!zone->gone)
        map_remove(&balance->zones, &zone->link);
    ring_remove(&zone->rescan);
    move_plan(balance, &zone->plan, NULL);
    free(zone);
}

/* From now on nobody finds it; the rest is work for a slice. */
void work_lose_pool(struct balance_pool *pool)
{
    struct balance *balance = pool->balance;
    struct balance_zone *zone = pool->zone;
    if (zone->rescan_at == &pool->of_zone)
        zone->rescan_at = pool->of_zone.after;
    operate_lost(pool);
    for (unsigned i = 0; i < 2; i++)
        compile_detach(&pool->families[i]); /* what it ends with would ask for the zone */
    map_remove(&balance->pools, &pool->link);
    ring_remove(&pool->all);
    ring_remove(&pool->of_zone);
    ring_remove(&pool->change);
    balance->by_handle[pool->handle] = NULL;
    set_group(pool, NULL);
    load_follow(pool);
    work_queue(pool, TODO_REBUILD | TODO_RETIRE, false);
    pool->zone = NULL;
    work_drop_zone_if_empty(balance, zone);
}

/* ---- the queues */

/* A table is a piece of its own, as one of many members takes long. */
static void compile_one(struct balance_pool *pool)
{
    unsigned family = pool->todo & TODO_COMPILE_A ? 0 : 1;
    pool->todo &= (uint8_t) ~(TODO_COMPILE_A << family);
    if (!pool->todo) {
        ring_remove(&pool->queue);
        pool->urgent = false;
    }
    compile_family(&pool->families[family]);
}

static void retire_one(struct balance_pool *pool)
{
    if (pool->todo & TODO_REBUILD)
        end_members(pool);
    pool->todo = TODO_RETIRE;
    if (!members_work(pool))
        return;
    ring_remove(&pool->queue);
    end_pool(pool);
}

bool work_one(struct balance *balance)
{
    struct ring *first = !ring_is_empty(&balance->urgent) ? balance->urgent.after : balance->normal.after;
    if (first == &balance->normal)
        return false;
    struct balance_pool *pool = container_of(first, struct balance_pool, queue);
    if (pool->todo & TODO_RETIRE) {
        retire_one(pool);
    } else if (pool->todo & TODO_REBUILD) {
        rebuild(pool);
        pool->todo = TODO_CHECKS | TODO_COMPILE_A | TODO_COMPILE_AAAA; /* the next pieces */
    } else if (pool->todo & TODO_CHECKS) {
        if (members_work(pool))
            pool->todo &= (uint8_t)~TODO_CHECKS;
    } else {
        compile_one(pool);
    }
    return true;
}

/* ---- pools that follow a plan or a version */

enum { WARNINGS_MOST = 100, FOUND_MOST = 1000 };

void work_end_rescan(struct balance *balance)
{
    struct diag *diag = balance->rescan_diag;
    balance->rescan_diag = NULL;
    diag_log(diag);
    if (diag_cnt(diag, DIAG_WARNING) && !balance->found)
        balance->found = diag_new(FOUND_MOST);
    if (balance->found)
        diag_merge(balance->found, diag);
    diag_free(diag);
}

static void queue_zone(struct balance *balance, struct balance_zone *zone)
{
    if (ring_is_empty(&zone->rescan))
        ring_add(&balance->rescans, &zone->rescan);
}

void work_follow_plan(struct balance *balance, struct balance_zone *zone)
{
    if (zone->plan == balance->plan)
        return;
    move_plan(balance, &zone->plan, balance->plan);
    zone->rescan_at = zone->pools.after;
    queue_zone(balance, zone);
    if (!balance->rescan_diag)
        balance->rescan_diag = diag_new(WARNINGS_MOST);
}

void work_follow_version(struct balance *balance, struct balance_zone *zone)
{
    if (!ring_is_empty(&zone->lost) || !ring_is_empty(&zone->fresh))
        queue_zone(balance, zone);
    else
        work_drop_zone_if_empty(balance, zone);
}

void work_leave_zone(struct balance *balance, struct balance_zone *zone)
{
    assert(!zone->preparing);
    map_remove(&balance->zones, &zone->link);
    zone->gone = true;
    ring_remove(&zone->rescan);
    ring_add(&balance->leaving, &zone->rescan);
}

/* Its checks and tables are the next pieces. */
static void renew(struct balance_pool *pool)
{
    rebuild(pool);
    ring_remove(&pool->queue);
    pool->todo = TODO_CHECKS | TODO_COMPILE_A | TODO_COMPILE_AAAA;
    pool->urgent = false;
    ring_add(pool->balance->normal.after, &pool->queue);
}

static void follow_node(struct balance_pool *pool)
{
    ring_remove(&pool->change);
    records_adopt(&pool->families[0]);
    records_adopt(&pool->families[1]);
    renew(pool);
}

/* Pools that are new are built by the new plan anyway, and those that are lost need none. */
static void follow_plan(struct balance *balance, struct balance_pool *pool)
{
    pool->zone->rescan_at = pool->of_zone.after;
    if (!pool->plan || pool->plan == pool->zone->plan || !ring_is_empty(&pool->change))
        return;
    renew(pool);
    if (pool->group)
        records_check(pool, pool->group, balance->rescan_diag);
}

/* What somebody may be asking for goes before what only has to end. */
static bool rescan_one(struct balance *balance)
{
    if (ring_is_empty(&balance->rescans))
        return false;
    struct balance_zone *zone = container_of(balance->rescans.after, struct balance_zone, rescan);
    if (!ring_is_empty(&zone->fresh))
        follow_node(container_of(zone->fresh.after, struct balance_pool, change));
    else if (zone->rescan_at != &zone->pools)
        follow_plan(balance, container_of(zone->rescan_at, struct balance_pool, of_zone));
    else if (!ring_is_empty(&zone->lost))
        work_lose_pool(container_of(zone->lost.after, struct balance_pool, change)); /* the zone with its last one */
    else
        ring_remove(&zone->rescan);
    return true;
}

static bool leave_one(struct balance *balance)
{
    if (ring_is_empty(&balance->leaving))
        return false;
    struct balance_zone *zone = container_of(balance->leaving.after, struct balance_zone, rescan);
    work_lose_pool(container_of(zone->pools.after, struct balance_pool, of_zone)); /* likewise */
    return true;
}

/* ---- slices */

static void on_slice(struct post_item *item)
{
    struct balance *balance = container_of(item, struct balance, slice_item);
    balance->slice_sent = false;
    work_slice(balance, SLICE_US);
}

void work_post(struct balance *balance)
{
    if (balance->slice_sent)
        return;
    balance->slice_sent = true;
    post_send(balance->post, &balance->slice_item, on_slice);
}

void work_slice(struct balance *balance, uint64_t budget_us)
{
    uint64_t now_us = clock_mono_us(), end_us = budget_us < UINT64_MAX - now_us ? now_us + budget_us : UINT64_MAX;
    bool more = verdict_take(balance, end_us);
    while (look_take(balance))
        continue;
    while (hold_one(balance) || verdict_one(balance) || later_one(balance) || work_one(balance) ||
           hosts_one(balance->hosts) || pointed_one(balance) || rescan_one(balance) || leave_one(balance) ||
           load_one(balance) || checks_release_one(balance) || hosts_release_one(balance->hosts)) {
        if (clock_mono_us() < end_us)
            continue;
        more = true; /* or nothing, which the next slice will find */
        break;
    }
    if (balance->rescan_diag && ring_is_empty(&balance->rescans))
        work_end_rescan(balance);
    if (more)
        work_post(balance);
    else
        hosts_arm(balance->hosts);
    alarms_arm(balance->alarms);
    settle_check(balance);
}

/* ---- from the prober */

static void on_wake(struct post_item *item)
{
    struct balance *balance = container_of(item, struct balance, wake_item);
    atomic_store(&balance->wake_sent, false); /* first: what comes later wakes again */
    work_slice(balance, SLICE_US);
}

void work_wake(void *arg)
{
    struct balance *balance = arg;
    if (!atomic_exchange(&balance->wake_sent, true))
        post_send(balance->post, &balance->wake_item, on_wake);
}
