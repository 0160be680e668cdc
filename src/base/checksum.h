/* A checksum of what is kept on a disk: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo), against what disks and editors do,
 * not against people. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)
enum { CHECKSUM_LEN = 8 };

/* The checksum of what stood before (`sum`; CHECKSUM_START: nothing) followed by `len` bytes. */
static inline uint64_t checksum_add(uint64_t sum, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}
