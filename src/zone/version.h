/* Zones and their versions. A version is immutable and read by the workers through RCU; versions are chained from old
 * to new, each counted, and carries what it replaced of its predecessor. When the oldest version is released, what its
 * successor replaced is freed, in order. A `struct zone` is the stable handle that the catalogue points to.
 *
 * Memory: versions next to each other share a pool of chunks. A change reuses what released versions left free there as
 * far as sizes match; a zone whose rrsets all grow, again and again, finds no match. So whoever made a version asks
 * zone_wastes_memory and lets zone_pack copy the version into a new pool before it is published; the old pool is freed
 * whole with the last version in it. Bound: where every version is packed when it should be, the pool of the current
 * version takes at most 2 × what that version needs + CHUNK_FRESH_BYTES once the older ones are released. A copy is
 * paid for: since the pool was new about as many bytes were replaced in it as are copied now, but for 2 MiB. Zones
 * smaller than that may be copied with every change; it takes a millisecond.
 *
 * Threads: readers are [snapshot]. Whatever makes or frees memory of versions is [builder]: one thread at a time a
 * zone, the control thread or a job. The store sees to that: a put waits while a job builds its zone, and no load
 * starts while puts run in jobs; zone_free runs in a job when the zone's last version and last reader are gone.
 * zone_publish, zone_new and zone_version_get are the control thread's alone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/hash.h"
#include "base/rcu.h"
#include "dns/nsec3.h"
#include "zone/changeset.h"
#include "zone/marks.h"
#include "zone/order.h"
#include "zone/records.h"
#include "zone/trie.h"

struct zone_version {
    /* read by workers */
    uint64_t root;
    const struct zone_node *apex;
    uint64_t cut_depths[2];   /* bit d: some name of depth d is a cut; depth 127 at most */
    uint64_t dname_depths[2]; /* the same for DNAME, the apex included */
    uint32_t serial;
    /* See zone/signed.h. A signed version has `nsec` or `nsec3`, or neither when its NSEC3 chain is not used. */
    bool is_signed;
    const struct zone_order *nsec;            /* nodes that have NSEC; NULL: not signed, or by NSEC3 */
    const struct zone_order *nsec3;           /* nodes that have NSEC3 of the chain in use; NULL: there is none */
    const struct nsec3_params *nsec3_params;  /* of that chain; NULL: there is none; owned */
    /* the writer's */
    uint32_t ref_cnt; /* atomic; 1 from when it is made until it is no longer the zone's current one, + each holder */
    size_t node_cnt;
    size_t rr_cnt;
    struct zone *zone;
    struct chunk_pool *pool; /* where what it has lies; the last version of a pool frees it */
    struct zone_version *newer;
    struct trie_garbage replaced; /* of the predecessor; empty when that has another pool */
    uint32_t (*depth_cnt)[2];     /* [128]: cuts and DNAMEs of each depth; NULL: there are none; owned */
    size_t pool_cnt;              /* nodes that are pools */
    struct zone_targets *targets; /* NULL: not needed so far; counted */
    struct zone_foreign *foreign; /* NULL: none; counted */
    /* What whoever gives handles to pools wants to know before the version is
     * published; see zone_version_forget_pools. */
    /* nodes made for this version that are pools, `pool` still 0: private to the version until then */
    struct zone_node **fresh_pools;
    size_t fresh_pool_cnt;
    /* handles of the predecessor's nodes that are not in this version, be it that another node has the name now */
    uint32_t *lost_pools;
    size_t lost_pool_cnt;
    /* Names of other zones that records of this version alone point to, and of the predecessor alone. */
    struct zone_names fresh_foreign, lost_foreign;
};

struct zone {
    struct zone_version *current; /* RCU; NULL: not loaded, or expired: SERVFAIL */
    uint64_t name_hash;
    const uint8_t *name; /* lower-cased apex, owned */
    uint8_t name_len;
    uint8_t depth;
    /* Who may transfer it, and the like (zone/access.h). RCU; NULL: nobody may anything; owned */
    struct zone_access *access;
    bool is_expired; /* atomic: why there is no current one */
    /* the writer's */
    struct zone_version *latest; /* what was published last: the current one, or what has expired; NULL: nothing */
    const struct hash_key *key;
    bool is_foreign; /* [control] others than the operator write its records: it came by a transfer, or has updates */
    struct chunk_pool *pool;       /* of the newest version */
    struct zone_pool *older_pools; /* of the others that have another one, the newest first */
    struct zone_version *oldest, *newest;
};

static inline bool zone_depth_has(const uint64_t depths[2], unsigned d) { return depths[d >> 6] >> (d & 63) & 1; }

/* [builder] The versions to come have a pool of their own. */
void zone_renew_pool(struct zone *zone) ATTR_NONNULL_ALL;
/* [builder] Frees all versions; no reader and no holder may be left. */
void zone_free(struct zone *zone);
/* [control] `key` is borrowed and outlives it. */
struct zone *zone_new(const uint8_t *apex, const struct hash_key *key)
    ATTR_FREED_BY(zone_free) ATTR_MUST_USE ATTR_NONNULL_ALL;

