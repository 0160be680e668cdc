/* One zone's outgoing NOTIFY (RFC 1996): when its secondaries are told that it has changed, and told again until they
 * answer. No I/O: whoever owns it sends what notify_next says, and tells what came back. How many NOTIFYs of all zones
 * await their answer is the owner's to bound, by not asking for more: a target's time runs from when its step is taken.
 *
 * An announcement. When the serial changes and nothing was announced within the last second, everybody is told at once;
 * else once the zone has been quiet for 200 ms, or one second after the first of the changes that wait. So the first
 * change is there within a round trip, and a stream of them makes an announcement a second while it does not pause.
 *
 * A target that does not answer is told again after 1 to 2 s, then twice as long, and so on, the waits being drawn anew
 * each time so that targets that are down together part: NOTIFY_TRIES sends within one to two minutes (RFC 1996 3.6
 * proposes five retries, a minute apart). Any answer ends that, whatever its RCODE: who refuses will refuse again. So
 * does a newer announcement, which begins anew.
 *
 * All times are monotonic. A struct notify owns its array of targets. [control] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "base/random.h"
#include "dns/rr.h"
#include "sync/plan.h"

enum {
    NOTIFY_TRIES = 6,
    NOTIFY_FIRST_WAIT_MS = 1000, /* at least; at most twice that */
    NOTIFY_REST_MS = 1000,       /* since the last announcement: then one is made at once */
    NOTIFY_QUIET_MS = 200,
    NOTIFY_LATEST_MS = 1000,
};
#define NOTIFY_NEVER UINT64_MAX

struct notify_target {
    struct sync_peer peer;
    uint64_t due_ms; /* of the next send, or of giving up; NOTIFY_NEVER: there is nothing to tell */
    uint8_t try;     /* sends of this announcement */
    uint8_t last_rcode; /* of its last answer; NOTIFY_NO_ANSWER: none so far */
    bool is_silent;  /* the last announcement was given up */
};
enum { NOTIFY_NO_ANSWER = 255 };

enum notify_step_kind {
    NOTIFY_SEND,
    NOTIFY_GIVE_UP, /* it never answered; nothing is to be sent. Told at the first announcement that this befalls */
};

struct notify_step {
    enum notify_step_kind kind;
    uint32_t target;          /* its place; until the next notify_set_targets */
    uint32_t round;           /* the announcement, to be given back with an answer */
    uint32_t serial;
    uint8_t try;              /* 0: the first send */
    const struct sync_peer *peer; /* as long as the targets are not set anew */
};

/* What an answer is worth to people. */
enum notify_verdict {
    NOTIFY_IGNORED, /* of another announcement, or a second one */
    NOTIFY_DONE,    /* it knows; or says again what it said to the last one */
    NOTIFY_REFUSED, /* an RCODE other than NOERROR, not told before: worth a line in the log */
};

struct notify {
    struct random_state *rng; /* borrowed */
    struct notify_target *targets;
    uint32_t target_cnt;
    uint32_t round;
    uint32_t serial;
    bool has_serial;
    bool is_waiting;    /* a change waits to be announced */
    uint64_t first_ms, last_ms; /* the changes that wait */
    bool has_announced;
    uint64_t announced_ms; /* the last announcement */
};

/* `rng` is borrowed and outlives it. */
void notify_init(struct notify *notify, struct random_state *rng) ATTR_NONNULL_ALL;
void notify_fini(struct notify *notify) ATTR_NONNULL_ALL;
/* Who is told from now on; copied, but for the keys, which stay until the next call. Targets that stay (equal address,
 * port, and key by name) go on where they are, but answers that are under way are ignored when the list has changed
 * (who gave them is told once more); new ones are told at once when the serial has been announced to others already,
 * else with these. */
void notify_set_targets(struct notify *notify, const struct sync_peer *peers, uint32_t cnt) ATTR_NONNULL(1);

/* The zone that is served has this serial as of now. Nothing happens when it had it already. */
void notify_serial(struct notify *notify, uint32_t serial, uint64_t now_ms) ATTR_NONNULL_ALL;
/* Announces the serial now, whether or not that has been done. False: there is none yet. */
bool notify_now(struct notify *notify, uint64_t now_ms) ATTR_NONNULL_ALL;

/* When notify_next may have something; NOTIFY_NEVER: not before something is told. */
uint64_t notify_due_ms(const struct notify *notify) ATTR_NONNULL_ALL;
/* The next thing to do now; false: nothing. */
bool notify_next(struct notify *notify, struct notify_step *step, uint64_t now_ms) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The target answered the NOTIFY of that announcement. */
enum notify_verdict notify_answered(struct notify *notify, uint32_t target, uint32_t round, unsigned rcode)
    ATTR_NONNULL_ALL;
/* Does it know of the serial being announced, or gave it an answer at least, be it a refusal? For people. */
bool notify_has_answered(const struct notify_target *target) ATTR_NONNULL_ALL ATTR_PURE;
/* How many do. */
uint32_t notify_answered_cnt(const struct notify *notify) ATTR_NONNULL_ALL;
