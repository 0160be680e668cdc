/* Keyed 64-bit hashing of short byte strings in steps, so that one pass from the root label to the first gives the hash
 * of every suffix of a name. Multiply-and-fold of 128-bit products (the construction of wyhash, Wang Yi 2019), keyed by
 * the process's own random key: who writes a zone cannot foresee collisions. Not a MAC. Any thread. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct hash_key {
    uint64_t k[3];
};

/* Draws a new key from the kernel. */
void hash_key_random(struct hash_key *key) ATTR_NONNULL_ALL;

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __uint128_t m = (__uint128_t)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* The hash of what stood before (`h`) followed by `len` bytes at `p`. */
static inline uint64_t hash_step(uint64_t h, const uint8_t *p, unsigned len, const struct hash_key *key)
{
    uint64_t a = 0, b = 0;
    h ^= key->k[0] + len;
    for (; len > 16; p += 16, len -= 16) {
        memcpy(&a, p, 8);
        memcpy(&b, p + 8, 8);
        h = hash_fold(a ^ key->k[1], b ^ h);
    }
    if (len >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + len - 8, 8);
    } else if (len >= 4) {
        uint32_t x, y;
        memcpy(&x, p, 4);
        memcpy(&y, p + len - 4, 4);
        a = (uint64_t)x << 32 | y;
        b = 0;
    } else if (len) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[len >> 1] << 8 | p[len - 1];
        b = 0;
    }
    return hash_fold(a ^ key->k[1], b ^ key->k[2] ^ h) ^ h;
}
