/* The names that one change concerns, for zone_apply only: those with records that come or go, ancestors that appear or
 * lose a child, cuts whose glue may be another now. Lives in an arena for one call. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "dns/name.h"
#include "zone/node_make.h"
#include "zone/records.h"
#include "zone/version.h"

struct apply_name {
    struct apply_name *next; /* of the same depth */
    const uint8_t *name;     /* lower-cased, borrowed from the records or from a longer name */
    uint64_t hash;
    unsigned len, depth;
    const struct zone_node *old; /* NULL: the name was not there */
    const struct zone_record *removed, *added;
    size_t removed_cnt, added_cnt;
    /* What it will be. */
    struct node_rrset *rrsets;
    unsigned rrset_cnt;
    uint32_t child_cnt;
    bool wildcard_below;
};

struct apply_set {
    const struct zone_version *base;
    struct arena arena;
    struct apply_name **slots; /* open addressing by hash */
    size_t mask, cnt;
    struct apply_name *by_depth[NAME_MAX_LABELS + 1];
};

void apply_set_init(struct apply_set *set, const struct zone_version *base) ATTR_NONNULL_ALL;
void apply_set_fini(struct apply_set *set) ATTR_NONNULL_ALL;
/* NULL: the change does not concern the name. */
struct apply_name *apply_set_find(const struct apply_set *set, const uint8_t *lower, uint64_t hash) ATTR_NONNULL_ALL;
/* The name, put in as it was (rrsets, children) when it was not in the set. */
struct apply_name *apply_set_get(struct apply_set *set, const uint8_t *lower, uint64_t hash)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* Works out the rrsets of a name with records that come or go. ERR_INVALID as zone_apply says. */
enum err apply_name_merge(struct apply_set *set, struct apply_name *name) ATTR_NONNULL_ALL ATTR_MUST_USE;
