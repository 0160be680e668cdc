#include "probe/probe.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "probe/engine.h"
#include "probe/exchange.h"
#include "probe/memory.h"
#include "probe/target.h"

/* [control] Ids are slots of the table, plus 1. */
struct probe {
    void (*wake)(void *arg);
    void *wake_arg;
    struct target_table table;
    struct exchange *exchange; /* shared with the probe thread */
    struct engine *engine;     /* NULL: not started */
    uint32_t checks_max;
    struct memory memory;      /* of a former process */
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
    memory_fini(&probe->memory);
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

static void wake_engine(struct probe *probe, bool was_empty)
{
    if (was_empty && probe->engine)
        engine_wake(probe->engine);
}

/* Its words come with it, whatever the reason's code was. */
static void want_as(struct probe *probe, uint32_t slot, const struct exchange_report *known, const char *reason)
{
    struct exchange_report said = *known;
    said.reason = (struct reason){REASON_TEXT, 0};
    wake_engine(probe, exchange_want_as(probe->exchange, slot, target_table_at(&probe->table, slot), &said, reason));
}

static struct exchange_report report_of(const struct health_memory *memory)
{
    return (struct exchange_report){
        .since_wall_ms = memory->since_wall_ms,
        .duration_us = memory->duration_us,
        .contrary_cnt = memory->contrary_cnt,
        .verdict = (uint8_t)memory->verdict,
        .unsettled = memory->unsettled,
        .is_remembered = true,
        .measure = memory->measure,
    };
}

static bool find_memory(const struct probe *probe, uint32_t slot, const struct health_memory **memory)
{
    uint8_t digest[HEALTH_DIGEST_LEN];
    if (!probe->memory.cnt)
        return false;
    target_digest(digest, target_table_at(&probe->table, slot));
    *memory = memory_find(&probe->memory, digest);
    return *memory != NULL;
}

/* Changed timing is a new target of the same check: what that has found stays true. So does, for a while, what a former
 * process has found. */
static void begin(struct probe *probe, uint32_t slot)
{
    const struct health_memory *memory;
    char reason[PROBE_REASON_MAX];
    struct exchange_report known;
    uint32_t like;
    bool found = target_table_find_like(&probe->table, slot, &like);
    if (found)
        exchange_look(probe->exchange, like, &known, reason);
    if (found && known.verdict != HEALTH_UNKNOWN) {
        want_as(probe, slot, &known, reason);
    } else if (find_memory(probe, slot, &memory)) {
        known = report_of(memory);
        want_as(probe, slot, &known, memory->reason);
    } else {
        wake_engine(probe, exchange_want(probe->exchange, slot, target_table_at(&probe->table, slot), NULL));
    }
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
        wake_engine(probe, exchange_want(probe->exchange, target - 1, NULL, NULL));
}

/* All but the reason, which is there already. */
static void fill(struct probe_event *event, uint32_t slot, const struct exchange_report *report)
{
    event->target = slot + 1;
    event->verdict = (enum health_verdict)report->verdict;
    event->unsettled = report->unsettled;
    event->is_remembered = report->is_remembered;
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

/* ---- memory ---- */

void probe_remember(struct probe *probe, const struct health_memory *memories, size_t cnt)
{
    memory_fill(&probe->memory, memories, cnt);
}

void probe_forget(struct probe *probe)
{
    memory_fini(&probe->memory);
}

_Static_assert((int)HEALTH_REASON_MAX == (int)PROBE_REASON_MAX, "a reason is remembered whole");
_Static_assert((int)HEALTH_DIGEST_LEN == (int)TARGET_DIGEST_LEN, "a digest is a digest");

bool probe_recall(const struct probe *probe, uint32_t target, struct health_memory *memory)
{
    const struct target *checked = target_table_at(&probe->table, target - 1);
    struct exchange_report report;
    if (!checked)
        return false;
    exchange_look(probe->exchange, target - 1, &report, memory->reason);
    memory->verdict = (enum health_verdict)report.verdict;
    memory->unsettled = report.unsettled;
    memory->contrary_cnt = report.contrary_cnt;
    memory->duration_us = report.duration_us;
    memory->since_wall_ms = report.since_wall_ms;
    memory->measure = report.measure;
    if (memory->verdict == HEALTH_UNKNOWN)
        return false;
    target_digest(memory->digest, checked);
    return true;
}

uint32_t probe_target_end(const struct probe *probe)
{
    return probe->table.seat_cnt + 1;
}

/* ---- checks that are asked for ---- */

void probe_check_now(struct probe *probe, uint32_t target)
{
    assert(target_table_at(&probe->table, target - 1));
    wake_engine(probe, exchange_ask(probe->exchange, target - 1));
}

bool probe_next_trace(struct probe *probe, struct probe_trace *trace)
{
    return exchange_next_trace(probe->exchange, trace);
}
