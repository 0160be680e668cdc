#include "probe/ending.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "probe/watched.h"

enum { LOCAL_BURST = 3 };

static void tell(struct watch *watch, uint32_t slot, struct reason reason, const char *text, bool is_event)
{
    const struct watched *w = watched_at(watch, slot);
    const struct exchange_report report = {
        .since_wall_ms = w->health.since_ms,
        .reason = reason,
        .duration_us = w->duration_us < UINT32_MAX ? (uint32_t)w->duration_us : UINT32_MAX,
        .contrary_cnt = w->health.contrary_cnt,
        .verdict = (uint8_t)w->health.verdict,
        .unsettled = w->health.unsettled,
        .measure = w->measure,
    };
    if (exchange_tell(watch->exchange, slot, w->generation, &report, text, is_event))
        watch->wake(watch->wake_arg);
}

/* "Cannot assign requested address" would be the system's word for a lack of ports. */
static struct reason reason_of_lack(int error)
{
    return error == EADDRNOTAVAIL ? (struct reason){REASON_NO_PORT, 0} : (struct reason){REASON_LOCAL, (uint32_t)error};
}

void ending_take(struct ending *ending, const struct check *check, uint64_t now_us)
{
    const struct kind_run *run = &check->run;
    *ending = (struct ending){
        .state = run->state,
        .reason = run->reason,
        .measure = run->measure,
        .steps = run->steps,
        /* A driver that puts the start off goes by a clock that does not stand still. */
        .start_us = check->start_us < now_us ? check->start_us : now_us,
        .duration_us = now_us > check->start_us ? now_us - check->start_us : 0,
        .is_lack = check->local_error,
        .advises = run->kind->advises,
    };
    memcpy(ending->text, run->text, sizeof ending->text);
    ending->steps.ended_us = check_age_us(check, now_us);
    if (run->response_us)
        ending->duration_us = run->response_us;
    if (check->local_error)
        ending->reason = check->lack.code == REASON_NONE ? reason_of_lack(check->local_error) : check->lack;
}

static const char *address_text(char out[ADDR_TEXT_MAX], const struct addr *address)
{
    return address->port ? addr_port_to_text(out, address) : addr_to_text(out, address);
}

static bool may_warn(struct watch *watch, struct reason reason)
{
    if (reason.code != REASON_NO_ECHO)
        return log_rate_ok(&watch->local_rate, LOCAL_BURST);
    bool told = watch->told_no_echo;
    watch->told_no_echo = true;
    return !told;
}

static void retry_soon(struct watch *watch, uint32_t slot)
{
    const struct health_timing *timing = &watched_at(watch, slot)->target->timing;
    watched_wait_until(watch, slot, schedule_retry_us(timing, watch->now_us, (uint32_t)random_u64(&watch->rng)));
}

/* Could not be checked for a lack of ours: nothing is counted, however often it happens. */
static void not_checked(struct watch *watch, uint32_t slot, struct reason reason)
{
    char address[ADDR_TEXT_MAX], text[PROBE_REASON_MAX];
    if (may_warn(watch, reason))
        log_warning("member at \"%s\" %s", address_text(address, &watched_at(watch, slot)->target->address),
                    reason_to_text(text, reason));
    tell(watch, slot, reason, "", false);
    retry_soon(watch, slot);
}

/* The next check is due an interval after this one. Fractions of second checks are spread by design, those of jitter by
 * chance. */
static void wait_next(struct watch *watch, uint32_t slot, enum schedule_state state, uint64_t start_us)
{
    uint32_t fraction =
        state == SCHEDULE_FIRST ? schedule_spread(&watch->spread) : (uint32_t)random_u64(&watch->rng);
    const struct health_timing *timing = &watched_at(watch, slot)->target->timing;
    watched_wait_until(watch, slot, schedule_next_us(timing, start_us, watch->now_us, state, fraction));
}

/* Response times are smoothed as TCP smooths round trips (RFC 6298 section 2), but by a quarter: there are few. True:
 * something else than a number changed. */
