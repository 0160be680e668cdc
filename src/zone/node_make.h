/* Makes nodes: from an owner's rrsets to the block that zone/node.h describes, flags, glue and negative SOA included.
 * For zone_build and zone_apply only, so that both make the same bytes. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/chunk.h"
#include "zone/image.h"
#include "zone/node.h"

/* One rrset of a node to be: records in canonical order, or, when `rdata` is
 * NULL, an image of the same owner as it stands. */
struct node_rrset {
    uint16_t type;
    unsigned cnt;
    const struct image_rdata *rdata;
    const struct zone_rrset *old;
    const uint8_t *old_image;
};

/* A node to be. */
struct node_spec {
    const uint8_t *name; /* lower-cased */
    const struct node_rrset *rrsets; /* sorted by type */
    unsigned rrset_cnt;
    uint32_t child_cnt;
    bool wildcard_below;
};

/* It would have NSEC3 records and but for their signatures no others: NODE_NSEC3 when it has no child either. */
static inline bool node_spec_is_nsec3(const struct node_spec *spec)
{
    const struct node_rrset *s = spec->rrsets;
    unsigned cnt = spec->rrset_cnt;
    return cnt && s[cnt - 1].type == RR_NSEC3 && (cnt == 1 || (cnt == 2 && s[0].type == RR_RRSIG));
}

struct node_maker {
    const uint8_t *apex;
    /* Asked at a cut for each in-domain NS target (as it stands there), that of the nth record: calls node_maker_glue
     * for its A records, then its AAAA records. */
    void (*glue_fn)(void *arg, struct node_maker *maker, const uint8_t *target, unsigned nth);
    void *glue_arg;
    /* private */
    uint8_t *block;
    size_t cap, len;
    struct {
        uint8_t owner[NAME_MAX_LEN];
        unsigned owner_len;
        bool full;
        struct zone_rrset rrset;
    } glue;
};

void node_maker_fini(struct node_maker *maker) ATTR_NONNULL_ALL;
/* The node, in memory of the maker that the next call reuses. NULL: an rrset is too large for a message. */
struct zone_node *node_make(struct node_maker *maker, const struct node_spec *spec) ATTR_NONNULL_ALL ATTR_MUST_USE;
void node_maker_glue(struct node_maker *maker, const struct rr *rr) ATTR_NONNULL_ALL;
