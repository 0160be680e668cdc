/* Who is a member: the addresses of an rrset, and what the group says of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/private.h"
#include "base/buf.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- records */

/* Where the TTL stands in an image's record, behind owner, type and class. */
enum { RR_TTL_AT = 6 };

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
bool members_read(struct balance_family *family, const struct zone_node *node)
{
    static const uint16_t types[2] = {RR_A, RR_AAAA};
    const struct zone_rrset *rrset = zone_node_rrset(node, types[family->index]);
    const uint8_t *image = rrset ? zone_node_image(node, rrset) : NULL;
    struct balance_records next = {rrset ? rrset->rr_cnt : 0, rrset ? be32_get(image + RR_TTL_AT) : 0, NULL};
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

void members_adopt(struct balance_family *family)
{
    if (!family->has_next)
        return;
    free(family->records.addresses);
    family->records = family->next;
    family->next = (struct balance_records){0};
    family->has_next = false;
}

void members_free_records(struct balance_family *family)
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
    return probe;
}

enum { REFUSAL_MAX = 160 };

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

void members_check(const struct balance_pool *pool, const struct plan_group *group, struct diag *diag)
{
    char owner[NAME_TEXT_MAX], why[REFUSAL_MAX];
    if (!group->member_cnt && !may_be_refused(pool))
        return; /* most pools */
    name_to_text_bare(owner, pool->owner);
    for (unsigned i = 0; i < 2; i++) {
        const struct balance_records *records = newest(&pool->families[i]);
        const struct opt_where *where = &group->where;
        check_sleeping(&pool->families[i], group, owner, diag);
        if (!records->cnt)
            continue;
        if (is_refused(pool->owner, records, group, why))
            diag_warning(diag, where->file, where->line, "\"%s\" %s is no pool and answered whole: %s", owner,
                         balance_types[i], why);
        else if (!count_members(records, group))
            diag_warning(diag, where->file, where->line,
                         "pool \"%s\" has no %s member: \"others\" are ignored and no address of it is listed", owner,
                         balance_types[i]);
    }
}

/* ---- verdicts and counts */

static enum health_verdict verdict_of(const struct pool_member *member)
{
    return member->probed ? member->verdict : HEALTH_UP;
}

static void count_verdict(struct balance_family *family, enum health_verdict verdict, uint32_t by)
{
    if (verdict == HEALTH_UP)
        family->up_cnt += by;
    if (verdict == HEALTH_UNKNOWN)
        family->unknown_cnt += by;
}

/* Whatever its counts and verdicts add to those of all. */
static void count_all(struct balance_family *family)
{
    struct balance *balance = family->pool->balance;
    bool waiting = balance->probe && !family->up_cnt && family->unknown_cnt;
    if (waiting != family->waiting)
        balance->waiting_cnt += waiting ? 1 : (size_t)-1;
    family->waiting = waiting;
    count_update(family);
}

bool members_refresh(struct balance_family *family, uint32_t index)
{
    struct pool_member *member = &family->members[index];
    bool unsettled;
    enum health_verdict verdict = checks_verdict(&family->sides[index], &unsettled);
    if (verdict == member->verdict && unsettled == member->unsettled)
        return false;
    count_verdict(family, verdict_of(member), UINT32_MAX); /* minus one */
    member->verdict = verdict;
    member->unsettled = unsettled;
    count_verdict(family, verdict_of(member), 1);
    count_all(family);
    return true;
}

/* ---- building */

/* Members as they were, while new ones take over from them. */
struct former {
    struct pool_member *members;
    struct balance_side *sides;
    uint32_t cnt, at;
    bool same_group;
};

/* The side of this address, when its checks would be the same again. Asked in canonical order. */
static struct balance_side *former_side(struct former *former, const struct addr *address)
{
    int cmp = 1;
    while (former->at < former->cnt && (cmp = addr_cmp(&former->members[former->at].address, address)) < 0)
        former->at++;
    return former->same_group && former->at < former->cnt && !cmp ? &former->sides[former->at] : NULL;
}

static void add_member(struct balance_family *family, struct former *former, const struct addr *address,
                       const struct plan_member *note, const char *host)
{
    const struct plan_group *group = family->pool->group;
    uint32_t index = family->cnt++;
    struct pool_member *member = &family->members[index];
    struct balance_side *side = &family->sides[index], *was = former_side(former, address);
    *member = (struct pool_member){
        .address = *address,
        .weight = note ? note->weight : 1,
        .tier = note ? note->tier : 1,
        .probed = plan_probes_of(group, note)->cnt > 0,
    };
    if (was) {
        *side = *was;
        *was = (struct balance_side){0};
        checks_move(side, index);
    } else {
        side->note = note;
        checks_open(side, family, index, address, host);
    }
    member->verdict = checks_verdict(side, &member->unsettled);
    count_verdict(family, verdict_of(member), 1);
}

/* Only now that new checks are open: a target that both want lives on, and its verdict with it. */
static void close_former(struct former *former, struct balance *balance)
{
    for (uint32_t i = 0; i < former->cnt; i++)
        checks_close(&former->sides[i], balance);
    free(former->members);
    free(former->sides);
}

static struct former take_former(struct balance_family *family)
{
    struct former former = {family->members, family->sides, family->cnt, 0, family->group == family->pool->group};
    family->members = NULL;
    family->sides = NULL;
    family->cnt = family->up_cnt = family->unknown_cnt = 0;
    family->group = NULL;
    return former;
}

void members_drop(struct balance_family *family)
{
    struct former former = take_former(family);
    close_former(&former, family->pool->balance);
    count_all(family);
}

void members_rebuild(struct balance_family *family)
{
    const struct plan_group *group = family->pool->group;
    const struct balance_records *records = &family->records;
    char why[REFUSAL_MAX], host[NAME_TEXT_MAX];
    if (!group || !records->cnt || is_refused(family->pool->owner, records, group, why)) {
        members_drop(family);
        return;
    }
    struct former former = take_former(family);
    family->group = group;
    family->members = mem_zalloc(records->cnt, sizeof *family->members);
    family->sides = mem_zalloc(records->cnt, sizeof *family->sides);
    name_to_text_bare(host, family->pool->owner);
    for (uint32_t i = 0; i < records->cnt; i++) {
        const struct plan_member *note = plan_find_member(group, &records->addresses[i]);
        if (note || !group->ignore_others)
            add_member(family, &former, &records->addresses[i], note, host);
    }
    close_former(&former, family->pool->balance);
    settings_make(&family->settings, group, family->pool->owner, records->ttl);
    count_all(family);
}
