/* The prober as tests want it: it checks nothing and says what it is told to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/balance/rig.h"
#include "base/mem.h"

struct probe {
    void (*wake)(void *arg);
    void *wake_arg;
    bool runs;
    uint64_t first_within_ms;
    uint32_t checks_max;
    struct fake_target *targets;
    size_t cnt;
    size_t waiting_cnt, next;
};

static struct probe *the_probe;
static struct health_memory remembered[8];
static size_t remembered_cnt;
static size_t subscriptions;

struct probe *probe_new(void (*wake)(void *arg), void *arg)
{
    assert_null(the_probe);
    struct probe *probe = the_probe = mem_zalloc(1, sizeof *probe);
    remembered_cnt = 0;
    probe->wake = wake;
    probe->wake_arg = arg;
    return probe;
}

void probe_free(struct probe *probe)
{
    if (!probe)
        return;
    assert_int_equal(fake_subscribed(), 0);
    free(probe->targets);
    free(probe);
    the_probe = NULL;
}

enum err probe_start(struct probe *probe, uint64_t first_within_ms)
{
    probe->runs = true;
    probe->first_within_ms = first_within_ms;
    return ERR_OK;
}

void probe_set_checks_max(struct probe *probe, uint32_t checks_max) { probe->checks_max = checks_max; }

bool fake_runs(uint64_t *first_within_ms)
{
    *first_within_ms = the_probe->first_within_ms;
    return the_probe->runs;
}

static struct fake_target target_of(const struct probe_spec *spec)
{
    struct fake_target target = {
        .address = spec->address, .timing = spec->timing, .type = spec->options.type == PROBE_TCP ? 't' : 'h'};
    snprintf(target.host, sizeof target.host, "%s", spec->host ? spec->host : "");
    snprintf(target.path, sizeof target.path, "%s", spec->options.path ? spec->options.path : "");
    return target;
}

static bool same_timing(const struct health_timing *a, const struct health_timing *b)
{
    return a->interval_ms == b->interval_ms && a->fast_interval_ms == b->fast_interval_ms &&
           a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall &&
           a->start_gap_ms == b->start_gap_ms;
}

static bool same_check(const struct fake_target *a, const struct fake_target *b)
{
    return a->type == b->type && !addr_cmp(&a->address, &b->address) && !strcmp(a->host, b->host) &&
           !strcmp(a->path, b->path);
}

static void know(struct fake_target *target, const struct fake_target *like)
{
    target->verdict = like->verdict;
    target->unsettled = like->unsettled;
    target->since_wall_ms = like->since_wall_ms;
    memcpy(target->reason, like->reason, sizeof target->reason);
}

/* Thousands are subscribed one after the other in some tests: the last one tried is near. */
uint32_t probe_subscribe(struct probe *probe, const struct probe_spec *spec)
{
    struct fake_target wanted = target_of(spec);
    subscriptions++;
    strcpy(wanted.reason, "not checked yet");
    for (size_t i = 0; i < probe->cnt && probe->cnt < 5000; i++) {
        struct fake_target *target = &probe->targets[i];
        if (!target->ref_cnt || !same_check(target, &wanted))
            continue;
        if (same_timing(&target->timing, &wanted.timing)) {
            target->ref_cnt++;
            return target->id;
        }
        know(&wanted, target);
    }
    if (!(probe->cnt & (probe->cnt - 1)))
        probe->targets = mem_realloc(probe->targets, probe->cnt ? probe->cnt * 2 : 1, sizeof *probe->targets);
    wanted.id = (uint32_t)probe->cnt + 1;
    wanted.ref_cnt = 1;
    probe->targets[probe->cnt++] = wanted;
    return wanted.id;
}

void probe_unsubscribe(struct probe *probe, uint32_t id)
{
    struct fake_target *target = &probe->targets[id - 1];
    assert_true(target->ref_cnt);
    if (--target->ref_cnt)
        return;
    probe->waiting_cnt -= target->waits;
    target->waits = false;
}

static void fill(struct probe_event *event, const struct fake_target *target)
{
    *event = (struct probe_event){.target = target->id,
                                  .verdict = target->verdict,
                                  .unsettled = target->unsettled,
                                  .since_wall_ms = target->since_wall_ms,
                                  .measure = target->measure};
    memcpy(event->reason, target->reason, sizeof event->reason);
}

void probe_tally(const struct probe *probe, struct tally_view *view)
{
    (void)probe;
    *view = (struct tally_view){0};
}

