/* What a zone is to be after a row of dynamic updates, kept as the difference from a version: the owners that updates
 * have asked for, and of them the rrsets that were read whole or changed. Takes memory for those alone, whatever the
 * size of the zone; each such rrset is held with all of its records.
 *
 * Changes are made in steps, a message each: a step is kept or undone as a whole. What a step changes of an rrset is a
 * copy of its list of records until then, so a step costs what the rrsets have that it changes, as zone_apply does.
 *
 * The version stays as long as the state. Rdata that is added is borrowed for as long. One thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/map.h"
#include "zone/changeset.h"
#include "zone/image.h"
#include "zone/node.h"
#include "zone/version.h"

struct update_owner {
    struct map_link link;
    struct update_owner *next; /* of the state */
    const uint8_t *name;       /* lower-cased */
    const struct zone_node *node; /* NULL: the version has none */
    struct update_set *sets;
    bool has_all;              /* every rrset of the node is among the sets */
    unsigned type_cnt;         /* rrsets with records; 0: the name is not in use (RFC 2136 2.4.4) */
    unsigned barring_cnt;      /* of them, those that bar a CNAME */
};

/* An rrset; all signatures of an owner are one. */
struct update_set {
    struct map_link link;
    struct update_set *next; /* of the owner */
    struct update_owner *owner;
    uint16_t type;
    bool has_ttl;            /* the records have this one and not their own: some was added */
    uint32_t ttl;
    const struct image_rdata *base; /* as the version has it; canonical order, as `records` */
    unsigned base_cnt;
    unsigned cnt, cap;       /* cap 0: `records` are the base's and not to be written */
    const struct image_rdata *records;
    unsigned step;           /* that changed it last */
};

/* What an rrset was before the step. */
struct update_undo {
    struct update_set *set;
    const struct image_rdata *records;
    unsigned cnt, cap;
    bool has_ttl;
    uint32_t ttl;
};

struct update_state {
    const struct zone_version *base;
    struct arena arena;
    struct map owner_map, set_map;
    struct update_owner *owners;
    struct update_undo *undos; /* an rrset each that the step has changed */
    size_t undo_cnt, undo_cap;
    unsigned step;
};

void update_state_init(struct update_state *state, const struct zone_version *base) ATTR_NONNULL_ALL;
void update_state_fini(struct update_state *state) ATTR_NONNULL_ALL;

/* ---- looking; `name` is within the zone, in any case */
struct update_owner *update_state_owner(struct update_state *state, const uint8_t *name)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* How many records of the type the owner has. */
unsigned update_state_cnt(const struct update_state *state, const struct update_owner *owner, uint16_t type)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The rrset, read whole; perhaps without records. */
struct update_set *update_state_set(struct update_state *state, struct update_owner *owner, uint16_t type)
    ATTR_NONNULL_ALL ATTR_RETURNS_NONNULL;
/* Where rdata equal to this stands, or would: *found tells. */
unsigned update_set_place(const struct update_set *set, const uint8_t *rdata, unsigned len, bool *found)
    ATTR_NONNULL_ALL;
static inline uint32_t update_set_ttl(const struct update_set *set, unsigned i)
{
    return set->has_ttl ? set->ttl : set->records[i].ttl;
}

/* ---- changing; within the step. A record that is put gives its TTL to all of its rrset (RFC 2181 5.2). Not for
 * types whose records may differ in that, RRSIG and SIG: those can only be removed. */
void update_state_insert(struct update_state *state, struct update_set *set, unsigned at, const struct rr *rr)
    ATTR_NONNULL_ALL;
void update_state_replace(struct update_state *state, struct update_set *set, unsigned at, const struct rr *rr)
    ATTR_NONNULL_ALL;
void update_state_remove(struct update_state *state, struct update_set *set, unsigned at) ATTR_NONNULL_ALL;
void update_state_clear(struct update_state *state, struct update_set *set) ATTR_NONNULL_ALL;
/* Every rrset of the owner but those of the two types (0: none is spared). */
void update_state_clear_all(struct update_state *state, struct update_owner *owner, uint16_t spared,
                            uint16_t spared_too) ATTR_NONNULL_ALL;

/* ---- the end of a step */
/* The rrset is another one than before the step, be it by its TTL or the case of names alone, if it is not lost in the
 * image anyway. */
bool update_undo_is_changed(const struct update_undo *undo) ATTR_NONNULL_ALL ATTR_MUST_USE;
void update_state_keep(struct update_state *state) ATTR_NONNULL_ALL;
void update_state_undo(struct update_state *state) ATTR_NONNULL_ALL;
/* What leads from the version to the state, both sides sorted; perhaps nothing. No step is under way. The serials are
 * the caller's to set. */
struct changeset *update_state_diff(const struct update_state *state)
    ATTR_FREED_BY(changeset_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
