/* What a probe's settings promise (DESIGN "Health"): how long until a death is a verdict, and until no client is sent
 * to the dead. Pure. */
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct health_timing {
    uint64_t interval_ms, fast_interval_ms, timeout_ms;
    uint16_t rise, fall;
    uint32_t start_gap_ms; /* starts of checks are so far apart at least, whatever the intervals; 0: no matter */
};

enum { HEALTH_JITTER_PERCENT = 10, HEALTH_PUBLISH_MS = 50 };

/* From the moment at which a target changes, at worst right after a check, to the end of the next one:
 * max(interval·(1 + jitter), gap) + timeout. */
uint64_t health_first_contrary_ms(const struct health_timing *timing) ATTR_NONNULL_ALL ATTR_PURE;
/* max(interval·(1 + jitter), gap) + timeout + (fall − 1)·max(fast_interval, timeout, gap) + 50 ms, the gap being that
 * of starts. */
uint64_t health_detection_ms(const struct health_timing *timing) ATTR_NONNULL_ALL ATTR_PURE;
/* max(detection + min(ttl_min, ttl), max(interval·(1 + jitter), gap) + timeout + ttl), each with its 50 ms once. */
uint64_t health_staleness_ms(const struct health_timing *timing, uint64_t ttl_ms,
                             uint64_t ttl_min_ms) ATTR_NONNULL_ALL ATTR_PURE;
