/* Ties names to pools: the configuration's `balance` groups ↔ rrsets of zone versions ↔ pools ↔ health. Lives on the
 * control thread, but for what jobs ask of a plan while they make a version (balance/marking.h).
 *
 * The way: store builds a version; nodes whose owner the zone's plan annotates (and that have A or AAAA, and are
 * authoritative) are listed in it as fresh pool nodes. Before it is published, balance_version_ready gives each its
 * handle (the same as before where the owner was a pool); then members are brought up to date, their checks subscribed
 * and tables compiled. A verdict later recompiles only the pools concerned and never touches the zone.
 *
 * Nothing here keeps the loop for long: what is more than a millisecond's work goes on in slices, pools in which a
 * member died first; until its turn comes a new pool's rrset is answered whole, an old one's table stays. A piece of it
 * is some hundred checks, or a table; tests/functional/test_pools_many.py and test_turns.py
 * measure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "answer/sites.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/opt.h"
#include "pool/directory.h"
#include "probe/probe.h"
#include "probe/rules.h"
#include "zone/served.h"
#include "zone/version.h"

/* One row of a zone's `balance` list. */
struct balance_member_options {
    struct addr address; /* family ADDR_NONE: none */
    char *host;          /* NULL: none; exactly one of both */
    int64_t weight;
    int64_t tier;
    struct opt_list probe;     /* char *; overrides the group's */
    struct addr check_address; /* family ADDR_NONE: the member's own */
    char *site;                /* NULL: none */
    struct opt_where where;
};
struct balance_group_options {
    char *name, *below; /* exactly one */
    int policy;
    uint64_t ttl_ms, ttl_min_ms;
    int64_t answers;       /* 0: the policy's default; POOL_ANSWERS_MAX: also "all" */
    struct opt_list probe; /* char * */
    double min_up;
    /* all_down: an enum word or a list of addresses */
    struct opt_list all_down; /* char * */
    int others;               /* 0 member, 1 ignore */
    int64_t hash_prefix4, hash_prefix6;
    uint64_t host_hold_ms;
    int families;             /* 0 apart, 1 together */
    uint64_t failback_ms;     /* 0 auto, UINT64_MAX manual */
    uint64_t slow_start_ms, flap_hold_ms;
    double trickle;
    struct opt_list members;  /* struct balance_member_options */
    struct opt_where where;
};
/* What balance adds to a row of `zones`. */
struct balance_zone_options {
    struct opt_list groups; /* struct balance_group_options */
};
extern const struct opt_table balance_zone_opt_table; /* "zones": key balance */

/* The annotations of all zones, names resolved, probes found: immutable, and independent of the configuration that it
 * was made from. */
struct balance_plan;
void balance_plan_free(struct balance_plan *plan);
/* `apexes[i]` (wire, lower-cased; NULL: it has no good name, which the caller tells, as when two are equal) is the apex
 * of row i of `zones` (struct balance_zone_options); `probes` are struct probe_options, `sites` (NULL: none) need have
 * no networks. Errors (two groups with one key, unknown probe or site, neither or both of name and below, owner outside
 * the zone, an address twice, wildcard owner without http host …) to `diag`, with file and line; ERR_INVALID then.
 * Warnings (round_robin with weights other than 0 and 1 …) too. Rows may be what conf_load left of those with errors:
 * nothing is said that only follows from these. */
enum err balance_plan_make(struct balance_plan **plan, const struct opt_list *zones, const uint8_t *const *apexes,
                           const struct opt_list *probes, const struct answer_sites *sites, struct diag *diag)
    ATTR_NONNULL(1, 2, 3, 4, 6) ATTR_MUST_USE;

/* What the group `health` says of all checks; without it, there is no limit but for addresses that come from somebody
 * else. Warnings (a probe that asks for more checks than it may) to `diag`. Before anybody has the plan. */
void balance_plan_limit(struct balance_plan *plan, const struct probe_health_options *options,
                        const struct opt_list *probes, struct diag *diag) ATTR_NONNULL_ALL;

struct balance;
/* No reader may be left. Waits for jobs (it runs the loop's callbacks for that); the loop then has
 * one more round to go. */
void balance_free(struct balance *balance);
/* `directory` is borrowed. With `probing` false (rondod -t) nothing is ever probed: members stay unknown, and
 * everything is done at once. [control] */
