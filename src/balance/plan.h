/* The plan as the rest of balance reads it: each zone's groups with everything that their words stand for. Immutable;
 * all but the maps' buckets in one arena. */
#pragma once

#include "balance/balance.h"
#include "base/map.h"
#include "base/arena.h"
#include "base/hash.h"
#include "probe/rules.h"

/* Probes of a group or a member; points into the plan. */
struct plan_probes {
    const struct probe_options *const *rows;
    size_t cnt;
};

struct plan_member {
    struct addr address;
    struct addr check_address; /* ADDR_NONE: the member's own */
    uint32_t weight, tier;
    uint16_t site; /* 0: none */
    struct plan_probes probes; /* none: the group's */
    struct opt_where where;
};

/* A name whose addresses are members. */
struct plan_host {
    const uint8_t *name; /* lower-cased */
    /* what is said of each, but for the weight, which they share; both addresses are ADDR_NONE */
    struct plan_member member;
};

struct plan_group {
    struct map_link link;
    const uint8_t *name; /* lower-cased owner, or the name below which it applies */
    bool is_below;
    bool ignore_others;
    enum pool_policy policy;
    enum pool_all_down all_down;
    uint16_t answers;
    uint64_t min_up; /* as pool_settings has it */
    uint32_t ttl_sec, ttl_min_sec;
    uint8_t hash_prefix4, hash_prefix6;
    bool is_together;       /* one tier for both families */
    uint32_t trickle;       /* as pool_settings has it */
    uint64_t failback_ms;   /* POOL_FAILBACK_AUTO, POOL_FAILBACK_MANUAL or between */
    uint64_t slow_start_ms; /* 0: none */
    uint64_t flap_hold_ms;  /* 0: none */
    struct plan_probes probes;
    const struct addr *fallback;
    size_t fallback_cnt;
    const struct plan_member *members; /* canonical order */
    size_t member_cnt;
    const struct plan_host *hosts; /* in the order of the file */
    size_t host_cnt;
    uint64_t host_hold_ms;
    uint32_t number; /* among those of its zone */
    uint32_t serial; /* among all */
    struct opt_where where;
};

struct plan_zone {
    struct map_link link;
    const uint8_t *apex;
    unsigned depth;
    struct map groups;        /* by name and kind */
    uint64_t below_depths[2]; /* bit d: some `below` has d labels */
    bool has_hosts;           /* some group for one name has */
};

struct plan_anchor {
    struct addr address; /* port 0: the probe's */
    const struct probe_options *probe;
};

struct balance_plan {
    struct arena arena;
    struct hash_key key;
    struct map zones;        /* those with groups */
    uint64_t zone_depths[2]; /* bit d: some of them has d labels */
    uint64_t rules;          /* see balance_marked */
    struct probe_rules *may; /* whom to probe */
    bool bars;               /* some members are not to be */
    uint32_t start_gap_ms;   /* as struct health_timing has it */
    uint32_t checks_max;     /* as probe_set_checks_max has it */
    size_t group_cnt;        /* of all zones */
    const struct plan_anchor *anchors;
    size_t anchor_cnt;
    uint64_t hold_max_ms;
    /* The balance's. [control] */
    size_t user_cnt; /* zones that follow it, pools whose group is one of these, and who holds it */
    struct balance_plan *older;
};

/* [any] The group that applies to `lower` in the zone; NULL: none. */
const struct plan_group *plan_find(const struct balance_plan *plan, const uint8_t *apex,
                                   const uint8_t *lower) ATTR_NONNULL_ALL ATTR_PURE;
/* [any] The same in two steps: the zone's groups, NULL: none. */
const struct plan_zone *plan_find_zone(const struct balance_plan *plan, const uint8_t *apex) ATTR_NONNULL_ALL ATTR_PURE;
const struct plan_group *plan_find_in(const struct balance_plan *plan, const struct plan_zone *zone,
                                      const uint8_t *lower) ATTR_NONNULL_ALL ATTR_PURE;
/* [any] What the group says of an address; NULL: nothing. */
const struct plan_member *plan_find_member(const struct plan_group *group,
                                           const struct addr *address) ATTR_NONNULL_ALL ATTR_PURE;
/* [any] The probes that check a member; `member` as plan_find_member gave it. */
static inline const struct plan_probes *plan_probes_of(const struct plan_group *group, const struct plan_member *member)
{
    return member && member->probes.cnt ? &member->probes : &group->probes;
}
/* "*" is the owner's first label. */
static inline bool plan_is_wildcard(const uint8_t *owner) { return owner[0] == 1 && owner[1] == '*'; }
/* The first of them that needs a host but names none; NULL: none. */
const struct probe_options *plan_hostless(const struct plan_probes *probes) ATTR_NONNULL_ALL ATTR_PURE;

/* What of its failover does not what one may think, in words; how much that is. */
enum { PLAN_DOUBTS_MAX = 4 };
size_t plan_failover_doubts(const char *doubts[PLAN_DOUBTS_MAX], const struct plan_group *group) ATTR_NONNULL_ALL;
/* plan_load.c: why a policy by load can't go by these probes; NULL: it can, or is another policy. */
const char *plan_load_problem(enum pool_policy policy, const struct plan_probes *probes) ATTR_NONNULL_ALL ATTR_PURE;

/* ---- for plan.c, plan_group.c and marking.c */

struct planning {
    struct balance_plan *plan;
    const struct probe_options **probes; /* copies in the plan, by name */
    size_t probe_cnt;
    bool has_nameless_probe; /* whose name was refused: it may be any that is missed */
    const struct answer_sites *sites; /* NULL: there are none */
    const uint8_t *apex;
    bool has_name;           /* the zone; else its apex is but a stand-in */
    struct diag *diag;
};

/* All groups are there: fills what the plan is asked by. */
void plan_index(struct balance_plan *plan) ATTR_NONNULL_ALL;
/* All groups are there: whose hosts lead back to itself, by way of other groups with hosts or at once, is told to
 * `diag`. */
void plan_check_circles(const struct balance_plan *plan, struct diag *diag) ATTR_NONNULL_ALL;
/* Resolves a row into the plan's memory. Whatever is wrong goes to `diag`; the
 * group's name is NULL when it has none. */
struct plan_group *plan_group_make(struct planning *planning, const struct balance_group_options *row)
    ATTR_NONNULL_ALL ATTR_MUST_USE ATTR_RETURNS_NONNULL;
