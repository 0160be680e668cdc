/* Handles of pools: a number that a zone's node keeps, and behind it the pool's current tables by family, which are by
 * client class where the pool has any (pool/classes.h). A class's handle has no table: it is for positions alone. The
 * directory's memory is reserved once and never moves, so that a handle is an index and workers need no further
 * root. [control] writes, workers read through RCU. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "pool/table.h"

enum { POOL_HANDLES_MAX = 1 << 20 };

struct pool_entry {
    struct pool_table *tables[2]; /* [0] A, [1] AAAA; RCU; NULL: no table, the rrset answers */
};

struct pool_directory {
    struct pool_entry *entries; /* [POOL_HANDLES_MAX], address space reserved, touched as used; entry 0 stays empty */
    uint32_t used;              /* [control] highest handle ever given + 1 */
    uint32_t *free_handles;     /* [control] */
    uint32_t free_cnt, free_cap;
};

void pool_directory_fini(struct pool_directory *directory) ATTR_NONNULL_ALL;
void pool_directory_init(struct pool_directory *directory) ATTR_NONNULL_ALL;
/* A fresh handle > 0; 0 when all are given. [control] */
uint32_t pool_directory_take(struct pool_directory *directory) ATTR_NONNULL_ALL;
/* The same for what can do without one: 0 when pools may need the rest. [control] */
uint32_t pool_directory_take_spare(struct pool_directory *directory) ATTR_NONNULL_ALL;
/* Gives one back; its tables must be gone, and no published node may have it (the caller waits for the grace period).
 * [control] */
void pool_directory_give(struct pool_directory *directory, uint32_t handle) ATTR_NONNULL_ALL;
/* Puts `table` (taken; NULL takes the present one out) in place and returns what stood there, to be freed after a grace
 * period. [control] */
struct pool_table *pool_directory_set(struct pool_directory *directory, uint32_t handle, unsigned family_index,
                                      struct pool_table *table) ATTR_NONNULL(1) ATTR_MUST_USE;
