/* A bump allocator for what lives and dies together (a parsed zone file, a configuration). Blocks double from 1 KiB to
 * 1 MiB; nothing is freed singly. One thread at a time; out of memory aborts. */
#pragma once

#include <stddef.h>

#include "base/attr.h"

struct arena {
    struct arena_block *blocks;
    char *at, *end;
    size_t total_bytes; /* asked from the system */
};

void arena_init(struct arena *arena) ATTR_NONNULL_ALL;
void arena_fini(struct arena *arena) ATTR_NONNULL_ALL;
/* `size` bytes aligned to `align` (a power of two, at most 16), not zeroed. */
void *arena_alloc(struct arena *arena, size_t size, size_t align) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
void *arena_dup(struct arena *arena, const void *src, size_t len, size_t align)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
char *arena_strdup(struct arena *arena, const char *s) ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL ATTR_MUST_USE;
