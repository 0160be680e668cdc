/* What a plan says of the names of one zone, for whoever makes a version of it (zone/marks.h): which owners are pools
 * by it, and which names that the zone points to are annotated in another zone. And what is to be told of the plan when
 * all of the zone was looked at: groups that nothing matches. [job], one making of a version at a time; knows no
 * balance. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "balance/balance.h"
#include "zone/version.h"

/* What a served version was marked by, kept with its zone; all zero: by nothing. */
struct balance_marked {
    bool annotated; /* the plan has groups for the zone */
    uint64_t rules; /* a digest of which names the plan has groups for, in all zones; 0: none */
};

struct balance_marking {
    struct zone_marks marks;       /* `diag` is left to the caller */
    const struct zone_marks *used; /* these, or NULL when the plan has no group at all */
    struct balance_marked marked;  /* what the version will be marked by */
    bool remark;                   /* the served version needs other marks, or there is something to say of it again */
    const struct balance_plan *plan;
    const struct plan_zone *zone; /* NULL: no groups */
    bool *matched;                /* by number of group */
};
void balance_marking_fini(struct balance_marking *marking) ATTR_NONNULL_ALL;
/* Stays where it is until its end, as does `plan` (NULL: none). `was`: what the version that the zone serves, if any,
 * was marked by. */
void balance_marking_init(struct balance_marking *marking, const struct balance_plan *plan, const struct zone *zone,
                          const struct balance_marked *was) ATTR_NONNULL(1, 3, 4);
