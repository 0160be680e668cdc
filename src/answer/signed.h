/* Records that only signed zones have, for those who ask with DO: an rrset's signatures, and what proofs consist of
 * (RFC 4035 3.1). Nothing here is called for other answers. [worker] */
#pragma once

#include "answer/query.h"

/* section_put, and the RRSIGs. They have the TTL of what they cover (RFC 4034 3), be it that of a negative answer's
 * SOA. That there are none is no error: what a broken zone lacks, its resolvers see. False: something did not fit. */
bool signed_put(struct query *query, enum query_section section, const struct zone_node *node,
                const struct zone_rrset *rrset) ATTR_NONNULL_ALL;
/* The same in the answer section; of a wildcard's node if `wildcard`: then as section_put_wildcard, and the proof that
 * this was due is noted (answer/denial.h). */
bool signed_put_answer(struct query *query, const struct zone_node *node, const struct zone_rrset *rrset, bool wildcard)
    ATTR_NONNULL_ALL;
/* RRSIGs of `rrset` in additional, with owners that stand as `owner` says, if they fit. */
void signed_offer_signatures(struct query *query, const struct zone_node *node, const struct zone_rrset *rrset,
                             uint16_t owner) ATTR_NONNULL_ALL;
/* Puts the rrset of `type` (NSEC or NSEC3) of `node` and its signatures into authority. `node` is any name; what its
 * end has in common with the uncompressed name at `name_at` of the answer becomes a pointer. */
void signed_put_proof(struct query *query, const struct zone_node *node, uint16_t type, uint16_t name_at)
    ATTR_NONNULL_ALL;
