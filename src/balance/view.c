/* Pools as people see them. */
#include <stdlib.h>
#include <string.h>

#include "balance/hosts.h"
#include "balance/private.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"

/* Room for what one view points to, kept for the next. */
struct viewing {
    void (*fn)(void *arg, const struct balance_pool_view *pool);
    void *arg;
    const struct balance *balance;
    struct balance_member_view *members;
    struct balance_host_view *hosts;
    char (*reasons)[PROBE_REASON_MAX];
    size_t cap;
    struct pool_choice choice;
    double share[POOL_MEMBERS_MAX]; /* by member */
};

/* ---- members */

static void view_health(struct viewing *v, size_t index, const struct balance_side *side)
{
    struct balance_member_view *view = &v->members[index];
    struct probe_event state;
    view->reason = probe_permission_text(side->barred);
    if (!checks_speaker(v->balance, side, view->verdict, &state) &&
        !checks_speaker(v->balance, side, HEALTH_UNKNOWN, &state)) /* a verdict of former checks */
        return;
    view->since_wall_ms = view->verdict == HEALTH_UNKNOWN ? 0 : state.since_wall_ms;
    memcpy(v->reasons[index], state.reason, sizeof state.reason);
    view->reason = v->reasons[index];
}

/* Of all that its checks have seen the one that expires first. */
static void view_certificates(struct viewing *v, size_t index, const struct balance_side *side)
{
    struct balance_member_view *view = &v->members[index];
    for (uint32_t i = 0; i < side->check_cnt; i++) {
        struct probe_event state;
        probe_state(v->balance->probe, side->checks[i].target->id, &state);
        if (!state.measure.has_days_left || (view->has_days_left && view->days_left <= state.measure.days_left))
            continue;
        view->has_days_left = true;
        view->days_left = state.measure.days_left;
    }
}

static void view_orders(struct balance_member_view *view, const struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    const struct operate_member member = {pool->zone->apex, pool->owner, view->address};
    view->drain = operate_get(pool->balance, &member, OPERATE_DRAIN);
    view->force = operate_get(pool->balance, &member, OPERATE_FORCE);
}

static void view_member(struct viewing *v, const struct balance_family *family, uint32_t index)
{
    const struct pool_member *member = &family->members[index];
    const struct balance_side *side = &family->sides[index];
    v->members[index] = (struct balance_member_view){
        .address = member->address,
        .weight = side->note ? side->note->weight : 1,
        .tier = member->tier,
        .drained = !member->weight,
        .probed = member->probed,
        .unsettled = member->probed && member->unsettled,
        .verdict = member->probed ? member->verdict : HEALTH_UP,
        .share = v->share[index],
        .weight_now = member->weight * ((double)(POOL_PART_ONE - member->withheld) / POOL_PART_ONE),
        .drained_by_agent = checks_drains(side),
        .host = hosts_name_of(family->group, side->note),
    };
    view_orders(&v->members[index], family);
    load_measure(family, index, &v->members[index].measure);
    view_failover_member(&v->members[index], family, index);
    view_health(v, index, side);
    view_certificates(v, index, side);
}

static void view_sleeper(struct viewing *v, size_t index, const struct balance_family *family,
                         const struct plan_member *note)
{
    const struct plan_group *group = family->group;
    v->members[index] = (struct balance_member_view){
        .address = note->address,
        .weight = note->weight,
        .weight_now = note->weight,
        .tier = note->tier,
        .drained = !note->weight,
        .sleeping = true,
        .probed = plan_probes_of(group, note)->cnt > 0,
        .verdict = HEALTH_UNKNOWN,
        .weight_percent = 100,
        .reason = "",
    };
    view_orders(&v->members[index], family);
    v->members[index].drained |= v->members[index].drain != NULL;
}

static int cmp_member(const void *key, const void *item)
{
    return addr_cmp(key, &((const struct pool_member *)item)->address);
}

static const struct pool_member *find_member(const struct balance_family *family, const struct addr *address)
{
    return family->cnt ? bsearch(address, family->members, family->cnt, sizeof *family->members, cmp_member) : NULL;
}

