/* One row of `balance`: what its words mean. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance/plan.h"
#include "base/mem.h"
#include "dns/name.h"

struct resolving {
    struct planning *planning;
    const struct balance_group_options *row;
    struct plan_group *group;
};

static void say(const struct resolving *r, enum diag_level level, const struct opt_where *where, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
static void say(const struct resolving *r, enum diag_level level, const struct opt_where *where, const char *fmt, ...)
{
    char zone[NAME_TEXT_MAX], text[512];
    const char *name = r->row->name ? r->row->name : r->row->below;
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    name_to_text_bare(zone, r->planning->apex);
    if (r->planning->has_name)
        diag_add(r->planning->diag, level, where->file, where->line, "zone \"%s\", balance \"%s\": %s", zone,
                 name ? name : "", text);
    else
        diag_add(r->planning->diag, level, where->file, where->line, "balance \"%s\": %s", name ? name : "", text);
}

#define complain(r, ...) say((r), DIAG_ERROR, &(r)->row->where, __VA_ARGS__)
#define warn(r, ...) say((r), DIAG_WARNING, &(r)->row->where, __VA_ARGS__)

static struct opt_where keep_where(const struct resolving *r, const struct opt_where *where)
{
    /* Lines of one file follow each other: mostly one copy of its path is enough for a group. */
    const char *last = r->group ? r->group->where.file : NULL;
    struct opt_where kept = *where;
    if (where->file)
        kept.file = last && !strcmp(last, where->file) ? last : arena_strdup(&r->planning->plan->arena, where->file);
    return kept;
}

static void *keep(const struct resolving *r, const void *items, size_t cnt, size_t size)
{
    return cnt ? arena_dup(&r->planning->plan->arena, items, cnt * size, 8) : NULL;
}

/* ---- name */

static const uint8_t *resolve_name(const struct resolving *r)
{
    const char *text = r->row->name ? r->row->name : r->row->below;
    uint8_t wire[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    unsigned len;
    if (!text && r->row->where.is_broken)
        return NULL;
    if (!r->row->name == !r->row->below) {
        complain(r, "expected either \"name\" or \"below\", got %s", text ? "both" : "neither");
        return NULL;
    }
    enum err e = name_from_text(wire, &len, text, strlen(text), r->planning->apex);
    if (e) {
        complain(r, "no name: %s",
                 e == ERR_RANGE ? "a label may have 63 octets, a name 255" : "expected labels with dots between them");
        return NULL;
    }
    name_to_lower(lower, wire);
    if (!name_within(lower, r->planning->apex)) {
        complain(r, "is outside the zone; a name without a final dot is relative to it");
        return NULL;
    }
    return arena_dup(&r->planning->plan->arena, lower, len, 1);
}

/* ---- probes */

static int cmp_probe(const void *key, const void *item)
{
    return strcmp(key, (*(const struct probe_options *const *)item)->name);
}

static const char *nearest_probe(const struct planning *p, const char *word)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    for (size_t i = 0; i < p->probe_cnt; i++)
        if (opt_is_nearer(p->probes[i]->name, word, &distance))
            best = p->probes[i]->name;
    return best;
}

static const struct probe_options *find_probe(const struct resolving *r, const char *name,
                                              const struct opt_where *where)
{
    const struct planning *p = r->planning;
    const struct probe_options **found =
        p->probe_cnt ? bsearch(name, p->probes, p->probe_cnt, sizeof *p->probes, cmp_probe) : NULL;
    const char *nearest = found ? NULL : nearest_probe(p, name);
    if (!found && p->has_nameless_probe)
        return NULL;
    if (!found && nearest)
        say(r, DIAG_ERROR, where, "there is no probe \"%s\"; did you mean \"%s\"?", name, nearest);
    else if (!found)
        say(r, DIAG_ERROR, where, "there is no probe \"%s\"", name);
    return found ? *found : NULL;
}

