#include "probe/probe.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "probe/engine.h"
#include "probe/exchange.h"
#include "probe/target.h"

/* [control] Ids are slots of the table, plus 1. */
struct probe {
    void (*wake)(void *arg);
    void *wake_arg;
    struct target_table table;
    struct exchange *exchange; /* shared with the probe thread */
    struct engine *engine;     /* NULL: not started */
    uint32_t checks_max;
};

struct probe *probe_new(void (*wake)(void *arg), void *arg)
{
    struct probe *probe = mem_zalloc(1, sizeof *probe);
    probe->wake = wake;
    probe->wake_arg = arg;
    probe->exchange = exchange_new();
    target_table_init(&probe->table);
    return probe;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    engine_stop(probe->engine);
    exchange_free(probe->exchange);
    target_table_fini(&probe->table);
    free(probe);
}

enum err probe_start(struct probe *probe, uint64_t first_within_ms)
{
    assert(!probe->engine);
    enum err e = engine_start(&probe->engine, probe->exchange, first_within_ms, probe->wake, probe->wake_arg);
    if (!e)
        engine_set_checks_max(probe->engine, probe->checks_max);
    return e;
}

void probe_set_checks_max(struct probe *probe, uint32_t checks_max)
{
    probe->checks_max = checks_max;
    if (probe->engine)
        engine_set_checks_max(probe->engine, checks_max);
}

/* `known`: how it is, NULL: unknown. */
static void want(struct probe *probe, uint32_t slot, const struct exchange_report *known)
{
    bool was_empty = exchange_want(probe->exchange, slot, target_table_at(&probe->table, slot), known);
    if (was_empty && probe->engine)
        engine_wake(probe->engine);
}

/* Changed timing is a new target of the same check: what that has found stays true. */
static void begin(struct probe *probe, uint32_t slot)
{
    struct exchange_report known;
    char reason[PROBE_REASON_MAX];
    uint32_t like;
    bool found = target_table_find_like(&probe->table, slot, &like);
    if (found)
        exchange_look(probe->exchange, like, &known, reason);
    want(probe, slot, found ? &known : NULL);
}

uint32_t probe_subscribe(struct probe *probe, const struct probe_spec *spec)
{
    bool is_new;
    uint32_t slot = target_table_add(&probe->table, spec, &is_new);
    if (is_new)
        begin(probe, slot);
    return slot + 1;
}

void probe_unsubscribe(struct probe *probe, uint32_t target)
{
    assert(target_table_at(&probe->table, target - 1));
    if (target_table_drop(&probe->table, target - 1))
        want(probe, target - 1, NULL);
}

/* All but the reason, which is there already. */
static void fill(struct probe_event *event, uint32_t slot, const struct exchange_report *report)
{
    event->target = slot + 1;
    event->verdict = (enum health_verdict)report->verdict;
    event->unsettled = report->unsettled;
    event->since_wall_ms = report->since_wall_ms;
    event->duration_us = report->duration_us;
    event->measure = report->measure;
}

bool probe_next(struct probe *probe, struct probe_event *event)
{
    struct exchange_report report;
    uint32_t slot;
    if (!exchange_next(probe->exchange, &slot, &report, event->reason))
        return false;
    fill(event, slot, &report);
    return true;
}

void probe_state(const struct probe *probe, uint32_t target, struct probe_event *state)
{
    struct exchange_report report;
    exchange_look(probe->exchange, target - 1, &report, state->reason);
    fill(state, target - 1, &report);
}

void probe_tally(const struct probe *probe, struct tally_view *view)
{
    *view = (struct tally_view){0};
    if (probe->engine)
        engine_look(probe->engine, view);
}

size_t probe_target_cnt(const struct probe *probe)
{
    return probe->table.used_cnt;
}
