#include "sync/refresh.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dns/serial.h"

/* How a primary stands in the round. */
enum primary_is {
    UNASKED,
    ASKED,
    ANSWERED,    /* its serial is known, and may be fetched */
    AXFR_LEFT,   /* its IXFR failed */
    PASSED_OVER, /* failed, or has nothing for us */
};

/* How long the answer to each try of a question is waited for: 12 s in all, of which a primary behind a lossy line
 * needs two thirds at most; the last has TCP's handshake in it. */
static const uint32_t try_wait_ms[REFRESH_TRIES] = {2000, 4000, 6000};

/* ---- timers */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
    return value > most ? most : value < least ? least : value;
}

static uint64_t least_of(uint64_t a, uint64_t b) { return a < b ? a : b; }

void refresh_timers_of(struct refresh_timers *timers, const struct soa *soa, const struct refresh_bounds *bounds)
{
    uint64_t refresh_ms = clamp(soa->refresh_sec * UINT64_C(1000), bounds->refresh_min_ms, bounds->refresh_max_ms);
    uint64_t retry_ms = clamp(soa->retry_sec * UINT64_C(1000), bounds->retry_min_ms, bounds->retry_max_ms);
    uint64_t expire_ms = least_of(soa->expire_sec * UINT64_C(1000), bounds->expire_max_ms);
    /* A zone that expires before it was asked for is nobody's wish, and served by fits and starts. */
    if (expire_ms < refresh_ms + retry_ms)
        expire_ms = least_of(refresh_ms + retry_ms, bounds->expire_max_ms);
    timers->expire_ms = expire_ms;
    timers->refresh_ms = least_of(refresh_ms, expire_ms / 2);
    timers->retry_ms = least_of(retry_ms, timers->refresh_ms);
}

/* Up to a tenth less. */
static uint64_t jittered(const struct refresh *r, uint64_t ms)
{
    return ms - random_below(r->rng, (uint32_t)least_of(ms / 10, UINT32_MAX - 1) + 1);
}

static struct refresh_timers timers_of(const struct refresh *r)
{
    struct refresh_timers timers;
    refresh_timers_of(&timers, &r->soa, &r->bounds);
    return timers;
}

/* Until the next round, when this one brought nothing. */
static uint64_t retry_ms(struct refresh *r)
{
    if (r->has_zone)
        return timers_of(r).retry_ms;
    uint64_t most = least_of(r->bounds.retry_max_ms, REFRESH_FIRST_RETRY_MOST_MS);
    uint64_t ms = (uint64_t)REFRESH_FIRST_RETRY_MS << r->empty_retry_cnt;
    if (ms < most)
        r->empty_retry_cnt++;
    return least_of(ms, most);
}

/* ---- expiry */

static void set_good(struct refresh *r, uint64_t now_ms)
{
    r->was_good = true;
    r->good_ms = now_ms;
    r->expire_at_ms = now_ms + timers_of(r).expire_ms;
    if (r->is_expired) {
        r->is_expired = false;
        r->tell_expiry = !r->tell_expiry; /* an expiry that nobody was told of is none */
    }
}

static bool expire(struct refresh *r, struct refresh_step *step, uint64_t now_ms)
{
    if (r->has_zone && !r->is_expired && now_ms >= r->expire_at_ms) {
        r->is_expired = true;
        r->tell_expiry = !r->tell_expiry;
        r->expire_at_ms = REFRESH_NEVER;
    }
    if (!r->tell_expiry)
        return false;
    r->tell_expiry = false;
    *step = (struct refresh_step){.kind = r->is_expired ? REFRESH_EXPIRED : REFRESH_RESTORED};
    return true;
}

/* ---- rounds */

/* When a NOTIFY may begin a round: some at once, then one each gap. */
static uint64_t allowed_ms(const struct refresh *r)
{
    uint64_t credit_ms = (REFRESH_NOTIFY_BURST - 1) * REFRESH_NOTIFY_GAP_MS;
    return r->paid_ms > credit_ms ? r->paid_ms - credit_ms : 0;
}

static void begin_round(struct refresh *r, uint64_t now_ms)
{
    r->round++;
    r->paid_ms = (r->paid_ms > now_ms ? r->paid_ms : now_ms) + REFRESH_NOTIFY_GAP_MS;
    r->state = REFRESH_ASKING;
    r->was_good = false;
    r->wants_full = r->again_full;
    r->favourite = r->again_favourite;
    r->again = r->again_full = false;
    r->again_favourite = UINT32_MAX;
    r->patience_ms = REFRESH_NEVER;
    for (uint32_t i = 0; i < r->primary_cnt; i++)
        r->primaries[i] = (struct refresh_primary){.is = UNASKED};
}

