/* What the files of balance share. Everything here is [control].
 *
 *   zone ──< pool ──2 family ──< member ──< check >── target (the probe's)
 *
 * A pool is an owner; a family its A or AAAA rrset with its own table. A check ties a member to a target of the prober;
 * several members may have the same target. What takes time (checking in and out, compiling) waits in two queues and is
 * worked off in slices. */
#pragma once

#include <stdatomic.h>

#include "balance/alarm.h"
#include "balance/balance.h"
#include "balance/count.h"
#include "base/map.h"
#include "base/ring.h"
#include "balance/operate.h"
#include "balance/plan.h"
#include "base/hash.h"
#include "base/log.h"
#include "health/flap.h"
#include "health/hold.h"
#include "loop/grace.h"
#include "loop/job.h"
#include "loop/post.h"
#include "pool/classes.h"
#include "pool/load.h"
#include "pool/failback.h"

struct balance_target {
    struct map_link link; /* by id */
    uint32_t id;
    struct hold_target hold;     /* what was seen of it; of which follow: */
    enum health_verdict verdict; /* the one that counts */
    bool unsettled;
    bool drains; /* an agent asks for no new clients */
    uint32_t anchor_cnt; /* how often it is an anchor: subscribed as often */
    struct balance_check *checks;
    struct balance_walk *walk; /* NULL: all members know what it said last */
    struct ring parked;        /* in balance.parked while it has no checks; the subscription of the last one is kept */
};

/* What a target said, on its way through its checks: a hundred thousand pools may share one. Checks that come are added
 * at the head, and know already. */
struct balance_walk {
    struct ring ring; /* in balance.death_walks or balance.walks */
    struct balance_target *target;
    struct balance_check *at;  /* the next one */
    struct balance_check *end; /* the first that is not to be told; NULL: none, they end before */
    bool wraps;                /* the target has spoken again since: after the last, on from the head to `end` */
    char reason[PROBE_REASON_MAX];
};

/* Stays where it is while its member lives, as its target's list goes through it. */
struct balance_check {
    struct balance_target *target;
    struct balance_check *next, **at;
    struct balance_family *family; /* NULL: of a former member, to be closed */
    uint32_t member;
};

/* What takes off a member's weight. */
enum balance_withheld { WITHHELD_LOAD, WITHHELD_SLOW_START, WITHHELD_HOST, WITHHELD_CNT };

/* What a member has besides struct pool_member. */
struct balance_side {
    struct balance_check *checks;
    uint32_t check_cnt;
    bool open;                      /* the checks are, be they none */
    bool foreign;                   /* somebody else wrote its address down: PROBE_ORIGIN_FOREIGN */
    enum probe_permission barred;   /* by which it is not checked, and so is down; PROBE_MAY: it is */
    enum health_verdict before;     /* of the member when others were its checks: counts for those without a result */
    const struct plan_member *note; /* NULL: `members` does not name it */
    /* What operators, load and time make of it; members_refresh takes it over into the pool_member. */
    bool drained_by_operator;         /* balance/operate.c */
    enum health_verdict forced;       /* HEALTH_UNKNOWN: not forced; likewise */
    uint32_t withheld[WITHHELD_CNT]; /* parts of POOL_PART_ONE, each below it */
    struct pool_load load;            /* what WITHHELD_LOAD comes from */
    struct health_flap flap;
    uint64_t ramp_ms; /* when its slow start began; 0: it has none */
};

/* Sides of former members whose checks are to be closed. */
struct balance_closing {
    struct balance_closing *next;
    struct balance_side *sides;
    uint32_t cnt, at;
};

/* An rrset. */
struct balance_records {
    uint32_t cnt, ttl;
    struct addr *addresses; /* canonical order */
};

/* What a family is counted as in balance.counts. */
struct balance_counted {
    bool is;
    enum pool_state state;
    uint32_t cnt, up_cnt, unknown_cnt;
};

/* A hash table of many members being made by a job. */
struct balance_build;

