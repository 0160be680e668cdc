/* Policies by load, once a TTL: what the probes measured goes to pool/load.h, what comes of it into members' sides.
 *
 * When whose turn is stands in a wheel of slots, a tick each, which a timer goes round: it only moves pools whose time
 * has come to the list of those that are due, some fifty nanoseconds each; the step of a family, at most some
 * milliseconds for a thousand members with several probes, is a piece of a slice (work.c), after everything else there
 * is to do. Where steps take more time than there is they come later, and that is all. A pool's first turn is at a
 * random time of its first TTL: two nameservers with the same configuration do not step together. */
#include <stdlib.h>

#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "pool/sort.h"

enum { TICK_MS = 100, SLOTS = 512 };

struct balance_load {
    struct balance *balance;
    uv_timer_t timer;
    size_t pool_cnt;
    uint64_t tick; /* up to which the wheel has been gone round */
    struct ring slots[SLOTS];
    struct ring due;
    struct random_state rng;
    struct pool_load_member members[POOL_MEMBERS_MAX]; /* of the step being made */
};

static uint64_t now_tick(void) { return clock_mono_ms() / TICK_MS; }

/* ---- the wheel ---- */

/* The longer one where the families' differ: no step is too early for anybody's caches. */
static uint64_t ttl_ticks(const struct balance_pool *pool)
{
    uint32_t ttl_sec = 1;
    for (unsigned i = 0; i < 2; i++)
        if (pool->families[i].group && pool->families[i].settings.ttl_sec > ttl_sec)
            ttl_sec = pool->families[i].settings.ttl_sec;
    return (uint64_t)ttl_sec * 1000 / TICK_MS;
}

static void put_into_wheel(struct balance_load *load, struct balance_pool *pool, uint64_t tick)
{
    pool->load_tick = tick;
    ring_remove(&pool->load);
    ring_add(&load->slots[tick % SLOTS], &pool->load);
}

/* Those of a later round stay. */
static void turn_slot(struct balance_load *load, struct ring *slot)
{
    struct ring *at = slot->after;
    while (at != slot) {
        struct ring *next = at->after;
        struct balance_pool *pool = container_of(at, struct balance_pool, load);
        if (pool->load_tick <= load->tick) {
            ring_remove(at);
            ring_add(&load->due, at);
        }
        at = next;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct balance_load *load = container_of(timer, struct balance_load, timer);
    uint64_t now = now_tick();
    if (now > load->tick + SLOTS)
        load->tick = now - SLOTS; /* once round is enough */
    while (load->tick < now) {
        load->tick++;
        turn_slot(load, &load->slots[load->tick % SLOTS]);
    }
    if (!ring_is_empty(&load->due))
        work_post(load->balance);
}

static void join(struct balance_load *load, struct balance_pool *pool)
{
    if (!load->pool_cnt++) {
        load->tick = now_tick();
        uv_timer_start(&load->timer, on_tick, TICK_MS, TICK_MS);
    }
    put_into_wheel(load, pool, now_tick() + 1 + random_below(&load->rng, (uint32_t)ttl_ticks(pool)));
}

static void leave(struct balance_load *load, struct balance_pool *pool)
{
    ring_remove(&pool->load);
    if (!--load->pool_cnt)
        uv_timer_stop(&load->timer);
}

void load_follow(struct balance_pool *pool)
{
    struct balance_load *load = pool->balance->load;
    bool is_in = !ring_is_empty(&pool->load);
    bool is_wanted = load && pool->group && pool_policy_has_load(pool->group->policy);
    if (is_in && !is_wanted)
        leave(load, pool);
    else if (is_wanted && !is_in)
        join(load, pool);
    else if (is_in && pool->load_tick > now_tick() + ttl_ticks(pool)) /* its TTL is shorter than it was */
        put_into_wheel(load, pool, now_tick() + 1 + random_below(&load->rng, (uint32_t)ttl_ticks(pool)));
}

/* ---- reading ---- */

/* Three intervals, with the jitter that checks have. */
static uint64_t stale_ms(const struct balance_family *family, const struct balance_side *side, uint32_t check)
{
    const struct plan_probes *probes = plan_probes_of(family->group, side->note);
    return 3 * probes->rows[check]->interval_ms * (100 + HEALTH_JITTER_PERCENT) / 100;
}

/* Of several probes the first that has something to say. */
static struct pool_load_report report_of(const struct balance_family *family, uint32_t member, uint64_t now_wall_ms)
{
    const struct balance_side *side = &family->sides[member];
    struct pool_load_report report = {.kind = POOL_LOAD_NONE};
    for (uint32_t i = 0; i < side->check_cnt && report.kind == POOL_LOAD_NONE; i++) {
        struct probe_event event;
        probe_state(family->pool->balance->probe, side->checks[i].target->id, &event);
        report = pool_load_read(family->settings.policy, &event.measure, now_wall_ms, stale_ms(family, side, i));
    }
    return report;
}

void load_measure(const struct balance_family *family, uint32_t member, struct health_measure *measure)
{
    const struct balance_side *side = &family->sides[member];
    uint64_t now_wall_ms = clock_wall_ms();
    *measure = (struct health_measure){.load_kind = HEALTH_LOAD_NONE};
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        struct probe_event event;
        uint64_t stale = stale_ms(family, side, i);
        probe_state(family->pool->balance->probe, side->checks[i].target->id, &event);
        const struct health_measure *found = &event.measure;
        if (!measure->response_us && pool_load_read(POOL_FASTEST, found, now_wall_ms, stale).kind) {
            measure->response_us = found->response_us;
            measure->response_wall_ms = found->response_wall_ms;
        }
        if (!measure->load_kind && pool_load_read(POOL_LEAST_LOAD, found, now_wall_ms, stale).kind) {
            measure->load_kind = found->load_kind;
            measure->load = found->load;
            measure->load_wall_ms = found->load_wall_ms;
        }
    }
}

