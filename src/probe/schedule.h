/* When is the next check due? Pure: time comes in as numbers, chance as a fraction. Microseconds of the prober's own
 * clock.
 *
 * The rules (DESIGN "Health"): starts are an interval apart, plus up to a tenth at random; after a contrary result,
 * fast_interval after the last start, without chance; never before the last check's end. The first check of a new
 * target comes soon, so the second one comes anywhere within the interval: it is the second that spreads a thousand
 * targets that came together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/bounds.h"

/* ---- rules ---- */

enum schedule_state {
    SCHEDULE_FIRST,    /* the first result has just come */
    SCHEDULE_STEADY,   /* the verdict stands */
    SCHEDULE_UNSETTLED /* the last result contradicts it */
};

/* A fraction is of 2^32: [0, 1). */
uint64_t schedule_first_us(const struct health_timing *timing, uint64_t now_us, uint64_t within_us,
                           uint32_t fraction) ATTR_NONNULL_ALL;
uint64_t schedule_next_us(const struct health_timing *timing, uint64_t start_us, uint64_t end_us,
                          enum schedule_state state, uint32_t fraction) ATTR_NONNULL_ALL;
/* After a check that could not be done for a reason of our own. */
uint64_t schedule_retry_us(const struct health_timing *timing, uint64_t now_us, uint32_t fraction) ATTR_NONNULL_ALL;

/* Fractions that lie apart from one another however many are drawn, unlike random ones, which clump: steps of the
 * golden ratio. */
static inline uint32_t schedule_spread(uint32_t *at) { return *at += UINT32_C(0x9E3779B9); }

/* ---- the prober's clock ---- */

/* Follows CLOCK_MONOTONIC, but stands still while the process gets no processor for long (stopped, machine suspended):
 * then a check keeps its full timeout, nothing is overdue afterwards, and checks stay as spread as they were. On a host
 * that is merely overloaded it runs on, or a death would be found the later the worse the load. */
struct schedule_clock {
    uint64_t last_us;   /* monotonic, when last read */
    uint64_t lost_us;   /* not counted */
    uint32_t stall_cnt; /* how often the thread was away for SCHEDULE_LATE_US longer than it meant to */
};
enum {
    SCHEDULE_LATE_US = 100000,  /* what a check was under way in may have failed because of us */
    SCHEDULE_STILL_US = 500000, /* the clock stood still */
};

void schedule_clock_init(struct schedule_clock *clock, uint64_t mono_us) ATTR_NONNULL_ALL;
/* The time, given that since the last call the thread meant to be away for at most `away_us`. */
uint64_t schedule_clock_us(struct schedule_clock *clock, uint64_t mono_us, uint64_t away_us) ATTR_NONNULL_ALL;

/* ---- what is due first ---- */

/* A heap of numbers below 2^32 - 1, each with a time; every operation O(log n); 20 bytes a number. One owner. */
struct schedule_heap {
    struct schedule_item *items;
    uint32_t *places; /* by number: its index in items, plus 1; 0: not in the heap */
    size_t cnt, cap;
    size_t place_cnt;
};

void schedule_heap_fini(struct schedule_heap *heap) ATTR_NONNULL_ALL;
/* Puts `number` in, or moves it. */
void schedule_heap_set(struct schedule_heap *heap, uint32_t number, uint64_t due_us) ATTR_NONNULL_ALL;
/* Takes it out if it is in. */
void schedule_heap_remove(struct schedule_heap *heap, uint32_t number) ATTR_NONNULL_ALL;
/* The earliest, left in place; false: empty. */
bool schedule_heap_first(const struct schedule_heap *heap, uint32_t *number, uint64_t *due_us) ATTR_NONNULL_ALL;
