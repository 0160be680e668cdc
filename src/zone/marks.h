/* Marks: which nodes are pools. While a version is made, a pure matcher says which owners of addresses are annotated;
 * nodes of those that are authoritative (neither at or below a cut nor below a DNAME) get NODE_POOL, and the version
 * lists them as fresh, for whoever gives handles. A name without addresses is marked likewise where the matcher says
 * that it gets some from elsewhere, unless it is an alias. A name that an NS or MX record of the same zone points to is
 * a pool only when it is annotated by its own name, and that is warned of. Names of other zones that such records point
 * to and that are annotated there are listed with the version, for whoever sees to the same between zones.
 *
 * In a signed version (zone/signed.h) no name is a pool: an rrset is signed whole, and a part of it, or another TTL,
 * fails every validator. One warning a zone says how many annotated names that concerns.
 *
 * A change marks what it made. A cut or DNAME that comes or goes above other names, another set of NS and MX targets,
 * other annotations, or a zone that turns signed or unsigned mark every node of the zone again: rare, and a job's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/diag.h"
#include "zone/foreign.h"
#include "zone/trie.h"

struct zone;
struct zone_version;

enum zone_mark { ZONE_MARK_NONE, ZONE_MARK_BY_NAME, ZONE_MARK_BY_BELOW };

struct zone_marks {
    /* How `lower`, which has authoritative A or AAAA records in the zone, is annotated. All of these are called by the
     * job that makes the version. NULL: no name of the zone is annotated. */
    enum zone_mark (*match)(void *arg, const struct zone *zone, const uint8_t *lower);
    /* Whether `lower`, which has records in the zone, but no addresses, is to be a pool even so: it gets some from
     * elsewhere. Only then is `match` asked. NULL: no name is. */
    bool (*match_bare)(void *arg, const struct zone *zone, const uint8_t *lower);
    /* How `lower`, to which an NS or MX record of the zone points, is annotated in another zone. The same answer
     * whenever it is asked by the same annotations. NULL: no name anywhere is. */
    enum zone_mark (*match_foreign)(void *arg, const struct zone *zone, const uint8_t *lower);
    /* The version is marked, and `match` was asked for every name that it is for. NULL: nobody wants to know. */
    void (*all_asked)(void *arg, const struct zone *zone, struct diag *diag);
    void *arg;
    struct diag *diag; /* for warnings; NULL: nobody wants them, nor all_asked */
    bool anew; /* the base may have been marked by other annotations of this zone: zone_apply looks at every node */
    bool foreign_anew; /* of other zones: every node is asked for what it points to */
};

/* NS and MX targets within a zone, as hashes: keyed, 64 bits, so equal ones are taken for equal names, and the worst is
 * a pool less. Counted by the versions that share it; only zones with annotated names have one. */
struct zone_targets {
    size_t ref_cnt;
    size_t cnt;
    uint64_t hashes[]; /* ascending */
};
void zone_targets_put(struct zone_targets *targets);

enum { ZONE_MARKING_WHOLE_NAMED = 3 };
/* For zone/build.c and zone/apply.c: the marking of one version while it is made. */
struct zone_marking {
    const struct zone_marks *marks; /* NULL: nothing is annotated */
    struct zone_version *version;
    const struct zone_version *before; /* NULL: there was none */
    struct trie_edit *edit;            /* what the version's nodes hang on; not ended yet */
    struct zone_node **made;           /* nodes of this version alone that may be pools */
    size_t made_cnt, made_cap;
    struct zone_foreign_edit foreign;
    /* names that are annotated and no pools because the zone is signed; the first ones in canonical order */
    const struct zone_node *whole[ZONE_MARKING_WHOLE_NAMED];
    size_t whole_cnt;
    bool on;          /* there are marks to come or to go */
    bool annotated;   /* names of this zone are */
    bool shares;      /* nodes with the version before */
    bool all;         /* every node is to be looked at */
    bool foreign_all; /* every node is asked for what it points to */
    bool targets;     /* NS or MX records came or went */
};
/* `before` is the version before this one, if any, which has nodes of it if it `shares` any. */
void zone_marking_init(struct zone_marking *marking, struct zone_version *version, const struct zone_version *before,
                       bool shares, const struct zone_marks *marks, struct trie_edit *edit) ATTR_NONNULL(1, 2, 6);
/* `made` (NULL: nothing) stands where `old` (NULL: nothing) stood. */
void zone_marking_replaced(struct zone_marking *marking, const struct zone_node *old, struct zone_node *made)
    ATTR_NONNULL(1);
/* All nodes are in place, and whether the version is signed is known: marks them. True when a node was marked or lost
 * its mark, or the zone points to other names. */
bool zone_marking_end(struct zone_marking *marking) ATTR_NONNULL_ALL;
