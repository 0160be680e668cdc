#include "balance/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/opt_copy.h"
#include "dns/name.h"

/* A name may be annotated itself, and names below it. */
static uint64_t group_hash(const struct balance_plan *plan, const uint8_t *name, bool is_below)
{
    return name_hash(name, &plan->key) + is_below;
}

/* ---- finding */

const struct plan_zone *plan_find_zone(const struct balance_plan *plan, const uint8_t *apex)
{
    for (struct map_link *link = map_first(&plan->zones, name_hash(apex, &plan->key)); link; link = map_next(link)) {
        const struct plan_zone *zone = container_of(link, const struct plan_zone, link);
        if (name_equal(zone->apex, apex))
            return zone;
    }
    return NULL;
}

static const struct plan_group *find_group(const struct balance_plan *plan, const struct plan_zone *zone,
                                           const uint8_t *name, bool is_below)
{
    for (struct map_link *link = map_first(&zone->groups, group_hash(plan, name, is_below)); link;
         link = map_next(link)) {
        const struct plan_group *group = container_of(link, struct plan_group, link);
        if (group->is_below == is_below && name_equal(group->name, name))
            return group;
    }
    return NULL;
}

const struct plan_group *plan_find_in(const struct balance_plan *plan, const struct plan_zone *zone,
                                      const uint8_t *lower)
{
    const struct plan_group *group = find_group(plan, zone, lower, false);
    for (unsigned d = name_depth(lower); !group && d > zone->depth; d--)
        if (zone_depth_has(zone->below_depths, d - 1))
            group = find_group(plan, zone, name_suffix(lower, d - 1), true);
    return group;
}

const struct plan_group *plan_find(const struct balance_plan *plan, const uint8_t *apex, const uint8_t *lower)
{
    const struct plan_zone *zone = plan_find_zone(plan, apex);
    return zone ? plan_find_in(plan, zone, lower) : NULL;
}

static int cmp_member(const void *key, const void *item)
{
    return addr_cmp(key, &((const struct plan_member *)item)->address);
}

const struct plan_member *plan_find_member(const struct plan_group *group, const struct addr *address)
{
    return group->member_cnt ? bsearch(address, group->members, group->member_cnt, sizeof *group->members, cmp_member)
                             : NULL;
}

const struct probe_options *plan_hostless(const struct plan_probes *probes)
{
    for (size_t i = 0; i < probes->cnt; i++)
        if (probe_needs_host(probes->rows[i]) && !probes->rows[i]->where.is_broken)
            return probes->rows[i];
    return NULL;
}

/* ---- making */

static int cmp_probe_rows(const void *a, const void *b)
{
    const struct probe_options *x = *(const struct probe_options *const *)a,
                               *y = *(const struct probe_options *const *)b;
    int cmp = strcmp(x->name, y->name);
    /* Rows are one array: the order of addresses is that of the file. */
    return cmp ? cmp : (x > y) - (x < y);
}

static void take_probes(struct planning *p, const struct opt_list *probes)
{
    const struct probe_options *rows = probes->items;
    p->probes = mem_zalloc(probes->cnt, sizeof *p->probes);
    for (size_t i = 0; i < probes->cnt; i++)
        if (rows[i].name)
            p->probes[p->probe_cnt++] = &rows[i];
    p->has_nameless_probe = p->probe_cnt < probes->cnt;
    qsort(p->probes, p->probe_cnt, sizeof *p->probes, cmp_probe_rows);
    for (size_t i = 1; i < p->probe_cnt; i++) {
        const struct probe_options *first = p->probes[i - 1], *row = p->probes[i];
        if (!strcmp(first->name, row->name))
            diag_error(p->diag, row->where.file, row->where.line, "probe \"%s\" stands twice, first at %s:%u",
                       row->name, first->where.file ? first->where.file : "", first->where.line);
    }
    for (size_t i = 0; i < p->probe_cnt; i++)
        p->probes[i] = opt_copy(&p->plan->arena, p->probes[i], &probe_opt_table);
}

