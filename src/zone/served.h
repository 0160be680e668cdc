/* Where a name leads in the zones that are served here: by CNAME and DNAME records from zone to zone, as if we were
 * asked, until a node is reached or the zones are left. For the writer, who wants to know what a name has by the
 * records and not by the state of any pool; the query path has its own (answer/lookup.h). [control], or whoever holds
 * the versions. */
#pragma once

#include <stdint.h>

#include "zone/catalogue.h"

enum zone_served_kind {
    ZONE_SERVED_NODE,      /* the name, or the wildcard that it is expanded from; it may lack addresses */
    ZONE_SERVED_NONE,      /* there is no such name */
    ZONE_SERVED_ELSEWHERE, /* it is in none of these zones, or below a cut of one */
    ZONE_SERVED_UNLOADED,  /* the zone that has it has no version yet */
    ZONE_SERVED_ENDLESS,   /* more than ZONE_SERVED_LINKS_MAX aliases, or in a circle */
};

enum { ZONE_SERVED_LINKS_MAX = 8 };

struct zone_served {
    enum zone_served_kind kind;
    unsigned link_cnt;   /* aliases on the way */
    uint32_t ttl_sec;    /* the least of theirs; UINT32_MAX: there were none */
    const struct zone *zone;      /* NULL for ZONE_SERVED_ELSEWHERE where no zone is above the name */
    const struct zone_node *node; /* of ZONE_SERVED_NODE; as long as the zone's version stays */
    uint8_t name[NAME_MAX_LEN];   /* the last one, lower-cased */
};

/* `name` is valid, of any case. */
void zone_served_find(struct zone_served *served, const struct catalogue *catalogue, const struct hash_key *key,
                      const uint8_t *name) ATTR_NONNULL_ALL;
