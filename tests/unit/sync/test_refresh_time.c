/* When a secondary asks, and when its zone expires: over restarts, with clocks that jump, and whatever happens. */
#include "refresh_rig.h"

/* ---- expiry */

static void test_a_zone_expires_and_is_restored(void **state)
{
    (void)state;
    struct rig g;
    struct refresh_step step;
    unsigned asked = 0, expired = 0;
    start(&g, 1, 10);
    uint64_t began_ms = g.now_ms, expire_ms = UINT64_C(14000) * DAY_SEC;
    uint64_t end_ms = began_ms + expire_ms + UINT64_C(1000) * DAY_SEC;
    while ((g.now_ms = refresh_due_ms(&g.r)) < end_ms) {
        while (refresh_next(&g.r, &step, g.now_ms)) {
            expired += step.kind == REFRESH_EXPIRED;
            asked += step.kind == REFRESH_ASK;
            if (step.kind == REFRESH_EXPIRED)
                assert_int_equal(g.now_ms, began_ms + expire_ms);
        }
    }
    assert_int_equal(expired, 1);
    assert_in_range(asked, 15 * 24 * 3, 15 * 24 * 3 * 10 / 8); /* each hour at least, three tries */
    /* The primary is back with what we have. */
    expect(&g, REFRESH_ASK, 0);
    assert_int_equal(answer(&g, 0, 10), REFRESH_SAME);
    expect(&g, REFRESH_RESTORED, 0);
    expect_refresh_wait(&g);
    assert_int_equal(refresh_expiry_ms(&g.r), g.r.good_ms + expire_ms);
    stop(&g);
}

static void expire(struct rig *g)
{
    struct refresh_step step;
    do {
        g->now_ms = refresh_due_ms(&g->r);
        while (refresh_next(&g->r, &step, g->now_ms) && step.kind != REFRESH_EXPIRED)
            ;
    } while (!g->r.is_expired);
    while (g->r.state != REFRESH_WAITING) {
        g->now_ms = refresh_due_ms(&g->r);
        while (refresh_next(&g->r, &step, g->now_ms))
            ;
    }
    g->now_ms = refresh_due_ms(&g->r);
}

/* An older serial confirms nothing, but is better than no zone. */
static void test_an_older_serial(void **state)
{
    (void)state;
    struct rig g;
    uint32_t ten = 10;
    start(&g, 1, 10);
    uint64_t expiry_ms = refresh_expiry_ms(&g.r);
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, 9), REFRESH_OLDER);
    expect_retry_wait(&g);
    assert_int_equal(refresh_expiry_ms(&g.r), expiry_ms);
    expire(&g);
    assert_true(refresh_notified(&g.r, 0, &ten, g.now_ms)); /* even that would help now */
    expect_asking(&g);
    assert_int_equal(answer(&g, 0, 9), REFRESH_OLDER);
    expect_fetch(&g, 0, 9, false);
    fetched(&g, 9);
    expect(&g, REFRESH_RESTORED, 0);
    assert_int_equal(g.r.soa.serial, 9);
    expect_refresh_wait(&g);
    stop(&g);
}

static void test_an_expired_zone_takes_newer_by_ixfr(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    expire(&g);
    expect_asking(&g);
    answer(&g, 0, 11);
    expect_fetch(&g, 0, 11, true);
    fetched(&g, 11);
    expect(&g, REFRESH_RESTORED, 0);
    expect_refresh_wait(&g);
    stop(&g);
}

/* ---- over a restart, and clocks that jump */

struct restart {
    const char *what;
    bool was_expired;
    uint64_t good_wall_ms, now_wall_ms;
    uint64_t left_ms; /* until expiry; REFRESH_NEVER: it is expired */
};

