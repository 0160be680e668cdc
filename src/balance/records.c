/* The addresses of rrsets, of the version that is served and of the next, and whether they can be a pool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/buf.h"
#include "base/mem.h"
#include "dns/name.h"

enum { REFUSAL_MAX = 160 };

/* ---- records */

static struct addr record_at(const struct balance_family *family, const uint8_t *image, uint32_t index)
{
    struct addr addr = {.family = (uint8_t)balance_families[family->index]};
    size_t rr_len = family->index ? IMAGE_RR_AAAA_LEN : IMAGE_RR_A_LEN;
    memcpy(addr.bytes, image + index * rr_len + IMAGE_RR_FIXED_LEN, addr_len(&addr));
    return addr;
}

static bool same_records(const struct balance_family *family, const struct balance_records *records,
                         const uint8_t *image, uint32_t cnt, uint32_t ttl)
{
    if (cnt != records->cnt || ttl != records->ttl)
        return false;
    for (uint32_t i = 0; i < cnt; i++) {
        struct addr addr = record_at(family, image, i);
        if (!addr_same_host(&addr, &records->addresses[i]))
            return false;
    }
    return true;
}

static const struct balance_records *newest(const struct balance_family *family)
{
    return family->has_next ? &family->next : &family->records;
}

/* Images hold addresses in canonical order, each once. */
bool records_read(struct balance_family *family, const struct zone_node *node)
{
    static const uint16_t types[2] = {RR_A, RR_AAAA};
    const struct zone_rrset *rrset = zone_node_rrset(node, types[family->index]);
    const uint8_t *image = rrset ? zone_node_image(node, rrset) : NULL;
    struct balance_records next = {rrset ? rrset->rr_cnt : 0, rrset ? image_rr_ttl(image) : 0, NULL};
    if (same_records(family, newest(family), image, next.cnt, next.ttl))
        return false;
    if (next.cnt)
        next.addresses = mem_zalloc(next.cnt, sizeof *next.addresses);
    for (uint32_t i = 0; i < next.cnt; i++)
        next.addresses[i] = record_at(family, image, i);
    if (family->has_next)
        free(family->next.addresses);
    family->next = next;
    family->has_next = true;
    return true;
}

void records_adopt(struct balance_family *family)
{
    if (!family->has_next)
        return;
    free(family->records.addresses);
    family->records = family->next;
    family->next = (struct balance_records){0};
    family->has_next = false;
}

void records_free(struct balance_family *family)
{
    free(family->records.addresses);
    free(family->next.addresses);
}

static int cmp_addrs(const void *a, const void *b) { return addr_cmp(a, b); }

static bool has_record(const struct balance_records *records, const struct addr *address)
{
    return records->cnt && bsearch(address, records->addresses, records->cnt, sizeof *records->addresses, cmp_addrs);
}

/* ---- what a person must know */

static size_t count_members(const struct balance_records *records, const struct plan_group *group)
{
    size_t cnt = 0;
    for (uint32_t i = 0; i < records->cnt; i++)
        cnt += !group->ignore_others || plan_find_member(group, &records->addresses[i]);
    return cnt;
}

/* Only where a group for many names meets a wildcard: one for the wildcard alone is refused with the plan. */
static const struct probe_options *hostless(const uint8_t *owner, const struct balance_records *records,
                                            const struct plan_group *group)
{
    const struct probe_options *probe = NULL;
    if (!plan_is_wildcard(owner))
        return NULL;
    for (uint32_t i = 0; i < records->cnt && !probe; i++) {
        const struct plan_member *note = plan_find_member(group, &records->addresses[i]);
        if (note || !group->ignore_others)
            probe = plan_hostless(plan_probes_of(group, note));
    }
    for (size_t i = 0; i < group->host_cnt && !probe; i++)
        probe = plan_hostless(plan_probes_of(group, &group->hosts[i].member));
    return probe;
}

/* Why the rrset can't be a pool; false: it can. */
static bool is_refused(const uint8_t *owner, const struct balance_records *records, const struct plan_group *group,
                       char why[REFUSAL_MAX])
{
    const struct probe_options *probe = hostless(owner, records, group);
    size_t cnt = count_members(records, group);
    if (probe)
        snprintf(why, REFUSAL_MAX, "probe \"%s\" has no \"host\", and a wildcard is no name to ask a server for",
                 probe->name);
    else if (cnt > POOL_MEMBERS_MAX)
        snprintf(why, REFUSAL_MAX, "%zu addresses are more than the %d that a pool may have", cnt, POOL_MEMBERS_MAX);
    return probe || cnt > POOL_MEMBERS_MAX;
}

