/* One secondary zone's clockwork: when its primaries are asked for their serial, from which of them the zone is
 * transferred, and when it expires (RFC 1034 4.3.5, 1035 3.3.13, 1982, 1995, 1996). No I/O: whoever owns it does one
 * step after the other that refresh_next gives, and tells what came of it. How many questions and transfers are under
 * way over all zones is the owner's to bound, by not asking for more steps: nothing is timed before its step is taken.
 *
 * A round. All primaries are asked for their SOA. As soon as everybody has answered or failed, or one second after the
 * first was asked, or when the one that sent the NOTIFY has answered, the zone is transferred from the one with the
 * newest serial, if that is newer than ours: by IXFR where we have something; when that fails by AXFR from the same;
 * when that fails too, from the next one that has anything newer. A primary that cannot be reached is passed over at
 * once. What is answered later counts still: if it is newer than what we got, that is fetched too. Then the zone waits
 * for its refresh time, or for its retry time when nobody confirmed what we have, or somebody has newer still.
 *
 * A NOTIFY begins a round. While one runs, any number of them ask for one more behind it, which then waits for nobody
 * who is silent. One that says a serial which we have, or are fetching, is of no account (RFC 1996 3.7: what it says is
 * a hint). Rounds that NOTIFYs begin start at once, ten of them; more come no faster than one each 20 ms, so that a
 * flood of NOTIFYs is no flood of questions.
 *
 * Expiry. The zone is good at the moment when a primary has our serial, or gave us a newer version; it expires when it
 * has not been good for `expire`. An older serial confirms nothing, as in BIND: it means that this primary is behind us
 * or was set back. Asking goes on after expiry, and then anything that a primary has is taken, an older serial too.
 *
 * Clocks. All times here are monotonic; the wall clock is read only to know, after a restart, how long ago the zone was
 * good (refresh_start), and to write that down (refresh_good_wall_ms). So a wall clock that jumps while we run changes
 * nothing, and what is written down later is by the new clock. At a start a jump cannot be told from a long time off:
 *   - the zone was good in the future: the clock was set back; it counts as good just now;
 *   - the zone was good longer ago than `expire`: it is served for another REFRESH_GRACE_MS, in which all primaries are
 *     asked, and expires when none of them confirmed it; unless it had expired before the stop (struct refresh_known).
 * CLOCK_MONOTONIC stands still while a machine is suspended: what a zone missed then is made up for at its next
 * refresh; the owner may call refresh_now when it sees that the wall clock ran ahead.
 *
 * Bounds are of the timers, however absurd those of the SOA (0, 2^31 and more): refresh and retry lie between their
 * least and most; expire is at most its most, and else at least refresh + retry (RFC 1912 2.2); refresh is never more
 * than half of expire, retry never more than refresh. Then up to a tenth is taken off refresh and retry at random, so
 * that zones that came together part.
 *
 * Jobs of the owner besides: a question's datagrams and their answers' TSIG, a transfer's deadline. A struct refresh
 * owns the array of its primaries. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/random.h"
#include "sync/soa.h"

enum {
    REFRESH_TRIES = 3,          /* of a question; the last goes over TCP, for primaries that UDP does not reach */
    REFRESH_PATIENCE_MS = 1000, /* how long others are waited for when one has something newer */
    REFRESH_NOTIFY_BURST = 10,
    REFRESH_NOTIFY_GAP_MS = 20,
    REFRESH_GRACE_MS = 60000, /* long enough for a round: 12 s of questions, and the time until there is a network */
    REFRESH_FIRST_RETRY_MS = 5000, /* of a zone that we have nothing of; doubles up to an hour, or retry_max */
    REFRESH_FIRST_RETRY_MOST_MS = 3600000,
};
#define REFRESH_NEVER UINT64_MAX

struct refresh_bounds {
    uint64_t refresh_min_ms, refresh_max_ms, retry_min_ms, retry_max_ms, expire_max_ms;
};

/* What was known of the zone when we started; has_zone false: nothing. */
struct refresh_known {
    bool has_zone;
    bool is_expired;       /* it had expired before */
    struct soa soa;
    uint64_t good_wall_ms; /* when it was good last; 0: not known, which counts as just now */
};

enum refresh_step_kind {
    REFRESH_ASK,      /* send `primary` one question for its SOA, and answer with refresh_answered or _unanswered */
    REFRESH_TRANSFER, /* fetch the zone from it, and end with refresh_transferred or _transfer_failed; one at a time */
    REFRESH_EXPIRED,  /* from now on the zone is answered with SERVFAIL */
    REFRESH_RESTORED, /* and no more */
};

struct refresh_step {
    enum refresh_step_kind kind;
    uint32_t primary; /* its place in the list */
    uint32_t round;   /* to be given back with what came of it */
    uint32_t serial;  /* REFRESH_TRANSFER: what the primary says to have */
    uint8_t try;      /* REFRESH_ASK: 0 to REFRESH_TRIES - 1; an answer to any of them will do */
    bool over_tcp;    /* REFRESH_ASK: the last try */
    bool is_ixfr;     /* REFRESH_TRANSFER: from our serial; else AXFR */
};

/* What a serial is to ours. */
enum refresh_verdict {
    REFRESH_NEWER,
    REFRESH_SAME,
    REFRESH_OLDER,  /* or without an order to ours: worth a warning */
    REFRESH_IGNORED /* of a round that is over, or said already */
};

enum refresh_failure {
    REFRESH_UNREACHABLE, /* no connection, or it broke before anything came: AXFR would fare no better */
    REFRESH_REFUSED,     /* an RCODE, wrong framing, another zone, too large: anything else */
};