struct balance *balance_new(uv_loop_t *loop, struct pool_directory *directory, bool probing)
    ATTR_FREED_BY(balance_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Starts the probe thread. `start_wait_ms`: first checks of new targets start within half of it. [control, after
 * privileges were dropped] */
enum err balance_start(struct balance *balance, uint64_t start_wait_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Makes `plan` (taken) the one that later versions are read by. Pools that exist stay as they are until their zone is
 * ready: what is new may be meant for records that have not been read yet. A load begins that balance_when_followed
 * ends; until then checks that nobody wants any more go on, for another pool may want the same. No job may still use
 * the old plan but one for which it is held; it ends with the last pool made by it. [control] */
void balance_set_plan(struct balance *balance, struct balance_plan **plan) ATTR_NONNULL_ALL;
const struct balance_plan *balance_get_plan(const struct balance *balance) ATTR_NONNULL_ALL;
/* The same, and it stays until it is given back, though another may be in force by then. [control] */
struct balance_plan *balance_hold_plan(struct balance *balance) ATTR_NONNULL_ALL ATTR_MUST_USE;
void balance_give_plan(struct balance *balance, struct balance_plan *plan) ATTR_NONNULL_ALL;

/* Asks these (with ports; none: those of /etc/resolv.conf) for the addresses of hosts that no zone of ours has. To be
 * called before balance_set_plan, after which every host is asked for again. [control] */
void balance_set_resolvers(struct balance *balance, const struct addr *resolvers, size_t cnt) ATTR_NONNULL(1);
/* `find` (zone_served_find over the zones that are served) is asked for the names of hosts before resolvers are;
 * without it no zone is ours. [control] */
void balance_set_own_zones(struct balance *balance,
                           void (*find)(void *arg, const uint8_t *name, struct zone_served *served), void *arg)
    ATTR_NONNULL(1, 2);

/* A version is about to be published. False: nothing that is answered has changed so far, call again with the same
 * version in another turn of the loop. True: publish it in this turn.
 *
 * Gives each of its fresh pool nodes (zone_version.fresh_pools) a handle, the same as before where the owner was a
 * pool, in slices of half a millisecond. When all have one, pools whose node is another take its records, members
 * that are new are subscribed and tables compiled, in what is left of the last of these and in slices afterwards.
 * Handles that it lost (zone_version.lost_pools) and no fresh node got are retired after it is published and a grace
 * period has passed. Takes what it says of names of other zones (fresh_foreign, lost_foreign): an owner that some other
 * zone points to is no pool by `below`. Warnings (an annotated address that the rrset lacks sleeps; more than 1,024
 * members, or a wildcard without an http host: no pool, the rrset is served whole) to `diag`. [control] */
bool balance_version_ready(struct balance *balance, struct zone_version *version,
                           struct diag *diag) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The zone's load has ended without another version, as it is unchanged or failed: its pools take the settings of the
 * plan for the records that they have (balance_version_ready does the same for those of nodes that are not fresh).
 * Verdicts are kept by identity of the check, and stand until the first result where a member has another one; what it
 * warns of goes to the log. Names that are annotated no more are
 * answered whole, and keep their handle until a version has lost it. [control] */
void balance_zone_ready(struct balance *balance, const struct zone *zone) ATTR_NONNULL_ALL;
/* The zone left the catalogue: its pools are retired likewise, and it points to no name any more. No version of it may
 * be in between. [control] */
void balance_zone_gone(struct balance *balance, const struct zone *zone) ATTR_NONNULL_ALL;

/* Calls `fn` once, on the loop, when all pools are what the newest versions and plan make of them, but for tables that
 * are jobs. What was found while records were held against a new plan, and has been logged, is added to `diag` before.
 * One at a time. [control] */
void balance_when_followed(struct balance *balance, struct diag *diag, void (*fn)(void *arg), void *arg)
    ATTR_NONNULL(1, 2, 3);
/* True when no table gives a member that has no verdict, as one does while nobody else of its tier is up, and every
 * host has had a first answer, be it that there is none: workers may start. [control] */
bool balance_settled(const struct balance *balance) ATTR_NONNULL_ALL;
/* Calls `fn` once on the loop when balance_settled becomes (or is) true. [control] */
void balance_when_settled(struct balance *balance, void (*fn)(void *arg), void *arg) ATTR_NONNULL(1, 2);

/* A member counts as another than before: words such as "up", "down", "unknown", "drained", and why. Valid during the
 * call. */
struct balance_change {
    const uint8_t *apex, *owner; /* of its pool, wire */
    const struct addr *member;
    const char *before, *now, *reason;
};
/* Calls `fn` at each change from now on, those that the log only sums up too. It may not call balance, and must be
 * quick: a hundred thousand may change together. [control] */
void balance_on_change(struct balance *balance, void (*fn)(void *arg, const struct balance_change *change), void *arg)
    ATTR_NONNULL(1, 2);

/* As shown to people. [control], valid during the call. */
struct operate_order;
struct balance_member_view {
    struct addr address;
    uint32_t weight, tier;
    bool drained_by_agent; /* `drained` is true when that is, with weight 0, and with `drain` */
    const struct operate_order *drain, *force; /* of operators (balance/operate.h); NULL: none */
    bool drained, sleeping /* annotated, but the rrset lacks it */, probed, unsettled, used /* in the answers now */;
    enum health_verdict verdict;
    uint64_t since_wall_ms; /* 0: none */
    const char *reason;     /* of the last check; "" */
    bool has_days_left;
    int days_left;          /* of the certificate that expires first; below 0: it has */
    bool held;              /* the verdict is that from before a failure of our own */
    uint64_t waits_until_wall_ms; /* for flap_hold, though its checks pass; 0: it does not */
    unsigned weight_percent;      /* of the weight that it has now; below 100 in a slow start */
    double share;           /* of answers in which it stands first */
    double weight_now;      /* the weight, less what is withheld of it */
    struct health_measure measure; /* response time and load, as far as they are fresh */
    const uint8_t *host;    /* wire; that it is a member by; NULL: by its own address */
};
/* A host of a pool's group, and what is known of its addresses of the pool's family. */
struct balance_host_view {
    const uint8_t *name; /* wire */
    const struct addr *addresses;
    size_t address_cnt;
    uint32_t weight, tier;
    bool own;                 /* read in a zone that is served here; else resolvers are asked */
    bool known;               /* there was an answer */
    const char *problem;      /* of the last answer; "" */
    uint64_t found_wall_ms;   /* when addresses came last; 0: never */
    uint64_t denied_wall_ms;  /* since when they are kept although it is said that there are none; 0: they are not */
    int64_t ttl_left_ms;      /* of the addresses, negative when it is over; INT64_MAX: they have none */
};
struct balance_pool_view {
    const uint8_t *owner, *apex; /* wire */
    enum addr_family family;
    enum pool_policy policy;
    enum pool_state state;
    uint32_t tier;    /* the one in use */
    bool together;    /* both families go by one tier */
    uint32_t better_tier; /* of a lower number and good again, while the pool stays where it is; 0: none */
    uint64_t better_since_wall_ms, back_wall_ms; /* when it goes back; 0: when told to */
    uint32_t trickle_tier;                       /* that has a part of the answers too; 0: none */
    double trickle;                              /* that part */
    bool slow_start, flap_hold;                  /* it has them: coming back takes longer than checks do */
    uint32_t ttl_sec; /* served now */
    uint16_t answers;
    bool probed;
    bool exact;                          /* false: the weights were cut to 4,096 slots */
    uint64_t detection_ms, staleness_ms; /* of the pool's worst probe; 0: not probed */
    const struct balance_member_view *members;
    size_t member_cnt;
    const struct balance_host_view *hosts; /* in the order of the file */
    size_t host_cnt;
};
/* Every pool, a family at a time, in order of apex and owner (canonical); `owner` (wire, may be NULL) picks one name.
 * Some two microseconds a pool: all of them in one go are for who keeps nobody waiting. Sleeping members come last; of
 * groups with `below` they are not shown. */
void balance_each_pool(const struct balance *balance, const uint8_t *owner,
                       void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg) ATTR_NONNULL(1, 3);
/* All of them in slices, between which pools come and go, in no order: from `*at` (0 at first) on, for about
 * `budget_us`. True: that were all. A pool that is there from the first slice to the last is shown once. */
bool balance_walk_pools(const struct balance *balance, uint32_t *at, uint64_t budget_us,
                        void (*fn)(void *arg, const struct balance_pool_view *pool), void *arg)
    ATTR_NONNULL(1, 2, 4) ATTR_MUST_USE;
size_t balance_pool_cnt(const struct balance *balance) ATTR_NONNULL_ALL;
