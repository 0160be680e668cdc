/* Time. Tests replace the monotonic clock by one they move by hand. Any thread. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC in milliseconds, or the faked one. */
uint64_t clock_mono_ms(void);
/* CLOCK_MONOTONIC in microseconds, or the faked one. */
uint64_t clock_mono_us(void);
/* CLOCK_REALTIME in milliseconds since 1970. */
uint64_t clock_wall_ms(void);
/* From now on clock_mono_* give `us` (tests only); UINT64_MAX brings the real clock back. */
void clock_fake_us(uint64_t us);
