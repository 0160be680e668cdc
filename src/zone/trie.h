/* The persistent hash trie from names to nodes: 64-way branches with a bitmap, keyed by the 64-bit suffix hash of the
 * lower-cased name, six bits a level from the top. Readers walk a version's root without locks; writers copy the path.
 *
 * A reference is one word: bit 0 set: a node, its address in bits 3..47 and the hash's low 16 bits in 48..63 (so that a
 * miss rarely touches the node); bit 0 clear: a branch; 0: nothing. After ten levels (60 bits), branches hold the names
 * whose hashes agree so far as a list: bitmap bits count entries, order is of no meaning. [snapshot] for all reading
 * functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"
#include "base/chunk.h"
#include "zone/node.h"

struct trie_branch {
    uint64_t bitmap;
    uint64_t refs[];
};

enum { TRIE_BITS = 6, TRIE_LEVELS = 10 };
#define TRIE_ADDRESS_MASK UINT64_C(0x0000fffffffffff8)

/* Ones in a bitmap. Without the instruction (x86-64 before 2008, hence in every portable build) compilers call a
 * function of their library, once a level of every walk; this inlines. */
#if defined(__x86_64__) && !defined(__POPCNT__)
static inline unsigned trie_ones(uint64_t v)
{
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}
#else
static inline unsigned trie_ones(uint64_t v) { return (unsigned)__builtin_popcountll(v); }
#endif

static inline bool trie_is_node(uint64_t ref) { return ref & 1; }
static inline const struct zone_node *trie_node(uint64_t ref)
{
    return (const void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
}
static inline const struct trie_branch *trie_branch(uint64_t ref)
{
    return (const void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
}
static inline uint64_t trie_ref_node(const struct zone_node *n, uint64_t hash)
{
    return (uint64_t)(uintptr_t)n | hash << 48 | 1;
}

/* A walk down: trie_walk_step moves one level and prefetches what the next step reads, so that a batch of walks can go
 * in step. Done when `shift` is negative or `ref` is a node or 0. */
struct trie_walk {
    uint64_t ref;
    uint64_t hash;
    int shift; /* of the six bits that choose in the branch `ref`; below 4: the list level */
};

static inline struct trie_walk trie_walk_start(uint64_t root, uint64_t hash)
{
    return (struct trie_walk){root, hash, 58};
}
static inline bool trie_walk_more(const struct trie_walk *w)
{
    return w->ref && !trie_is_node(w->ref) && w->shift >= 4;
}
static inline void trie_walk_step(struct trie_walk *w)
{
    const struct trie_branch *b = trie_branch(w->ref);
    uint64_t bit = UINT64_C(1) << (w->hash >> w->shift & 63);
    w->ref = b->bitmap & bit ? b->refs[trie_ones(b->bitmap & (bit - 1))] : 0;
    w->shift -= TRIE_BITS;
    /* A node whose tag differs is a miss already; nothing to fetch then. */
    if (trie_is_node(w->ref) && (w->ref ^ w->hash << 48) >> 48)
        w->ref = 0;
    __builtin_prefetch((const void *)(uintptr_t)(w->ref & TRIE_ADDRESS_MASK));
}
/* Where the walk ended: the node called `lower` (lower-cased, `len` bytes), or NULL. */
const struct zone_node *trie_walk_list(const struct trie_walk *w, const uint8_t *lower, unsigned len)
    ATTR_NONNULL_ALL ATTR_PURE;
static inline const struct zone_node *trie_walk_end(const struct trie_walk *w, const uint8_t *lower, unsigned len)
{
    if (!w->ref)
        return NULL;
    if (unlikely(!trie_is_node(w->ref)))
        return trie_walk_list(w, lower, len);
    const struct zone_node *n = trie_node(w->ref);
    return n->name_len == len && !memcmp(zone_node_name(n), lower, len) ? n : NULL;
}
/* All in one. */
static inline const struct zone_node *trie_find(uint64_t root, uint64_t hash, const uint8_t *lower, unsigned len)
{
    struct trie_walk w = trie_walk_start(root, hash);
    if (trie_is_node(root) && (root ^ hash << 48) >> 48)
        return NULL;
    while (trie_walk_more(&w))
        trie_walk_step(&w);
    return trie_walk_end(&w, lower, len);
}

/* Calls `fn` for each node in order of hash. */
void trie_each(uint64_t root, void (*fn)(void *arg, const struct zone_node *node), void *arg) ATTR_NONNULL(2);

/* What a change replaced: freed when no version that has it is left. */
struct trie_garbage {
    struct trie_garbage_item {
        void *p;
        size_t size;
    } *items;
    size_t cnt, cap;
    size_t bytes; /* of the items, as chunk_used_bytes counts */
};
/* [builder] Adds what chunk_alloc gave for `size` bytes. */
void trie_garbage_add(struct trie_garbage *garbage, const void *p, size_t size) ATTR_NONNULL_ALL;
/* [builder] Frees the items and the list of them; it is empty then. */
void trie_garbage_free(struct trie_garbage *garbage, struct chunk_pool *pool) ATTR_NONNULL_ALL;
/* [builder] The same trie with nodes and branches of its own, in `pool`. */
uint64_t trie_copy(uint64_t root, struct chunk_pool *pool) ATTR_NONNULL(2) ATTR_MUST_USE;
/* [builder] Frees what the trie `root` does not share with `older`, the one it was edited
 * from (0: nothing). Costs what the edit did. */
void trie_discard(uint64_t root, uint64_t older, struct chunk_pool *pool) ATTR_NONNULL(3);

/* [builder] One change of a trie: branches made within the same edit are changed in place, others copied and put into
 * `garbage`. Until trie_edit_root the references to what it made carry bit 1, which readers' masks leave out. */
struct trie_edit {
    uint64_t root;
    struct chunk_pool *pool;
    struct trie_garbage *garbage;
    /* The hash that a node was put with; asked when a second name comes to where one was. */
    uint64_t (*hash_fn)(const void *arg, const struct zone_node *node);
    const void *hash_arg;
    bool owns_all; /* nobody else has the trie: change all of it in place, make no garbage */
};
/* At most 64 names may have hashes that agree in the top 60 bits (asserted: the
 * hash is keyed, nobody can bring that about). */
enum { TRIE_LIST_MAX = 64 };
/* Puts `node` (in place of the one with its name, which becomes garbage unless it was
 * made within this edit: then it is freed now). */
void trie_edit_put(struct trie_edit *edit, uint64_t hash, const struct zone_node *node) ATTR_NONNULL_ALL;
/* Takes the name out, if it is there; the node becomes garbage likewise. Branches left with one node fold into it. */
void trie_edit_remove(struct trie_edit *edit, uint64_t hash, const uint8_t *lower, unsigned len) ATTR_NONNULL_ALL;
/* Ends the edit: the new root. */
uint64_t trie_edit_root(struct trie_edit *edit) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* [builder] The trie of `cnt` nodes given in order of `hashes` (ascending): exactly sized branches. */
uint64_t trie_build(struct chunk_pool *pool, const struct zone_node *const *nodes, const uint64_t *hashes, size_t cnt)
    ATTR_NONNULL(1);
