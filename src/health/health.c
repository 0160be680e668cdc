#include "health/health.h"

/* The verdict that stands until `need` results in a row contradict it. */
static enum health_change contradicted(struct health_target *target, unsigned need, enum health_verdict other,
                                       uint64_t when_ms)
{
    bool was_unsettled = target->unsettled;
    target->contrary_cnt++;
    target->unsettled = target->contrary_cnt < need;
    if (target->unsettled)
        return was_unsettled ? HEALTH_SAME : HEALTH_CHANGED;
    target->contrary_cnt = 0;
    target->verdict = other;
    target->since_ms = when_ms;
    return HEALTH_CHANGED;
}

static enum health_change confirmed(struct health_target *target)
{
    bool was_unsettled = target->unsettled;
    target->contrary_cnt = 0;
    target->unsettled = false;
    return was_unsettled ? HEALTH_CHANGED : HEALTH_SAME;
}

enum health_change health_observe(struct health_target *target, const struct health_settings *settings,
                                  unsigned observer, enum health_result result, uint64_t when_ms)
{
    enum health_verdict seen = result == HEALTH_PASS ? HEALTH_UP : HEALTH_DOWN;
    if (observer != HEALTH_OBSERVER_SELF)
        return HEALTH_SAME; /* only our own checks have a vote */
    target->result_cnt++;
    if (target->verdict == HEALTH_UNKNOWN)
        return contradicted(target, 1, seen, when_ms);
    if (target->verdict == seen)
        return confirmed(target);
    return contradicted(target, seen == HEALTH_UP ? settings->rise : settings->fall, seen, when_ms);
}

const char *health_verdict_name(enum health_verdict verdict)
{
    switch (verdict) {
    case HEALTH_UP:
        return "up";
    case HEALTH_DOWN:
        return "down";
    case HEALTH_UNKNOWN:
        break;
    }
    return "unknown";
}
