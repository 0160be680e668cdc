/* Secondaries: their primaries are asked for the serial, and the store is told when nobody confirms a zone any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "dns/name.h"
#include "sync/soa.h"
#include "sync/unit.h"

/* For an answer; the machine asks again on its own. It is written down at most so often that a zone was good. */
enum { ANSWER_MS = 5000, KEEP_GOOD_MS = 60 * 1000 };

/* ---- life */

static bool are_same_sources(const struct sync_sources *a, const struct sync_sources *b)
{
    return !addr_cmp(&a->v4, &b->v4) && !addr_cmp(&a->v6, &b->v6);
}

/* Who allows us by our address may do so now, where it did not before. */
static bool are_asked_alike(const struct sync_zone *a, const struct sync_zone *b)
{
    bool same = a->primary_cnt == b->primary_cnt && are_same_sources(&a->transfer_source, &b->transfer_source);
    for (size_t i = 0; same && i < a->primary_cnt; i++) {
        const struct sync_peer *x = &a->primaries[i], *y = &b->primaries[i];
        same = !addr_cmp(&x->addr, &y->addr) && !x->key == !y->key &&
               (!x->key || (name_equal(x->key->name, y->key->name) && !memcmp(&x->key->hmac, &y->key->hmac,
                                                                             sizeof x->key->hmac)));
    }
    return same;
}

void follow_stop(struct sync_unit *unit)
{
    exchanges_cancel(unit, false);
    receive_stop(unit);
    unit_forget_fault(unit);
    if (unit->has_refresh)
        refresh_fini(&unit->refresh);
    unit->has_refresh = unit->has_started = false;
}

static void begin(struct sync_unit *unit)
{
    refresh_init(&unit->refresh, &unit->sync->rng, &unit->zone->bounds, (uint32_t)unit->zone->primary_cnt);
    unit->has_refresh = true;
    unit->fault_round = unit->judged_round = 0;
    if (unit->was_told)
        follow_version(unit);
}

void follow_configure(struct sync_unit *unit, const struct sync_zone *was)
{
    const struct sync_zone *zone = unit->zone;
    if (!zone->is_secondary) {
        if (unit->has_refresh)
            store_revive(unit->sync->store, unit->apex);
        follow_stop(unit);
        return;
    }
    if (!unit->has_refresh) {
        begin(unit);
        return;
    }
    bool are_others = !was || !are_asked_alike(was, zone);
    if (are_others) {
        unit_forget_fault(unit);
        exchanges_cancel(unit, false);
        receive_stop(unit);
    }
    refresh_configure(&unit->refresh, &zone->bounds, (uint32_t)zone->primary_cnt, are_others, clock_mono_ms());
}

/* What the machine does not know of, and will not be told: primaries were others before it had been made. */
static bool is_unknown(const struct sync_unit *unit, const struct zone_version *version)
{
    const struct refresh *refresh = &unit->refresh;
    return version && !unit->change && (!refresh->has_zone || refresh->soa.serial != version->serial);
}

void follow_version(struct sync_unit *unit)
{
    const struct zone_version *version = store_version(unit->sync->store, unit->apex);
    struct refresh_known known = {.has_zone = version != NULL};
    if (unit->has_started && is_unknown(unit, version)) {
        follow_stop(unit);
        begin(unit);
        return;
    }
    if (!unit->has_refresh || unit->has_started)
        return;
    if (version) {
        struct soa_record soa;
        soa_of_version(&soa, version);
        if (soa_read(&known.soa, soa.rdata, soa.rr.rdata_len))
            known.has_zone = false; /* no version has such a SOA */
    }
    known.is_expired = version && store_was_expired(unit->sync->store, unit->apex);
    known.good_wall_ms = store_good_wall_ms(unit->sync->store, unit->apex);
    if (known.is_expired)
        store_expire(unit->sync->store, unit->apex);
    refresh_start(&unit->refresh, &known, clock_mono_ms(), clock_wall_ms());
    unit->has_started = true;
}

/* ---- what primaries say */

void follow_keep_good(struct sync_unit *unit)
{
    uint64_t now_ms = clock_mono_ms(), good_ms = refresh_good_wall_ms(&unit->refresh, now_ms, clock_wall_ms());
    if (!good_ms || (unit->good_kept_ms && now_ms - unit->good_kept_ms < KEEP_GOOD_MS))
        return;
    unit->good_kept_ms = now_ms;
    store_set_good(unit->sync->store, unit->apex, good_ms);
}

void unit_forget_fault(struct sync_unit *unit)
{
    free(unit->fault);
    unit->fault = NULL;
}

/* For people; of a round in which another primary was good it is none of their business. */
static void note_fault(struct sync_unit *unit, const struct sync_peer *peer, const char *why)
{
    if (unit->refresh.was_good)
        return;
    if (!unit->fault)
        unit->fault = mem_zalloc(1, sizeof *unit->fault);
    unit->fault->wall_ms = clock_wall_ms();
    unit->fault->primary = peer->addr;
    unit->fault_round = unit->refresh.round;
    snprintf(unit->fault->why, sizeof unit->fault->why, "%s", why);
}

static void take_older(struct sync_unit *unit, const struct sync_peer *peer, uint32_t serial)
{
    char name[NAME_TEXT_MAX], text[ADDR_TEXT_MAX], why[FAULT_MAX];
    snprintf(why, sizeof why, "it has serial %u, which is not above ours, %u", serial, unit->serial);
    note_fault(unit, peer, why);
    if (log_rate_ok(&unit->sync->refresh_rate, 20))
        log_warning("zone \"%s\": primary %s has serial %u, which is not above ours, %u",
                    name_to_text_bare(name, unit->apex), addr_port_to_text(text, &peer->addr), serial, unit->serial);
}

