/* Zones as operators see them: the part of the model of admin/view.h that store and sync know. Taken on the control
 * thread, all of them in slices; text is in the arena, readable by any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/arena.h"
#include "base/attr.h"
#include "dns/name.h"
#include "store/store.h"
#include "sync/sync.h"

/* "loading", "served", "failed", "stale", "empty", "expired". */
extern const char *const view_zone_state_names[STORE_ZONE_STATES];

struct view_zone {
    const char *name; /* text without the final dot, lower case */
    struct store_zone_view store; /* its text is a copy; without the apex; `path` NULL: a secondary without a file */
    struct sync_view sync;        /* likewise; without zone and targets; `last` NULL: no transfer has ended */
    const struct addr *primaries; /* with their ports */
    size_t primary_cnt;
    const struct addr *unanswered; /* who has not answered NOTIFY, with their ports */
    size_t unanswered_cnt;
};
struct view_zones {
    struct view_zone *zones; /* in the order in which they were added */
    size_t cnt, cap;
    uint64_t taken_wall_ms; /* when that began */
    struct arena arena;
    bool has_begun; /* of a walk: `last` is the zone that was added last */
    uint8_t last[NAME_MAX_LEN];
};
void view_zones_free(struct view_zones *view);
struct view_zones *view_zones_new(void) ATTR_FREED_BY(view_zones_free) ATTR_MUST_USE;
/* Adds the next `most` of all zones, in canonical order; in between zones may come and go. `sync` NULL: there is none
 * yet. False: these were the last. */
bool view_zones_walk(struct view_zones *view, const struct store *store, const struct sync *sync, size_t most)
    ATTR_NONNULL(1, 2);
/* Adds the zone; false: there is no such zone. */
bool view_zones_take(struct view_zones *view, const struct store *store, const struct sync *sync, const uint8_t *apex)
    ATTR_NONNULL(1, 2, 4);
