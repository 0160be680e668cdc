/* Marks: which nodes are pools. While a version is made, a pure matcher says which owners of addresses are annotated; nodes of those that
 * are authoritative (neither at or below a cut nor below a DNAME) get NODE_POOL, and the version lists them as fresh, for whoever gives
 * handles. A name that an NS or MX record of the same zone points to is a pool only when it is annotated by its own name, and that is
 * warned of.
 *
 * A change marks what it made. A cut or DNAME that comes or goes above other names, another set of NS and MX targets, or other
 * annotations mark every node of the zone again: rare, and a job's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "zone/trie.h"

struct zone;
struct zone_version;

enum zone_mark { ZONE_MARK_NONE, ZONE_MARK_BY_NAME, ZONE_MARK_BY_BELOW };

struct zone_marks {
    /* How `lower`, which has A or AAAA records in the zone, is annotated. Pure; called by the job that makes the version. */
    enum zone_mark (*match)(const void *arg, const struct zone *zone, const uint8_t *lower);
    const void *arg;
    struct diag *diag; /* for warnings; NULL: nobody wants them */
    bool anew;         /* the base may have been marked by other annotations: zone_apply looks at every node */
};

/* NS and MX targets within a zone, as hashes: keyed, 64 bits, so equal ones are taken for equal names, and the worst is a pool less. Counted by
 * the versions that share it; only zones with annotated names have one. */
struct zone_targets {
    size_t ref_cnt;
    size_t cnt;
    uint64_t hashes[]; /* ascending */
};
void zone_targets_put(struct zone_targets *targets);

/* For zone/build.c and zone/apply.c: the marking of one version while it is made. */
struct zone_marking {
    const struct zone_marks *marks; /* NULL: nothing is annotated */
    struct zone_version *version;
    struct trie_edit *edit;      /* what the version's nodes hang on; not ended yet */
    struct zone_targets *before; /* of the base; NULL: not known */
    struct zone_node **made;     /* nodes of this version alone that have addresses */
    size_t made_cnt, made_cap;
    bool on;      /* there are marks to come or to go */
    bool all;     /* every node is to be looked at */
    bool targets; /* NS or MX records came or went */
};
/* `base` NULL: the version shares nothing. */
void zone_marking_init(struct zone_marking *marking, struct zone_version *version, const struct zone_version *base,
                       const struct zone_marks *marks, struct trie_edit *edit) ATTR_NONNULL(1, 2, 5);
/* Nothing of `before`, the version before one that shares nothing, is left. */
void zone_marking_lose_all(struct zone_version *version, const struct zone_version *before) ATTR_NONNULL_ALL;
/* `made` (NULL: nothing) stands where `old` (NULL: nothing) stood. */
void zone_marking_replaced(struct zone_marking *marking, const struct zone_node *old, struct zone_node *made) ATTR_NONNULL(1);
/* All nodes are in place: marks them. True when a node was marked or lost its mark. */
bool zone_marking_end(struct zone_marking *marking) ATTR_NONNULL_ALL;
