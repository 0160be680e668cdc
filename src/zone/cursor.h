/* A walk over all rrsets of a version that can stop anywhere and go on later: what an outgoing transfer is made of, a
 * slice at a time. In the order of zone_version_each: by hash of the names, the rrsets of one name together and by
 * type. The extra entry (glue, negative SOA) is no rrset of the name and is left out.
 *
 * Plain bytes that may be copied and left at any time; points into the version, which the caller holds
 * (zone_version_get). Nothing is allocated. [snapshot] */
#pragma once

#include <stdbool.h>

#include "base/attr.h"
#include "zone/node.h"
#include "zone/trie.h"
#include "zone/version.h"

struct zone_cursor {
    const struct zone_node *node; /* whose rrsets it is at; NULL: before the first or behind the last */
    const struct zone_node *only; /* of a zone that has no other, until it has been there */
    unsigned rrset_at;            /* the next of it */
    unsigned depth;               /* branches entered */
    struct {
        const struct trie_branch *branch;
        unsigned at, cnt; /* the next entry, all entries */
    } branches[TRIE_LEVELS + 1]; /* the lists below the last level are one more */
};

void zone_cursor_init(struct zone_cursor *cursor, const struct zone_version *version) ATTR_NONNULL_ALL;
/* The next node, one without rrsets too; NULL: there is none left. Its rrsets come next, those that are left of the one
 * before do not. */
const struct zone_node *zone_cursor_next_node(struct zone_cursor *cursor) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The next rrset, of cursor->node then; NULL: there is none left. Nodes without rrsets are passed over: each has one
 * with rrsets below it, at most NAME_MAX_LABELS levels down. */
static inline const struct zone_rrset *zone_cursor_next(struct zone_cursor *cursor)
{
    while (!cursor->node || cursor->rrset_at == cursor->node->rrset_cnt)
        if (!zone_cursor_next_node(cursor))
            return NULL;
    return &cursor->node->rrsets[cursor->rrset_at++];
}
