/* What the files of sync share: all units, and one zone's. [control] */
#pragma once

#include "base/log.h"
#include "base/map.h"
#include "base/random.h"
#include "base/ring.h"
#include "loop/post.h"
#include "store/transferred.h"
#include "sync/ask.h"
#include "sync/fetch.h"
#include "sync/notify.h"
#include "sync/refresh.h"
#include "sync/servers.h"
#include "sync/silence.h"
#include "sync/sync.h"

struct sync {
    uv_loop_t *loop;
    struct store *store;
    struct io *io;
    const struct answer_shared *shared;
    struct post *post;
    uv_poll_t handed_off;
    struct outgoing *outgoing;
    struct updating *updating;
    struct servers *servers;
    struct random_state rng;
    bool has_begun, is_ending;
    /* the plan, and how far units follow it */
    struct sync_plan *plan;
    struct sync_plan **old_plans; /* that units may still have */
    size_t old_cnt;
    struct post_item following;
    bool is_following;
    size_t followed;            /* zones of the plan */
    struct ring *sweep;         /* the next unit to be looked at, when all are followed; NULL: not yet */
    unsigned round;             /* of plans */
    struct addr *own;           /* where we listen on port 53 */
    size_t own_cnt;
    /* units */
    struct map map;
    struct ring all;
    struct ring ready;          /* those that have something to do, or waited for room */
    struct post_item running;
    bool is_running;
    struct ring unresolved;     /* whose servers' addresses are being asked for */
    /* under way */
    size_t ask_cnt, fetch_cnt;
    struct silence silence, failing; /* who answers no question, and no transfer */
    struct ring fetches_waiting, fetching;
    uv_timer_t refusals;
    struct log_rate notify_rate, refresh_rate, transfer_rate, failure_rate, refusal_rate, silence_rate;
};

/* A transfer that a refresh machine wants. */
struct sync_fetch {
    struct ring at;      /* in sync.fetches_waiting, in sync.fetching, or in none */
    struct fetch *fetch; /* NULL: it does not run */
    bool is_forced;
    uint32_t primary, round;
    bool is_ixfr;
    struct addr from;
};

struct sync_unit {
    struct map_link link;
    struct ring all, ready, unresolved;
    struct sync *sync;
    const struct sync_zone *zone; /* of the plan it follows */
    unsigned round;
    uv_timer_t timer;
    bool has_version; /* the store has one */
    bool was_told;    /* the store has told what it has, be it nothing */
    bool is_closing;
    bool has_addresses; /* of its name servers some have become known since its targets were found */
    uint32_t serial;
    struct notify notify;
    bool has_refresh; /* it is a secondary */
    bool has_started; /* refresh_start */
    struct refresh refresh;
    struct ring exchanges;
    struct sync_fetch fetch;
    struct sync_change *change; /* what a transfer brought is on its way through the store; NULL: nothing */
    uint64_t good_kept_ms;      /* monotonic: when it was written down last */
    struct sync_transfer last;
    struct sync_fault *fault; /* NULL: none; else of the round `fault_round` */
    uint32_t fault_round, judged_round;
    uint8_t apex[];
};

/* A question that is under way. */
struct sync_exchange {
    struct ring of_unit;
    struct sync_unit *unit;
    struct ask *ask;
    bool is_notify;
    struct addr peer;
    uint32_t index; /* of the primary, or the target */
    uint32_t round;
};

/* sync.c */
struct sync_unit *unit_find(const struct sync *sync, const uint8_t *apex) ATTR_NONNULL_ALL;
/* It has something to do, soon. */
void unit_wake(struct sync_unit *unit) ATTR_NONNULL_ALL;
/* Sends the question, and counts it; what comes of it is told to `fn`, whose argument is the exchange, and which ends
 * with exchange_end, behind exchange_heard. Whoever is silent is not asked: nothing is told then. */
void exchange_start(struct sync_unit *unit, const struct ask_question *question, const struct sync_exchange *about,
                    ask_fn *fn) ATTR_NONNULL_ALL;
/* What the answer, or that there was none, says of the peer. */
void exchange_heard(const struct sync_exchange *exchange, enum ask_outcome outcome) ATTR_NONNULL_ALL;
void exchange_end(struct sync_exchange *exchange) ATTR_NONNULL_ALL;
/* Those of one kind end without being told of. */
void exchanges_cancel(struct sync_unit *unit, bool is_notify) ATTR_NONNULL_ALL;
static inline bool sync_has_room(const struct sync *sync) { return sync->ask_cnt < SYNC_ASKS_MOST; }

/* refusals.c */
/* From now on; until the handle is closed. */
void refusals_watch(struct sync *sync) ATTR_NONNULL_ALL;

/* announce.c */
/* Finds out anew who is to be told. */
void announce_targets(struct sync_unit *unit) ATTR_NONNULL_ALL;
/* Does what is due. False: there was no room for all of it. */
bool announce_run(struct sync_unit *unit, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* follow.c */
/* The zone is, or is no longer, a secondary, or has other primaries or bounds: unit->zone is new, `was` what it had
 * (NULL: nothing). */
void follow_configure(struct sync_unit *unit, const struct sync_zone *was) ATTR_NONNULL(1);
/* The store has told what it has. */
void follow_version(struct sync_unit *unit) ATTR_NONNULL_ALL;
bool follow_run(struct sync_unit *unit, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Ends all that is under way. */
void follow_stop(struct sync_unit *unit) ATTR_NONNULL_ALL;
/* What primaries have said is written down, if it is time for that. */
void follow_keep_good(struct sync_unit *unit) ATTR_NONNULL_ALL;
/* A primary has confirmed what we have, or given us more. */
void unit_forget_fault(struct sync_unit *unit) ATTR_NONNULL_ALL;
/* A NOTIFY that was allowed. */
void follow_notified(struct sync_unit *unit, const struct addr *from, const uint32_t *serial) ATTR_NONNULL(1, 2);

/* receive.c */
/* Wants the transfer of unit->fetch; begun when there is room. */
void receive_want(struct sync_unit *unit) ATTR_NONNULL_ALL;
void receive_stop(struct sync_unit *unit) ATTR_NONNULL_ALL;
