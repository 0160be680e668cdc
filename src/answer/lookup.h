/* Finding what a name has in a zone: cuts and DNAMEs above it, itself, or the wildcard of its closest encloser (RFC
 * 1034 4.3.2, 4592, 6672). In two steps, so that a batch can walk the tries in between: lookup_start sets up the
 * walks, lookup_end judges where they ended. What exists for NSEC3 alone is no name (RFC 5155 7.2.8). [worker] */
#pragma once

#include "answer/query.h"

enum lookup_kind {
    LOOKUP_EXACT,    /* the node of the name */
    LOOKUP_WILDCARD, /* the node of the wildcard that the name is expanded from */
    LOOKUP_REFERRAL, /* the node of the topmost cut at or above the name */
    LOOKUP_DNAME,    /* the node of the topmost DNAME above the name */
    LOOKUP_NONE,     /* the name does not exist */
};

struct lookup {
    enum lookup_kind kind;
    const struct zone_node *node; /* NULL for LOOKUP_NONE */
};

/* The zone that answers for query->name and its current version: query->zone, NULL for none; query->version, NULL:
 * not loaded, or expired. */
void lookup_zone(struct query *query) ATTR_NONNULL_ALL;
/* The extended error that says why a zone has no current version. */
uint16_t lookup_unserved_ede(const struct zone *zone) ATTR_NONNULL_ALL ATTR_COLD;
/* Sets up query->walk and, where there may be a cut or a DNAME above, query->cover; sets query->is_signed. */
void lookup_start(struct query *query) ATTR_NONNULL_ALL;
/* Both walks are done. Sets query->encloser_depth where there is no node of the name. */
struct lookup lookup_end(struct query *query) ATTR_NONNULL_ALL;
/* lookup_start, the walks, lookup_end. */
struct lookup lookup_now(struct query *query) ATTR_NONNULL_ALL;
/* Whether `name` of query->version is there and not below a DNAME: what may stand in additional. */
const struct zone_node *lookup_glue(const struct query *query, const struct name_split *name) ATTR_NONNULL_ALL;