/* A group for many names may list more than any of them has. */
static void check_sleeping(const struct balance_family *family, const struct plan_group *group, const char *owner,
                           struct diag *diag)
{
    for (size_t i = 0; i < group->member_cnt && !group->is_below; i++) {
        const struct plan_member *member = &group->members[i];
        char text[ADDR_TEXT_MAX];
        if (member->address.family == balance_families[family->index] && !has_record(newest(family), &member->address))
            diag_warning(diag, member->where.file, member->where.line,
                         "pool \"%s\": member %s sleeps, as the zone has no such %s record", owner,
                         addr_to_text(text, &member->address), balance_types[family->index]);
    }
}

static bool may_be_refused(const struct balance_pool *pool)
{
    return plan_is_wildcard(pool->owner) || newest(&pool->families[0])->cnt > POOL_MEMBERS_MAX ||
           newest(&pool->families[1])->cnt > POOL_MEMBERS_MAX;
}

/* Of those that are members at all. */
static bool all_drained(const struct balance_records *records, const struct plan_group *group)
{
    bool any = false;
    for (uint32_t i = 0; i < records->cnt; i++) {
        const struct plan_member *note = plan_find_member(group, &records->addresses[i]);
        if (!note && group->ignore_others)
            continue;
        if (!note || note->weight)
            return false;
        any = true;
    }
    for (size_t i = 0; i < group->host_cnt; i++) {
        if (group->hosts[i].member.weight)
            return false;
        any = true;
    }
    return any;
}

/* Who is a member, checked, and may not be. */
static void check_barred(const struct balance_pool *pool, const struct balance_records *records,
                         const struct plan_group *group, const char *owner, struct diag *diag)
{
    for (uint32_t i = 0; i < records->cnt; i++) {
        const struct plan_member *note = plan_find_member(group, &records->addresses[i]);
        const struct opt_where *where = note ? &note->where : &group->where;
        char text[ADDR_TEXT_MAX];
        if ((!note && group->ignore_others) || !plan_probes_of(group, note)->cnt ||
            checks_permission(pool->balance->plan, note, &records->addresses[i], false) == PROBE_MAY)
            continue;
        diag_warning(diag, where->file, where->line,
                     "pool \"%s\": %s may not be checked, by \"probe_deny\", and so counts as down", owner,
                     addr_to_text(text, &records->addresses[i]));
    }
}

void records_check(const struct balance_pool *pool, const struct plan_group *group, struct diag *diag)
{
    char owner[NAME_TEXT_MAX], why[REFUSAL_MAX];
    bool bars = pool->balance->plan->bars;
    if (!group->member_cnt && !group->host_cnt && !may_be_refused(pool) && !bars)
        return; /* most pools */
    name_to_text_bare(owner, pool->owner);
    for (unsigned i = 0; i < 2; i++) {
        const struct balance_records *records = newest(&pool->families[i]);
        const struct opt_where *where = &group->where;
        check_sleeping(&pool->families[i], group, owner, diag);
        if (!records->cnt)
            continue;
        if (bars)
            check_barred(pool, records, group, owner, diag);
        if (is_refused(pool->owner, records, group, why))
            diag_warning(diag, where->file, where->line, "\"%s\" %s is no pool and answered whole: %s", owner,
                         balance_types[i], why);
        else if (!count_members(records, group) && !group->host_cnt)
            diag_warning(diag, where->file, where->line,
                         "pool \"%s\" has no %s member: \"others\" are ignored and no address of it is listed", owner,
                         balance_types[i]);
        else if (all_drained(records, group))
            diag_warning(diag, where->file, where->line,
                         "pool \"%s\": every %s member has weight 0, so drains are ignored and all are answered", owner,
                         balance_types[i]);
    }
}

bool records_refused(const struct balance_family *family, const struct plan_group *group)
{
    char why[REFUSAL_MAX];
    return is_refused(family->pool->owner, &family->records, group, why);
}
