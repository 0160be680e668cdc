/* Whom a zone's NOTIFY goes to (RFC 1996 2): its NS set without the server that the SOA names as the primary, and
 * without ourselves, besides those that the configuration lists. Names are for the caller to resolve; here is what a
 * version says, and the list that is made of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "sync/plan.h"
#include "zone/version.h"

enum {
    NOTIFY_TARGETS_MOST = 256, /* more than any zone has servers: what NS records and their addresses come to is
                                  bounded, as whoever may change a zone could make us send to all the world */
    NOTIFY_PORT = 53,          /* of servers that NS records name */
};

struct notify_names {
    /* An address of a server whose name is in the zone. */
    void (*address)(void *arg, const struct addr *addr);
    /* A server whose addresses the version does not have: its name, in the case of the record, valid in the call. */
    void (*name)(void *arg, const uint8_t *name);
    void *arg;
};
/* Calls `fn` with each address that the node has, as a server's, and returns how many. [snapshot] */
struct zone_node;
unsigned notify_addresses_of(const struct zone_node *node, void (*fn)(void *arg, const struct addr *addr), void *arg)
    ATTR_NONNULL(1, 2);
/* Goes through the apex's NS set, but for the SOA's MNAME, in canonical order; at most NOTIFY_TARGETS_MOST names.
 * [snapshot] */
void notify_names_of(const struct zone_version *version, const struct notify_names *names) ATTR_NONNULL_ALL;

/* A list in the making. */
struct notify_list {
    struct sync_peer peers[NOTIFY_TARGETS_MOST];
    uint32_t cnt;
    bool is_full; /* somebody was left out */
};
/* The peers of `notify` in the configuration: before those of NS records, so that these keep their key and view. */
void notify_list_add_peers(struct notify_list *list, const struct sync_peer *peers, size_t cnt) ATTR_NONNULL(1);
/* A server of the NS set, unless its address is one of `own` (ports are of no account), or has been listed with
 * whatever port: that is the same server, which the operator knows better. */
void notify_list_add_address(struct notify_list *list, const struct addr *addr, const struct addr *own, size_t own_cnt)
    ATTR_NONNULL(1, 2);
