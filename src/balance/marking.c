#include "balance/marking.h"

#include <stdlib.h>
#include <string.h>

#include "balance/plan.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- what plans are asked for */

/* Digests of two plans are compared: no key of their own. A digest that is equal by chance leaves marks as they are
 * until the next change, and nobody but the operator chooses the names. */
static const struct hash_key digest_key = {
    {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f), UINT64_C(0x165667b19e3779f9)}};

static uint64_t digest(const struct plan_zone *zone, const struct plan_group *group)
{
    return hash_fold(name_hash(group->name, &digest_key) + group->is_below, name_hash(zone->apex, &digest_key) | 1) | 1;
}

static void index_zone(struct balance_plan *plan, struct plan_zone *zone)
{
    uint32_t number = 0;
    map_settle(&zone->groups);
    zone->has_hosts = false;
    plan->zone_depths[zone->depth >> 6] |= UINT64_C(1) << (zone->depth & 63);
    for (size_t i = 0; i < zone->groups.bucket_cnt; i++)
        for (struct map_link *link = zone->groups.buckets[i]; link; link = link->next) {
            struct plan_group *group = container_of(link, struct plan_group, link);
            group->number = number++;
            group->serial = (uint32_t)plan->group_cnt++;
            zone->has_hosts |= group->host_cnt && !group->is_below;
            plan->rules += digest(zone, group);
        }
}

void plan_index(struct balance_plan *plan)
{
    map_settle(&plan->zones);
    for (size_t i = 0; i < plan->zones.bucket_cnt; i++)
        for (struct map_link *link = plan->zones.buckets[i]; link; link = link->next)
            index_zone(plan, container_of(link, struct plan_zone, link));
    plan->rules += plan->zones.cnt && !plan->rules; /* 0 is for no group at all */
}

/* ---- names of the zone */

static enum zone_mark mark_of(const struct plan_group *group)
{
    if (!group)
        return ZONE_MARK_NONE;
    return group->is_below ? ZONE_MARK_BY_BELOW : ZONE_MARK_BY_NAME;
}

static enum zone_mark match(void *arg, const struct zone *zone, const uint8_t *lower)
{
    struct balance_marking *m = arg;
    const struct plan_group *group = plan_find_in(m->plan, m->zone, lower);
    (void)zone;
    if (group)
        m->matched[group->number] = true;
    return mark_of(group);
}

static bool match_bare(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct balance_marking *m = arg;
    const struct plan_group *group = plan_find_in(m->plan, m->zone, lower);
    (void)zone;
    return group && !group->is_below && group->host_cnt;
}

/* ---- names of other zones */

/* The closest zone with groups above or at the name; a zone without any in between could only say that the name is not
 * where these groups want it. NULL: none, or the name is the pointing zone's own, which whoever is above it has handed
 * down. Millions of names may be asked for. */
static const struct plan_zone *closest_zone(const struct balance_plan *plan, const struct zone *zone,
                                            const uint8_t *lower)
{
    const struct plan_zone *found = NULL;
    unsigned d = name_depth(lower) + 1;
    while (!found && d--)
        if (zone_depth_has(plan->zone_depths, d))
            found = plan_find_zone(plan, name_suffix(lower, d));
    return found && (found->depth > zone->depth || !name_within(lower, zone->name)) ? found : NULL;
}

static enum zone_mark match_foreign(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct balance_marking *m = arg;
    const struct plan_zone *other = closest_zone(m->plan, zone, lower);
    return other ? mark_of(plan_find_in(m->plan, other, lower)) : ZONE_MARK_NONE;
}

/* ---- groups for nothing */

static int cmp_places(const void *a, const void *b)
{
    const struct plan_group *x = *(const struct plan_group *const *)a, *y = *(const struct plan_group *const *)b;
    int cmp = x->where.file && y->where.file ? strcmp(x->where.file, y->where.file) : 0;
    cmp = cmp ? cmp : (x->where.line > y->where.line) - (x->where.line < y->where.line);
    return cmp ? cmp : name_cmp(x->name, y->name);
}

static void warn(const struct plan_zone *zone, const struct plan_group *group, struct diag *diag)
{
    char apex[NAME_TEXT_MAX], name[NAME_TEXT_MAX];
    const char *why = "the zone has no A or AAAA records of its own with this name";
    if (group->is_below)
        why = "the zone has no A or AAAA records of its own there that no closer group applies to";
    else if (group->host_cnt)
        why = "the zone has no records of its own with this name; one of any type, such as a TXT, is enough for its "
              "hosts to be answered";
    diag_warning(diag, group->where.file, group->where.line, "zone \"%s\", balance %s\"%s\": nothing matches: %s",
                 name_to_text_bare(apex, zone->apex), group->is_below ? "below " : "",
                 name_to_text_bare(name, group->name), why);
}

static void all_asked(void *arg, const struct zone *zone, struct diag *diag)
{
    const struct balance_marking *m = arg;
    const struct map *groups = &m->zone->groups;
    const struct plan_group **idle = mem_zalloc(groups->cnt, sizeof *idle);
    size_t cnt = 0;
    (void)zone;
    for (size_t i = 0; i < groups->bucket_cnt; i++)
        for (struct map_link *link = groups->buckets[i]; link; link = link->next) {
            const struct plan_group *group = container_of(link, const struct plan_group, link);
            if (!m->matched[group->number])
                idle[cnt++] = group;
        }
    qsort(idle, cnt, sizeof *idle, cmp_places);
    for (size_t i = 0; i < cnt; i++)
        warn(m->zone, idle[i], diag);
    free(idle);
}

/* ---- */

void balance_marking_init(struct balance_marking *marking, const struct balance_plan *plan, const struct zone *zone,
                          const struct balance_marked *was)
{
    const struct plan_zone *groups = plan ? plan_find_zone(plan, zone->name) : NULL;
    *marking = (struct balance_marking){.plan = plan, .zone = groups, .marked = {.annotated = groups != NULL}};
    if (plan && plan->rules) {
        marking->marked.rules = plan->rules;
        marking->used = &marking->marks;
        marking->marks = (struct zone_marks){.match_foreign = match_foreign, .arg = marking};
    }
    if (groups) {
        marking->matched = mem_zalloc(groups->groups.cnt, sizeof *marking->matched);
        marking->marks.match = match;
        marking->marks.match_bare = groups->has_hosts ? match_bare : NULL;
        marking->marks.all_asked = all_asked;
    }
    marking->marks.anew = groups || was->annotated;
    marking->marks.foreign_anew = was->rules != marking->marked.rules;
    marking->remark = marking->marks.anew || marking->marks.foreign_anew || (zone->latest && zone->latest->foreign);
}

void balance_marking_fini(struct balance_marking *marking) { free(marking->matched); }
