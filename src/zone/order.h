/* Nodes of a signed zone in canonical order (RFC 4034 6.1), for finding the NSEC or NSEC3 record that covers a name: a
 * persistent list of two levels, leaves of at most 128 nodes and one array of leaves. A list is immutable, like the
 * version that it belongs to; a change copies the leaves that it concerns, each once, and the array (24 bytes a leaf:
 * 250 KiB in a zone of a million names, 0.25 ms).
 *
 * Beside each node stand the first eight bytes of its name as the order sees them, the apex left out: most comparisons
 * end there, and the search touches few names. That is always so with NSEC3, whose names are hashes. Of a million names
 * that all begin with the same eight bytes it touches twenty: 5 us from cold memory, 1.5 us otherwise.
 *
 * Memory is from the version's chunk pool. What a change replaces becomes garbage of the new version, as branches of
 * the trie do (zone/trie.h); nodes are the trie's to free. [snapshot] for reading functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/chunk.h"
#include "zone/node.h"
#include "zone/trie.h"

struct zone_order;

/* The greatest node whose name is at most `lower` (wire form, lower-cased, at or below the apex); the last one of the
 * list when all are greater: the chain is a circle. *exact: its name is `lower`. Two binary searches. [query path] */
const struct zone_node *zone_order_find(const struct zone_order *order, const uint8_t *lower, bool *exact)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
size_t zone_order_cnt(const struct zone_order *order) ATTR_NONNULL_ALL ATTR_PURE;
/* Calls `fn` for each node, in order. */
void zone_order_each(const struct zone_order *order, void (*fn)(void *arg, const struct zone_node *node), void *arg)
    ATTR_NONNULL(1, 2);

/* A list without nodes is NULL everywhere below. */

/* [builder] The list of `cnt` nodes, in any order, of the zone whose apex has `apex_depth` labels. */
const struct zone_order *zone_order_build(struct chunk_pool *pool, unsigned apex_depth,
                                          const struct zone_node *const *nodes, size_t cnt)
    ATTR_NONNULL(1) ATTR_MUST_USE;

/* A node of the list is replaced, comes (`old` NULL) or goes (`node` NULL). A name at most once in one edit. */
struct zone_order_change {
    const struct zone_node *old, *node;
};
/* [builder] The list after `order` (not NULL) with the changes, which it sorts. What of `order` the new one has no more
 * becomes garbage. */
const struct zone_order *zone_order_edit(const struct zone_order *order, struct zone_order_change *changes, size_t cnt,
                                         struct chunk_pool *pool, struct trie_garbage *garbage)
    ATTR_NONNULL(1, 4, 5) ATTR_MUST_USE;
/* [builder] No later version has anything of the list: all of it becomes garbage. */
void zone_order_retire(const struct zone_order *order, struct trie_garbage *garbage) ATTR_NONNULL(2);
/* [builder] The same list in another pool, of the nodes that `same_fn` gives in place of its own. */
const struct zone_order *zone_order_copy(const struct zone_order *order, struct chunk_pool *pool,
                                         const struct zone_node *(*same_fn)(void *arg, const struct zone_node *node),
                                         void *arg) ATTR_NONNULL(2, 3) ATTR_MUST_USE;
/* [builder] Frees what the list does not share with `older`, the one it was edited from. */
void zone_order_discard(const struct zone_order *order, const struct zone_order *older, struct chunk_pool *pool)
    ATTR_NONNULL(3);
