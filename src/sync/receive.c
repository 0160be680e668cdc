/* Incoming transfers of secondaries: when there is room for them, and what comes of them. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/mem.h"
#include "dns/name.h"
#include "sync/soa.h"
#include "sync/unit.h"

/* All of a transfer: as long as BIND gives it. */
enum { TRANSFER_MS = 2 * 3600 * 1000 };

/* What a transfer brought, on its way through the store. */
struct sync_change {
    struct store_transferred transferred;
    struct sync_unit *unit; /* NULL: nobody waits for it any more */
    uint32_t round;
};

/* ---- what came of it */

static void log_end(const struct sync_unit *unit, const char *outcome)
{
    const struct sync_transfer *last = &unit->last;
    char name[NAME_TEXT_MAX], from[ADDR_TEXT_MAX];
    struct sync *sync = unit->sync;
    if (*last->why ? !log_rate_ok(&sync->failure_rate, 20) : !log_rate_ok(&sync->transfer_rate, 50))
        return;
    name_to_text_bare(name, unit->apex);
    addr_port_to_text(from, &last->primary);
    if (*last->why)
        log_warning("zone \"%s\": transfer from %s failed: %s", name, from, last->why);
    else
        log_info("zone \"%s\": %s from %s, serial %u, %llu records, %llu bytes, %llu ms", name, outcome, from,
                 last->serial, (unsigned long long)last->record_cnt, (unsigned long long)last->wire_bytes,
                 (unsigned long long)last->took_ms);
}

static void end_failed(struct sync_unit *unit, uint32_t round, enum refresh_failure failure, const char *why)
{
    unit->last.kind = "failed";
    snprintf(unit->last.why, sizeof unit->last.why, "%s", why);
    log_end(unit, NULL);
    refresh_transfer_failed(&unit->refresh, round, failure);
    unit_wake(unit);
}

static void end_good(struct sync_unit *unit, uint32_t round)
{
    const struct zone_version *version = store_version(unit->sync->store, unit->apex);
    struct soa_record record;
    struct soa soa;
    soa_of_version(&record, version);
    enum err err = soa_read(&soa, record.rdata, record.rr.rdata_len);
    assert(!err);
    (void)err;
    unit->last.serial = soa.serial;
    unit_forget_fault(unit);
    log_end(unit, unit->last.kind);
    refresh_transferred(&unit->refresh, round, &soa, clock_mono_ms());
    unit->good_kept_ms = 0;
    follow_keep_good(unit);
    unit_wake(unit);
}

static void on_change(struct store_change *store_change, enum err err, const char *why)
{
    struct sync_change *change = container_of(store_change, struct sync_change, transferred.change);
    struct sync_unit *unit = change->unit;
    if (unit) {
        unit->change = NULL;
        if (err)
            end_failed(unit, change->round, REFRESH_REFUSED, why);
        else
            end_good(unit, change->round);
    }
    store_transferred_fini(&change->transferred);
    free(change);
}

static void commit(struct sync_unit *unit, struct fetch_result *result)
{
    struct sync_change *change = mem_zalloc(1, sizeof *change);
    change->unit = unit;
    change->round = unit->fetch.round;
    store_transferred_init(&change->transferred);
    change->transferred.records = result->records;
    change->transferred.changes = result->changes;
    change->transferred.change_cnt = result->change_cnt;
    change->transferred.is_forced = unit->fetch.is_forced;
    change->transferred.change.done = on_change;
    result->records = NULL;
    result->changes = NULL;
    result->change_cnt = 0;
    unit->change = change;
    store_change(unit->sync->store, unit->apex, &change->transferred.change);
}

static void note(struct sync_unit *unit, const struct fetch_result *result)
{
    unit->last = (struct sync_transfer){
        .wall_ms = clock_wall_ms(),
        .primary = unit->fetch.from,
        .kind = result->outcome == FETCH_WHOLE ? "AXFR" : result->outcome == FETCH_CHANGES ? "IXFR" : "up to date",
        .serial = result->serial,
        .wire_bytes = result->wire_bytes,
        .record_cnt = result->record_cnt,
        .took_ms = result->took_ms,
    };
}

/* How many that wait may have become possible. */
static unsigned note_host(const struct sync_unit *unit, enum fetch_outcome outcome)
{
    struct sync *sync = unit->sync;
    const struct addr *from = &unit->fetch.from;
    if (outcome == FETCH_FAILED) {
        silence_unanswered(&sync->failing, from, &sync->shared->key);
        return 1;
    }
    bool was_failing = silence_is_silent(&sync->failing, from, &sync->shared->key);
    silence_answered(&sync->failing, from, &sync->shared->key);
    return was_failing ? SYNC_FETCHES_HOST : 1;
}