static struct plan_probes resolve_probes(const struct resolving *r, const struct opt_list *names,
                                         const struct opt_where *where)
{
    char *const *name = names->items;
    const struct probe_options **rows = mem_zalloc(names->cnt, sizeof *rows);
    size_t cnt = 0;
    for (size_t i = 0; i < names->cnt; i++) {
        const struct probe_options *probe = find_probe(r, name[i], where);
        size_t earlier = 0;
        while (earlier < cnt && rows[earlier] != probe)
            earlier++;
        if (probe && earlier == cnt)
            rows[cnt++] = probe;
    }
    struct plan_probes probes = {keep(r, rows, cnt, sizeof *rows), cnt};
    free(rows);
    if (r->group->name && !r->group->is_below && plan_is_wildcard(r->group->name)) {
        const struct probe_options *hostless = plan_hostless(&probes);
        if (hostless)
            say(r, DIAG_ERROR, where, "probe \"%s\" has no \"host\", and a wildcard is no name to ask a server for",
                hostless->name);
    }
    return probes;
}

/* ---- members */

/* 0: it has none, or none that there is, which is told. */
static uint16_t resolve_site(const struct resolving *r, const struct balance_member_options *row)
{
    const struct answer_sites *sites = r->planning->sites;
    uint16_t number = row->site && sites ? answer_sites_number(sites, row->site) : 0;
    if (!row->site || number || (sites && sites->has_nameless))
        return number;
    const char *nearest = sites ? answer_sites_nearest(sites, row->site) : NULL;
    if (nearest)
        say(r, DIAG_ERROR, &row->where, "there is no site \"%s\"; did you mean \"%s\"?", row->site, nearest);
    else
        say(r, DIAG_ERROR, &row->where, "there is no site \"%s\"", row->site);
    return 0;
}

static int cmp_members(const void *a, const void *b)
{
    const struct plan_member *x = a, *y = b;
    int cmp = addr_cmp(&x->address, &y->address);
    return cmp ? cmp : (x->where.line > y->where.line) - (x->where.line < y->where.line);
}

/* What may be said of an address and of a host alike; `text` names it. */
static struct plan_member resolve_member(const struct resolving *r, const struct balance_member_options *row,
                                         const char *text)
{
    struct plan_member member = {
        .address = row->address,
        .check_address = row->check_address,
        .weight = (uint32_t)row->weight,
        .tier = (uint32_t)row->tier,
        .site = resolve_site(r, row),
        .probes = resolve_probes(r, &row->probe, &row->where),
        .where = keep_where(r, &row->where),
    };
    bool is_broken = row->where.is_broken || r->row->where.is_broken; /* values may be missing */
    member.address.port = member.check_address.port = 0;
    if (row->address.port || row->check_address.port)
        say(r, DIAG_ERROR, &row->where, "member %s: an address without a port, please; the port is the probe's", text);
    if (is_broken)
        return member;
    if (row->check_address.family != ADDR_NONE && !row->probe.cnt && !r->row->probe.cnt)
        say(r, DIAG_WARNING, &row->where, "member %s: \"check_address\" has no effect without a probe", text);
    if (row->weight > 1 && r->group->policy == POOL_ROUND_ROBIN)
        say(r, DIAG_WARNING, &row->where,
            "member %s: to round_robin a weight of %u is as good as 1; \"weighted\" heeds it", text, member.weight);
    return member;
}

/* ---- hosts */

/* Wire form, lower-cased, in `lower`; its length, 0: that is no host, which has been said. Names of hosts are always
 * whole: what they name is mostly in no zone of ours. */
