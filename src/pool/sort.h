/* Ascending order of 64-bit keys; whoever needs a stable order puts the index into the low bits. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline int pool_sort_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static inline void pool_sort(uint64_t *keys, size_t cnt) { qsort(keys, cnt, sizeof *keys, pool_sort_compare); }
