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

static bool same_records(const struct balance_family *family, const uint8_t *image, uint32_t cnt, uint32_t ttl)
{
    if (cnt != family->record_cnt || ttl != family->record_ttl)
        return false;
    for (uint32_t i = 0; i < cnt; i++) {
        struct addr addr = record_at(family, image, i);
        if (!addr_same_host(&addr, &family->records[i]))
            return false;
    }
    return true;
}

/* Images hold addresses in canonical order, each once. */
bool members_read(struct balance_family *family, const struct zone_node *node)
{
    static const uint16_t types[2] = {RR_A, RR_AAAA};
    const struct zone_rrset *rrset = zone_node_rrset(node, types[family->index]);
    const uint8_t *image = rrset ? zone_node_image(node, rrset) : NULL;
    uint32_t cnt = rrset ? rrset->rr_cnt : 0, ttl = rrset ? be32_get(image + RR_TTL_AT) : 0;
    if (same_records(family, image, cnt, ttl))
        return false;
    free(family->records);
    family->records = cnt ? mem_zalloc(cnt, sizeof *family->records) : NULL;
    for (uint32_t i = 0; i < cnt; i++)
        family->records[i] = record_at(family, image, i);
    family->record_cnt = cnt;
    family->record_ttl = ttl;
    return true;
}

static int cmp_addrs(const void *a, const void *b) { return addr_cmp(a, b); }

static bool has_record(const struct balance_family *family, const struct addr *address)
{
    return family->record_cnt &&
           bsearch(address, family->records, family->record_cnt, sizeof *family->records, cmp_addrs);
}

/* ---- what a person must know */

static size_t count_members(const struct balance_family *family, const struct plan_group *group)
{
    size_t cnt = 0;
    for (uint32_t i = 0; i < family->record_cnt; i++)
        cnt += !group->ignore_others || plan_find_member(group, &family->records[i]);
    return cnt;
}

/* Only where a group for many names meets a wildcard: one for the wildcard alone is refused with the plan. */
static const struct probe_options *hostless(const struct balance_family *family, const struct plan_group *group)
{
    const struct probe_options *probe = NULL;
    if (!plan_is_wildcard(family->pool->owner))
        return NULL;
    for (uint32_t i = 0; i < family->record_cnt && !probe; i++) {
        const struct plan_member *note = plan_find_member(group, &family->records[i]);
        if (note || !group->ignore_others)
            probe = plan_hostless(plan_probes_of(group, note));
    }
    return probe;
}

enum { REFUSAL_MAX = 160 };

/* Why the rrset can't be a pool; false: it can. */
static bool is_refused(const struct balance_family *family, const struct plan_group *group, char why[REFUSAL_MAX])
{
    const struct probe_options *probe = hostless(family, group);
    size_t cnt = count_members(family, group);
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
        if (member->address.family == balance_families[family->index] && !has_record(family, &member->address))
            diag_warning(diag, member->where.file, member->where.line,
                         "pool \"%s\": member %s sleeps, as the zone has no such %s record", owner,
                         addr_to_text(text, &member->address), balance_types[family->index]);
    }
}

void members_check(const struct balance_pool *pool, const struct plan_group *group, struct diag *diag)
{
    char owner[NAME_TEXT_MAX], why[REFUSAL_MAX];
    const struct balance_family *families = pool->families;
    if (!group->member_cnt && !plan_is_wildcard(pool->owner) && families[0].record_cnt <= POOL_MEMBERS_MAX &&
        families[1].record_cnt <= POOL_MEMBERS_MAX)
        return; /* most pools */
    name_to_text_bare(owner, pool->owner);
    for (unsigned i = 0; i < 2; i++) {
        const struct balance_family *family = &families[i];
        const struct opt_where *where = &group->where;
        check_sleeping(family, group, owner, diag);
        if (!family->record_cnt)
            continue;
        if (is_refused(family, group, why))
            diag_warning(diag, where->file, where->line, "\"%s\" %s is no pool and answered whole: %s", owner,
                         balance_types[i], why);
        else if (!count_members(family, group))
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

static void count_waiting(struct balance_family *family)
{
    struct balance *balance = family->pool->balance;
    bool waiting = balance->probe && !family->up_cnt && family->unknown_cnt;
    if (waiting != family->waiting)
        balance->waiting_cnt += waiting ? 1 : (size_t)-1;
    family->waiting = waiting;
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
    count_waiting(family);
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
    count_waiting(family);
}

void members_rebuild(struct balance_family *family)
{
    const struct plan_group *group = family->pool->group;
    char why[REFUSAL_MAX], host[NAME_TEXT_MAX];
    family->refused = group && family->record_cnt && is_refused(family, group, why);
    if (!group || !family->record_cnt || family->refused) {
        members_drop(family);
        return;
    }
    struct former former = take_former(family);
    family->group = group;
    family->members = mem_zalloc(family->record_cnt, sizeof *family->members);
    family->sides = mem_zalloc(family->record_cnt, sizeof *family->sides);
    name_to_text_bare(host, family->pool->owner);
    for (uint32_t i = 0; i < family->record_cnt; i++) {
        const struct plan_member *note = plan_find_member(group, &family->records[i]);
        if (note || !group->ignore_others)
            add_member(family, &former, &family->records[i], note, host);
    }
    close_former(&former, family->pool->balance);
    settings_make(&family->settings, group, family->pool->owner, family->record_ttl);
    count_waiting(family);
}
