/* Networks with a number each, as an immutable table: which number has an address, by the longest network that holds
 * it. 0 is nobody's. Made in the control plane, then read by any thread; finding touches a few cache lines whatever the
 * number of networks (contrib/bench/prefix-bench measures). The families are apart, as in base/prefix.h.
 *
 * An answer that depends on the number may be given to others than who asked (RFC 7871): hence the scope, the shortest
 * prefix of the address within which all addresses have the same number. It is longer than the network that decided
 * where longer networks with other numbers lie inside that one, and shorter where neighbours agree; so scopes never
 * overlap, as 7.2.1 there asks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/prefix.h"

struct prefix_map_entry {
    struct prefix prefix;
    uint16_t value; /* > 0 */
};

struct prefix_match {
    uint16_t value; /* 0: no network holds it */
    uint8_t scope;  /* bits */
};

struct prefix_map;
void prefix_map_free(struct prefix_map *map);
/* Of `cnt` entries in any order, which are copied. Of those with the same prefix one counts. */
struct prefix_map *prefix_map_new(const struct prefix_map_entry *entries, size_t cnt)
    ATTR_FREED_BY(prefix_map_free) ATTR_MUST_USE ATTR_RETURNS_NONNULL;
/* `known`: how many bits of the address were told, 32 or 128 when all; those behind are zero. Where the others would
 * decide, the longest network that is no longer than what is known does, and the scope is what is known. The address's
 * port is of no account. */
struct prefix_match prefix_map_find(const struct prefix_map *map, const struct addr *addr,
                                    unsigned known) ATTR_NONNULL_ALL ATTR_PURE;
/* The number alone, of a whole address. */
uint16_t prefix_map_value(const struct prefix_map *map, const struct addr *addr) ATTR_NONNULL_ALL ATTR_PURE;
/* The longest network of at most `known` bits that holds the address; false: none does. For people: O(log n). */
bool prefix_map_network(const struct prefix_map *map, const struct addr *addr, unsigned known,
                        struct prefix *network) ATTR_NONNULL_ALL;
size_t prefix_map_bytes(const struct prefix_map *map) ATTR_NONNULL_ALL ATTR_PURE;
