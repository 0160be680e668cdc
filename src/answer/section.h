/* Writing sections: copying images into the answer and moving their pointers (zone/image.h). What does not fit whole
 * is not written at all, and neither is anything required after it: query->out fails, the answer gets TC and keeps
 * what it has, as NSD and Knot do it. [worker] */
#pragma once

#include "answer/query.h"

/* Copies `rrset` of `node`, which is the current name or an ancestor of it (the apex, a cut, a DNAME); A and AAAA
 * begin at a random record. A pool's addresses are not put by this but by section_put_pool. */
bool section_put(struct query *query, enum query_section section, const struct zone_node *node,
                 const struct zone_rrset *rrset) ATTR_NONNULL_ALL;
/* The same of a wildcard's node: the owner is the current name. */
bool section_put_wildcard(struct query *query, const struct zone_node *node, const struct zone_rrset *rrset)
    ATTR_NONNULL_ALL;
/* Copies `rr_cnt` address records of the current name, or of the wildcard that it is expanded from, as a pool's table
 * has them; `rr_len` bytes each. */
bool section_put_pool(struct query *query, const uint8_t *records, unsigned rr_cnt, unsigned rr_len) ATTR_NONNULL_ALL;
/* How the pointers of an image of `node` move when it stands at `pos` of the answer: its X ends where the current
 * name ends. */
struct image_move section_move(const struct query *query, const struct zone_node *node, size_t pos,
                               bool wildcard) ATTR_NONNULL_ALL;
/* The cut's NS records into authority, the glue into additional: in-domain glue is required (RFC 9471 3.1), that of
 * siblings goes in while it fits (3.2). */
void section_put_referral(struct query *query, const struct zone_node *cut) ATTR_NONNULL_ALL;
