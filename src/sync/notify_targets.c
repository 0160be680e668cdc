#include "sync/notify_targets.h"

#include <string.h>

#include "dns/name.h"
#include "sync/soa.h"
#include "zone/image.h"

/* ---- a node's addresses */

struct telling {
    void (*fn)(void *arg, const struct addr *addr);
    void *arg;
    unsigned cnt;
};

static void tell_address(void *arg, const struct rr *rr)
{
    struct telling *telling = arg;
    struct addr addr = {.family = rr->type == RR_A ? ADDR_V4 : ADDR_V6, .port = NOTIFY_PORT};
    if (rr->rdata_len != addr_len(&addr))
        return;
    memcpy(addr.bytes, rr->rdata, rr->rdata_len);
    telling->cnt++;
    telling->fn(telling->arg, &addr);
}

unsigned notify_addresses_of(const struct zone_node *node, void (*fn)(void *arg, const struct addr *addr), void *arg)
{
    static const uint16_t types[] = {RR_A, RR_AAAA};
    struct telling telling = {.fn = fn, .arg = arg};
    for (unsigned i = 0; i < 2; i++) {
        const struct zone_rrset *rrset = zone_node_rrset(node, types[i]);
        if (rrset)
            image_each(zone_node_image(node, rrset), rrset, zone_node_name(node), tell_address, &telling);
    }
    return telling.cnt;
}

/* ---- an NS set */

struct walk {
    const struct zone_version *version;
    const struct notify_names *names;
    const uint8_t *mname;
    unsigned cnt;
};

static void take_server(void *arg, const struct rr *rr)
{
    struct walk *walk = arg;
    const uint8_t *name = rr->rdata;
    if (name_check(name, rr->rdata_len) != rr->rdata_len || name_equal(name, walk->mname) ||
        walk->cnt++ >= NOTIFY_TARGETS_MOST)
        return;
    const struct zone_node *node = NULL;
    if (name_within(name, zone_node_name(walk->version->apex)))
        node = zone_version_find(walk->version, name);
    /* Glue is as good as an authoritative address here: both are what the zone says of its own servers. */
    if (!node || !notify_addresses_of(node, walk->names->address, walk->names->arg))
        walk->names->name(walk->names->arg, name);
}

void notify_names_of(const struct zone_version *version, const struct notify_names *names)
{
    struct soa_record soa;
    const struct zone_node *apex = version->apex;
    const struct zone_rrset *rrset = zone_node_rrset(apex, RR_NS);
    if (!rrset)
        return;
    soa_of_version(&soa, version);
    struct walk walk = {.version = version, .names = names, .mname = soa.rdata};
    image_each(zone_node_image(apex, rrset), rrset, zone_node_name(apex), take_server, &walk);
}

/* ---- the list */

static void add(struct notify_list *list, const struct sync_peer *peer)
{
    if (list->cnt < NOTIFY_TARGETS_MOST)
        list->peers[list->cnt++] = *peer;
    else
        list->is_full = true;
}

void notify_list_add_peers(struct notify_list *list, const struct sync_peer *peers, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        bool is_listed = false;
        for (uint32_t j = 0; j < list->cnt && !is_listed; j++)
            is_listed = !addr_cmp(&list->peers[j].addr, &peers[i].addr);
        if (!is_listed)
            add(list, &peers[i]);
    }
}

void notify_list_add_address(struct notify_list *list, const struct addr *addr, const struct addr *own, size_t own_cnt)
{
    for (size_t i = 0; i < own_cnt; i++)
        if (addr_same_host(&own[i], addr))
            return;
    for (uint32_t i = 0; i < list->cnt; i++)
        if (addr_same_host(&list->peers[i].addr, addr))
            return;
    add(list, &(struct sync_peer){.addr = *addr, .view = ACL_FULL});
}
