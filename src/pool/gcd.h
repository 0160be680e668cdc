/* What weights have in common. */
#pragma once

#include <stdint.h>

/* The greatest common divisor; of 0 and another, the other. */
static inline uint64_t pool_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
