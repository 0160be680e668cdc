#include "base/histogram.h"

#include <string.h>

enum { FINE = 1 << HISTOGRAM_FINE_BITS };

/* Below FINE each value has its own; above, the bits behind the first one choose among FINE. */
static unsigned bucket_of(uint64_t value)
{
    if (value < FINE)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_FINE_BITS;
    return (shift << HISTOGRAM_FINE_BITS) + (unsigned)(value >> shift);
}

/* The largest value of a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < 2 * FINE)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_FINE_BITS) - 1;
    return (((uint64_t)(bucket & (FINE - 1)) + FINE + 1) << shift) - 1;
}

static void set(uint64_t *cnt, uint64_t value) { __atomic_store_n(cnt, value, __ATOMIC_RELAXED); }
static uint64_t get(const uint64_t *cnt) { return __atomic_load_n(cnt, __ATOMIC_RELAXED); }

void histogram_clear(struct histogram *histogram)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        set(&histogram->cnts[i], 0);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    uint64_t *cnt = &histogram->cnts[bucket_of(value)];
    set(cnt, get(cnt) + 1);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        set(&to->cnts[i], get(&to->cnts[i]) + get(&from->cnts[i]));
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned permille)
{
    uint64_t total = 0, seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        total += get(&histogram->cnts[i]);
    uint64_t wanted = (total * permille + 999) / 1000;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && total; i++) {
        seen += get(&histogram->cnts[i]);
        if (seen >= wanted && seen)
            return top_of(i);
    }
    return 0;
}
