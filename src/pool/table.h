/* The slot table: what a pool compiles to. Slots choose one of at most n answer sets for n used members; a set is a run
 * of records in image form (zone/image.h: owner pointer 0xC00C, type, class IN, TTL, address), doubled where the
 * address that stands first rotates. A table owns all its bytes and points into nothing else; it is immutable and
 * published through RCU. The query path (pool_table_pick) does not know the policy.
 *
 * pool_table_compile is the control thread's (a hash pool's first build: a job's); pool_table_pick the workers'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/random.h"
#include "base/rcu.h"
#include "pool/pool.h"

enum pool_pick { POOL_PICK_NEXT, POOL_PICK_RANDOM, POOL_PICK_HASH };
/* What stands instead of addresses. POOL_BY_CLASS: tables by client class (pool/classes.h), of which this one is the
 * root and has nothing itself. */
enum pool_outcome { POOL_ANSWER, POOL_NODATA, POOL_FAIL, POOL_BY_CLASS };

/* A slot holds the set's number and, above it, how often the set stood in the cycle before (modulo its rotations). */
enum { POOL_SLOT_SET_BITS = 10, POOL_SLOT_SET_MASK = (1 << POOL_SLOT_SET_BITS) - 1 };
_Static_assert(POOL_MEMBERS_MAX <= 1 << POOL_SLOT_SET_BITS, "a set's number fits");
_Static_assert(POOL_ANSWERS_MAX <= 1 << (16 - POOL_SLOT_SET_BITS), "a rotation fits above it");

struct pool_set {
    uint32_t at;      /* offset of the set's first record in the bytes */
    uint8_t rr_cnt;   /* records in an answer, 1..16 */
    uint8_t starts;   /* how many rotations: 1, or rr_cnt when the run is doubled */
    uint8_t per_turn; /* slots of the set in a cycle, modulo `starts`: the rotation goes on by so much from cycle to
                         cycle */
    uint8_t pad;
};

struct pool_table {
    struct rcu_deferred deferred;
    uint64_t seed;
    uint32_t slot_cnt; /* 1..4096; 0 unless outcome is POOL_ANSWER */
    uint16_t set_cnt;
    uint8_t rr_len;  /* 16 or 28 */
    uint8_t pick;    /* enum pool_pick */
    uint8_t outcome; /* enum pool_outcome */
    uint8_t hash_prefix4, hash_prefix6;
    bool all_down; /* no member lives and all are served (POOL_SERVE_ALL) */
    bool empty;    /* POOL_NODATA, for there is no member at all */
    bool exact; /* false: the shares were rounded to 4,096 slots by largest remainder (or are a hash's) */
    uint32_t negative_ttl_sec; /* POOL_NODATA: most TTL of the SOA */
    struct pool_set *sets;
    uint32_t *weights; /* of the hash policy, [set_cnt]: what the next compilation compares; else NULL */
    uint16_t *slots;
    uint8_t *bytes;
    size_t total_bytes; /* of the whole allocation */
};

/* With the tables of all classes, if it is their root. */
void pool_table_free(struct pool_table *table);
/* Compiles. `previous` (may be NULL) is an earlier table of the same pool and family: a hash table is then made from it
 * by scoring only the slots concerned by members that left, came or changed weight; the result is the same bit by bit.
 * Where much changed at once (a tier switched, all_down began, a member with a large share left a large pool) it takes
 * as long as a first build. Members are distinct, in canonical order, all of `family`. `fallback`: addresses for
 * POOL_FALLBACK, of which those of this family count; none gives POOL_NODATA. */
struct pool_table *pool_table_compile(const struct pool_settings *settings, enum addr_family family,
                                      const struct pool_member *members, size_t cnt, const struct addr *fallback,
                                      size_t fallback_cnt, const struct pool_table *previous)
    ATTR_FREED_BY(pool_table_free) ATTR_MUST_USE ATTR_NONNULL(1);
/* How many hash scores that would compute, at two to four nanoseconds each (a first build: 4,096 a member). Up to
 * POOL_SCORES_INLINE take less than a millisecond, more are a job's work. 0 for other policies, which take less than a
 * millisecond whatever changed. tests/unit/pool/test_table prints and judges both times. */
enum { POOL_SCORES_INLINE = 300000 };
uint64_t pool_table_compile_scores(const struct pool_settings *settings, enum addr_family family,
                                   const struct pool_member *members, size_t cnt,
                                   const struct pool_table *previous) ATTR_MUST_USE ATTR_NONNULL(1);
/* The share of answers in which `address` stands first, by the schedule, for people; 0..1. */
double pool_table_share(const struct pool_table *table, const struct addr *address) ATTR_NONNULL_ALL;
/* The share of answers that contain `address` at all, by the schedule; 0..1. */
double pool_table_inclusion(const struct pool_table *table, const struct addr *address) ATTR_NONNULL_ALL;
/* The TTL of its answers, of negative ones at most; 0: it gives none, or by class. */
uint32_t pool_table_ttl(const struct pool_table *table) ATTR_NONNULL_ALL ATTR_PURE;

/* The records to send now: a pointer into the table and their number (table->rr_len bytes each). `position` is the
 * worker's own counter for this pool and family; only POOL_PICK_NEXT moves it, by one. The table's outcome is
 * POOL_ANSWER. [worker] */
const uint8_t *pool_table_pick(const struct pool_table *table, uint32_t *position, struct random_state *rng,
                               const struct addr *client, unsigned *rr_cnt) ATTR_NONNULL_ALL ATTR_HOT;