struct balance_family {
    struct balance_pool *pool;
    unsigned index;   /* 0 A, 1 AAAA */
    bool waiting;     /* somebody is answered who is unknown: counted in balance.waiting_cnt */
    bool all_drained; /* as last told */
    bool all_down;    /* as last told */
    enum pool_state state;
    struct balance_records records;
    struct balance_records
        next; /* of a version that is being prepared, or was published without its turn having come */
    bool has_next;
    const struct plan_group *group; /* that the members were made by; NULL: there are none */
    struct pool_settings settings;
    uint32_t cnt, up_cnt, unknown_cnt;
    struct balance_counted counted;
    struct pool_member *members;
    struct balance_side *sides;
    uint32_t open_cnt; /* sides from the first on whose checks are open */
    struct balance_closing *closing;
    struct balance_build *build;
    /* The largest TTL of answers that clients may have kept, and until when they may. */
    uint32_t cached_ttl_sec;
    uint64_t cached_until_ms;
    struct balance_alarm alarm;
    struct pool_failback failback;
    uint32_t trickle_turn;
    struct ring staying;   /* in balance.staying while a better tier is good again */
    uint64_t staying_mark; /* ascending in that ring */
};

enum balance_todo {
    TODO_REBUILD = 1,   /* members, and then all of what follows */
    TODO_COMPILE_A = 2, /* << family index */
    TODO_COMPILE_AAAA = 4,
    TODO_CHECKS = 8,  /* before anything is compiled */
    TODO_RETIRE = 16, /* and nothing else; with TODO_REBUILD at first: members are to go */
};

struct balance_pool {
    struct map_link link; /* by apex and owner */
    struct ring all;
    struct ring of_zone;
    struct ring queue;
    struct ring change; /* in zone.fresh or zone.lost */
    struct ring load;   /* with a policy by load: in the wheel of load.c, or due */
    uint64_t load_tick; /* when it is due */
    uint8_t load_at;    /* the family whose turn it is then */
    struct balance *balance;
    struct balance_zone *zone;
    struct balance_plan *plan;      /* that it was last built by, counted there; NULL: not built yet */
    const struct plan_group *group; /* of `plan`; NULL: no longer annotated, but nodes still have its handle */
    uint64_t mark;                  /* the last version that gave its handle */
    uint32_t handle;
    uint8_t todo;
    bool urgent;
    struct pool_class *classes; /* the sites of its members, ascending, and their handles */
    size_t class_cnt;
    struct balance_family families[2];
    struct host_use *hosts; /* see balance/hosts.h */
    uint32_t host_cnt;
    const struct plan_group *hosts_of; /* the group that they are of */
    uint8_t owner[]; /* wire, lower-cased */
};

struct balance_zone {
    struct map_link link;
    struct ring pools;
    struct balance_plan *plan; /* that its pools are built by, counted there: that of its last load, not a newer one */
    struct ring rescan;        /* in balance.rescans while there is anything left of what follows, or balance.leaving */
    struct ring *rescan_at;    /* of_zone of the first pool that may have been built by another plan; &pools: none */
    struct ring fresh;         /* pools whose node in the newest version is another one than before */
    struct ring lost;          /* pools of which it has no node */
    bool foreign;              /* its records are somebody else's word: PROBE_ORIGIN_FOREIGN */
    bool gone;                 /* it left: nobody finds it any more, all its pools are to go */
    /* The version being prepared, between slices. */
    bool preparing; /* `fresh` and `lost` are being filled, nothing is to be done yet */
    uint64_t mark;
    size_t at; /* in its fresh nodes, behind them its lost handles */
    uint8_t apex[];
};

struct balance_waiter {
    struct balance_waiter *next;
    void (*fn)(void *arg);
    void *arg;
};

enum balance_line { LINE_UP, LINE_DOWN, LINE_STATE, LINE_CNT };