static unsigned resolve_host_name(const struct resolving *r, uint8_t lower[NAME_MAX_LEN],
                                  const struct balance_member_options *row)
{
    uint8_t wire[NAME_MAX_LEN];
    struct addr addr;
    unsigned len;
    if (!addr_from_text(&addr, row->host)) {
        say(r, DIAG_ERROR, &row->where, "member host \"%s\": that is an address; \"address\" is the key for it",
            row->host);
        return 0;
    }
    if (row->host[strspn(row->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")] ||
        name_from_text(wire, &len, row->host, strlen(row->host), NULL)) {
        say(r, DIAG_ERROR, &row->where, "member host \"%s\": no host name: expected labels of letters, digits, \"-\" "
            "and \"_\" with dots between them", row->host);
        return 0;
    }
    if (name_depth(wire) < 2) {
        say(r, DIAG_ERROR, &row->where, "member host \"%s\": expected a whole name, such as \"app.example.net\", for "
            "hosts are not relative to the zone", row->host);
        return 0;
    }
    return name_to_lower(lower, wire);
}

static bool resolve_host(const struct resolving *r, struct plan_host *host, const struct balance_member_options *row)
{
    uint8_t lower[NAME_MAX_LEN];
    char *text = mem_printf("host \"%s\"", row->host);
    unsigned len = resolve_host_name(r, lower, row);
    if (row->check_address.family != ADDR_NONE)
        say(r, DIAG_ERROR, &row->where, "member %s: \"check_address\" is for one address, and a host may have many",
            text);
    host->member = resolve_member(r, row, text);
    host->member.check_address = (struct addr){0};
    host->name = len ? arena_dup(&r->planning->plan->arena, lower, len, 1) : NULL;
    free(text);
    return len;
}

static void resolve_hosts(const struct resolving *r)
{
    const struct balance_member_options *rows = r->row->members.items;
    struct plan_host *hosts = mem_zalloc(r->row->members.cnt, sizeof *hosts);
    size_t cnt = 0;
    for (size_t i = 0; i < r->row->members.cnt; i++) {
        if (!rows[i].host || rows[i].address.family != ADDR_NONE || !resolve_host(r, &hosts[cnt], &rows[i]))
            continue;
        if (cnt == POOL_MEMBERS_MAX) {
            complain(r, "more than %d hosts", POOL_MEMBERS_MAX);
            break;
        }
        size_t first = 0;
        while (!name_equal(hosts[first].name, hosts[cnt].name))
            first++;
        if (first < cnt)
            say(r, DIAG_ERROR, &rows[i].where, "member host \"%s\" stands twice, first at %s:%u", rows[i].host,
                hosts[first].member.where.file ? hosts[first].member.where.file : "", hosts[first].member.where.line);
        else
            cnt++;
    }
    r->group->hosts = keep(r, hosts, cnt, sizeof *hosts);
    r->group->host_cnt = cnt;
    free(hosts);
}

/* ---- addresses */

/* Whether the row is for an address, and nothing else. */
static bool is_address_row(const struct resolving *r, const struct balance_member_options *row)
{
    bool has_address = row->address.family != ADDR_NONE;
    if (has_address == (row->host != NULL) && !row->where.is_broken)
        say(r, DIAG_ERROR, &row->where, "a member has either \"address\" or \"host\", this one has %s",
            has_address ? "both" : "neither");
    return has_address && !row->host;
}

static void check_members(const struct resolving *r, const struct plan_member *members, size_t cnt)
{
    size_t of_family[2] = {0, 0};
    for (size_t i = 0; i < cnt; i++) {
        char text[ADDR_TEXT_MAX];
        of_family[members[i].address.family == ADDR_V6]++;
        if (i && addr_same_host(&members[i - 1].address, &members[i].address))
            say(r, DIAG_ERROR, &members[i].where, "member %s stands twice, first at %s:%u",
                addr_to_text(text, &members[i].address), members[i - 1].where.file ? members[i - 1].where.file : "",
                members[i - 1].where.line);
    }
    if (of_family[0] > POOL_MEMBERS_MAX || of_family[1] > POOL_MEMBERS_MAX)
        complain(r, "more than %d members of a family", POOL_MEMBERS_MAX);
    if (!r->row->members.cnt && r->group->ignore_others)
        complain(r, "with \"others\" ignored and no \"members\" nobody is left");
}

static void resolve_members(const struct resolving *r)
{
    const struct balance_member_options *rows = r->row->members.items;
    size_t cnt = 0;
    struct plan_member *members = mem_zalloc(r->row->members.cnt, sizeof *members);
    for (size_t i = 0; i < r->row->members.cnt; i++) {
        char text[ADDR_TEXT_MAX];
        if (is_address_row(r, &rows[i])) /* what was refused is left out */
            members[cnt++] = resolve_member(r, &rows[i], addr_to_text(text, &rows[i].address));
    }
    qsort(members, cnt, sizeof *members, cmp_members);
    check_members(r, members, cnt);
    r->group->members = keep(r, members, cnt, sizeof *members);
    r->group->member_cnt = cnt;
    free(members);
}

/* ---- all_down */

static bool all_down_word(enum pool_all_down *all_down, const char *text)
{
    static const char *const words[] = {
        [POOL_SERVE_ALL] = "serve_all", [POOL_SERVE_NONE] = "serve_none", [POOL_SERVFAIL] = "servfail"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i])) {
            *all_down = (enum pool_all_down)i;
            return true;
        }
    return false;
}

