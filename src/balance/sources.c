/* Who is to be a member: the rrset's addresses, and those of hosts. Who comes in several ways is one member: what
 * `members` says of the address goes first, then the rrset, then hosts in the order of the file. */
#include <stdlib.h>
#include <string.h>

#include "balance/hosts.h"
#include "base/mem.h"

/* An address on its way; of equal ones the first by `from` stays. */
struct candidate {
    struct addr address;
    const struct plan_member *note;
    uint32_t from; /* 0: the rrset; 1 + number of the host among the pool's */
};

static int cmp_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int cmp = addr_cmp(&x->address, &y->address);
    return cmp ? cmp : (x->from > y->from) - (x->from < y->from);
}

static uint32_t list_records(struct candidate *candidates, const struct balance_family *family)
{
    const struct balance_records *records = &family->records;
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < records->cnt; i++) {
        const struct plan_member *note = plan_find_member(family->group, &records->addresses[i]);
        if (note || !family->group->ignore_others)
            candidates[cnt++] = (struct candidate){records->addresses[i], note, 0};
    }
    return cnt;
}

static uint32_t list_hosts(struct candidate *candidates, const struct balance_family *family)
{
    const struct balance_pool *pool = family->pool;
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < pool->host_cnt; i++) {
        const struct resolution *resolution = &pool->hosts[i].host->families[family->index].resolution;
        for (size_t k = 0; k < resolution->cnt; k++) {
            const struct addr *address = &resolution->addresses[k];
            const struct plan_member *note = plan_find_member(family->group, address);
            candidates[cnt++] = (struct candidate){*address, note ? note : &family->group->hosts[i].member, i + 1};
        }
    }
    return cnt;
}

static uint32_t drop_doubles(struct candidate *candidates, uint32_t cnt)
{
    uint32_t kept = 0;
    if (cnt)
        qsort(candidates, cnt, sizeof *candidates, cmp_candidates);
    for (uint32_t i = 0; i < cnt; i++)
        if (!kept || !addr_same_host(&candidates[kept - 1].address, &candidates[i].address))
            candidates[kept++] = candidates[i];
    return kept;
}

/* Counts by where they are from; `given` is how many of each may stay, when all together are too many: those of the
 * hosts that come first. The rrset alone is never too many, it would have been refused. */
static void share_out(uint32_t *given, uint32_t from_cnt, const struct candidate *candidates, uint32_t cnt)
{
    uint32_t room = POOL_MEMBERS_MAX;
    memset(given, 0, from_cnt * sizeof *given);
    for (uint32_t i = 0; i < cnt; i++)
        given[candidates[i].from]++;
    for (uint32_t from = 0; from < from_cnt; from++) {
        given[from] = given[from] < room ? given[from] : room;
        room -= given[from];
    }
}

static uint32_t cut(struct candidate *candidates, uint32_t cnt, const uint32_t *given, uint32_t from_cnt)
{
    uint32_t kept = 0, *left = mem_dup(given, from_cnt * sizeof *given);
    for (uint32_t i = 0; i < cnt; i++) {
        if (!left[candidates[i].from])
            continue;
        left[candidates[i].from]--;
        candidates[kept++] = candidates[i];
    }
    free(left);
    return kept;
}

/* Those that are members by a host share its weight; whom `members` or the rrset names has one of its own. */
static bool shares(const struct balance_family *family, const struct candidate *c)
{
    return c->from && c->note == &family->group->hosts[c->from - 1].member;
}

static void count_shares(uint32_t *sharing, uint32_t from_cnt, const struct balance_family *family,
                         const struct candidate *candidates, uint32_t cnt)
{
    memset(sharing, 0, from_cnt * sizeof *sharing);
    for (uint32_t i = 0; i < cnt; i++)
        sharing[candidates[i].from] += shares(family, &candidates[i]);
}

static bool is_foreign(const struct balance_family *family, const struct candidate *c)
{
    const struct balance_pool *pool = family->pool;
    return hosts_is_foreign(pool->balance->hosts, pool->hosts[c->from - 1].host);
}

static struct balance_source *make(const struct balance_family *family, const struct candidate *candidates,
                                   uint32_t cnt, const uint32_t *sharing)
{
    struct balance_source *sources = mem_zalloc(cnt, sizeof *sources);
    for (uint32_t i = 0; i < cnt; i++) {
        const struct candidate *c = &candidates[i];
        uint32_t n = shares(family, c) ? sharing[c->from] : 1;
        bool foreign = shares(family, c) ? is_foreign(family, c) : family->pool->zone->foreign && !c->note;
        sources[i] = (struct balance_source){c->address, c->note, (uint32_t)((uint64_t)POOL_PART_ONE * (n - 1) / n),
                                             foreign};
    }
    return sources;
}

static size_t most(const struct balance_family *family)
{
    return family->records.cnt + (size_t)family->pool->host_cnt * RESOLUTION_ADDRESSES_MAX;
}

uint32_t sources_list(struct balance_source **sources, const struct balance_family *family)
{
    uint32_t from_cnt = family->pool->host_cnt + 1;
    struct candidate *candidates = mem_zalloc(most(family), sizeof *candidates);
    uint32_t *counts = mem_zalloc(from_cnt, sizeof *counts);
    uint32_t cnt = list_records(candidates, family);
    cnt += list_hosts(candidates + cnt, family);
    uint32_t all_cnt = cnt = drop_doubles(candidates, cnt);
    if (cnt > POOL_MEMBERS_MAX) {
        share_out(counts, from_cnt, candidates, cnt);
        cnt = cut(candidates, cnt, counts, from_cnt);
        hosts_tell_cut(family, all_cnt - cnt);
    }
    count_shares(counts, from_cnt, family, candidates, cnt);
    *sources = make(family, candidates, cnt, counts);
    free(counts);
    free(candidates);
    return cnt;
}