static bool take_measure(struct watched *w, const struct ending *ending)
{
    uint32_t was_us = w->measure.response_us, now_us = (uint32_t)w->duration_us;
    bool drained = w->measure.drains != ending->measure.drains;
    w->measure = ending->measure;
    w->measure.response_us = was_us;
    if (ending->state == KIND_PASSED) {
        now_us = now_us ? now_us : 1;
        w->measure.response_us = was_us ? was_us - was_us / 4 + now_us / 4 : now_us;
        w->measure.response_us += !w->measure.response_us;
        w->measure.response_wall_ms = clock_wall_ms();
    }
    return drained;
}

static void judge(struct watch *watch, uint32_t slot, const struct ending *ending)
{
    struct watched *w = watched_at(watch, slot);
    const struct health_timing *timing = &w->target->timing;
    const struct health_settings settings = {.rise = timing->rise, .fall = timing->fall};
    enum health_result result = ending->state == KIND_FAILED ? HEALTH_FAIL : HEALTH_PASS;
    enum schedule_state state = w->health.result_cnt ? SCHEDULE_STEADY : SCHEDULE_FIRST;
    bool is_event = take_measure(w, ending);
    if (health_observe(&w->health, &settings, HEALTH_OBSERVER_SELF, result, clock_wall_ms()) == HEALTH_CHANGED)
        is_event = true;
    if (w->health.unsettled)
        state = SCHEDULE_UNSETTLED;
    w->excused = false;
    tell(watch, slot, ending->reason, ending->text, is_event);
    wait_next(watch, slot, state, ending->start_us);
}

/* Of no consequence for the verdict: one that is in doubt is so as before. */
static void pass_over(struct watch *watch, uint32_t slot, const struct ending *ending)
{
    struct watched *w = watched_at(watch, slot);
    bool is_event = take_measure(w, ending);
    tell(watch, slot, ending->reason, ending->text, is_event);
    wait_next(watch, slot, w->health.unsettled ? SCHEDULE_UNSETTLED : SCHEDULE_STEADY, ending->start_us);
}

/* A failure of a check that was under way while the process stood still may be ours (a server gives up on a client that
 * stops), so it is done again, once: a host that stalls all the time must still find the dead. */
void ending_conclude(struct watch *watch, uint32_t slot, const struct ending *ending)
{
    struct watched *w = watched_at(watch, slot);
    w->duration_us = ending->duration_us;
    if (ending->is_lack) {
        tally_count(&watch->tally, lacking);
        not_checked(watch, slot, ending->reason);
    } else if (ending->state == KIND_FAILED && ending->stalled && !w->excused) {
        tally_count(&watch->tally, excused);
        w->excused = true;
        retry_soon(watch, slot);
    } else if (ending->state == KIND_IGNORED && !(ending->advises && w->health.verdict == HEALTH_UNKNOWN)) {
        tally_count(&watch->tally, ignored);
        pass_over(watch, slot, ending);
    } else {
        if (ending->state == KIND_FAILED)
            tally_count(&watch->tally, failed);
        else
            tally_count(&watch->tally, passed);
        judge(watch, slot, ending);
    }
    /* One that is up yet is not made to wait: that it goes down must be found in time. */
    if (!ending->is_lack)
        w->hangs = ending->is_late && w->health.verdict == HEALTH_DOWN;
}

void ending_trace(struct watch *watch, uint32_t slot, const struct ending *ending)
{
    static const enum probe_outcome outcomes[] = {
        [KIND_PASSED] = PROBE_PASSED, [KIND_FAILED] = PROBE_FAILED, [KIND_IGNORED] = PROBE_IGNORED};
    struct probe_trace trace = {.target = slot + 1, .steps = ending->steps};
    trace.outcome = ending->is_lack ? PROBE_NOT_DONE : outcomes[ending->state];
    if (ending->reason.code == REASON_TEXT)
        memcpy(trace.reason, ending->text, sizeof trace.reason);
    else
        reason_to_text(trace.reason, ending->reason);
    if (exchange_trace(watch->exchange, slot, watched_at(watch, slot)->generation, &trace))
        watch->wake(watch->wake_arg);
}
