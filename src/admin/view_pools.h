/* Pools and their members as operators see them: the part of the model of admin/view.h that balance knows. Taken on the control thread, as bytes
 * and numbers; text is made of it elsewhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balance/balance.h"
#include "base/arena.h"
#include "base/attr.h"

/* "live", "all_down", "all_drained", "empty"; "round_robin", …; "A", "AAAA". */
extern const char *const view_pool_state_names[POOL_EMPTY + 1];
extern const char *const view_pool_policy_names[POOL_HASH + 1];
const char *view_pool_type(enum addr_family family);

struct view_pools {
    struct balance_pool_view *pools; /* by apex, owner and family; all they point to is in the arena */
    size_t cnt;
    uint64_t taken_wall_ms;
    struct arena arena;
};
void view_pools_free(struct view_pools *view);
/* Nothing. */
struct view_pools *view_pools_none(void) ATTR_FREED_BY(view_pools_free) ATTR_MUST_USE;
/* All, or those of `owner` (wire, lower-cased; NULL: all). */
struct view_pools *view_pools_take(const struct balance *balance, const uint8_t *owner)
    ATTR_FREED_BY(view_pools_free) ATTR_MUST_USE ATTR_NONNULL(1);
