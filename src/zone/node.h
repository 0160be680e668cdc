/* A node: one name of a zone with all its rrsets, one immutable block of memory, no pointers in it. A change of the
 * name replaces the block. Empty non-terminals are nodes without rrsets. [snapshot]
 *
 * A node counts its children (names one label longer, but for those that are there for NSEC3 alone), so that a change
 * knows without a search whether a name that lost its last rrset stays as an empty non-terminal or goes. The price: a
 * name that appears or goes replaces its parent's block too.
 *
 * Layout: struct zone_node, rrset_cnt entries sorted by type (and the extra entry, if flagged), the
 * lower-cased name, then the images (4-aligned). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "zone/image.h"

enum zone_node_flag {
    NODE_CUT = 1,          /* has NS and is not the apex: a referral starts here */
    NODE_DNAME = 2,
    NODE_CNAME = 4,
    NODE_WILDCARD_BELOW = 8, /* "*.<name>" is a node (with data or not) */
    NODE_APEX = 16,
    NODE_EXTRA = 32,       /* rrsets[rrset_cnt] is the extra entry: at a cut the glue, at the apex the negative SOA */
    /* at a cut: some NS target is in this zone but not at or below this cut (it need not exist) */
    NODE_SIBLING_GLUE = 64,
    /* its addresses are a pool's (zone/marks.h); `pool` is 0 until it has a handle, and when it can't have one */
    NODE_POOL = 128,
    NODE_NEW = 256,        /* only while its version is made, and only of use there */
    /* it has nothing but NSEC3 and RRSIG records, nor has it a child: to a query it is no name (RFC 5155 7.2.8), and
     * its parent does not count it as a child */
    NODE_NSEC3 = 512,
};

struct zone_node {
    uint32_t size;      /* bytes of the block */
    uint32_t pool;      /* handle of its pool, 0: none */
    uint32_t child_cnt; /* nodes one label below, without those that are NODE_NSEC3 */
    uint16_t flags;
    uint16_t rrset_cnt; /* without the extra entry */
    uint8_t name_len;
    uint8_t depth;      /* labels */
    uint16_t spare;
    struct zone_rrset rrsets[];
};
_Static_assert(sizeof(struct zone_node) == 20, "five words and no holes");

static inline unsigned zone_node_entries(const struct zone_node *n)
{
    return n->rrset_cnt + ((n->flags & NODE_EXTRA) ? 1u : 0u);
}
/* Lower-cased, wire form. */
static inline const uint8_t *zone_node_name(const struct zone_node *n)
{
    return (const uint8_t *)(n->rrsets + zone_node_entries(n));
}
static inline const uint8_t *zone_node_image(const struct zone_node *n, const struct zone_rrset *rrset)
{
    return (const uint8_t *)n + rrset->image_off;
}
/* The place of the first entry whose type is not below `type`. Names have few types, but one may have 65,000. */
static inline unsigned zone_node_place(const struct zone_node *n, uint16_t type)
{
    enum { FEW = 16 };
    unsigned low = 0;
    for (unsigned high = n->rrset_cnt; unlikely(high - low > FEW);) {
        unsigned middle = low + (high - low) / 2;
        if (n->rrsets[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < n->rrset_cnt && n->rrsets[low].type < type)
        low++;
    return low;
}
/* NULL: the name has none of that type. */
static inline const struct zone_rrset *zone_node_rrset(const struct zone_node *n, uint16_t type)
{
    unsigned i = zone_node_place(n, type);
    return i < n->rrset_cnt && n->rrsets[i].type == type ? &n->rrsets[i] : NULL;
}
/* At a cut: the in-domain glue (RFC 9471) as one run of A and AAAA records, type 0; owners point to the targets in the
 * NS image (the virtual message is the NS image's; image_patch moves them), or stand as they stand there when that is
 * at or above IMAGE_TARGET_MAX (an NS rrset of more than about 7,000 bytes). Beyond 65,535 bytes of glue the rest is
 * left out: so much fits behind no question and NS rrset, and the referral is truncated in any case. At the apex: the
 * SOA with TTL min(its TTL, MINIMUM) (RFC 2308 3). NULL: none. */
static inline const struct zone_rrset *zone_node_extra(const struct zone_node *n)
{
    return (n->flags & NODE_EXTRA) ? &n->rrsets[n->rrset_cnt] : NULL;
}