/* ---- shares */

/* Of all members in one pass; pool_table_share for each would take milliseconds for a thousand. */
static void add_shares(struct viewing *v, const struct balance_family *family, const struct pool_table *table)
{
    uint32_t slots_of[POOL_MEMBERS_MAX] = {0};
    memset(v->share, 0, sizeof v->share);
    for (uint32_t i = 0; i < table->slot_cnt; i++)
        slots_of[table->slots[i] & POOL_SLOT_SET_MASK]++;
    for (unsigned s = 0; s < table->set_cnt; s++)
        for (unsigned start = 0; start < table->sets[s].starts; start++) {
            struct addr address = {.family = (uint8_t)balance_families[family->index]};
            const uint8_t *rr = table->bytes + table->sets[s].at + start * table->rr_len;
            memcpy(address.bytes, rr + IMAGE_RR_FIXED_LEN, addr_len(&address));
            const struct pool_member *member = find_member(family, &address);
            if (member)
                v->share[member - family->members] += (double)slots_of[s] / table->sets[s].starts / table->slot_cnt;
        }
}

/* ---- families */

static void view_bounds_by(struct balance_pool_view *view, const struct balance_family *family,
                           const struct plan_member *note, const struct addr *address)
{
    const struct pool_settings *settings = &family->settings;
    const struct plan_probes *probes = plan_probes_of(family->group, note);
    for (size_t p = 0; p < probes->cnt; p++) {
        struct probe_spec spec;
        checks_fill_spec(&spec, family, note, probes->rows[p], address, "");
        uint64_t detection_ms = health_detection_ms(&spec.timing);
        uint64_t staleness_ms =
            health_staleness_ms(&spec.timing, settings->ttl_sec * 1000ull, settings->ttl_min_sec * 1000ull);
        view->probed = true;
        view->detection_ms = detection_ms > view->detection_ms ? detection_ms : view->detection_ms;
        view->staleness_ms = staleness_ms > view->staleness_ms ? staleness_ms : view->staleness_ms;
    }
}

/* Of hosts also while they have no addresses: validation knows none. */
static void view_bounds(struct balance_pool_view *view, const struct balance_family *family)
{
    static const struct addr none;
    for (uint32_t i = 0; i < family->cnt; i++)
        view_bounds_by(view, family, family->sides[i].note, &family->members[i].address);
    for (size_t i = 0; i < family->group->host_cnt; i++)
        view_bounds_by(view, family, &family->group->hosts[i].member, &none);
}

static uint32_t served_ttl(const struct balance_family *family, const struct pool_table *table)
{
    if (table)
        return pool_table_ttl(table);
    return family->records.cnt ? family->records.ttl : family->settings.ttl_sec;
}

static void reserve(struct viewing *v, size_t cnt)
{
    if (cnt <= v->cap)
        return;
    v->cap = cnt;
    v->members = mem_realloc(v->members, cnt, sizeof *v->members);
    v->reasons = mem_realloc(v->reasons, cnt, sizeof *v->reasons);
}

static size_t view_members(struct viewing *v, const struct balance_family *family)
{
    const struct plan_group *group = family->group;
    size_t cnt = family->cnt;
    reserve(v, cnt + group->member_cnt);
    for (uint32_t i = 0; i < family->cnt; i++)
        view_member(v, family, i);
    for (unsigned i = 0; i < v->choice.cnt; i++)
        v->members[v->choice.member[i]].used = true;
    for (size_t i = 0; i < group->member_cnt && !group->is_below; i++)
        if (group->members[i].address.family == balance_families[family->index] &&
            !find_member(family, &group->members[i].address))
            view_sleeper(v, cnt++, family, &group->members[i]);
    return cnt;
}