static int cmp_addrs(const void *a, const void *b) { return addr_cmp(a, b); }

/* More than an answer may hold would never be given. */
static void check_fallback(const struct resolving *r, const struct addr *addrs, size_t cnt)
{
    size_t of_family[2] = {0, 0};
    for (size_t i = 0; i < cnt; i++) {
        char text[ADDR_TEXT_MAX];
        of_family[addrs[i].family == ADDR_V6]++;
        if (i && addr_same_host(&addrs[i - 1], &addrs[i]))
            complain(r, "\"all_down\" names %s twice", addr_to_text(text, &addrs[i]));
    }
    if (of_family[0] > POOL_ANSWERS_MAX || of_family[1] > POOL_ANSWERS_MAX)
        complain(r, "\"all_down\": at most %d addresses of a family", POOL_ANSWERS_MAX);
}

static void resolve_all_down(const struct resolving *r)
{
    char *const *texts = r->row->all_down.items;
    size_t cnt = r->row->all_down.cnt;
    r->group->all_down = POOL_SERVE_ALL;
    if (cnt == 1 && all_down_word(&r->group->all_down, texts[0]))
        return;
    struct addr *addrs = mem_zalloc(cnt, sizeof *addrs);
    size_t good = 0;
    for (size_t i = 0; i < cnt; i++)
        if (!addr_from_text(&addrs[good], texts[i]))
            good++;
        else
            complain(r, "\"all_down\": expected \"serve_all\", \"serve_none\", \"servfail\" or addresses, got \"%s\"",
                     texts[i]);
    if (!cnt && !r->row->where.is_broken)
        complain(r, "\"all_down\": an empty list; \"serve_none\" answers without addresses");
    qsort(addrs, good, sizeof *addrs, cmp_addrs);
    check_fallback(r, addrs, good);
    r->group->all_down = POOL_FALLBACK;
    r->group->fallback = keep(r, addrs, good, sizeof *addrs);
    r->group->fallback_cnt = good;
    free(addrs);
}

/* ---- the rest */

static uint32_t whole_seconds(const struct resolving *r, const char *key, uint64_t ms)
{
    if (ms % 1000)
        complain(r, "\"%s\": a TTL is counted in whole seconds, got %llums", key, (unsigned long long)ms);
    return (uint32_t)(ms / 1000);
}

/* What the policy cannot do is refused where something would not happen that was asked for, and warned of where it only
 * would not happen gently. */
static void resolve_failover(const struct resolving *r)
{
    const struct balance_group_options *row = r->row;
    struct plan_group *group = r->group;
    bool has_shares = group->policy != POOL_ROUND_ROBIN && group->policy != POOL_HASH;
    group->is_together = row->families;
    group->failback_ms = row->failback_ms;
    group->slow_start_ms = row->slow_start_ms;
    group->flap_hold_ms = row->flap_hold_ms;
    group->trickle = (uint32_t)(row->trickle * POOL_TRICKLE_ONE + 0.5);
    if (r->row->where.is_broken)
        return;
    if (row->trickle > 0 && !has_shares)
        complain(r, "\"trickle\": %s; \"weighted\" and \"random\" can give a share of the answers away",
                 group->policy == POOL_HASH ? "hash would send the same clients to the next tier each time"
                                            : "round_robin gives every member the same share");
    if (row->trickle > 0 && !group->trickle)
        complain(r, "\"trickle\": less than a millionth is nothing");
    if (row->slow_start_ms && group->policy == POOL_ROUND_ROBIN)
        warn(r, "\"slow_start\" has no effect on round_robin, which heeds no weights; \"weighted\" does");
}

