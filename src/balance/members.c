/* Who is a member, and who checks them. A pool of a thousand members may come or change at any time, so checks are
 * opened and closed in pieces; until they are, its table stays. */
#include <stdlib.h>

#include "balance/hosts.h"
#include "balance/private.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- verdicts and counts */

static void count_verdict(struct balance_family *family, enum health_verdict verdict, uint32_t by)
{
    if (verdict == HEALTH_UP)
        family->up_cnt += by;
    if (verdict == HEALTH_UNKNOWN)
        family->unknown_cnt += by;
}

/* The part that is left of every part. */
static uint32_t withheld_of(const struct balance_side *side)
{
    uint64_t left = POOL_PART_ONE;
    for (unsigned i = 0; i < WITHHELD_CNT; i++)
        left = left * (POOL_PART_ONE - side->withheld[i]) >> POOL_PART_BITS;
    return POOL_PART_ONE - (uint32_t)(left ? left : 1);
}

static void take_side(const struct balance_family *family, struct pool_member *member, struct balance_side *side)
{
    uint32_t weight = side->note ? side->note->weight : 1;
    member->verdict = later_verdict(family, side, member->verdict, checks_verdict(side, &member->unsettled));
    member->forced = side->forced;
    member->weight = side->drained_by_operator || checks_drains(side) ? 0 : weight;
    member->withheld = withheld_of(side);
}

static bool same_member(const struct pool_member *a, const struct pool_member *b)
{
    return a->verdict == b->verdict && a->unsettled == b->unsettled && a->forced == b->forced &&
           a->weight == b->weight && a->withheld == b->withheld;
}

bool members_refresh(struct balance_family *family, uint32_t index)
{
    struct pool_member *member = &family->members[index], fresh = *member;
    struct balance_side *side = &family->sides[index];
    bool waited = side->flap.waits;
    take_side(family, &fresh, side);
    if (same_member(member, &fresh))
        return side->flap.waits && !waited; /* whoever compiles lets him in where there is nobody else */
    later_member_changed(family, side, member, &fresh);
    fresh.withheld = withheld_of(side);
    count_verdict(family, pool_member_verdict(member), UINT32_MAX); /* minus one */
    *member = fresh;
    count_verdict(family, pool_member_verdict(member), 1);
    count_update(family);
    return true;
}

/* ---- building */

/* Members as they were, while new ones take over from them. */
struct former {
    const struct pool_member *members;
    struct balance_side *sides;
    uint32_t cnt, at;
    bool same_group; /* the checks would be the same again */
};

/* The one of this address, in `at`. Asked in canonical order. */
static bool find_former(struct former *former, const struct addr *address)
{
    int cmp = 1;
    while (former->at < former->cnt && (cmp = addr_cmp(&former->members[former->at].address, address)) < 0)
        former->at++;
    return former->at < former->cnt && !cmp;
}

static void take_over(struct balance_family *family, uint32_t index, const struct former *former)
{
    struct pool_member *member = &family->members[index];
    const struct pool_member *was = &former->members[former->at];
    struct balance_side *side = &family->sides[index], *former_side = &former->sides[former->at];
    if (former->same_group && former_side->note == side->note && former_side->foreign == side->foreign) {
        *side = *former_side;
        *former_side = (struct balance_side){0};
        checks_move(side, index);
    } else {
        if (member->probed && was->probed)
            side->before = was->verdict;
        side->flap = former_side->flap;
        side->ramp_ms = former_side->ramp_ms;
        load_take_over(side, former_side, family->group);
    }
    if (member->probed && was->probed)
        member->verdict = was->verdict;
}

static void add_member(struct balance_family *family, struct former *former, const struct balance_source *source)
{
    const struct plan_member *note = source->note;
    uint32_t index = family->cnt++;
    struct pool_member *member = &family->members[index];
    struct balance_side *side = &family->sides[index];
    *member = (struct pool_member){
        .address = source->address,
        .tier = note ? note->tier : 1,
        .site = note ? note->site : 0,
        .probed = plan_probes_of(family->group, note)->cnt > 0,
    };
    side->note = note;
    side->foreign = source->foreign;
    if (find_former(former, &source->address))
        take_over(family, index, former);
    operate_take(family, &source->address, side);
    side->withheld[WITHHELD_HOST] = source->withheld;
    later_follow_ramp(side, family->group);
    take_side(family, member, side);
    count_verdict(family, pool_member_verdict(member), 1);
}

