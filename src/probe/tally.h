/* What the prober does, in numbers: counted by the probe thread, read by any. The lag of checks, from when one was due
 * to when it began, is kept for the last one to two minutes. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/histogram.h"

#define TALLY_COUNTERS(X)                                                    \
    X(begun, "checks that were begun")                                       \
    X(passed, "checks that passed")                                          \
    X(failed, "checks that failed")                                          \
    X(ignored, "checks that said nothing of their target")                   \
    X(lacking, "checks that could not be done for a lack of ours")           \
    X(excused, "failed checks that were done again as the process had stood still")

/* As read. */
struct tally_view {
#define X(name, help) uint64_t name;
    TALLY_COUNTERS(X)
#undef X
    uint64_t running, waiting;                          /* now: under way; due, but too many are under way */
    uint64_t lag_p50_us, lag_p99_us, lag_max_us;        /* of the last one to two minutes */
};

enum { TALLY_WINDOW_US = 60 * 1000000 };

/* Zero-initialise. */
struct tally {
#define X(name, help) uint64_t name;
    TALLY_COUNTERS(X)
#undef X
    uint64_t running, waiting;
    uint64_t window_us;         /* [owner] when the present window began */
    unsigned now;               /* which of the two is the present one */
    struct histogram lags[2];
};

/* The owner's way to count, and to set what there is now. */
#define tally_count(tally, name) __atomic_store_n(&(tally)->name, (tally)->name + 1, __ATOMIC_RELAXED)
#define tally_set(tally, name, value) __atomic_store_n(&(tally)->name, (value), __ATOMIC_RELAXED)

/* A check begins at `now_us`, so long after it was due. [owner] */
void tally_lag(struct tally *tally, uint64_t now_us, uint64_t lag_us) ATTR_NONNULL_ALL;
/* [any] */
void tally_look(struct tally_view *view, const struct tally *tally) ATTR_NONNULL_ALL;
