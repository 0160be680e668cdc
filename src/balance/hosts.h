/* Hosts whose addresses are members: one for all pools that have the name with the same host_hold, asked for in our own
 * zones or through resolvers (hosts_ask.c), when their TTL is over, or when a zone changed. A change of addresses
 * rebuilds the pools that use them, in slices.
 *
 *   pool ──< use >── host ──2 families ── resolution (the probe's)
 */
#pragma once

#include "balance/private.h"
#include "base/random.h"
#include "probe/resolver.h"
#include "probe/schedule.h"
#include "zone/served.h"

struct host_family {
    struct balance_hosts *hosts;
    struct balance_host *host;
    struct resolution resolution;
    struct resolver_inquiry *inquiry; /* NULL: no resolver is being asked */
    uint64_t hold_ms;                 /* that the answer under way, or the last one, is taken with */
    uint32_t alias_ttl_sec;           /* of the aliases in our zones that led to what a resolver is asked for */
};

struct balance_host {
    struct map_link link; /* by name and host_hold */
    struct ring all;
    struct ring news;     /* in hosts.news while users are to be told of other addresses, in hosts.parked while there
                             are none */
    struct ring users;    /* struct host_use */
    struct ring *told_at; /* the next one to be told */
    struct host_family families[2];
    uint64_t hold_ms;
    uint32_t number;
    uint32_t pool;   /* handle of the pool that it leads to in our own zones; 0: none */
    bool is_own;     /* our own zones have it; else resolvers are asked for `target` */
    bool is_foreign; /* the zone that has it is of others (zone/version.h) */
    bool is_circle;  /* that pool's hosts lead back to it, as was told */
    uint8_t target[NAME_MAX_LEN];
    uint8_t name[];  /* wire, lower-cased */
};

/* One row of a pool's group. */
struct host_use {
    struct ring of_host;
    struct balance_host *host;
    struct balance_pool *pool;
};

struct balance_hosts {
    struct balance *balance;
    struct resolver *resolver; /* NULL: nobody asks (rondod -t) */
    uv_timer_t timer;
    uint64_t timer_ms;         /* of clock_mono_ms, when it is set to; RESOLUTION_NEVER: it is not */
    struct map map;
    struct balance_host **by_number; /* NULL: free */
    uint32_t number_cnt, number_cap;
    uint32_t *free_numbers;
    size_t free_cnt;
    struct schedule_heap due;   /* number × 2 + family, microseconds */
    struct ring all, news, parked;
    struct ring *look_at;       /* the next that is to be looked for in our own zones again; &all: none */
    bool stirred;               /* such a look over all of them is wanted */
    bool again, is_asking;      /* one that asks for each; the one under way does */
    uint64_t looked_ms;         /* when the last one began */
    size_t pending_cnt;         /* families of hosts in use that no answer has come for */
    size_t own_cnt;
    struct random_state rng;
    struct log_rate rates[2]; /* of what is as it should be, and of what is not */
    void (*find)(void *arg, const uint8_t *name, struct zone_served *served); /* NULL: no zones are ours */
    void *find_arg;
};

struct balance_hosts *hosts_new(struct balance *balance) ATTR_MUST_USE;
/* No pool may be left. The loop then has one more round to go. */
void hosts_free(struct balance_hosts *hosts);

/* The pool uses the hosts of its group from now on, which may be none. [before its members are rebuilt] */
void hosts_follow(struct balance_pool *pool);
/* Zones, or which hosts a pool has, are others now: each host is looked for again, soon. */
void hosts_stir(struct balance_hosts *hosts);
/* Every host is asked for again. */
void hosts_again(struct balance_hosts *hosts);
/* The next piece of work; false: there is none just now. */
bool hosts_one(struct balance_hosts *hosts);
/* Sets the timer for what comes next. */
void hosts_arm(struct balance_hosts *hosts);
/* Ends a host that nobody wanted again while a load was under way; false: there is none, or it is not yet time. */
bool hosts_release_one(struct balance_hosts *hosts);
/* Pools are to be told of addresses. */
bool hosts_have_news(const struct balance_hosts *hosts);
/* Some host in use may still get its first answer. */
bool hosts_are_pending(const struct balance_hosts *hosts);

/* hosts_ask.c */

/* One family is due. */
void hosts_ask(struct balance_hosts *hosts, struct balance_host *host, unsigned family);
/* Looks for it in our own zones; asks when that says something else than before, or every host is asked for. */
void hosts_look(struct balance_hosts *hosts, struct balance_host *host);

/* hosts.c, for hosts_ask.c */

/* Its users are to be rebuilt. */
void hosts_queue_news(struct balance_hosts *hosts, struct balance_host *host);
/* An answer is there. */
void hosts_take(struct balance_hosts *hosts, struct balance_host *host, unsigned family,
                const struct resolution_answer *answer);

/* hosts_tell.c: what people are told of an answer that was just taken; `before` is the resolution as it was, `change`
 * the answer if there are other addresses now, else NULL. */
void hosts_tell(struct balance_hosts *hosts, const struct balance_host *host, unsigned family,
                const struct resolution *before, const struct resolution_answer *change);

/* So many of the family's addresses are beyond what a pool may have. */
void hosts_tell_cut(const struct balance_family *family, size_t cnt);

/* hosts_view.c: the pool's hosts as people see them, in *views (to be freed); their number */
size_t hosts_view(struct balance_host_view **views, const struct balance_family *family);
/* The name of the host that a member has its note of; NULL: of none. */
const uint8_t *hosts_name_of(const struct plan_group *group, const struct plan_member *note);

/* Its addresses come from others: from resolvers, be it by way of a pool of ours that has hosts itself. */
bool hosts_is_foreign(const struct balance_hosts *hosts, const struct balance_host *host);

/* sources.c: who is to be a member */

struct balance_source {
    struct addr address;
    const struct plan_member *note; /* NULL: nothing is said of it */
    uint32_t withheld;              /* of POOL_PART_ONE: what other addresses of its host get */
    bool foreign;                   /* it is known by somebody else's word alone */
};
/* Out of the rrset's addresses and those of the pool's hosts, at most POOL_MEMBERS_MAX in canonical order, each once,
 * in *sources (to be freed); their number. */
uint32_t sources_list(struct balance_source **sources, const struct balance_family *family);
