/* Where a host's addresses are asked for: in our own zones first, following aliases there, through resolvers where
 * these lead out. What a name of ours has are its records, and, where it is a pool that has hosts itself, their
 * addresses: never what health leaves of them, for whoever uses them checks on its own. */
#include <stdlib.h>
#include <string.h>

#include "balance/hosts.h"
#include "base/buf.h"
#include "base/mem.h"
#include "dns/name.h"

/* ---- our own names */

struct own_addresses {
    struct addr *items;
    size_t cnt, cap;
};

static void add_address(struct own_addresses *list, const struct addr *address)
{
    if (list->cnt == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->items = mem_realloc(list->items, list->cap, sizeof *list->items);
    }
    list->items[list->cnt++] = *address;
}

/* Of a pool's addresses those that it gives by its settings. */
static bool counts(const struct balance_pool *pool, const struct addr *address)
{
    const struct plan_group *group = pool ? pool->group : NULL;
    return !group || !group->ignore_others || plan_find_member(group, address);
}

static void add_records(struct own_addresses *list, const struct zone_node *node, const struct balance_pool *pool,
                        unsigned family)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, family ? RR_AAAA : RR_A);
    unsigned rr_len = family ? IMAGE_RR_AAAA_LEN : IMAGE_RR_A_LEN;
    for (unsigned i = 0; rrset && i < rrset->rr_cnt; i++) {
        struct addr address = {.family = (uint8_t)balance_families[family]};
        memcpy(address.bytes, zone_node_image(node, rrset) + i * rr_len + IMAGE_RR_FIXED_LEN, addr_len(&address));
        if (counts(pool, &address))
            add_address(list, &address);
    }
}

static const struct balance_pool *pool_at(const struct balance *balance, uint32_t handle)
{
    return handle < balance->by_handle_cap ? balance->by_handle[handle] : NULL;
}

bool hosts_is_foreign(const struct balance_hosts *hosts, const struct balance_host *host)
{
    const struct balance_pool *pool = host->is_own ? pool_at(hosts->balance, host->pool) : NULL;
    return !host->is_own || host->is_foreign || (pool && pool->host_cnt);
}

/* Whether `from` leads, through pools of ours, to `to`. Who is asked more than `left` times takes it for granted: ways
 * through hundreds of pools are nobody's intention. */
static bool leads_to(const struct balance *balance, const struct balance_host *from, const struct balance_host *to,
                     unsigned *left)
{
    if (from == to || !*left)
        return true;
    --*left;
    const struct balance_pool *pool = pool_at(balance, from->pool);
    for (uint32_t i = 0; pool && i < pool->host_cnt; i++)
        if (leads_to(balance, pool->hosts[i].host, to, left))
            return true;
    return false;
}

/* Loud, once: the operator meant something else. */
static void tell_circle(struct balance_host *host, const struct balance_pool *pool, bool is_circle)
{
    char name[NAME_TEXT_MAX], owner[NAME_TEXT_MAX];
    if (is_circle && !host->is_circle)
        log_error("host \"%s\" leads to pool \"%s\", whose hosts lead back to it: that way is ignored",
                  name_to_text_bare(name, host->name), name_to_text_bare(owner, pool->owner));
    host->is_circle = is_circle;
}

static void add_hosts(struct own_addresses *list, const struct balance_hosts *hosts, struct balance_host *host,
                      const struct balance_pool *pool, unsigned family)
{
    enum { STEPS_MOST = 256 };
    bool is_circle = false;
    for (uint32_t i = 0; pool && i < pool->host_cnt; i++) {
        const struct balance_host *other = pool->hosts[i].host;
        const struct resolution *resolution = &other->families[family].resolution;
        unsigned left = STEPS_MOST;
        bool leads_back = leads_to(hosts->balance, other, host, &left);
        is_circle |= leads_back;
        for (size_t k = 0; !leads_back && k < resolution->cnt; k++)
            add_address(list, &resolution->addresses[k]);
    }
    tell_circle(host, pool, is_circle);
}

/* What the zone says is not what somebody else may have got wrong: it counts at once. */
static void answer_node(struct balance_hosts *hosts, struct balance_host *host, unsigned family,
                        const struct zone_served *served)
{
    struct own_addresses list = {0};
    const struct balance_zone *zone = balance_find_zone(hosts->balance, served->zone->name);
    const struct balance_pool *pool =
        zone ? balance_find_pool(hosts->balance, zone, zone_node_name(served->node)) : NULL;
    uint32_t handle = pool ? pool->handle : 0;
    if (host->pool != handle) {
        hosts_stir(hosts); /* ways of others may be circles now */
        hosts_queue_news(hosts, host);
    }
    host->pool = handle;
    add_records(&list, served->node, pool, family);
    add_hosts(&list, hosts, host, pool, family);
    struct resolution_answer answer = {.ttl_sec = UINT32_MAX, .addresses = list.items, .cnt = list.cnt};
    resolution_sift(&answer);
    hosts_take(hosts, host, family, &answer);
    free(list.items);
}