/* Is there, or will there be when what runs has ended, a serial not older than this? */
static bool knows_of(const struct refresh *r, uint32_t serial)
{
    if (!r->has_zone || r->is_expired)
        return false;
    if (serial == r->soa.serial || serial_is_later(r->soa.serial, serial))
        return true;
    if (r->state != REFRESH_TRANSFERRING)
        return false;
    uint32_t fetched = r->primaries[r->from].serial;
    return serial == fetched || serial_is_later(fetched, serial);
}

/* Another round is of no use when this one brought what its NOTIFYs told of. */
static void forget_old_hint(struct refresh *r)
{
    if (!r->again || !r->again_hinted || !knows_of(r, r->again_serial))
        return;
    r->again = false;
    r->again_favourite = UINT32_MAX;
}

/* Has somebody what we have not got? */
static bool is_behind(const struct refresh *r)
{
    for (uint32_t i = 0; i < r->primary_cnt; i++)
        if (r->primaries[i].has_answered && serial_is_later(r->primaries[i].serial, r->soa.serial))
            return true;
    return false;
}

static void end_round(struct refresh *r, uint64_t now_ms)
{
    bool is_done = r->was_good && !is_behind(r);
    r->state = REFRESH_WAITING;
    r->wants_full = false;
    if (r->has_zone)
        r->empty_retry_cnt = 0;
    r->next_ms = now_ms + jittered(r, is_done ? timers_of(r).refresh_ms : retry_ms(r));
    if (r->again)
        r->next_ms = least_of(r->next_ms, r->again_full ? now_ms : allowed_ms(r));
}

/* Is what this primary has worth fetching? */
static bool is_wanted(const struct refresh *r, const struct refresh_primary *p)
{
    if (p->is != ANSWERED && p->is != AXFR_LEFT)
        return false;
    if (r->wants_full || !r->has_zone)
        return true;
    return r->is_expired ? p->serial != r->soa.serial : serial_is_later(p->serial, r->soa.serial);
}

/* The one to fetch the zone from: the newest; of equal ones whoever sent the NOTIFY, whose AXFR is left, or stands
 * first. primary_cnt: none. */
static uint32_t choose(const struct refresh *r)
{
    uint32_t best = r->primary_cnt;
    for (uint32_t i = 0; i < r->primary_cnt; i++) {
        const struct refresh_primary *p = &r->primaries[i], *b = &r->primaries[best];
        if (!is_wanted(r, p))
            continue;
        if (best == r->primary_cnt || serial_is_later(p->serial, b->serial))
            best = i;
        else if (p->serial == b->serial && b->is != AXFR_LEFT && (p->is == AXFR_LEFT || i == r->favourite))
            best = i;
    }
    return best;
}

static bool is_silent(const struct refresh *r, uint32_t i)
{
    return r->primaries[i].is == UNASKED || r->primaries[i].is == ASKED;
}

static bool is_asking(const struct refresh *r)
{
    for (uint32_t i = 0; i < r->primary_cnt; i++)
        if (is_silent(r, i))
            return true;
    return false;
}

/* Has enough been answered to fetch from `best`? */
static bool may_fetch(const struct refresh *r, uint32_t best, uint64_t now_ms)
{
    return best < r->primary_cnt && (best == r->favourite || now_ms >= r->patience_ms || !is_asking(r));
}

/* There is nothing to fetch. The silent ones are waited for, but not when another round is wanted: a dead primary must
 * not hold up the news of a living one. */
static bool may_end(const struct refresh *r, uint64_t now_ms)
{
    if (!is_asking(r))
        return true;
    bool has_answered = r->again_favourite < r->primary_cnt && !is_silent(r, r->again_favourite);
    return r->again && (has_answered || now_ms >= r->patience_ms);
}

/* The next try of a question, or its end. */
static bool ask(struct refresh *r, struct refresh_step *step, uint64_t now_ms)
{
    for (uint32_t i = 0; i < r->primary_cnt; i++) {
        struct refresh_primary *p = &r->primaries[i];
        if (p->is != UNASKED && (p->is != ASKED || now_ms < p->due_ms))
            continue;
        if (p->try == REFRESH_TRIES) {
            p->is = PASSED_OVER;
            continue;
        }
        *step = (struct refresh_step){.kind = REFRESH_ASK, .primary = i, .round = r->round, .try = p->try};
        step->over_tcp = p->try == REFRESH_TRIES - 1;
        p->is = ASKED;
        p->due_ms = now_ms + try_wait_ms[p->try++];
        if (r->patience_ms == REFRESH_NEVER)
            r->patience_ms = now_ms + REFRESH_PATIENCE_MS;
        return true;
    }
    return false;
}