struct balance {
    uv_loop_t *loop;
    struct post *post;
    struct pool_directory *directory;
    struct probe *probe; /* NULL: nothing is probed */
    struct balance_hosts *hosts;
    struct balance_plan *plan;
    struct balance_plan *old_plans; /* that zones still follow, or pools not yet rebuilt point into */
    struct hash_key key;
    struct map pools, zones, targets;
    struct map pointed; /* names that other zones point to */
    struct ring news;   /* of such names, not heeded yet */
    struct balance_pool **by_handle;
    size_t by_handle_cap;
    struct ring all;
    struct ring urgent, normal; /* work: pools in which somebody died, all others */
    struct ring death_walks, walks; /* verdicts of targets with many checks: those that died, all others */
    struct ring rescans;        /* zones whose pools are to follow a version or a plan */
    struct ring leaving;        /* zones that are gone */
    struct diag *rescan_diag;   /* NULL: no pool is held against a new plan just now */
    struct diag *found;         /* what was in such ones since balance_when_followed was last called; NULL: nothing */
    struct ring parked;         /* targets without checks */
    bool loading;               /* zones may be yet to follow the plan: parked targets stay */
    uint64_t mark;
    size_t pool_cnt; /* those with a group */
    size_t waiting_cnt;
    struct balance_counts counts;
    size_t job_cnt, retire_cnt;
    struct post_item wake_item, slice_item, settled_item, followed_item;
    atomic_bool wake_sent; /* [any] */
    bool slice_sent, settled_sent, followed_sent;
    struct balance_waiter *waiters;
    struct balance_waiter follower; /* fn NULL: none */
    struct diag *follower_diag;
    struct map orders; /* of operators, by name: balance/operate.c */
    struct ring order_pools;
    size_t passing_cnt;
    void (*order_change)(void *arg, const struct operate_member *member, const struct operate_order *drain);
    void *order_change_arg;
    uint32_t ttl_most_sec;    /* of all answers so far */
    uint64_t former_until_ms; /* resolvers may have answers of a former process; monotonic, 0: none */
    void (*on_verdict)(void *arg, uint32_t target); /* balance/memory.c */
    void *on_verdict_arg;
    struct ring looks; /* balance/look.c */
    bool answering; /* workers run, or are about to */
    struct log_rate rates[LINE_CNT];
    void (*on_change)(void *arg, const struct balance_change *change); /* NULL: nobody wants to know */
    void *on_change_arg;
    struct balance_load *load;
    uv_timer_t summary;
    size_t suppressed[LINE_CNT]; /* since the last summary */
    struct alarms *alarms;
    struct ring staying; /* families that stay on a worse tier */
    size_t staying_cnt;
    uint64_t staying_mark, return_mark; /* those up to return_mark are to go back */
    struct hold hold;
    struct balance_target **anchors;
    size_t anchor_cnt;
    struct balance_alarm hold_alarm;
    size_t hold_told;  /* holds whose beginning was told */
    bool hold_on_told; /* the last of them has not been told to have ended */
};

static const enum addr_family balance_families[2] = {ADDR_V4, ADDR_V6};
static const char *const balance_types[2] = {"A", "AAAA"};

/* balance.c */
struct balance_zone *balance_find_zone(const struct balance *balance, const uint8_t *apex);
struct balance_pool *balance_find_pool(const struct balance *balance, const struct balance_zone *zone,
                                       const uint8_t *owner);
struct balance_zone *balance_add_zone(struct balance *balance, const uint8_t *apex);
/* NULL: every handle is given. */
struct balance_pool *balance_add_pool(struct balance *balance, struct balance_zone *zone, const uint8_t *owner);

/* The group of `plan` that applies to an owner; NULL: none, or one with `below` although another zone points to the
 * owner. */
const struct plan_group *balance_find_group(const struct balance *balance, const struct balance_plan *plan,
                                            const struct balance_zone *zone, const uint8_t *owner);

