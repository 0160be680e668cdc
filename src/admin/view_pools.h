/* Pools and their members as operators see them: the part of the model of admin/view.h that balance knows. Taken on the
 * control thread, all of them in slices, as bytes and numbers; they are brought into order, and text is made of them,
 * elsewhere. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "balance/balance.h"
#include "balance/operate.h"
#include "base/arena.h"
#include "base/attr.h"

/* "live", "all_down", "all_drained", "empty"; "round_robin", …; "A", "AAAA". */
extern const char *const view_pool_state_names[POOL_EMPTY + 1];
extern const char *const view_pool_policy_names[POOL_POLICY_CNT];
const char *view_pool_type(enum addr_family family);

/* An operator's order. */
struct view_order {
    struct operate_member member;
    enum operate_kind kind;
    struct operate_order order;
};

struct view_pools {
    struct balance_pool_view *pools; /* all they point to is in the arena */
    size_t cnt, cap;
    struct view_order *orders; /* likewise; of members that there are not, once sorted */
    size_t order_cnt, order_cap;
    uint32_t walked;        /* view_pools_walk has come so far */
    uint64_t taken_wall_ms; /* lastly */
    struct arena arena;
};
void view_pools_free(struct view_pools *view);
/* Nothing so far. */
struct view_pools *view_pools_new(void) ATTR_FREED_BY(view_pools_free) ATTR_MUST_USE;
/* Takes those of `owner` (wire, lower-cased). */
void view_pools_take(struct view_pools *view, const struct balance *balance, const uint8_t *owner) ATTR_NONNULL_ALL;
/* Takes more of all there are, for about `budget_us`; true: that were all. Those that come or go between two calls are
 * in it or not. */
bool view_pools_walk(struct view_pools *view, const struct balance *balance,
                     uint64_t budget_us) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Takes the orders for members of `owner`; NULL: all. */
void view_pools_take_orders(struct view_pools *view, const struct balance *balance, const uint8_t *owner)
    ATTR_NONNULL(1, 2);
/* By apex, owner (canonical) and family; orders for members that are among them go. [job] */
void view_pools_sort(struct view_pools *view) ATTR_NONNULL_ALL;