static void view_family(struct viewing *v, const struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    const struct pool_table *table = compile_present(family);
    if (!family->group)
        return;
    struct balance_pool_view view = {
        .owner = pool->owner,
        .apex = pool->zone->apex,
        .family = balance_families[family->index],
        .policy = family->settings.policy,
        .answers = family->settings.answers,
        .ttl_sec = served_ttl(family, table),
        .exact = true,
    };
    pool_choose(&v->choice, &family->settings, family->members, family->cnt);
    memset(v->share, 0, family->cnt * sizeof *v->share);
    if (table && table->outcome == POOL_ANSWER)
        add_shares(v, family, table);
    if (table && table->outcome == POOL_ANSWER && (view.policy == POOL_WEIGHTED || view.policy == POOL_RANDOM))
        view.exact = table->exact;
    view.state = v->choice.state;
    view.tier = v->choice.tier;
    view_failover_pool(&view, family, &v->choice);
    view_bounds(&view, family);
    view.member_cnt = view_members(v, family);
    view.members = v->members;
    view.host_cnt = hosts_view(&v->hosts, family);
    view.hosts = v->hosts;
    v->fn(v->arg, &view);
    free(v->hosts);
}

static void view_pool(struct viewing *v, const struct balance_pool *pool)
{
    if (pool->zone->gone)
        return; /* its end is only a matter of slices */
    view_family(v, &pool->families[0]);
    view_family(v, &pool->families[1]);
}

/* ---- all or one */

static int cmp_pools(const void *a, const void *b)
{
    const struct balance_pool *x = *(const struct balance_pool *const *)a, *y = *(const struct balance_pool *const *)b;
    int cmp = x->zone == y->zone ? 0 : name_cmp(x->zone->apex, y->zone->apex);
    return cmp ? cmp : name_cmp(x->owner, y->owner);
}

static void each(struct viewing *v)
{
    const struct balance *balance = v->balance;
    const struct balance_pool **pools = mem_zalloc(balance->pools.cnt, sizeof *pools);
    size_t cnt = 0;
    for (const struct ring *at = balance->all.after; at != &balance->all; at = at->after)
        pools[cnt++] = container_of(at, const struct balance_pool, all);
    qsort(pools, cnt, sizeof *pools, cmp_pools);
    for (size_t i = 0; i < cnt; i++)
        view_pool(v, pools[i]);
    free(pools);
}

/* True: that were all. */
static bool some(struct viewing *v, uint32_t *at, uint64_t end_us)
{
    enum { BETWEEN_LOOKS = 256 }; /* at the clock, where there are no pools */
    const struct balance *balance = v->balance;
    while (*at < balance->by_handle_cap) {
        const struct balance_pool *pool = balance->by_handle[(*at)++];
        if (pool)
            view_pool(v, pool);
        if ((pool || *at % BETWEEN_LOOKS == 0) && clock_mono_us() >= end_us)
            return false;
    }
    return true;
}

/* It may be in any zone that its name is within. */
static void one(struct viewing *v, const uint8_t *owner)
{
    for (unsigned d = 0, depth = name_depth(owner); d <= depth; d++) {
        const struct balance_zone *zone = balance_find_zone(v->balance, name_suffix(owner, d));
        const struct balance_pool *pool = zone ? balance_find_pool(v->balance, zone, owner) : NULL;
        if (pool)
            view_pool(v, pool);
    }
}

static struct viewing *viewing_new(const struct balance *balance,
                                   void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
{
    struct viewing *v = mem_zalloc(1, sizeof *v);
    v->fn = fn;
    v->arg = arg;
    v->balance = balance;
    return v;
}

static void viewing_free(struct viewing *v)
{
    free(v->members);
    free(v->reasons);
    free(v);
}

void balance_each_pool(const struct balance *balance, const uint8_t *owner,
                       void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
{
    struct viewing *v = viewing_new(balance, fn, arg);
    uint8_t lower[NAME_MAX_LEN];
    if (owner) {
        name_to_lower(lower, owner);
        one(v, lower);
    } else {
        each(v);
    }
    viewing_free(v);
}

bool balance_walk_pools(const struct balance *balance, uint32_t *at, uint64_t budget_us,
                        void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
{
    struct viewing *v = viewing_new(balance, fn, arg);
    bool complete = some(v, at, clock_mono_us() + budget_us);
    viewing_free(v);
    return complete;
}