/* work.c */
void work_queue(struct balance_pool *pool, unsigned todo, bool urgent);
/* Events, then what is queued, for at most `budget_us`, but one piece of it at least; the rest is posted. */
void work_slice(struct balance *balance, uint64_t budget_us);
/* Posts a slice. */
void work_post(struct balance *balance);
/* The next piece of what is queued; false: nothing is. */
bool work_one(struct balance *balance);
/* From now on nobody finds it; the rest is queued. Ends its zone with its last pool. */
void work_lose_pool(struct balance_pool *pool);
void work_drop_zone_if_empty(struct balance *balance, struct balance_zone *zone);
/* One of `old_plans` that nobody uses. */
void work_free_plan(struct balance *balance, struct balance_plan *plan);
/* What may be done where it comes up, of a call that began at `begin_us`: a few of these fit into the 5 ms of the
 * control thread. Without limit where nobody waits. */
uint64_t work_inline_us(const struct balance *balance, uint64_t begin_us);
/* From now on the zone's pools are built by the newest plan; those that are not, are queued. */
void work_follow_plan(struct balance *balance, struct balance_zone *zone);
/* Queues what there is of `fresh` and `lost`. */
void work_follow_version(struct balance *balance, struct balance_zone *zone);
/* From now on nobody finds it; the end of its pools is queued. */
void work_leave_zone(struct balance *balance, struct balance_zone *zone);
void work_end_rescan(struct balance *balance);
/* wake of probe_new. [probe] */
void work_wake(void *arg);

/* pointed.c */

/* True when NS or MX records of another zone point to `owner`. */
bool pointed_is(const struct balance *balance, const uint8_t *owner);
/* A zone points to these names (taken) from now on, or no longer; work for slices. */
void pointed_tell(struct balance *balance, struct zone_names *names, bool is_gone);
/* The next piece of that work; false: there is none. */
bool pointed_one(struct balance *balance);
void pointed_fini(struct balance *balance);

/* records.c */

/* What a person must be told of a pool when `group` applies to its newest records. */
void records_check(const struct balance_pool *pool, const struct plan_group *group, struct diag *diag);
/* Takes the rrset of a node as the next records. True when they are others than before. */
bool records_read(struct balance_family *family, const struct zone_node *node);
/* The next records, if any, are the records from now on. */
void records_adopt(struct balance_family *family);
/* With this group they can be no pool. */
bool records_refused(const struct balance_family *family, const struct plan_group *group);
void records_free(struct balance_family *family);

/* members.c */

/* Makes members anew by the records and the pool's group (NULL: there are none); who stays the same keeps the checks.
 */
void members_rebuild(struct balance_family *family);
/* A piece of what that leaves to do: checks of new members are opened, then those of former ones closed. True: that was
 * all, and the members can be told by their verdicts. */
bool members_work(struct balance_pool *pool);
/* Brings a member up to date with its side: verdict, weight, what is withheld, and counts. True when anything changed
 * that a table is compiled from, or he begins to wait on his way back. */
bool members_refresh(struct balance_family *family, uint32_t member);

/* classes.c */

/* The pool has the classes that its members have sites of, and no others. */
void classes_name(struct balance_pool *pool);
/* Sets what of `used`, by member, some class gives. Where classes are very many, whoever of a site is live counts. */
void classes_mark_used(const struct balance_family *family, bool *used);
void classes_end(struct balance_pool *pool);

/* operate.c */

/* What operators order for the address is in the side. */
void operate_take(const struct balance_family *family, const struct addr *address, struct balance_side *side);
/* What is published is about to be taken out, and `next` (NULL: none) to take its place. */
void operate_note_ttls(struct balance_family *family, const struct pool_table *next);
/* The family's table is that of its members now. */
void operate_published(struct balance_family *family);
/* The pool is about to be found no more. */
void operate_lost(struct balance_pool *pool);
/* The member of that address, into `index`; false: there is none. */
bool operate_find_member(const struct balance_family *family, const struct addr *address, uint32_t *index);
void operate_fini(struct balance *balance);

/* look.c */

/* Takes what the prober has to tell of checks that were asked for; true: there was something. */
bool look_take(struct balance *balance);
/* The target is about to be checked no more. */
void look_end_target(struct balance *balance, uint32_t target);
void look_fini(struct balance *balance);

