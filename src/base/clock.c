#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

/* UINT64_MAX: the real clock. */
static _Atomic uint64_t fake_us = UINT64_MAX;

static uint64_t read_us(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts); /* can't fail with these ids on Linux */
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    uint64_t fake = atomic_load_explicit(&fake_us, memory_order_relaxed);
    return fake != UINT64_MAX ? fake : read_us(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}

void clock_fake_us(uint64_t us)
{
    atomic_store_explicit(&fake_us, us, memory_order_relaxed);
}