static void add_group(struct planning *p, struct plan_zone *zone, const struct balance_group_options *row)
{
    struct plan_group *group = plan_group_make(p, row);
    if (!group->name)
        return;
    const struct plan_group *first = find_group(p->plan, zone, group->name, group->is_below);
    if (first) {
        char text[NAME_TEXT_MAX];
        diag_error(p->diag, row->where.file, row->where.line,
                   "a second balance group with %s \"%s\", the first is at %s:%u", group->is_below ? "below" : "name",
                   name_to_text_bare(text, group->name), first->where.file ? first->where.file : "", first->where.line);
        return;
    }
    map_add(&zone->groups, &group->link, group_hash(p->plan, group->name, group->is_below));
    if (group->is_below) {
        unsigned depth = name_depth(group->name);
        zone->below_depths[depth >> 6] |= UINT64_C(1) << (depth & 63);
    }
}

/* Also a zone without a name, and one that stands twice: the plan will not be used, but its groups may have errors. */
static void add_zone(struct planning *p, const struct balance_zone_options *row, const uint8_t *apex)
{
    static const uint8_t root[] = {0};
    const struct balance_group_options *groups = row->groups.items;
    p->has_name = apex != NULL;
    apex = apex ? apex : root;
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, apex);
    struct plan_zone *zone = arena_alloc(&p->plan->arena, sizeof *zone, _Alignof(struct plan_zone));
    *zone = (struct plan_zone){.apex = arena_dup(&p->plan->arena, lower, len, 1), .depth = name_depth(lower)};
    map_add(&p->plan->zones, &zone->link, name_hash(zone->apex, &p->plan->key));
    p->apex = zone->apex;
    for (size_t i = 0; i < row->groups.cnt; i++)
        add_group(p, zone, &groups[i]);
}

enum err balance_plan_make(struct balance_plan **plan, const struct opt_list *zones, const uint8_t *const *apexes,
                           const struct opt_list *probes, const struct answer_sites *sites, struct diag *diag)
{
    size_t errors_before = diag_cnt(diag, DIAG_ERROR);
    const struct balance_zone_options *rows = zones->items;
    struct planning p = {.plan = mem_zalloc(1, sizeof *p.plan), .sites = sites, .diag = diag};
    arena_init(&p.plan->arena);
    hash_key_random(&p.plan->key);
    take_probes(&p, probes);
    for (size_t i = 0; i < zones->cnt; i++)
        if (rows[i].groups.cnt)
            add_zone(&p, &rows[i], apexes[i]);
    plan_index(p.plan);
    p.plan->may = probe_rules_new(&(struct probe_health_options){0});
    plan_check_circles(p.plan, diag);
    free(p.probes);
    bool good = diag_cnt(diag, DIAG_ERROR) == errors_before;
    if (!good) {
        balance_plan_free(p.plan);
        p.plan = NULL;
    }
    *plan = p.plan;
    return good ? ERR_OK : ERR_INVALID;
}

/* Starts come as seldom as all the same: what was written is not what is done. */
static void check_gap(const struct balance_plan *plan, const struct probe_options *probe, struct diag *diag)
{
    char gap[OPT_DURATION_TEXT_MAX], interval[OPT_DURATION_TEXT_MAX];
    if (probe->fast_interval_ms >= plan->start_gap_ms || probe->where.is_broken)
        return;
    diag_warning(diag, probe->where.file, probe->where.line,
                 "probe \"%s\": checks start %s apart at least, by \"target_rate\", not a fast_interval of %s",
                 probe->name, opt_duration_to_text(gap, plan->start_gap_ms),
                 opt_duration_to_text(interval, probe->fast_interval_ms));
}

void balance_plan_limit(struct balance_plan *plan, const struct probe_health_options *options,
                        const struct opt_list *probes, struct diag *diag)
{
    const struct probe_options *rows = probes->items;
    probe_rules_free(plan->may);
    plan->may = probe_rules_new(options);
    plan->start_gap_ms = probe_start_gap_ms(options);
    plan->checks_max = (uint32_t)options->checks_max;
    plan->bars = options->probe_deny.cnt > 0;
    for (size_t i = 0; i < probes->cnt; i++)
        check_gap(plan, &rows[i], diag);
}

void balance_plan_free(struct balance_plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->zones.bucket_cnt; i++)
        for (struct map_link *link = plan->zones.buckets[i]; link; link = link->next)
            map_fini(&container_of(link, struct plan_zone, link)->groups);
    map_fini(&plan->zones);
    probe_rules_free(plan->may);
    arena_fini(&plan->arena);
    free(plan);
}