static void log_warning_of(const struct sync_unit *unit, const char *warning)
{
    char name[NAME_TEXT_MAX], from[ADDR_TEXT_MAX];
    if (warning && log_rate_ok(&unit->sync->failure_rate, 20))
        log_warning("zone \"%s\": transfer from %s: %s", name_to_text_bare(name, unit->apex),
                    addr_port_to_text(from, &unit->last.primary), warning);
}

static bool is_older(const struct sync_unit *unit, const struct fetch_result *result)
{
    return result->outcome == FETCH_UP_TO_DATE && result->has_serial && result->serial != unit->serial;
}

/* A whole zone with the serial that we have is no news. */
static bool is_what_we_have(const struct sync_unit *unit, const struct fetch_result *result)
{
    return result->outcome == FETCH_UP_TO_DATE ||
           (result->outcome == FETCH_WHOLE && unit->has_version && result->serial == unit->serial &&
            !unit->fetch.is_forced);
}

static void try_waiting(struct sync *sync);
static void end_fetch(struct sync_unit *unit);

static void on_fetched(void *arg, struct fetch_result *result)
{
    struct sync_unit *unit = arg;
    struct sync *sync = unit->sync;
    uint32_t round = unit->fetch.round;
    end_fetch(unit);
    unsigned possible_cnt = note_host(unit, result->outcome);
    note(unit, result);
    log_warning_of(unit, result->warning);
    if (result->outcome == FETCH_FAILED)
        end_failed(unit, round, result->failure, result->why);
    else if (is_older(unit, result))
        end_failed(unit, round, REFRESH_REFUSED, "the primary has an older serial than it said");
    else if (is_what_we_have(unit, result))
        end_good(unit, round);
    else
        commit(unit, result);
    while (possible_cnt--)
        try_waiting(sync);
}

/* ---- when there is room */

static void start(struct sync_unit *unit)
{
    const struct sync_peer *peer = &unit->zone->primaries[unit->fetch.primary];
    const struct zone_version *version = store_version(unit->sync->store, unit->apex);
    struct soa_record soa;
    if (version)
        soa_of_version(&soa, version);
    const struct fetch_request request = {
        .apex = unit->apex,
        .hash = &unit->sync->shared->key,
        .soa = version && unit->fetch.is_ixfr ? &soa.rr : NULL,
        .key = peer->key,
        .primary = peer->addr,
        .sources = unit->zone->transfer_source,
        .deadline_ms = TRANSFER_MS,
        .max_zone_bytes = unit->zone->max_zone_bytes,
    };
    unit->fetch.from = peer->addr;
    unit->sync->fetch_cnt++;
    ring_add(&unit->sync->fetching, &unit->fetch.at);
    unit->fetch.fetch = fetch_start(unit->sync->loop, &request, on_fetched, unit);
}

static unsigned running_from(const struct sync *sync, const struct addr *primary)
{
    unsigned cnt = 0;
    for (const struct ring *at = sync->fetching.after; at != &sync->fetching; at = at->after)
        cnt += addr_same_host(&container_of(at, const struct sync_unit, fetch.at)->fetch.from, primary);
    return cnt;
}

/* Where nothing but failures comes from fewer are tried at a time: each may take its half minute. */
static unsigned most_from(struct sync *sync, const struct addr *primary)
{
    bool fails = silence_is_silent(&sync->failing, primary, &sync->shared->key);
    return fails ? SYNC_FETCHES_FAILING : SYNC_FETCHES_HOST;
}

static bool may_start(const struct sync_unit *unit)
{
    struct sync *sync = unit->sync;
    const struct addr *primary = &unit->zone->primaries[unit->fetch.primary].addr;
    return sync->fetch_cnt < SYNC_FETCHES_MOST && running_from(sync, primary) < most_from(sync, primary);
}

/* One has ended, so one may begin. */
static void try_waiting(struct sync *sync)
{
    for (struct ring *at = sync->fetches_waiting.after; at != &sync->fetches_waiting; at = at->after) {
        struct sync_unit *unit = container_of(at, struct sync_unit, fetch.at);
        if (!may_start(unit))
            continue;
        ring_remove(at);
        start(unit);
        return;
    }
}

static void end_fetch(struct sync_unit *unit)
{
    unit->fetch.fetch = NULL;
    unit->sync->fetch_cnt--;
    ring_remove(&unit->fetch.at);
}

void receive_want(struct sync_unit *unit)
{
    if (may_start(unit))
        start(unit);
    else
        ring_add(&unit->sync->fetches_waiting, &unit->fetch.at);
}

void receive_stop(struct sync_unit *unit)
{
    if (!unit->fetch.fetch) {
        ring_remove(&unit->fetch.at);
    } else {
        fetch_cancel(unit->fetch.fetch);
        end_fetch(unit);
        if (!unit->sync->is_ending)
            try_waiting(unit->sync);
    }
    if (unit->change)
        unit->change->unit = NULL;
    unit->change = NULL;
}