/* settings.c */
void settings_make(struct pool_settings *settings, const struct plan_group *group, const uint8_t *owner,
                   uint32_t record_ttl);

/* checks.c */

/* Subscribes what the family's group wants checked; `host` is the owner as text. */
void checks_open(struct balance_side *side, struct balance_family *family, uint32_t member, const struct addr *address,
                 const char *host);
void checks_close(struct balance_side *side, struct balance *balance);
/* The side now belongs to that member of the same family. */
void checks_move(struct balance_side *side, uint32_t member);
/* What the checks find is for no member any more. */
void checks_mute(struct balance_side *side);
/* The verdict over all checks of a member; while they are not open or have no result, what it was before. */
enum health_verdict checks_verdict(const struct balance_side *side, bool *unsettled);
/* Which target speaks for the member, when it counts as `verdict`: of those down the first to go down, of those up the
 * last to come up, else one that is unknown; `state` is what it said last. NULL: none has that verdict. */
const struct balance_target *checks_speaker(const struct balance *balance, const struct balance_side *side,
                                            enum health_verdict verdict, struct probe_event *state);
/* Why the member counts as what its checks make of it: in `reason`, or a literal. */
const char *checks_reason(char reason[PROBE_REASON_MAX], const struct balance *balance,
                          const struct balance_side *side);
/* What checks the members finds says that it wants no new clients. */
bool checks_drains(const struct balance_side *side);
/* What a probe of a member is: its own address or the one to check instead, and the limits of the pool's plan. */
void checks_fill_spec(struct probe_spec *spec, const struct balance_family *family, const struct plan_member *note,
                      const struct probe_options *row, const struct addr *address, const char *host);
/* Whether a member may be probed by this plan. */
enum probe_permission checks_permission(const struct balance_plan *plan, const struct plan_member *note,
                                        const struct addr *address, bool foreign);
struct balance_target *checks_find_target(const struct balance *balance, uint32_t id);
/* Subscribes, and the other way round. */
struct balance_target *checks_take_target(struct balance *balance, const struct probe_spec *spec);
void checks_drop_target(struct balance *balance, struct balance_target *target);
/* Some verdict of its targets was taken back by the hold that is on, and counts as what it was before. */
bool checks_restored(const struct balance *balance, const struct balance_side *side);
/* Ends a target that nobody wanted again while a load was under way; false: there is none, or it is not yet time. For
 * when nothing else is left to do. */
bool checks_release_one(struct balance *balance);

/* load.c: policies by load */

struct balance_load *load_new(uv_loop_t *loop, struct balance *balance);
/* No pool is left. Done in the loop's next round. */
void load_free(struct balance_load *load);
/* The pool has another group than before, or none. */
void load_follow(struct balance_pool *pool);
/* The member of another group was there before. */
void load_take_over(struct balance_side *side, const struct balance_side *former, const struct plan_group *group);
/* The next family's turn; false: nobody's it is. */
bool load_one(struct balance *balance);
/* What is measured of a member, as far as it is fresh. */
void load_measure(const struct balance_family *family, uint32_t member, struct health_measure *measure);

/* count.c */

/* The family is counted as what it is now. */
void count_update(struct balance_family *family);

/* verdict.c */

/* Takes what the prober has to tell until `end_us`; true: there is more. */
bool verdict_take(struct balance *balance, uint64_t end_us);
/* A piece of telling members what their targets said; false: nothing is left, or deaths found before go first. */
bool verdict_one(struct balance *balance);
/* The check leaves its target, and a walk comes by no more. */
void verdict_pass_over(const struct balance_check *check);
/* Nobody is left to tell. */
void verdict_end_walk(struct balance_target *target);
/* Tells whoever wants to know (balance_on_change) that a member counts as `now`, no longer as `before`. */
void verdict_tell_change(const struct balance_family *family, uint32_t member, const char *before, const char *now,
                         const char *reason);
