#include "health/flap.h"

enum health_verdict health_flap_step(struct health_flap *flap, enum health_verdict counts, enum health_verdict seen,
                                     uint64_t hold_ms, uint64_t now_ms)
{
    bool is_flip = counts != seen && counts != HEALTH_UNKNOWN && seen != HEALTH_UNKNOWN;
    flap->waits = is_flip && seen == HEALTH_UP && flap->flipped_ms && now_ms < flap->flipped_ms + hold_ms;
    if (flap->waits)
        return counts;
    if (is_flip)
        flap->flipped_ms = now_ms;
    return seen;
}
