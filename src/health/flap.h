/* A member that comes and goes: the least time between two flips of the verdict that counts. Who went down is out at
 * once, whatever happened before, for nobody is ever to be sent to the dead; it is the way back that waits, until the
 * time since the last flip has passed. Pure: time comes in as numbers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/health.h"

struct health_flap {
    uint64_t flipped_ms; /* when what counts flipped last; 0: never */
    bool waits;          /* it is up again, and does not count as that yet */
};

/* What counts from `now_ms` on, when `counts` did and checks have `seen` this. A first verdict is no flip. */
enum health_verdict health_flap_step(struct health_flap *flap, enum health_verdict counts, enum health_verdict seen,
                                     uint64_t hold_ms, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* When that changes although nothing else happens; UINT64_MAX: never. */
static inline uint64_t health_flap_due_ms(const struct health_flap *flap, uint64_t hold_ms)
{
    return flap->waits ? flap->flipped_ms + hold_ms : UINT64_MAX;
}
