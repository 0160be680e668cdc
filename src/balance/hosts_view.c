/* Hosts as people see them. */
#include "balance/hosts.h"
#include "base/clock.h"
#include "base/mem.h"

struct now {
    uint64_t mono_ms, wall_ms;
};

static uint64_t wall_of(uint64_t mono_ms, const struct now *now)
{
    uint64_t ago_ms = now->mono_ms - mono_ms;
    return mono_ms && ago_ms < now->wall_ms ? now->wall_ms - ago_ms : 0;
}

static struct balance_host_view view_host(const struct plan_host *row, const struct balance_host *host, unsigned family,
                                          const struct now *now)
{
    const struct resolution *r = &host->families[family].resolution;
    bool has_ttl = r->cnt && r->until_ms != RESOLUTION_NEVER;
    return (struct balance_host_view){
        .name = host->name,
        .addresses = r->addresses,
        .address_cnt = r->cnt,
        .weight = row->member.weight,
        .tier = row->member.tier,
        .own = host->is_own,
        .known = r->known,
        .problem = r->problem ? r->problem : "",
        .found_wall_ms = wall_of(r->found_ms, now),
        .denied_wall_ms = wall_of(r->denied_ms, now),
        .ttl_left_ms = has_ttl ? (int64_t)(r->until_ms - now->mono_ms) : INT64_MAX,
    };
}

size_t hosts_view(struct balance_host_view **views, const struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    const struct now now = {clock_mono_ms(), clock_wall_ms()};
    bool are_known = pool->host_cnt && pool->hosts_of == family->group;
    *views = are_known ? mem_zalloc(pool->host_cnt, sizeof **views) : NULL;
    for (uint32_t i = 0; are_known && i < pool->host_cnt; i++)
        (*views)[i] = view_host(&family->group->hosts[i], pool->hosts[i].host, family->index, &now);
    return are_known ? pool->host_cnt : 0;
}

const uint8_t *hosts_name_of(const struct plan_group *group, const struct plan_member *note)
{
    for (size_t i = 0; i < group->host_cnt; i++)
        if (note == &group->hosts[i].member)
            return group->hosts[i].name;
    return NULL;
}