/* ---- stepping ---- */

/* In the order of `keys`, whose lower halves are indices. */
static void gather(struct balance_load *load, const struct balance_family *family, const uint64_t *keys)
{
    bool used[POOL_MEMBERS_MAX] = {false};
    uint64_t now_wall_ms = clock_wall_ms();
    classes_mark_used(family, used);
    for (uint32_t k = 0; k < family->cnt; k++) {
        uint32_t i = (uint32_t)keys[k];
        load->members[k] = (struct pool_load_member){
            .load = family->sides[i].load,
            .report = report_of(family, i, now_wall_ms),
            .weight = family->members[i].weight,
            .used = used[i],
        };
    }
}

/* Members of a site are steered among themselves: its clients are its own, and no weight moves them to another site.
 * Against all others a site keeps the sum of its configured weights, but for what the greatest of its factors is more
 * than 1. */
static bool step_sites(struct balance_load *load, const uint64_t *keys, uint32_t cnt)
{
    bool changed = false;
    for (uint32_t begin = 0, end; begin < cnt; begin = end) {
        for (end = begin + 1; end < cnt && keys[end] >> 32 == keys[begin] >> 32;)
            end++;
        changed |= pool_load_step(&load->members[begin], end - begin);
    }
    return changed;
}

static void step(struct balance_load *load, struct balance_family *family)
{
    uint64_t keys[POOL_MEMBERS_MAX];
    if (!family->group || !pool_policy_has_load(family->settings.policy))
        return;
    for (uint32_t i = 0; i < family->cnt; i++)
        keys[i] = (uint64_t)family->members[i].site << 32 | i;
    pool_sort(keys, family->cnt);
    gather(load, family, keys);
    bool changed = step_sites(load, keys, family->cnt);
    for (uint32_t k = 0; k < family->cnt; k++) {
        uint32_t i = (uint32_t)keys[k];
        family->sides[i].load = load->members[k].load;
        family->sides[i].withheld[WITHHELD_LOAD] = load->members[k].load.withheld;
        if (changed)
            (void)members_refresh(family, i);
    }
    if (changed)
        work_queue(family->pool, TODO_COMPILE_A << family->index, false);
}

/* Members whose checks are not open yet have no reports, which would be held against them. */
static bool is_ready(const struct balance_pool *pool)
{
    return !(pool->todo & (TODO_REBUILD | TODO_CHECKS | TODO_RETIRE));
}

bool load_one(struct balance *balance)
{
    struct balance_load *load = balance->load;
    if (!load || ring_is_empty(&load->due))
        return false;
    struct balance_pool *pool = container_of(load->due.after, struct balance_pool, load);
    if (is_ready(pool))
        step(load, &pool->families[pool->load_at]);
    pool->load_at ^= 1;
    if (pool->load_at)
        return true; /* the other family is the next piece */
    uint64_t next = pool->load_tick + ttl_ticks(pool);
    put_into_wheel(load, pool, next > load->tick ? next : load->tick + ttl_ticks(pool));
    return true;
}

void load_take_over(struct balance_side *side, const struct balance_side *former, const struct plan_group *group)
{
    if (!pool_policy_has_load(group->policy))
        return;
    side->load = former->load;
    side->withheld[WITHHELD_LOAD] = former->withheld[WITHHELD_LOAD];
}

/* ---- life ---- */

struct balance_load *load_new(uv_loop_t *loop, struct balance *balance)
{
    struct balance_load *load = mem_zalloc(1, sizeof *load);
    load->balance = balance;
    for (unsigned i = 0; i < SLOTS; i++)
        ring_init(&load->slots[i]);
    ring_init(&load->due);
    random_seed(&load->rng);
    uv_timer_init(loop, &load->timer);
    uv_unref((uv_handle_t *)&load->timer);
    return load;
}

static void on_close(uv_handle_t *handle) { free(container_of(handle, struct balance_load, timer)); }

void load_free(struct balance_load *load)
{
    if (load)
        uv_close((uv_handle_t *)&load->timer, on_close);
}