static void take_no_answer(struct sync_unit *unit, const struct sync_peer *peer, const char *why)
{
    note_fault(unit, peer, why);
    char name[NAME_TEXT_MAX], text[ADDR_TEXT_MAX];
    if (log_rate_ok(&unit->sync->refresh_rate, 20))
        log_notice("zone \"%s\": primary %s does not tell its serial: %s", name_to_text_bare(name, unit->apex),
                   addr_port_to_text(text, &peer->addr), why);
}

/* NULL: the answer is good. */
static const char *fault_of(char out[FAULT_MAX], const struct ask_result *result)
{
    char rcode[FAULT_MAX];
    if (result->outcome == ASK_FAILED)
        return result->why;
    if (result->tsig_error == TSIG_BADTIME)
        return "its clock and ours differ by too much for signatures";
    if (result->answer.rcode)
        snprintf(out, FAULT_MAX, "its answer is %.200s", fault_of_rcode(rcode, result->answer.rcode));
    else if (!result->answer.has_soa)
        return "its answer has no SOA: it may not serve the zone";
    else
        return result->answer.is_authoritative ? NULL : "it is not authoritative: it may have no data of the zone";
    return out;
}

static void on_answer(void *arg, const struct ask_result *result)
{
    struct sync_exchange *exchange = arg;
    struct sync_unit *unit = exchange->unit;
    uint32_t primary = exchange->index, round = exchange->round;
    const struct sync_peer *peer = &unit->zone->primaries[primary];
    char text[FAULT_MAX];
    exchange_heard(exchange, result->outcome);
    exchange_end(exchange);
    const char *fault = result->outcome == ASK_SILENT ? NULL : fault_of(text, result);
    if (fault) {
        take_no_answer(unit, peer, fault);
        refresh_unanswered(&unit->refresh, primary, round);
    } else if (result->outcome == ASK_SILENT && result->was_passed_over) {
        take_no_answer(unit, peer, result->why); /* it may be forged: the next try is waited for */
    } else if (result->outcome == ASK_ANSWERED) {
        uint32_t serial = result->answer.soa.serial;
        enum refresh_verdict verdict = refresh_answered(&unit->refresh, primary, round, serial, clock_mono_ms());
        if (verdict == REFRESH_OLDER)
            take_older(unit, peer, serial);
        else if (verdict == REFRESH_SAME)
            unit_forget_fault(unit);
        follow_keep_good(unit);
    }
    unit_wake(unit);
}

void follow_notified(struct sync_unit *unit, const struct addr *from, const uint32_t *serial)
{
    if (!unit->has_started)
        return;
    uint32_t primary = (uint32_t)sync_zone_primary(unit->zone, from);
    if (refresh_notified(&unit->refresh, primary, serial, clock_mono_ms()))
        unit_wake(unit);
}

/* ---- what is due */

static void ask(struct sync_unit *unit, const struct refresh_step *step)
{
    const struct sync_peer *peer = &unit->zone->primaries[step->primary];
    const struct ask_question question = {
        .kind = NOTIFY_MSG_SOA,
        .apex = unit->apex,
        .key = peer->key,
        .peer = peer->addr,
        .sources = unit->zone->transfer_source,
        .over_tcp = step->over_tcp,
        .timeout_ms = ANSWER_MS,
    };
    const struct sync_exchange about = {.index = step->primary, .round = step->round};
    exchange_start(unit, &question, &about, on_answer);
}

static void want_transfer(struct sync_unit *unit, const struct refresh_step *step)
{
    unit->fetch.primary = step->primary;
    unit->fetch.round = step->round;
    unit->fetch.is_ixfr = step->is_ixfr;
    /* Once expired, or when somebody wants it, whatever a primary has is better. */
    unit->fetch.is_forced = unit->refresh.is_expired || unit->refresh.wants_full;
    receive_want(unit);
}

static void set_expired(struct sync_unit *unit, bool is_expired)
{
    char name[NAME_TEXT_MAX];
    name_to_text_bare(name, unit->apex);
    if (is_expired) {
        log_error("zone \"%s\": expired, no primary has confirmed serial %u: queries get SERVFAIL", name,
                  unit->serial);
        store_expire(unit->sync->store, unit->apex);
    } else {
        log_notice("zone \"%s\": no longer expired", name);
        store_revive(unit->sync->store, unit->apex);
    }
}

/* Who says nothing is a fault when nobody else of the round had anything to say. */
static void judge_round(struct sync_unit *unit)
{
    const struct refresh *refresh = &unit->refresh;
    bool is_told = unit->judged_round == refresh->round || unit->fault_round == refresh->round;
    if (refresh->state != REFRESH_WAITING || is_told || refresh->was_good || !refresh->round)
        return;
    unit->judged_round = refresh->round;
    for (uint32_t i = 0; i < refresh->primary_cnt; i++)
        if (refresh->primaries[i].has_answered)
            return;
    take_no_answer(unit, unit->zone->primaries,
                   refresh->primary_cnt > 1 ? "it does not answer, nor does any other" : "it does not answer");
}

bool follow_run(struct sync_unit *unit, uint64_t now_ms)
{
    struct refresh_step step;
    while (sync_has_room(unit->sync)) {
        if (!refresh_next(&unit->refresh, &step, now_ms)) {
            judge_round(unit);
            return true;
        }
        if (step.kind == REFRESH_ASK)
            ask(unit, &step);
        else if (step.kind == REFRESH_TRANSFER)
            want_transfer(unit, &step);
        else
            set_expired(unit, step.kind == REFRESH_EXPIRED);
    }
    return refresh_due_ms(&unit->refresh) > now_ms;
}