static void test_restarts(void **state)
{
    (void)state;
    const uint64_t expire_ms = UINT64_C(14000) * DAY_SEC, now = UINT64_C(1700000000000);
    const struct restart rows[] = {
        {"just now", false, now, now, expire_ms},
        {"an hour ago", false, now - HOUR_MS, now, expire_ms - HOUR_MS},
        {"nearly expired", false, now - expire_ms + 90000, now, 90000},
        {"within the grace", false, now - expire_ms + 1000, now, REFRESH_GRACE_MS},
        {"too long ago", false, now - expire_ms, now, REFRESH_GRACE_MS},
        {"the clock jumped ahead by years", false, now, now * 2, REFRESH_GRACE_MS},
        {"the clock was set back", false, now, now - 30 * HOUR_MS, expire_ms},
        {"no clock yet", false, now, 5, expire_ms},
        {"not known", false, 0, now, expire_ms},
        {"had expired", true, now - 2 * expire_ms, now, REFRESH_NEVER},
        {"had expired, clock set back", true, now, 5, REFRESH_NEVER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig g = {.rng = RIG_SEED, .now_ms = 1234}; /* of a machine just started: less than any age */
        struct refresh_known known = {true, rows[i].was_expired, soa_10, rows[i].good_wall_ms};
        refresh_init(&g.r, &g.rng, &bounds, 1);
        refresh_start(&g.r, &known, g.now_ms, rows[i].now_wall_ms);
        uint64_t at_ms = refresh_expiry_ms(&g.r);
        uint64_t wanted = rows[i].left_ms == REFRESH_NEVER ? REFRESH_NEVER : g.now_ms + rows[i].left_ms;
        if (at_ms != wanted)
            fail_msg("%s: expires at %lu, not %lu", rows[i].what, (unsigned long)at_ms, (unsigned long)wanted);
        assert_int_equal(g.r.is_expired, rows[i].was_expired);
        expect_asking(&g); /* in any case at once */
        stop(&g);
    }
}

/* What is written down is by the clock as it is when it is written. */
static void test_the_wall_clock_jumps_while_we_run(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    settle(&g, 10);
    uint64_t at_ms = refresh_expiry_ms(&g.r);
    assert_int_equal(refresh_good_wall_ms(&g.r, g.now_ms, WALL_MS), WALL_MS - 60000);
    uint64_t jumped = UINT64_C(1700000000000);
    uint64_t good = refresh_good_wall_ms(&g.r, g.now_ms, jumped);
    assert_int_equal(good, jumped - 60000);
    assert_int_equal(refresh_good_wall_ms(&g.r, g.now_ms, 5), 1); /* not 0: that is "not known" */
    struct refresh_known known = {true, false, soa_10, good};
    struct refresh next;
    refresh_init(&next, &g.rng, &bounds, 1);
    refresh_start(&next, &known, g.now_ms + 1000, jumped + 1000);
    assert_int_equal(refresh_expiry_ms(&next), at_ms);
    refresh_fini(&next);
    stop(&g);
}

/* The grace is long enough to be confirmed in. */
static void test_the_grace_is_a_round_long(void **state)
{
    (void)state;
    struct rig g;
    start(&g, 1, 10);
    struct refresh_known known = {true, false, soa_10, 1};
    refresh_start(&g.r, &known, g.now_ms, UINT64_C(1700000000000));
    expect_asking(&g);
    g.now_ms += 11000;
    expect(&g, REFRESH_ASK, 0);
    answer(&g, 0, 10);
    expect_refresh_wait(&g);
    assert_false(g.r.is_expired);
    stop(&g);
}

/* ---- timers */

static void test_timers_within_bounds(void **state)
{
    (void)state;
    static const struct {
        uint32_t refresh, retry, expire;
        uint64_t refresh_sec, retry_sec, expire_sec;
    } rows[] = {
        {7200, 3600, 1209600, 7200, 3600, 1209600},
        {0, 0, 0, 20, 10, 40},                      /* refresh 30, retry 10: expire 40, refresh at most half */
        {UINT32_C(1) << 31, UINT32_C(1) << 31, UINT32_C(1) << 31, 86400, 3600, 14515200},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, 86400, 3600, 14515200},
        {UINT32_MAX, 0, 0, 43205, 10, 86410},       /* RFC 1912: expire is more than refresh + retry */
        {0, UINT32_MAX, UINT32_MAX, 30, 30, 14515200},
        {3600, 7200, 604800, 3600, 3600, 604800},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct refresh_timers timers;
        struct soa soa = {1, rows[i].refresh, rows[i].retry, rows[i].expire, 0};
        refresh_timers_of(&timers, &soa, &bounds);
        assert_int_equal(timers.refresh_ms, rows[i].refresh_sec * 1000);
        assert_int_equal(timers.retry_ms, rows[i].retry_sec * 1000);
        assert_int_equal(timers.expire_ms, rows[i].expire_sec * 1000);
    }
}