static void resolve_values(const struct resolving *r)
{
    const struct balance_group_options *row = r->row;
    struct plan_group *group = r->group;
    group->policy = (enum pool_policy)row->policy;
    group->ignore_others = row->others;
    group->answers = (uint16_t)row->answers;
    if (!row->answers)
        group->answers = group->policy == POOL_ROUND_ROBIN ? POOL_ANSWERS_MAX : 1;
    group->min_up = (uint64_t)(row->min_up * POOL_MIN_UP_ONE + 0.5); /* a double keeps 15 digits: what was written */
    group->hash_prefix4 = (uint8_t)row->hash_prefix4;
    group->hash_prefix6 = (uint8_t)row->hash_prefix6;
    group->ttl_sec = whole_seconds(r, "ttl", row->ttl_ms);
    group->ttl_min_sec = whole_seconds(r, "ttl_min", row->ttl_min_ms);
    group->host_hold_ms = row->host_hold_ms;
    resolve_failover(r);
}

static void check_load_of(const struct resolving *r, const struct plan_member *member, const char *text)
{
    const char *problem = member->probes.cnt ? plan_load_problem(r->group->policy, &member->probes) : NULL;
    if (problem)
        say(r, DIAG_WARNING, &member->where, "member %s keeps its weight: policy %s", text, problem);
}

/* Who has probes of its own that report nothing keeps its weight; who has the group's, as addresses may that `members`
 * does not name, would be why the policy is there. Names of probes that were refused may be any. */
static void check_load(const struct resolving *r)
{
    const struct plan_group *group = r->group;
    const char *problem = plan_load_problem(group->policy, &group->probes);
    bool all_own = group->ignore_others, are_known = group->probes.cnt || !r->row->probe.cnt;
    for (size_t i = 0; i < group->member_cnt; i++) {
        char text[ADDR_TEXT_MAX];
        all_own &= group->members[i].probes.cnt > 0;
        check_load_of(r, &group->members[i], addr_to_text(text, &group->members[i].address));
    }
    for (size_t i = 0; i < group->host_cnt; i++) {
        char text[NAME_TEXT_MAX];
        all_own &= group->hosts[i].member.probes.cnt > 0;
        check_load_of(r, &group->hosts[i].member, name_to_text_bare(text, group->hosts[i].name));
    }
    if (problem && !all_own && are_known && !r->row->where.is_broken)
        complain(r, "policy %s", problem);
}

static void check_failover(const struct resolving *r)
{
    const char *doubts[PLAN_DOUBTS_MAX];
    size_t cnt = r->row->where.is_broken ? 0 : plan_failover_doubts(doubts, r->group);
    for (size_t i = 0; i < cnt; i++)
        warn(r, "%s", doubts[i]);
}

struct plan_group *plan_group_make(struct planning *planning, const struct balance_group_options *row)
{
    struct resolving r = {.planning = planning, .row = row};
    const uint8_t *name = resolve_name(&r);
    struct plan_group *group = arena_alloc(&planning->plan->arena, sizeof *group, _Alignof(struct plan_group));
    *group = (struct plan_group){.name = name, .is_below = !row->name, .where = keep_where(&r, &row->where)};
    r.group = group;
    resolve_values(&r);
    group->probes = resolve_probes(&r, &row->probe, &row->where);
    resolve_all_down(&r);
    resolve_members(&r);
    resolve_hosts(&r);
    check_load(&r);
    check_failover(&r);
    return group;
}