/* What nobody took over is closed later, and says nothing any more. */
static void put_off(struct balance_family *family, struct balance_side **sides, uint32_t cnt)
{
    struct balance_closing *closing = mem_zalloc(1, sizeof *closing), **end = &family->closing;
    for (uint32_t i = 0; i < cnt; i++)
        checks_mute(&(*sides)[i]);
    *closing = (struct balance_closing){.sides = *sides, .cnt = cnt};
    *sides = NULL;
    while (*end)
        end = &(*end)->next;
    *end = closing;
}

static void take_members(struct balance_family *family, struct former *former)
{
    const struct balance_records *records = &family->records;
    struct balance_source *sources;
    uint32_t cnt = sources_list(&sources, family);
    family->members = mem_zalloc(cnt, sizeof *family->members);
    family->sides = mem_zalloc(cnt, sizeof *family->sides);
    for (uint32_t i = 0; i < cnt; i++)
        add_member(family, former, &sources[i]);
    free(sources);
    settings_make(&family->settings, family->group, family->pool->owner, records->cnt ? records->ttl : UINT32_MAX);
}

void members_rebuild(struct balance_family *family)
{
    const struct plan_group *group = family->pool->group;
    struct pool_member *members = family->members;
    struct former former = {members, family->sides, family->cnt, 0, family->group == group};
    family->members = NULL;
    family->sides = NULL;
    family->cnt = family->up_cnt = family->unknown_cnt = family->open_cnt = 0;
    bool has_any = group && (family->records.cnt || group->host_cnt);
    family->group = has_any && !records_refused(family, group) ? group : NULL;
    if (!former.same_group || !family->group)
        compile_detach(family); /* what is being compiled is of another group, or of nobody */
    if (family->group)
        take_members(family, &former);
    if (former.cnt)
        put_off(family, &former.sides, former.cnt);
    free(former.sides);
    free(members);
    if (!family->group)
        settle_wait(family, false); /* there will be no table */
    count_update(family);
    classes_name(family->pool);
}

/* ---- checks, in pieces */

/* Checks that a piece opens or closes, some 0.2 ms; those of a member are not parted. */
enum { PIECE_MOST = 128 };

static void spend(unsigned *left, const struct balance_side *side)
{
    unsigned cnt = side->check_cnt ? side->check_cnt : 1;
    *left -= cnt < *left ? cnt : *left;
}

/* Checks that others had already may find the member to be another than its former checks did: whose verdict was known
 * is told of as ever. */
static void heed_opened(struct balance_family *family, uint32_t index)
{
    char reason[PROBE_REASON_MAX];
    if (family->members[index].verdict == HEALTH_UNKNOWN)
        members_refresh(family, index);
    else
        verdict_refresh(family, index, checks_reason(reason, family->pool->balance, &family->sides[index]));
}

static void open_some(struct balance_family *family, unsigned *left)
{
    char host[NAME_TEXT_MAX] = "";
    for (; *left && family->open_cnt < family->cnt; family->open_cnt++) {
        uint32_t i = family->open_cnt;
        struct balance_side *side = &family->sides[i];
        if (side->open)
            continue;
        if (!*host)
            name_to_text_bare(host, family->pool->owner);
        checks_open(side, family, i, &family->members[i].address, host);
        side->open = true;
        heed_opened(family, i);
        spend(left, side);
    }
}

static void close_some(struct balance_family *family, unsigned *left)
{
    for (struct balance_closing *closing; *left && (closing = family->closing);) {
        while (*left && closing->at < closing->cnt) {
            struct balance_side *side = &closing->sides[closing->at++];
            spend(left, side);
            checks_close(side, family->pool->balance);
        }
        if (closing->at < closing->cnt)
            return;
        family->closing = closing->next;
        free(closing->sides);
        free(closing);
    }
}

static bool is_open(const struct balance_family *family) { return family->open_cnt == family->cnt; }

bool members_work(struct balance_pool *pool)
{
    struct balance_family *families = pool->families;
    unsigned left = PIECE_MOST;
    open_some(&families[0], &left);
    open_some(&families[1], &left);
    /* Only now that new checks are open: a target that both want lives on, and its verdict with it. */
    for (unsigned i = 0; i < 2; i++)
        if (is_open(&families[i]))
            close_some(&families[i], &left);
    return is_open(&families[0]) && is_open(&families[1]) && !families[0].closing && !families[1].closing;
}