/* Ten thousand zones that were asked for at once part. */
static void test_jitter(void **state)
{
    (void)state;
    struct rig g;
    uint64_t least = UINT64_MAX, most = 0, sum = 0;
    start(&g, 1, 10);
    for (unsigned i = 0; i < 2000; i++) {
        expect_asking(&g);
        answer(&g, 0, 10);
        expect_nothing(&g);
        uint64_t wait_ms = refresh_due_ms(&g.r) - g.now_ms;
        least = wait_ms < least ? wait_ms : least;
        most = wait_ms > most ? wait_ms : most;
        sum += wait_ms;
        g.now_ms += wait_ms;
    }
    assert_in_range(least, 6480000, 6490000);
    assert_in_range(most, 7190000, 7200000);
    assert_in_range(sum / 2000, 6800000, 6880000);
    stop(&g);
}

/* ---- whatever happens */

struct chaos {
    struct refresh_step steps[64]; /* under way */
    unsigned cnt;
    unsigned transfers;
};

static void take_steps(struct rig *g, struct chaos *c, unsigned room)
{
    struct refresh_step step;
    while (c->cnt < room && refresh_next(&g->r, &step, g->now_ms)) {
        assert_true(step.primary < g->r.primary_cnt);
        if (step.kind == REFRESH_TRANSFER)
            assert_int_equal(++c->transfers, 1); /* one at a time */
        if (step.kind == REFRESH_ASK || step.kind == REFRESH_TRANSFER)
            c->steps[c->cnt++] = step;
    }
}

static void end_step(struct rig *g, struct chaos *c, unsigned place)
{
    struct refresh_step step = c->steps[place];
    struct soa soa = soa_of((uint32_t)(random_below(&g->rng, 5) + g->r.soa.serial - 1));
    soa.refresh_sec = (uint32_t)random_u64(&g->rng);
    soa.expire_sec = (uint32_t)random_u64(&g->rng) >> random_below(&g->rng, 31);
    c->steps[place] = c->steps[--c->cnt];
    unsigned how = random_below(&g->rng, 4);
    if (step.kind == REFRESH_TRANSFER) {
        c->transfers--;
        if (how)
            refresh_transferred(&g->r, step.round, &soa, g->now_ms);
        else
            refresh_transfer_failed(&g->r, step.round, (enum refresh_failure)random_below(&g->rng, 2));
    } else if (how > 1) {
        refresh_answered(&g->r, step.primary, step.round, soa.serial, g->now_ms);
    } else if (how == 1) {
        refresh_unanswered(&g->r, step.primary, step.round);
    }
}

/* Random events: one transfer at a time, never an owner who is called in vain for ever, never stuck. */
static void test_random_events(void **state)
{
    (void)state;
    struct rig g;
    struct chaos c = {.cnt = 0};
    start(&g, 4, 10);
    for (unsigned i = 0; i < 300000; i++) {
        uint32_t serial = g.r.soa.serial + random_below(&g.rng, 4);
        switch (random_below(&g.rng, 8)) {
        case 0:
            refresh_notified(&g.r, random_below(&g.rng, 6), random_below(&g.rng, 2) ? &serial : NULL, g.now_ms);
            break;
        case 1:
            if (!random_below(&g.rng, 50))
                refresh_now(&g.r, random_below(&g.rng, 2), g.now_ms);
            break;
        case 2: case 3: case 4:
            if (c.cnt)
                end_step(&g, &c, random_below(&g.rng, c.cnt));
            break;
        default:
            if (refresh_due_ms(&g.r) > g.now_ms && refresh_due_ms(&g.r) != REFRESH_NEVER && !random_below(&g.rng, 3))
                g.now_ms = refresh_due_ms(&g.r);
            break;
        }
        take_steps(&g, &c, sizeof c.steps / sizeof *c.steps);
        if (c.cnt < sizeof c.steps / sizeof *c.steps)
            assert_true(refresh_due_ms(&g.r) > g.now_ms);
        if (g.r.state != REFRESH_TRANSFERRING)
            assert_true(refresh_due_ms(&g.r) <= g.now_ms + bounds.refresh_max_ms);
    }
    assert_true(g.r.round > 1000);
    stop(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_zone_expires_and_is_restored),
        cmocka_unit_test(test_an_older_serial),
        cmocka_unit_test(test_an_expired_zone_takes_newer_by_ixfr),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_the_wall_clock_jumps_while_we_run),
        cmocka_unit_test(test_the_grace_is_a_round_long),
        cmocka_unit_test(test_timers_within_bounds),
        cmocka_unit_test(test_jitter),
        cmocka_unit_test(test_random_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
