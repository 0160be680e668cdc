/* Proofs that something is not there (RFC 4035 3.1.3, 5155 7.2), of the current name in the current zone, which is
 * signed (query->is_signed), behind a lookup of that name. The functions denial_… choose the NSEC or NSEC3 records
 * and note them in query->proofs, none twice; denial_put writes them once the answer section is complete: each link of
 * a chain may need its own, also when the chain has left the zone since.
 *
 * Work: at most three hashes for NSEC3, each of the zone's iterations, which loading a zone caps; but where an opt-out
 * span begins above the closest encloser that end is found by halves, at most seven more; and before these one for each
 * alias of the chain that a wildcard made. [worker] */
#pragma once

#include "answer/query.h"

/* The name does not exist, nor a wildcard that would make it. */
void denial_name_error(struct query *query) ATTR_NONNULL_ALL;
/* The name has nothing of QTYPE, or with `wildcard` the wildcard's node that it is expanded from hasn't. */
void denial_nodata(struct query *query, const struct zone_node *node, bool wildcard) ATTR_NONNULL_ALL;
/* The answer is a wildcard's: the name itself does not exist. */
void denial_wildcard(struct query *query) ATTR_NONNULL_ALL;
/* The cut has no DS. */
void denial_delegation(struct query *query, const struct zone_node *cut) ATTR_NONNULL_ALL;
/* Into authority. */
void denial_put(struct query *query) ATTR_NONNULL_ALL;
