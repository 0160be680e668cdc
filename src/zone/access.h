/* Who may do what with one zone beside asking it: take it (AXFR, IXFR), tell that it has changed (NOTIFY), change it
 * (UPDATE). Immutable,
 * made by the control thread, read by the workers through RCU (zone->access); a reload replaces it. A zone without one,
 * and a list that is missing, allow nobody anything. */
#pragma once

#include "base/acl.h"
#include "base/attr.h"
#include "base/rcu.h"

struct zone;

struct zone_access {
    struct acl *transfer; /* NULL: nobody; owned, like the next */
    struct acl *notify;
    struct acl *update;
    struct rcu_deferred deferred;
};

void zone_access_free(struct zone_access *access);
/* Takes over the lists (NULL: nobody may), which become NULL. */
struct zone_access *zone_access_new(struct acl **transfer, struct acl **notify, struct acl **update)
    ATTR_FREED_BY(zone_access_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* [control] Takes over `access` (NULL: nobody may anything), which becomes NULL, and publishes it in place of what the
 * zone had, which is freed when no worker can be reading it. */
void zone_access_set(struct zone *zone, struct zone_access **access) ATTR_NONNULL_ALL;
