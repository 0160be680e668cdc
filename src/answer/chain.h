/* Aliases: a CNAME, or a DNAME and the CNAME that is made of it, and on to the next name (RFC 1034 4.3.2, 6672).
 * Each function returns true when the current name has changed and is to be looked up. A chain ends, with what it
 * has and NOERROR, behind QUERY_LINKS_MAX links, where it would say a thing twice (a loop), and where it leaves the
 * zones that are served. [worker] */
#pragma once

#include "answer/query.h"

bool chain_cname(struct query *query, const struct zone_node *node, const struct zone_rrset *cname, bool wildcard)
    ATTR_NONNULL_ALL;
bool chain_dname(struct query *query, const struct zone_node *node) ATTR_NONNULL_ALL;