/* [builder] A version out of checked records, which are sorted. Not published. The records stay the caller's. Never
 * fails on checked records. A zone that has a version already gets one that shares nothing with it, pool included.
 * `marks` NULL: no name is annotated. */
struct zone_version *zone_build(struct zone *zone, const struct zone_records *records, const struct zone_marks *marks)
    ATTR_NONNULL(1, 2) ATTR_MUST_USE;
/* [builder] The version after `base` (the newest one) with `changes` applied; shares all that did not change.
 * ERR_INVALID when a record to remove is not there or one to add is, when an owner is outside the zone, an rrset would
 * be too large for a message, or the apex would not have exactly one SOA: nothing is made then. Records to remove match
 * whatever their TTL; an rrset that gets a record takes that record's TTL (of RRSIGs those that cover one type are an
 * rrset, RFC 4034 3). Nothing else is checked (see zone/check.c). */
enum err zone_apply(struct zone_version **version, struct zone_version *base, const struct changeset *changes,
                    const struct zone_marks *marks) ATTR_NONNULL(1, 2, 3) ATTR_MUST_USE;
/* [builder] The version after `base` (the newest one) with the same records, every node marked anew; NULL: no mark
 * changes, nor does what the zone points to. */
struct zone_version *zone_remark(struct zone_version *base, const struct zone_marks *marks)
    ATTR_NONNULL(1) ATTR_MUST_USE;
/* [control] Makes `version` (just built or applied) the current one. Its predecessor, if any, comes back for the caller
 * to put after a grace period; NULL otherwise. An expired zone is served again. */
struct zone_version *zone_publish(struct zone *zone, struct zone_version *version) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* [control] Nothing is answered from the zone any more (RFC 1035 3.3.13, EXPIRE), though its latest version stays and
 * the next one is made from it; and again, as when a version is published. */
void zone_expire(struct zone *zone) ATTR_NONNULL_ALL;
void zone_revive(struct zone *zone) ATTR_NONNULL_ALL;
/* [control] The version's pools have their handles and it is published: frees what is left of the lists of fresh and
 * lost ones. */
void zone_version_forget_pools(struct zone_version *version) ATTR_NONNULL_ALL;
/* [builder] Half of the version's pool will be of no use to it, and more than a little, when all older versions are
 * gone. Costs a look at each version. */
bool zone_wastes_memory(const struct zone_version *version) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* [builder] Copies a version that is the newest and was never published into a pool of its
 * own. Takes about as long as the zone is large. */
void zone_pack(struct zone_version *version) ATTR_NONNULL_ALL;
/* [builder] Throws a version away that was never published and is the newest. */
void zone_discard(struct zone_version *version) ATTR_NONNULL_ALL;

/* Counted holding, by transfers and by the zone itself for the current version. What nobody holds is freed, in order
 * from the oldest; the zone's current version must not be put to 0. [control] for get, [builder] for put. */
void zone_version_get(struct zone_version *version) ATTR_NONNULL_ALL;
void zone_version_put(struct zone_version *version) ATTR_NONNULL_ALL;
/* [builder] What putting `version` now would cost, in objects to free (some 50 ns each): it and those behind it that
 * wait for it alone. */
size_t zone_version_put_cost(const struct zone_version *version) ATTR_NONNULL_ALL;
/* [builder] What the zone's versions take from the system. */
size_t zone_memory_bytes(const struct zone *zone) ATTR_NONNULL_ALL;

/* [snapshot] The node called `name` (any case), NULL: none. */
const struct zone_node *zone_version_find(const struct zone_version *version, const uint8_t *name) ATTR_NONNULL_ALL;
/* [snapshot] Every record, in no particular order but rrset by rrset; rr is valid during the call. */
void zone_version_each(const struct zone_version *version, void (*fn)(void *arg, const struct rr *rr), void *arg)
    ATTR_NONNULL(1, 2);

/* For zone/build.c and zone/apply.c: a version at the new end of its zone's chain. */
struct zone_version *zone_version_new(struct zone *zone) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The newest one of the zone, NULL: none. */
struct zone_version *zone_newest(const struct zone *zone) ATTR_NONNULL_ALL;
/* Counts a node that comes (by = 1) or goes (-1): names, records, cuts and DNAMEs. */
void zone_version_count(struct zone_version *version, const struct zone_node *node, int by) ATTR_NONNULL_ALL;
/* trie_edit's hash_fn; `arg` is the struct hash_key. */
uint64_t zone_node_hash(const void *arg, const struct zone_node *node) ATTR_NONNULL_ALL;
/* The serial in the apex's SOA. */
uint32_t zone_node_serial(const struct zone_node *apex) ATTR_NONNULL_ALL;
