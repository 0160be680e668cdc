#include "zone/access.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/mem.h"
#include "zone/version.h"

void zone_access_free(struct zone_access *access)
{
    if (!access)
        return;
    acl_free(access->transfer);
    acl_free(access->notify);
    acl_free(access->update);
    free(access);
}

struct zone_access *zone_access_new(struct acl **transfer, struct acl **notify, struct acl **update)
{
    struct zone_access *access = mem_zalloc(1, sizeof *access);
    access->transfer = *transfer;
    access->notify = *notify;
    access->update = *update;
    *transfer = *notify = *update = NULL;
    return access;
}

static void free_deferred(struct rcu_deferred *self)
{
    zone_access_free((struct zone_access *)(void *)((char *)self - offsetof(struct zone_access, deferred)));
}

void zone_access_set(struct zone *zone, struct zone_access **access)
{
    struct zone_access *old = zone->access;
    rcu_publish(zone->access, *access);
    *access = NULL;
    if (old)
        rcu_defer(&old->deferred, free_deferred);
}