/* ---- resolvers */

static void on_answer(void *arg, const struct resolution_answer *answer)
{
    struct host_family *f = arg;
    struct balance_host *host = f->host;
    struct balance_hosts *hosts = f->hosts;
    struct resolution_answer cut = *answer;
    f->inquiry = NULL;
    if (f->alias_ttl_sec < cut.ttl_sec)
        cut.ttl_sec = f->alias_ttl_sec;
    hosts_take(hosts, host, (unsigned)(f - host->families), &cut);
    work_post(hosts->balance); /* not now: many may come in one turn of the loop */
}

static void ask_resolver(struct balance_hosts *hosts, struct balance_host *host, unsigned family,
                         const struct zone_served *served)
{
    struct host_family *f = &host->families[family];
    f->hold_ms = host->hold_ms;
    f->alias_ttl_sec = served->ttl_sec;
    if (!f->inquiry)
        f->inquiry = resolver_ask(hosts->resolver, served->name, balance_families[family], on_answer, f);
}

/* ---- both */

static void find(const struct balance_hosts *hosts, const struct balance_host *host, struct zone_served *served)
{
    *served = (struct zone_served){.kind = ZONE_SERVED_ELSEWHERE, .ttl_sec = UINT32_MAX};
    memcpy(served->name, host->name, name_len(host->name));
    if (hosts->find)
        hosts->find(hosts->find_arg, host->name, served);
}

/* Whose it is by now; true: not whose it was, so that what is under way is of no use any more. */
static bool turn(struct balance_hosts *hosts, struct balance_host *host, const struct zone_served *served)
{
    bool is_own = served->kind != ZONE_SERVED_ELSEWHERE, is_foreign = served->zone && served->zone->is_foreign;
    if (is_own == host->is_own && is_foreign == host->is_foreign && (is_own || name_equal(host->target, served->name)))
        return false;
    hosts->own_cnt += is_own;
    hosts->own_cnt -= host->is_own;
    host->is_own = is_own;
    host->is_foreign = is_foreign;
    host->pool = 0;
    memcpy(host->target, served->name, name_len(served->name));
    hosts_queue_news(hosts, host); /* the same addresses may be somebody else's word now */
    for (unsigned i = 0; i < 2; i++)
        if (host->families[i].inquiry) {
            resolver_forget(host->families[i].inquiry);
            host->families[i].inquiry = NULL;
        }
    return true;
}

static void ask(struct balance_hosts *hosts, struct balance_host *host, unsigned family,
                const struct zone_served *served)
{
    struct resolution_answer answer = {.outcome = RESOLUTION_FAILED};
    host->families[family].hold_ms = 0;
    switch (served->kind) {
    case ZONE_SERVED_ELSEWHERE:
        ask_resolver(hosts, host, family, served);
        return;
    case ZONE_SERVED_NODE:
        answer_node(hosts, host, family, served);
        return;
    case ZONE_SERVED_NONE:
        answer.outcome = RESOLUTION_NONE;
        answer.problem = "no such name";
        break;
    case ZONE_SERVED_UNLOADED:
        if (hosts->balance->loading)
            return; /* the load's end, if nothing before, brings an answer */
        answer.problem = "its zone is not loaded";
        break;
    case ZONE_SERVED_ENDLESS:
        answer.problem = "aliases without end";
        break;
    }
    hosts_take(hosts, host, family, &answer);
}

void hosts_ask(struct balance_hosts *hosts, struct balance_host *host, unsigned family)
{
    struct zone_served served;
    find(hosts, host, &served);
    bool turned = turn(hosts, host, &served);
    ask(hosts, host, family, &served);
    if (turned)
        ask(hosts, host, !family, &served);
}

void hosts_look(struct balance_hosts *hosts, struct balance_host *host)
{
    struct zone_served served;
    find(hosts, host, &served);
    if (!turn(hosts, host, &served) && !host->is_own && !hosts->is_asking)
        return; /* its TTL says when */
    ask(hosts, host, 0, &served);
    ask(hosts, host, 1, &served);
}
