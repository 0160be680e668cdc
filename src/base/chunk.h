/* The allocator of zone data: many small immutable objects, packed without headers, freed singly with their size. Each
 * zone has its own, so that it frees in one step. Objects up to 4 KiB come from chunks that double from 1 KiB to 1 MiB,
 * freed ones wait in lists by size (granularity 8 bytes) for the next of that size; larger ones are the system's, kept
 * in a list. A free object serves only its own size, so a pool whose objects change their sizes together grows without
 * bound. Its owner bounds it (zone/version.h): it copies what lives into a new pool and frees the old one whole. A pool
 * that was only ever filled takes at most 2 × chunk_used_bytes + CHUNK_FRESH_BYTES: of the doubling chunks all but the
 * last are full but for less than one object, 4,128 bytes with the chunk's header, and there are ten before the first
 * of 1 MiB. Addresses fit 48 bits (asserted; zone/trie.h stores other things in the top 16). One thread at a time:
 * whoever builds the zone's next version. Out of memory aborts. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct chunk_pool;

enum { CHUNK_GRAIN = 8, CHUNK_FRESH_BYTES = 96 * 1024 };

/* What an object of `size` bytes takes, as chunk_used_bytes counts it. */
static inline size_t chunk_size(size_t size) { return (size + CHUNK_GRAIN - 1) & ~(size_t)(CHUNK_GRAIN - 1); }

void chunk_pool_free(struct chunk_pool *pool);
struct chunk_pool *chunk_pool_new(void) ATTR_FREED_BY(chunk_pool_free) ATTR_MUST_USE;
/* `size` bytes (more than 0), 8-aligned, not zeroed. */
void *chunk_alloc(struct chunk_pool *pool, size_t size) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
/* `size` as it was asked for. */
void chunk_free(struct chunk_pool *pool, void *p, size_t size) ATTR_NONNULL_ALL;
/* Bytes taken from the system, and bytes of them in live objects. */
size_t chunk_total_bytes(const struct chunk_pool *pool) ATTR_NONNULL_ALL;
size_t chunk_used_bytes(const struct chunk_pool *pool) ATTR_NONNULL_ALL;
