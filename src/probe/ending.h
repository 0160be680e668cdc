/* How a check ended, and what follows from it: for the verdict, the next check, and whoever is told. [probe] */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "probe/check.h"
#include "probe/watch.h"

/* What a check leaves behind. */
struct ending {
    enum kind_state state;
    struct reason reason; /* where it could not be done: what we lack */
    char text[PROBE_REASON_MAX];
    struct health_measure measure;
    struct probe_steps steps;
    uint64_t start_us, duration_us;
    bool is_lack;           /* it could not be done: nothing is counted */
    bool is_late, stalled;  /* the caller's: it ran into its deadline; the process stood still meanwhile */
    bool advises;           /* its kind */
};

/* Of a check that has ended at `now_us`, before it is closed. */
void ending_take(struct ending *ending, const struct check *check, uint64_t now_us) ATTR_NONNULL_ALL;
/* Counts it, tells it, and says when the next one is due. */
void ending_conclude(struct watch *watch, uint32_t slot, const struct ending *ending) ATTR_NONNULL_ALL;
/* Tells whoever asked for this check. */
void ending_trace(struct watch *watch, uint32_t slot, const struct ending *ending) ATTR_NONNULL_ALL;
