#include "health/bounds.h"

static uint64_t greater(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* From one check's start to the end of the next that says something new, at worst: it died right after the first had
 * passed, the next starts a whole interval and all of the jitter later, and takes its timeout. */
uint64_t health_first_contrary_ms(const struct health_timing *timing)
{
    uint64_t interval_ms = timing->interval_ms + (timing->interval_ms * HEALTH_JITTER_PERCENT + 99) / 100;
    return greater(interval_ms, timing->start_gap_ms) + timing->timeout_ms;
}

uint64_t health_detection_ms(const struct health_timing *timing)
{
    uint64_t more = timing->fall ? timing->fall - 1u : 0;
    uint64_t again_ms = greater(greater(timing->fast_interval_ms, timing->timeout_ms), timing->start_gap_ms);
    return health_first_contrary_ms(timing) + more * again_ms + HEALTH_PUBLISH_MS;
}

/* Whoever asked before the first contrary result kept the answer for `ttl` from then, whoever asked after it for
 * ttl_min from the verdict, at the latest. */
uint64_t health_staleness_ms(const struct health_timing *timing, uint64_t ttl_ms, uint64_t ttl_min_ms)
{
    uint64_t unsettled_ms = ttl_min_ms < ttl_ms ? ttl_min_ms : ttl_ms;
    return greater(health_detection_ms(timing) + unsettled_ms,
                   health_first_contrary_ms(timing) + ttl_ms + HEALTH_PUBLISH_MS);
}
