/* Our own failures: when everything seems dead at once, verdicts are held (health/hold.h). [control] */
#pragma once

#include "balance/balance.h"
#include "health/hold.h"

/* What balance adds to the group `health`. */
struct balance_anchor_options {
    struct addr address; /* port 0: the probe's */
    char probe[64];      /* "": a connection to the port */
};
struct balance_health_options {
    struct opt_list anchors; /* struct balance_anchor_options */
    uint64_t hold_max_ms;    /* 0: never */
    struct opt_where where;
};
extern const struct opt_table balance_health_opt_table; /* "health" */

/* Gives a plan that was just made the anchors and the rest of `options`; without it, nothing is ever held. `probes` as
 * in balance_plan_make; after balance_plan_limit. An unknown probe, or an address that must not be probed, to `diag`;
 * ERR_INVALID then. */
enum err balance_plan_set_health(struct balance_plan *plan, const struct balance_health_options *options,
                                 const struct opt_list *probes, struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* As shown to people. */
struct balance_hold_view {
    bool is_on;
    enum hold_cause cause;                  /* what follows: while it is on */
    uint64_t since_wall_ms, until_wall_ms;
    size_t target_cnt, failing_cnt, held_cnt; /* now; held: that count as something else than was seen */
    size_t anchor_cnt, anchor_down_cnt;
};
void balance_hold_look(struct balance_hold_view *view, const struct balance *balance) ATTR_NONNULL_ALL;
/* Ends it: the verdicts of now count at once. False: there is none. */
bool balance_release(struct balance *balance) ATTR_NONNULL_ALL;
