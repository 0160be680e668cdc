/* A secondary's clockwork in virtual time, step for step. */
#pragma once

#include "sync/refresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define RIG_SEED {{UINT64_C(0x9E3779B97F4A7C15), UINT64_C(0xD1B54A32D192ED03)}}

enum { HOUR_MS = 3600000, DAY_SEC = 86400, WALL_MS = 1000000000 };

static const struct refresh_bounds bounds = {30000, 24 * HOUR_MS, 10000, HOUR_MS, UINT64_C(14515200000)};

struct rig {
    struct refresh r;
    struct random_state rng;
    uint64_t now_ms;
};

static const struct soa soa_10 = {10, 7200, 3600, 14 * DAY_SEC, 300};

static inline struct soa soa_of(uint32_t serial)
{
    struct soa soa = soa_10;
    soa.serial = serial;
    return soa;
}

/* `serial` 0: nothing is known. The clock begins anywhere. */
static inline void start(struct rig *g, uint32_t primaries, uint32_t serial)
{
    *g = (struct rig){.rng = RIG_SEED, .now_ms = 5000};
    struct refresh_known known = {serial != 0, false, soa_of(serial), WALL_MS};
    refresh_init(&g->r, &g->rng, &bounds, primaries);
    refresh_start(&g->r, &known, g->now_ms, WALL_MS);
}

static inline void stop(struct rig *g) { refresh_fini(&g->r); }

/* ---- what is expected next */

static inline struct refresh_step expect(struct rig *g, enum refresh_step_kind kind, uint32_t primary)
{
    struct refresh_step step;
    assert_true(refresh_due_ms(&g->r) <= g->now_ms);
    if (!refresh_next(&g->r, &step, g->now_ms))
        fail_msg("nothing to do");
    assert_int_equal(step.kind, kind);
    assert_int_equal(step.primary, primary);
    return step;
}

/* Nothing is to be done now, and the owner is not called in vain. */
static inline void expect_nothing(struct rig *g)
{
    struct refresh_step step;
    if (refresh_next(&g->r, &step, g->now_ms))
        fail_msg("a step of kind %d for primary %u", (int)step.kind, step.primary);
    assert_true(refresh_due_ms(&g->r) > g->now_ms);
}

static inline void expect_fetch(struct rig *g, uint32_t primary, uint32_t serial, bool is_ixfr)
{
    struct refresh_step step = expect(g, REFRESH_TRANSFER, primary);
    assert_int_equal(step.serial, serial);
    assert_int_equal(step.is_ixfr, is_ixfr);
    assert_int_equal(step.round, g->r.round);
}

/* All are asked at once. */
static inline void expect_asking(struct rig *g)
{
    for (uint32_t i = 0; i < g->r.primary_cnt; i++)
        assert_int_equal(expect(g, REFRESH_ASK, i).try, 0);
    expect_nothing(g);
}

static inline enum refresh_verdict answer(struct rig *g, uint32_t primary, uint32_t serial)
{
    return refresh_answered(&g->r, primary, g->r.round, serial, g->now_ms);
}

static inline void fetched(struct rig *g, uint32_t serial)
{
    struct soa soa = soa_of(serial);
    refresh_transferred(&g->r, g->r.round, &soa, g->now_ms);
}

static inline void failed(struct rig *g, enum refresh_failure why) { refresh_transfer_failed(&g->r, g->r.round, why); }

/* Up to the next thing that is due, which is in `least` to `most` ms. */
static inline void wait_for(struct rig *g, uint64_t least, uint64_t most)
{
    uint64_t due_ms = refresh_due_ms(&g->r);
    assert_in_range(due_ms - g->now_ms, least, most);
    g->now_ms = due_ms;
}

static inline void expect_refresh_wait(struct rig *g)
{
    expect_nothing(g);
    assert_int_equal(g->r.state, REFRESH_WAITING);
    wait_for(g, 7200000 - 720000, 7200000);
}

static inline void expect_retry_wait(struct rig *g)
{
    expect_nothing(g);
    assert_int_equal(g->r.state, REFRESH_WAITING);
    wait_for(g, 3600000 - 360000, 3600000);
}

/* Everybody has the serial, and a minute goes by. */
static inline void settle(struct rig *g, uint32_t serial)
{
    expect_asking(g);
    for (uint32_t i = 0; i < g->r.primary_cnt; i++)
        answer(g, i, serial);
    expect_nothing(g);
    g->now_ms += 60000;
}