static void fetch(struct refresh *r, struct refresh_step *step, uint32_t from)
{
    const struct refresh_primary *p = &r->primaries[from];
    r->state = REFRESH_TRANSFERRING;
    r->from = from;
    /* An expired zone's older serial leads nowhere by IXFR, nor does one to a serial of no order to ours. */
    r->is_ixfr = r->has_zone && !r->wants_full && p->is == ANSWERED && serial_is_later(p->serial, r->soa.serial);
    *step = (struct refresh_step){.kind = REFRESH_TRANSFER,
                                  .primary = from,
                                  .round = r->round,
                                  .serial = p->serial,
                                  .is_ixfr = r->is_ixfr};
}

bool refresh_next(struct refresh *r, struct refresh_step *step, uint64_t now_ms)
{
    if (expire(r, step, now_ms))
        return true;
    for (;;) {
        if (r->state == REFRESH_WAITING && now_ms < r->next_ms)
            return false;
        if (r->state == REFRESH_WAITING)
            begin_round(r, now_ms);
        if (ask(r, step, now_ms))
            return true;
        uint32_t best = r->state == REFRESH_ASKING ? choose(r) : r->primary_cnt;
        if (may_fetch(r, best, now_ms)) {
            fetch(r, step, best);
            return true;
        }
        forget_old_hint(r);
        if (r->state == REFRESH_TRANSFERRING || best < r->primary_cnt || !may_end(r, now_ms))
            return false;
        end_round(r, now_ms); /* a round that begins at once has something to ask */
    }
}

uint64_t refresh_due_ms(const struct refresh *r)
{
    if (r->tell_expiry)
        return 0;
    uint64_t due = r->expire_at_ms;
    if (r->state == REFRESH_WAITING)
        return least_of(due, r->next_ms);
    for (uint32_t i = 0; i < r->primary_cnt; i++) {
        if (r->primaries[i].is == UNASKED)
            return 0;
        if (r->primaries[i].is == ASKED)
            due = least_of(due, r->primaries[i].due_ms);
    }
    if (r->state == REFRESH_TRANSFERRING)
        return due;
    uint32_t best = choose(r);
    if (best < r->primary_cnt)
        return may_fetch(r, best, 0) ? 0 : least_of(due, r->patience_ms);
    return may_end(r, 0) ? 0 : r->again ? least_of(due, r->patience_ms) : due;
}

/* ---- what is told */

static void ask_for_round(struct refresh *r, uint64_t from_ms, bool full, uint32_t favourite, const uint32_t *serial)
{
    if (!r->again)
        r->again_hinted = serial != NULL;
    if (!serial)
        r->again_hinted = false;
    else if (!r->again || serial_is_later(*serial, r->again_serial))
        r->again_serial = *serial;
    r->again = true;
    r->again_full |= full;
    if (favourite < r->primary_cnt)
        r->again_favourite = favourite;
    if (r->state == REFRESH_WAITING)
        r->next_ms = least_of(r->next_ms, from_ms);
}

bool refresh_notified(struct refresh *r, uint32_t primary, const uint32_t *serial, uint64_t now_ms)
{
    if (serial && knows_of(r, *serial))
        return false;
    uint64_t soonest_ms = allowed_ms(r);
    bool is_news = !r->again;
    if (r->state == REFRESH_ASKING && r->favourite >= r->primary_cnt)
        r->favourite = primary;
    ask_for_round(r, now_ms > soonest_ms ? now_ms : soonest_ms, false, primary, serial);
    return is_news;
}

void refresh_now(struct refresh *r, bool full, uint64_t now_ms)
{
    ask_for_round(r, now_ms, full, UINT32_MAX, NULL);
}

static bool is_of_round(const struct refresh *r, uint32_t primary, uint32_t round)
{
    return round == r->round && r->state != REFRESH_WAITING && primary < r->primary_cnt &&
           r->primaries[primary].is == ASKED;
}

