#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/asan.h"
#include "base/mem.h"

enum { BLOCK_LEAST = 1024, BLOCK_MOST = 1024 * 1024 };

/* Blocks from this size on are mapped, so that arena_fini gives them back to the system: malloc raises its own
 * threshold for mapping with each large block freed, and then keeps such blocks in its heap. */
enum { BLOCK_MAPPED = 128 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
};
/* Hence a block's first object is aligned to 16, too. */
_Static_assert(sizeof(struct arena_block) % 16 == 0, "objects follow the header");

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

static void block_free(struct arena_block *block)
{
    ASAN_ALLOW(block, block->size);
    if (block->size >= BLOCK_MAPPED)
        munmap(block, block->size);
    else
        free(block);
}

void arena_fini(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks, *next; block; block = next) {
        next = block->next;
        block_free(block);
    }
    arena_init(arena);
}

static struct arena_block *block_new(size_t size)
{
    struct arena_block *block;
    if (size < BLOCK_MAPPED) {
        block = mem_realloc(NULL, 1, size);
    } else {
        block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            mem_exhausted();
    }
    block->size = size;
    ASAN_FORBID(block + 1, size - sizeof *block);
    return block;
}

/* Makes room for `size` bytes more. An object too large for the next block gets one of its own, behind the current one,
 * whose rest stays in use. */
static void *alloc_from_new_block(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        mem_exhausted();
    size_t next_size = BLOCK_LEAST;
    while (next_size < BLOCK_MOST && next_size <= arena->total_bytes)
        next_size *= 2;
    size_t need = size + sizeof(struct arena_block);
    bool alone = need > next_size / 2;
    struct arena_block *block = block_new(alone ? need : next_size);
    char *begin = (char *)(block + 1);
    arena->total_bytes += block->size;
    if (alone && arena->blocks) {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    } else {
        block->next = arena->blocks;
        arena->blocks = block;
        arena->at = begin + size;
        arena->end = (char *)block + block->size;
    }
    ASAN_ALLOW(begin, size);
    return begin;
}

void *arena_alloc(struct arena *arena, size_t size, size_t align)
{
    size_t gap = -(uintptr_t)arena->at & (align - 1);
    size_t left = (size_t)(arena->end - arena->at);
    if (unlikely(!arena->at || left < gap || left - gap < size))
        return alloc_from_new_block(arena, size);
    char *p = arena->at + gap;
    arena->at = p + size;
    ASAN_ALLOW(p, size);
    return p;
}

void *arena_dup(struct arena *arena, const void *src, size_t len, size_t align)
{
    void *p = arena_alloc(arena, len, align);
    if (len)
        memcpy(p, src, len);
    return p;
}

char *arena_strdup(struct arena *arena, const char *s)
{
    return arena_dup(arena, s, strlen(s) + 1, 1);
}
