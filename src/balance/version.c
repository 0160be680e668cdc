/* Versions that come: handles for their nodes, in slices before they are published, and pools that follow them, in
 * slices afterwards. Until a version is published nothing that is answered changes. */
#include "balance/hosts.h"
#include "balance/private.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- before */

static void warn_no_handle(const uint8_t *owner, const struct plan_group *group, struct diag *diag)
{
    char text[NAME_TEXT_MAX];
    diag_warning(diag, group->where.file, group->where.line,
                 "\"%s\" is no pool and answered whole: there are %d pools already", name_to_text_bare(text, owner),
                 POOL_HANDLES_MAX - 1);
}

static void take_node(struct balance *balance, struct balance_zone *zone, struct zone_node *node, struct diag *diag)
{
    const uint8_t *owner = zone_node_name(node);
    const struct plan_group *group = plan_find(balance->plan, zone->apex, owner);
    node->pool = 0;
    if (!group)
        return;
    struct balance_pool *pool = balance_find_pool(balance, zone, owner);
    bool is_new = !pool;
    if (is_new)
        pool = balance_add_pool(balance, zone, owner);
    if (!pool) {
        warn_no_handle(owner, group, diag);
        return;
    }
    pool->mark = zone->mark;
    node->pool = pool->handle;
    bool changed = records_read(&pool->families[0], node);
    changed |= records_read(&pool->families[1], node);
    if (changed || is_new || pool->plan != balance->plan)
        ring_add(&zone->fresh, &pool->change);
    group = balance_find_group(balance, balance->plan, zone, owner);
    if (group)
        records_check(pool, group, diag);
}

static void take_lost(struct balance *balance, struct balance_zone *zone, uint32_t handle)
{
    struct balance_pool *pool = handle < balance->by_handle_cap ? balance->by_handle[handle] : NULL;
    if (pool && pool->mark != zone->mark)
        ring_add(&zone->lost, &pool->change);
}

/* Fresh nodes come first: which handles are lost is known only then. True: all is done. */
static bool prepare(struct balance *balance, struct balance_zone *zone, const struct zone_version *version,
                    struct diag *diag, uint64_t end_us)
{
    enum { BETWEEN_LOOKS = 16 }; /* at the clock */
    size_t fresh_cnt = version->fresh_pool_cnt, cnt = fresh_cnt + version->lost_pool_cnt;
    if (!zone->preparing) {
        zone->preparing = true;
        zone->at = 0;
        zone->mark = ++balance->mark;
    }
    while (zone->at < cnt) {
        size_t at = zone->at++;
        if (at < fresh_cnt)
            take_node(balance, zone, version->fresh_pools[at], diag);
        else
            take_lost(balance, zone, version->lost_pools[at - fresh_cnt]);
        if (zone->at % BETWEEN_LOOKS == 0 && clock_mono_us() >= end_us)
            break;
    }
    return zone->at == cnt;
}

static uint64_t end_of(uint64_t begin_us, uint64_t budget_us)
{
    return budget_us < UINT64_MAX - begin_us ? begin_us + budget_us : UINT64_MAX;
}

bool balance_version_ready(struct balance *balance, struct zone_version *version, struct diag *diag)
{
    uint64_t begin_us = clock_mono_us(), end_us = end_of(begin_us, work_inline_us(balance, begin_us));
    struct balance_zone *zone = balance_find_zone(balance, version->zone->name);
    if (!zone && version->fresh_pool_cnt)
        zone = balance_add_zone(balance, version->zone->name);
    if (zone)
        zone->foreign = version->zone->is_foreign;
    if (zone && !zone->preparing && !ring_is_empty(&zone->rescan))
        return false; /* what the version before, or a plan, left to do comes first */
    if (zone && !prepare(balance, zone, version, diag, end_us))
        return false;
    pointed_tell(balance, &version->fresh_foreign, false);
    pointed_tell(balance, &version->lost_foreign, true);
    if (zone) {
        zone->preparing = false;
        work_follow_plan(balance, zone); /* nodes that are not fresh have pools too */
        work_follow_version(balance, zone);
    }
    work_slice(balance, work_inline_us(balance, begin_us));
    hosts_stir(balance->hosts); /* only now: hosts are to be looked for once it is published */
    hosts_arm(balance->hosts);
    return true;
}

/* ---- no version */

/* Not in the caller's time, who may have thousands of zones to tell of in one turn of the loop. */
static void leave_to_slices(struct balance *balance)
{
    if (balance->probe)
        work_post(balance);
    else
        work_slice(balance, UINT64_MAX);
}

void balance_zone_ready(struct balance *balance, const struct zone *zone)
{
    struct balance_zone *ready = balance_find_zone(balance, zone->name);
    if (!ready || ready->plan == balance->plan)
        return;
    ready->foreign = zone->is_foreign;
    work_follow_plan(balance, ready);
    leave_to_slices(balance);
}

void balance_zone_gone(struct balance *balance, const struct zone *zone)
{
    struct balance_zone *gone = balance_find_zone(balance, zone->name);
    const struct zone_foreign *foreign = zone->latest ? zone->latest->foreign : NULL;
    if (foreign) {
        struct zone_names names = {mem_dup(foreign->names.bytes, foreign->names.len), foreign->names.len};
        pointed_tell(balance, &names, true);
    }
    if (gone)
        work_leave_zone(balance, gone);
    hosts_stir(balance->hosts);
    leave_to_slices(balance);
}