enum refresh_verdict refresh_answered(struct refresh *r, uint32_t primary, uint32_t round, uint32_t serial,
                                      uint64_t now_ms)
{
    if (!is_of_round(r, primary, round))
        return REFRESH_IGNORED;
    r->primaries[primary].is = ANSWERED;
    r->primaries[primary].serial = serial;
    r->primaries[primary].has_answered = true;
    if (!r->has_zone || serial_is_later(serial, r->soa.serial))
        return REFRESH_NEWER;
    if (serial != r->soa.serial)
        return REFRESH_OLDER;
    set_good(r, now_ms);
    return REFRESH_SAME;
}

void refresh_unanswered(struct refresh *r, uint32_t primary, uint32_t round)
{
    if (is_of_round(r, primary, round))
        r->primaries[primary].is = PASSED_OVER;
}

void refresh_transferred(struct refresh *r, uint32_t round, const struct soa *soa, uint64_t now_ms)
{
    if (round != r->round || r->state != REFRESH_TRANSFERRING)
        return;
    r->state = REFRESH_ASKING;
    r->soa = *soa;
    r->has_zone = true;
    r->wants_full = false;
    r->primaries[r->from].is = PASSED_OVER; /* it has nothing more for us, whatever it said before */
    set_good(r, now_ms);
}

void refresh_transfer_failed(struct refresh *r, uint32_t round, enum refresh_failure failure)
{
    if (round != r->round || r->state != REFRESH_TRANSFERRING)
        return;
    r->state = REFRESH_ASKING;
    r->primaries[r->from].is = r->is_ixfr && failure == REFRESH_REFUSED ? AXFR_LEFT : PASSED_OVER;
}

/* ---- life */

void refresh_init(struct refresh *r, struct random_state *rng, const struct refresh_bounds *bounds,
                  uint32_t primary_cnt)
{
    assert(primary_cnt);
    *r = (struct refresh){
        .rng = rng,
        .bounds = *bounds,
        .primaries = mem_zalloc(primary_cnt, sizeof *r->primaries),
        .primary_cnt = primary_cnt,
        .favourite = UINT32_MAX,
        .again_favourite = UINT32_MAX,
        .expire_at_ms = REFRESH_NEVER,
    };
}

void refresh_fini(struct refresh *r)
{
    free(r->primaries);
    r->primaries = NULL;
}

void refresh_start(struct refresh *r, const struct refresh_known *known, uint64_t now_ms, uint64_t now_wall_ms)
{
    r->next_ms = now_ms;
    r->has_zone = known->has_zone;
    if (!known->has_zone)
        return;
    r->soa = known->soa;
    r->is_expired = known->is_expired;
    /* What lies in the future by a clock that was set back, or is not known, counts as now. */
    bool is_past = known->good_wall_ms && known->good_wall_ms < now_wall_ms;
    uint64_t age_ms = is_past ? now_wall_ms - known->good_wall_ms : 0, expire_ms = timers_of(r).expire_ms;
    r->good_ms = now_ms - age_ms; /* may wrap: only differences are taken of it */
    uint64_t left_ms = age_ms < expire_ms ? expire_ms - age_ms : 0;
    /* A zone whose expire is shorter than the grace has no need of more than that. */
    uint64_t grace_ms = least_of(REFRESH_GRACE_MS, expire_ms);
    if (!r->is_expired)
        r->expire_at_ms = now_ms + (left_ms > grace_ms ? left_ms : grace_ms);
}

void refresh_configure(struct refresh *r, const struct refresh_bounds *bounds, uint32_t primary_cnt, bool are_others,
                       uint64_t now_ms)
{
    assert(primary_cnt && (are_others || primary_cnt == r->primary_cnt));
    r->bounds = *bounds;
    if (r->has_zone && !r->is_expired)
        r->expire_at_ms = least_of(r->expire_at_ms, now_ms + timers_of(r).expire_ms);
    if (!are_others) {
        if (r->has_zone && r->state == REFRESH_WAITING)
            r->next_ms = least_of(r->next_ms, now_ms + timers_of(r).refresh_ms);
        return;
    }
    free(r->primaries);
    r->primaries = mem_zalloc(primary_cnt, sizeof *r->primaries);
    r->primary_cnt = primary_cnt;
    r->again_full |= r->wants_full;
    r->wants_full = false;
    r->again_favourite = UINT32_MAX;
    r->state = REFRESH_WAITING; /* late answers are of no round that runs */
    r->next_ms = now_ms;
}

uint64_t refresh_good_wall_ms(const struct refresh *r, uint64_t now_ms, uint64_t now_wall_ms)
{
    uint64_t age_ms = now_ms - r->good_ms;
    if (!r->has_zone)
        return 0;
    return age_ms < now_wall_ms ? now_wall_ms - age_ms : 1;
}
