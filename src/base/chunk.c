#include "base/chunk.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/asan.h"
#include "base/mem.h"

enum { CHUNK_LEAST = 1024, CHUNK_MOST = 1024 * 1024 };

/* What is as large as this is mapped: it goes back to the system when freed, whatever malloc thinks of it. */
enum { MAPPED_LEAST = 64 * 1024 };

enum { SMALL_MOST = 4096, GRAIN = CHUNK_GRAIN, CLASS_CNT = SMALL_MOST / GRAIN + 1 };

/* The lists of a pool reach as far as its largest unused object, in steps of
 * this: a pool of a few names needs few of them. */
enum { CLASS_STEP = 16 };

/* Heads a chunk, of which all are freed with the pool, and each object larger than SMALL_MOST. */
struct piece {
    struct piece *next, **prev; /* `prev`: what points to this one */
    size_t size;                /* with this header */
    size_t pad;
};
_Static_assert(sizeof(struct piece) % GRAIN == 0, "objects follow the header");

struct unused {
    struct unused *next;
};
_Static_assert(sizeof(struct unused) <= GRAIN, "the smallest object holds a link");

struct chunk_pool {
    char *at, *end; /* the rest of the current chunk */
    struct piece *pieces;
    size_t next_chunk_size;
    size_t total_bytes, used_bytes;
    struct unused **unused; /* by size / GRAIN; `class_cnt` lists */
    size_t class_cnt;
};

/* zone/trie.h keeps other things in the upper 16 bits of pointers. With four-level page tables user addresses have 47
 * bits, and with five levels the kernel gives more only to who asks. */
static void check_address(const void *p, size_t size)
{
    if (unlikely(((uintptr_t)p + size) >> 48))
        abort();
}

static struct piece *piece_new(struct chunk_pool *pool, size_t size)
{
    struct piece *piece;
    if (size < MAPPED_LEAST) {
        piece = mem_realloc(NULL, 1, size);
    } else {
        piece = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (piece == MAP_FAILED)
            mem_exhausted();
    }
    check_address(piece, size);
    piece->size = size;
    piece->next = pool->pieces;
    piece->prev = &pool->pieces;
    if (piece->next)
        piece->next->prev = &piece->next;
    pool->pieces = piece;
    pool->total_bytes += size;
    return piece;
}

static void piece_free(struct chunk_pool *pool, struct piece *piece)
{
    *piece->prev = piece->next;
    if (piece->next)
        piece->next->prev = piece->prev;
    pool->total_bytes -= piece->size;
    ASAN_ALLOW(piece, piece->size);
    if (piece->size >= MAPPED_LEAST)
        munmap(piece, piece->size);
    else
        free(piece);
}

struct chunk_pool *chunk_pool_new(void)
{
    struct chunk_pool *pool = mem_zalloc(1, sizeof *pool);
    pool->next_chunk_size = CHUNK_LEAST;
    return pool;
}

void chunk_pool_free(struct chunk_pool *pool)
{
    if (!pool)
        return;
    while (pool->pieces)
        piece_free(pool, pool->pieces);
    free(pool->unused);
    free(pool);
}

static void more_classes(struct chunk_pool *pool, size_t class)
{
    size_t cnt = class + CLASS_STEP < CLASS_CNT ? class + CLASS_STEP : CLASS_CNT;
    pool->unused = mem_realloc(pool->unused, cnt, sizeof(*pool->unused));
    memset(pool->unused + pool->class_cnt, 0, (cnt - pool->class_cnt) * sizeof(*pool->unused));
    pool->class_cnt = cnt;
}

/* `size` is a multiple of GRAIN. */
static void make_unused(struct chunk_pool *pool, void *p, size_t size)
{
    struct unused *unused = p;
    if (unlikely(size / GRAIN >= pool->class_cnt))
        more_classes(pool, size / GRAIN);
    unused->next = pool->unused[size / GRAIN];
    pool->unused[size / GRAIN] = unused;
    ASAN_FORBID(p, size);
}

/* The rest of the current chunk becomes unused objects, the next chunk current. */
static void next_chunk(struct chunk_pool *pool, size_t least)
{
    while (pool->end - pool->at >= GRAIN) {
        size_t rest = (size_t)(pool->end - pool->at);
        rest = rest < SMALL_MOST ? rest : SMALL_MOST;
        ASAN_ALLOW(pool->at, rest);
        make_unused(pool, pool->at, rest);
        pool->at += rest;
    }
    while (pool->next_chunk_size < least + sizeof(struct piece))
        pool->next_chunk_size *= 2;
    struct piece *chunk = piece_new(pool, pool->next_chunk_size);
    pool->at = (char *)(chunk + 1);
    pool->end = (char *)chunk + chunk->size;
    ASAN_FORBID(pool->at, chunk->size - sizeof *chunk);
    if (pool->next_chunk_size < CHUNK_MOST)
        pool->next_chunk_size *= 2;
}

static void *alloc_large(struct chunk_pool *pool, size_t size)
{
    if (size > SIZE_MAX / 2)
        mem_exhausted();
    pool->used_bytes += chunk_size(size);
    return piece_new(pool, size + sizeof(struct piece)) + 1;
}

void *chunk_alloc(struct chunk_pool *pool, size_t size)
{
    if (unlikely(size > SMALL_MOST))
        return alloc_large(pool, size);
    size = chunk_size(size);
    pool->used_bytes += size;
    struct unused *unused = size / GRAIN < pool->class_cnt ? pool->unused[size / GRAIN] : NULL;
    if (unused) {
        ASAN_ALLOW(unused, size);
        pool->unused[size / GRAIN] = unused->next;
        return unused;
    }
    if (unlikely((size_t)(pool->end - pool->at) < size))
        next_chunk(pool, size);
    char *p = pool->at;
    pool->at += size;
    ASAN_ALLOW(p, size);
    return p;
}

void chunk_free(struct chunk_pool *pool, void *p, size_t size)
{
    if (unlikely(size > SMALL_MOST)) {
        pool->used_bytes -= chunk_size(size);
        piece_free(pool, (struct piece *)p - 1);
        return;
    }
    size = chunk_size(size);
    pool->used_bytes -= size;
    make_unused(pool, p, size);
}

size_t chunk_total_bytes(const struct chunk_pool *pool)
{
    return pool->total_bytes;
}

size_t chunk_used_bytes(const struct chunk_pool *pool)
{
    return pool->used_bytes;
}