/* What counts of a target may be another now: whoever keeps it over restarts is told. */
void verdict_keep(const struct balance *balance, uint32_t target);
/* All members of the target are told what counts of it now; what does not fit into a piece is queued. */
void verdict_spread(struct balance *balance, struct balance_target *target, const char *reason);
/* The member is brought up to date, its verdict told, its table queued. True when anything changed. */
bool verdict_refresh(struct balance_family *family, uint32_t member, const char *reason);
/* A line on a whole pool may be logged now; else it was counted. */
bool verdict_may_tell_state(struct balance *balance);
/* What a table was compiled by just now: tells the loud states. */
void verdict_tell_state(struct balance_family *family, const struct pool_choice *choice);
void verdict_summary(struct balance *balance);

/* compile.c */
void compile_family(struct balance_family *family);
/* Takes the table out. */
void compile_clear(struct balance_family *family);
/* A job under way is for nobody. */
void compile_detach(struct balance_family *family);

/* What the family's tables are made of; points into it. There is a group. */
struct pool_source compile_source(const struct balance_family *family);
/* A table, or the root of those of all classes; NULL: none. */
const struct pool_table *compile_published(const struct balance_family *family);
/* The table in use, of class 0; NULL: none. */
const struct pool_table *compile_present(const struct balance_family *family);

/* failback.c */

/* The members' verdicts of the moment are all that counts. */
bool failback_is_simple(const struct plan_group *group);
/* Before a table is compiled: which tier the family is to be answered from. */
void failback_follow(struct balance_family *family);
/* As if it had never been on any tier. */
void failback_forget(struct balance_family *family);
/* When it changes by itself; UINT64_MAX: never. */
uint64_t failback_due_ms(const struct balance_family *family);
/* A move since then was made for members that are taken back. */
void failback_undo(struct balance_family *family, uint64_t since_ms);
/* Lets one go back that was told to; false: there is none. */
bool failback_one(struct balance *balance);

/* later.c */

/* The member is about to be `is`, and was `was`: a slow start may begin or end. */
void later_member_changed(const struct balance_family *family, struct balance_side *side,
                          const struct pool_member *was, const struct pool_member *is);
/* Goes on with a slow start, by the group's settings. */
void later_follow_ramp(struct balance_side *side, const struct plan_group *group);
/* What counts, when `counts` did and this was `seen`: a way back may have to wait. */
enum health_verdict later_verdict(const struct balance_family *family, struct balance_side *side,
                                  enum health_verdict counts, enum health_verdict seen);
/* Nobody waits on the way back any more; false: nobody did. */
bool later_let_in(struct balance_family *family);
/* After a table was compiled: when it is next to be done without anybody's doing. */
void later_arm(struct balance_family *family, const struct pool_choice *choice);
void later_forget(struct balance_family *family);
/* An alarm that is due, or a way back that was ordered; false: there is none, or deaths found before go first. */
bool later_one(struct balance *balance);

/* hold.c */

/* The plan's anchors are checked from now on, others no more. */
void hold_follow_plan(struct balance *balance);
/* Nobody is an anchor. */
void hold_end_anchors(struct balance *balance);
/* What was seen of a target, and what counts of it. */
void hold_take_event(struct balance *balance, struct balance_target *target, const struct probe_event *event);
void hold_take_target(struct balance *balance, struct balance_target *target, const struct health_timing *timing,
                      const struct probe_event *known);
void hold_drop_target(struct balance *balance, struct balance_target *target);
/* A piece of what a hold's beginning or end leaves to do; false: nothing. */
bool hold_one(struct balance *balance);

/* view_failover.c: what people see of the two above, of tiers and of holds. */
void view_failover_member(struct balance_member_view *view, const struct balance_family *family, uint32_t member);
void view_failover_pool(struct balance_pool_view *view, const struct balance_family *family,
                        const struct pool_choice *choice);

/* settle.c: who waits until all is done, or known */
void settle_check(struct balance *balance);
/* Does the family wait for a verdict, as its table gives somebody who has none? */
void settle_wait(struct balance_family *family, bool waiting);
void settle_fini(struct balance *balance);
