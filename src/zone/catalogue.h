/* The catalogue: apex name → zone, an immutable hash table behind one RCU root. Built anew when the set of zones
 * changes; a zone's new version only moves the pointer in its `struct zone`. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/rcu.h"
#include "dns/name.h"
#include "zone/version.h"

struct catalogue {
    struct rcu_deferred deferred;
    size_t zone_cnt;
    uint64_t mask;
    uint64_t depths[2]; /* bit d: some zone has an apex of depth d */
    struct zone *slots[]; /* open addressing by name_hash */
};

void catalogue_free(struct catalogue *catalogue);
/* [control] Of distinct zones; they stay the caller's. */
struct catalogue *catalogue_new(struct zone *const *zones, size_t cnt) ATTR_FREED_BY(catalogue_free) ATTR_MUST_USE;
/* [snapshot] The zone with the longest apex that is a suffix of the name with at most `depth_max` labels; NULL: none. A
 * zone that is not loaded is found too. */
struct zone *catalogue_find(const struct catalogue *catalogue, const struct name_split *name, unsigned depth_max)
    ATTR_NONNULL_ALL;
/* [control] The zone with exactly this apex (any case). */
struct zone *catalogue_get(const struct catalogue *catalogue, const uint8_t *apex, const struct hash_key *key)
    ATTR_NONNULL_ALL;