bool probe_next(struct probe *probe, struct probe_event *event)
{
    if (!probe->waiting_cnt)
        return false;
    while (!probe->targets[probe->next % probe->cnt].waits)
        probe->next++;
    struct fake_target *target = &probe->targets[probe->next % probe->cnt];
    target->waits = false;
    probe->waiting_cnt--;
    fill(event, target);
    return true;
}

void probe_state(const struct probe *probe, uint32_t id, struct probe_event *state)
{
    fill(state, &probe->targets[id - 1]);
}

size_t probe_target_cnt(const struct probe *probe)
{
    size_t cnt = 0;
    for (size_t i = 0; i < probe->cnt; i++)
        cnt += probe->targets[i].ref_cnt > 0;
    return cnt;
}

/* ---- told by tests */

uint32_t fake_checks_max(void) { return the_probe->checks_max; }

struct fake_target *fake_find(const char *text)
{
    struct addr address;
    assert_int_equal(addr_port_from_text(&address, text, 0), ERR_OK);
    for (size_t i = 0; i < the_probe->cnt; i++) {
        struct fake_target *target = &the_probe->targets[i];
        bool fits = address.port ? !addr_cmp(&target->address, &address) : addr_same_host(&target->address, &address);
        if (target->ref_cnt && fits)
            return target;
    }
    return NULL;
}

void fake_say(const char *address, enum health_verdict verdict, bool unsettled, const char *reason)
{
    static uint64_t now_ms = 1000;
    struct fake_target *target = fake_find(address);
    assert_non_null(target);
    bool was_idle = !the_probe->waiting_cnt;
    if (target->verdict != verdict)
        target->since_wall_ms = ++now_ms;
    target->verdict = verdict;
    target->unsettled = unsettled;
    snprintf(target->reason, sizeof target->reason, "%s", reason);
    the_probe->waiting_cnt += !target->waits;
    target->waits = true;
    if (was_idle)
        the_probe->wake(the_probe->wake_arg);
}

size_t fake_subscribed(void)
{
    size_t cnt = 0;
    for (size_t i = 0; i < the_probe->cnt; i++)
        cnt += the_probe->targets[i].ref_cnt;
    return cnt;
}

size_t fake_subscriptions(void) { return subscriptions; }

/* ---- what a restart needs, and checks that are asked for */

void probe_remember(struct probe *probe, const struct health_memory *memories, size_t cnt)
{
    (void)probe;
    remembered_cnt = cnt;
    for (size_t i = 0; i < cnt && i < sizeof remembered / sizeof *remembered; i++)
        remembered[i] = memories[i];
}

void probe_forget(struct probe *probe)
{
    (void)probe;
    remembered_cnt = 0;
}

const struct health_memory *fake_remembered(size_t *cnt)
{
    *cnt = remembered_cnt;
    return remembered;
}

bool probe_recall(const struct probe *probe, uint32_t id, struct health_memory *memory)
{
    const struct fake_target *target = id && id <= probe->cnt ? &probe->targets[id - 1] : NULL;
    if (!target || !target->ref_cnt || target->verdict == HEALTH_UNKNOWN)
        return false;
    *memory = (struct health_memory){.verdict = target->verdict, .unsettled = target->unsettled,
                                     .since_wall_ms = target->since_wall_ms};
    memcpy(memory->digest, target->address.bytes, sizeof memory->digest);
    memcpy(memory->reason, target->reason, sizeof memory->reason);
    return true;
}

uint32_t probe_target_end(const struct probe *probe) { return (uint32_t)probe->cnt + 1; }

void probe_check_now(struct probe *probe, uint32_t id) { probe->targets[id - 1].asked = true; }

bool probe_next_trace(struct probe *probe, struct probe_trace *trace)
{
    for (size_t i = 0; i < probe->cnt; i++) {
        struct fake_target *target = &probe->targets[i];
        if (!target->traced)
            continue;
        target->asked = target->traced = false;
        *trace = (struct probe_trace){.target = target->id, .outcome = PROBE_PASSED, .steps = {.ended_us = 1000}};
        memcpy(trace->reason, target->reason, sizeof trace->reason);
        return true;
    }
    return false;
}

void fake_end_asked(const char *address)
{
    struct fake_target *target = fake_find(address);
    assert_non_null(target);
    assert_true(target->asked);
    target->traced = true;
    the_probe->wake(the_probe->wake_arg);
}
