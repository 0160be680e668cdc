/* Serial numbers of zones (RFC 1982 with SERIAL_BITS 32): they go round. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* `a` is later than `b`. Two that are half the circle apart have no order (3.2): neither is later. */
static inline bool serial_is_later(uint32_t a, uint32_t b)
{
    uint32_t ahead = a - b;
    return ahead != 0 && ahead < UINT32_C(0x80000000);
}
