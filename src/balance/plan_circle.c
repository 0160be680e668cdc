/* Hosts that are pools here themselves, with hosts of their own, and so on, back to where it began: nobody could say
 * whose addresses those are. Only what names alone tell is seen here; aliases are looked at when they are followed
 * (hosts_ask.c). */
#include <stdlib.h>

#include "balance/plan.h"
#include "base/mem.h"
#include "dns/name.h"

/* The way from group to group, as long as there are groups: no recursion. */
struct circle_step {
    const struct plan_group *group;
    size_t next; /* the host to follow */
};

enum circle_mark { CIRCLE_NEW, CIRCLE_ON_THE_WAY, CIRCLE_DONE };

struct searching {
    const struct balance_plan *plan;
    struct diag *diag;
    uint8_t *marks; /* enum circle_mark, by serial */
    struct circle_step *way;
    size_t cnt, cap;
};

/* The group with hosts that the name is a pool by; NULL: none. Only the closest zone can have the name. */
static const struct plan_group *group_of(const struct balance_plan *plan, const uint8_t *name)
{
    const struct plan_zone *zone = NULL;
    for (unsigned d = name_depth(name) + 1; !zone && d--;)
        if (zone_depth_has(plan->zone_depths, d))
            zone = plan_find_zone(plan, name_suffix(name, d));
    const struct plan_group *group = zone ? plan_find_in(plan, zone, name) : NULL;
    return group && group->host_cnt ? group : NULL;
}

static void complain(const struct searching *s, const struct plan_host *host)
{
    char name[NAME_TEXT_MAX], last[NAME_TEXT_MAX];
    const struct plan_group *group = s->way[s->cnt - 1].group;
    const struct opt_where *where = &host->member.where;
    name_to_text_bare(name, host->name);
    if (name_equal(host->name, group->name) || (group->is_below && name_within(host->name, group->name)))
        diag_error(s->diag, where->file, where->line, "member host \"%s\" is a name of the pool itself", name);
    else
        diag_error(s->diag, where->file, where->line,
                   "member host \"%s\" is a pool whose own hosts lead back to this one, \"%s\"", name,
                   name_to_text_bare(last, group->name));
}

static void enter(struct searching *s, const struct plan_group *group)
{
    if (s->cnt == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 16;
        s->way = mem_realloc(s->way, s->cap, sizeof *s->way);
    }
    s->marks[group->serial] = CIRCLE_ON_THE_WAY;
    s->way[s->cnt++] = (struct circle_step){group, 0};
}

static void follow(struct searching *s, const struct plan_host *host)
{
    const struct plan_group *group = group_of(s->plan, host->name);
    if (group && s->marks[group->serial] == CIRCLE_ON_THE_WAY)
        complain(s, host);
    else if (group && s->marks[group->serial] == CIRCLE_NEW)
        enter(s, group);
}

static void search(struct searching *s, const struct plan_group *from)
{
    enter(s, from);
    while (s->cnt) {
        struct circle_step *step = &s->way[s->cnt - 1];
        if (step->next < step->group->host_cnt) {
            follow(s, &step->group->hosts[step->next++]);
        } else {
            s->marks[step->group->serial] = CIRCLE_DONE;
            s->cnt--;
        }
    }
}

static void search_zone(struct searching *s, const struct plan_zone *zone)
{
    for (size_t i = 0; i < zone->groups.bucket_cnt; i++)
        for (const struct map_link *link = zone->groups.buckets[i]; link; link = link->next) {
            const struct plan_group *group = container_of(link, const struct plan_group, link);
            if (group->host_cnt && s->marks[group->serial] == CIRCLE_NEW)
                search(s, group);
        }
}

void plan_check_circles(const struct balance_plan *plan, struct diag *diag)
{
    struct searching s = {.plan = plan, .diag = diag, .marks = mem_zalloc(plan->group_cnt, 1)};
    for (size_t i = 0; i < plan->zones.bucket_cnt; i++)
        for (const struct map_link *link = plan->zones.buckets[i]; link; link = link->next)
            search_zone(&s, container_of(link, const struct plan_zone, link));
    free(s.marks);
    free(s.way);
}
