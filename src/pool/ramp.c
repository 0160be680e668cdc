#include "pool/ramp.h"

#include "pool/pool.h"

static uint64_t step_at(uint64_t begin_ms, uint64_t length_ms, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms > begin_ms ? now_ms - begin_ms : 0;
    return passed_ms >= length_ms ? POOL_RAMP_STEPS : passed_ms * POOL_RAMP_STEPS / length_ms;
}

uint32_t pool_ramp_withheld(uint64_t begin_ms, uint64_t length_ms, uint64_t now_ms)
{
    uint64_t left = POOL_RAMP_STEPS - step_at(begin_ms, length_ms, now_ms);
    return (uint32_t)(left * POOL_PART_ONE * (100 - POOL_RAMP_FIRST_PERCENT) / (100 * POOL_RAMP_STEPS));
}

uint64_t pool_ramp_due_ms(uint64_t begin_ms, uint64_t length_ms, uint64_t now_ms)
{
    uint64_t step = step_at(begin_ms, length_ms, now_ms) + 1;
    return begin_ms + (step * length_ms + POOL_RAMP_STEPS - 1) / POOL_RAMP_STEPS;
}
