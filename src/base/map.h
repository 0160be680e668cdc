/* A hash table of things that embed a link, found by a 64-bit hash; who looks compares what hashes cannot tell apart.
 * Grows a little with each thing that is added: a hundred thousand at once would take tens of milliseconds. Owns its
 * buckets, not the things. One thread at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/container.h"

struct map_link {
    struct map_link *next;
    uint64_t hash;
};

struct map {
    struct map_link **buckets;
    size_t cnt, bucket_cnt; /* bucket_cnt: 0 or a power of two */
    /* While it grows: half as many buckets, of which the first `moved` have moved to the new ones. */
    struct map_link **old;
    size_t old_cnt, moved;
};

void map_fini(struct map *map) ATTR_NONNULL_ALL;
void map_add(struct map *map, struct map_link *link, uint64_t hash) ATTR_NONNULL_ALL;
void map_remove(struct map *map, struct map_link *link) ATTR_NONNULL_ALL;
/* Ends growing: everything hangs in `buckets`, for whoever walks over all. */
void map_settle(struct map *map) ATTR_NONNULL_ALL;
/* The first with this hash, and the next one with the same; NULL: none. */
struct map_link *map_first(const struct map *map, uint64_t hash) ATTR_NONNULL_ALL ATTR_PURE;
struct map_link *map_next(const struct map_link *link) ATTR_NONNULL_ALL ATTR_PURE;
