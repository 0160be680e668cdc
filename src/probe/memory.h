/* What a former process found, to be looked up by the digest of a check. One thread at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "health/memory.h"

/* Zero-initialise. */
struct memory {
    struct health_memory *items; /* in order of digests */
    size_t cnt;
};

void memory_fini(struct memory *memory) ATTR_NONNULL_ALL;
/* Takes the place of what there was; copied. */
void memory_fill(struct memory *memory, const struct health_memory *items, size_t cnt) ATTR_NONNULL(1);
/* NULL: nothing is known. */
const struct health_memory *memory_find(const struct memory *memory, const uint8_t digest[HEALTH_DIGEST_LEN])
    ATTR_NONNULL_ALL ATTR_PURE;
