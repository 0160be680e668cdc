/* How values are spread: counts in buckets that are an eighth of a power of two wide, so that a quantile is told within
 * 12.5 %. One owner adds, any thread reads; all stores are relaxed. Zero-initialise. 4 KiB. */
#pragma once

#include <stdint.h>

#include "base/attr.h"

enum { HISTOGRAM_FINE_BITS = 3, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_FINE_BITS + 1) << HISTOGRAM_FINE_BITS };

struct histogram {
    uint64_t cnts[HISTOGRAM_BUCKETS];
};

/* [owner] */
void histogram_clear(struct histogram *histogram) ATTR_NONNULL_ALL;
/* [owner] */
void histogram_add(struct histogram *histogram, uint64_t value) ATTR_NONNULL_ALL;
/* Adds what is in another one, which may be being written. */
void histogram_merge(struct histogram *to, const struct histogram *from) ATTR_NONNULL_ALL;
/* The least value that so many thousandths of all are at most, or a little more; 0: there is none. */
uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille) ATTR_NONNULL_ALL;