enum refresh_state { REFRESH_WAITING, REFRESH_ASKING, REFRESH_TRANSFERRING };

struct refresh_primary {
    uint64_t due_ms; /* of the next try, or of giving up; while asked */
    uint32_t serial; /* with has_answered */
    uint8_t try;     /* questions sent */
    uint8_t is;      /* enum primary_is, in refresh.c */
    bool has_answered;
};

struct refresh {
    struct random_state *rng; /* borrowed */
    struct refresh_bounds bounds;
    struct refresh_primary *primaries;
    uint32_t primary_cnt;
    uint32_t round;
    enum refresh_state state;
    bool has_zone, is_expired;
    bool tell_expiry;  /* is_expired has changed, and that is still to be told */
    bool was_good;     /* in this round */
    bool wants_full;   /* this round fetches the zone by AXFR, whatever the serial */
    bool again;        /* another round behind this one ... */
    bool again_full;   /* ... of that kind */
    bool again_hinted; /* ... for no other reason than NOTIFYs that said a serial, the newest of which is */
    uint32_t again_serial;
    bool is_ixfr;      /* the transfer that runs */
    uint32_t from;     /* the primary of the transfer */
    uint32_t favourite, again_favourite; /* who sent the NOTIFY; primary_cnt and above: nobody */
    uint8_t empty_retry_cnt;             /* rounds without anything, while there is no zone */
    struct soa soa;
    uint64_t good_ms;         /* monotonic; may be before the machine's start, by wrapping */
    uint64_t expire_at_ms;    /* REFRESH_NEVER: has expired, or there is no zone */
    uint64_t next_ms;         /* the next round, while waiting */
    uint64_t patience_ms;     /* of this round; REFRESH_NEVER: nobody was asked yet */
    uint64_t paid_ms;         /* rounds so far are paid for until then, a gap each */
};

void refresh_fini(struct refresh *refresh) ATTR_NONNULL_ALL;
/* `rng` is borrowed and outlives it; primary_cnt > 0. The first round is due at once. */
void refresh_init(struct refresh *refresh, struct random_state *rng, const struct refresh_bounds *bounds,
                  uint32_t primary_cnt) ATTR_NONNULL_ALL;
/* Before anything else. */
void refresh_start(struct refresh *refresh, const struct refresh_known *known, uint64_t now_ms, uint64_t now_wall_ms)
    ATTR_NONNULL_ALL;
/* A new configuration: other bounds, which timers that run are cut to, and perhaps other primaries. When those have
 * changed (`are_others`), whatever was under way with them is the owner's to give up, without telling, and a round is
 * due. */
void refresh_configure(struct refresh *refresh, const struct refresh_bounds *bounds, uint32_t primary_cnt,
                       bool are_others, uint64_t now_ms) ATTR_NONNULL_ALL;

/* When refresh_next may have something; REFRESH_NEVER: not before something is told. */
uint64_t refresh_due_ms(const struct refresh *refresh) ATTR_NONNULL_ALL;
/* The next thing to do now; false: nothing. */
bool refresh_next(struct refresh *refresh, struct refresh_step *step, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* A NOTIFY that was allowed came from that primary (primary_cnt or above: from somebody else), with the serial or NULL.
 * False: it says nothing that we don't know, or are about to find out. */
bool refresh_notified(struct refresh *refresh, uint32_t primary, const uint32_t *serial, uint64_t now_ms)
    ATTR_NONNULL(1);
/* An operator asks for a round; `full`: one that fetches the zone by AXFR from whoever has the newest serial, even when
 * that is ours or older. When that fails it is not tried again by itself. */
void refresh_now(struct refresh *refresh, bool full, uint64_t now_ms) ATTR_NONNULL_ALL;

/* The primary answered, with authority, that it has `serial`. */
enum refresh_verdict refresh_answered(struct refresh *refresh, uint32_t primary, uint32_t round, uint32_t serial,
                                      uint64_t now_ms) ATTR_NONNULL_ALL;
/* Its answer was no good (an RCODE, no SOA, no authority), or nothing can be sent to it. Silence need not be told. */
void refresh_unanswered(struct refresh *refresh, uint32_t primary, uint32_t round) ATTR_NONNULL_ALL;
/* The transfer of that round brought a version, which is served now; or nothing, as an IXFR may when the primary has
 * our serial: `soa` is ours then. (One that answers with an older serial has failed.) */
void refresh_transferred(struct refresh *refresh, uint32_t round, const struct soa *soa, uint64_t now_ms)
    ATTR_NONNULL_ALL;
void refresh_transfer_failed(struct refresh *refresh, uint32_t round, enum refresh_failure failure) ATTR_NONNULL_ALL;

/* ---- for people, and for the state file */

/* When the zone was good last, by the wall clock as it is now; 0: there is none. */
uint64_t refresh_good_wall_ms(const struct refresh *refresh, uint64_t now_ms, uint64_t now_wall_ms) ATTR_NONNULL_ALL;
/* When it will expire; REFRESH_NEVER: there is nothing to expire. */
static inline uint64_t refresh_expiry_ms(const struct refresh *refresh) { return refresh->expire_at_ms; }

/* The timers of a SOA within the bounds, without chance. */
struct refresh_timers {
    uint64_t refresh_ms, retry_ms, expire_ms;
};
void refresh_timers_of(struct refresh_timers *timers, const struct soa *soa, const struct refresh_bounds *bounds)
    ATTR_NONNULL_ALL;
