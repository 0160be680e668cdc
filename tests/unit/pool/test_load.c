/* Reports that stand still: which way and how far factors go, by tables and by many steps. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "pool/load.h"
#include "pool_help.h"

enum { LONG = 80 };

/* A pool whose reports stay what they are; every step is another TTL, with the same report again. */
struct rig {
    struct pool_load_member members[POOL_MEMBERS_MAX];
    unsigned cnt, changes;
    double steepest; /* the largest ratio of a share in two consecutive TTLs */
};

static void setup(struct rig *rig, unsigned cnt, enum pool_load_kind kind, const uint32_t *values)
{
    *rig = (struct rig){.cnt = cnt, .steepest = 1};
    for (unsigned i = 0; i < cnt; i++)
        rig->members[i] =
            (struct pool_load_member){.report = {kind, values[i], 0}, .weight = 1, .used = true};
}

static double weight_of(const struct rig *rig, unsigned i)
{
    const struct pool_load_member *member = &rig->members[i];
    return member->used ? (double)member->weight * (POOL_PART_ONE - member->load.withheld) / POOL_PART_ONE : 0;
}

static double share(const struct rig *rig, unsigned i)
{
    double sum = 0;
    for (unsigned k = 0; k < rig->cnt; k++)
        sum += weight_of(rig, k);
    return weight_of(rig, i) / sum;
}

static void step(struct rig *rig)
{
    static double was[POOL_MEMBERS_MAX];
    for (unsigned i = 0; i < rig->cnt; i++) {
        was[i] = share(rig, i);
        rig->members[i].report.when_ms++;
    }
    rig->changes += pool_load_step(rig->members, rig->cnt);
    for (unsigned i = 0; i < rig->cnt; i++)
        if (was[i] > 0)
            rig->steepest = fmax(rig->steepest, fmax(share(rig, i) / was[i], was[i] / share(rig, i)));
    assert_true(rig->steepest <= POOL_LOAD_STEP);
}

static void steps(struct rig *rig, unsigned cnt)
{
    while (cnt--)
        step(rig);
}

/* No move below 5 %, none put in effect below 3 %. */
static void assert_share(const struct rig *rig, unsigned i, double expected)
{
    if (fabs(share(rig, i) / expected - 1) > 0.08)
        fail_msg("member %u: a share of %.4f is expected, it is %.4f", i, expected, share(rig, i));
}

/* ---- what it comes to ---- */

static void maps(void **unused)
{
    (void)unused;
    static const struct {
        const char *what;
        enum pool_load_kind kind;
        uint32_t values[3], weights[3];
        double shares[3];
    } rows[] = {
        {"all as fast", POOL_LOAD_TIME, {700, 700, 700}, {1, 1, 1}, {1. / 3, 1. / 3, 1. / 3}},
        {"one takes twice as long", POOL_LOAD_TIME, {500, 500, 1000}, {1, 1, 1}, {0.4, 0.4, 0.2}},
        {"... and has twice the weight", POOL_LOAD_TIME, {500, 500, 1000}, {1, 1, 2}, {1. / 3, 1. / 3, 1. / 3}},
        {"so slow that the floor holds it", POOL_LOAD_TIME, {100, 100, 100000}, {1, 1, 1}, {0.4917, 0.4917, 0.0167}},
        {"weights that are wanted", POOL_LOAD_WEIGHT, {100, 200, 100}, {1, 1, 1}, {0.25, 0.5, 0.25}},
        {"... whatever was configured", POOL_LOAD_WEIGHT, {100, 200, 100}, {5, 1, 2}, {0.25, 0.5, 0.25}},
        {"... none at all: the floor", POOL_LOAD_WEIGHT, {100, 0, 100}, {1, 1, 1}, {0.4917, 0.0167, 0.4917}},
        {"... none from anybody", POOL_LOAD_WEIGHT, {0, 0, 0}, {1, 1, 1}, {1. / 3, 1. / 3, 1. / 3}},
        {"percentages of the configured", POOL_LOAD_PERCENT, {100, 50, 100}, {2, 2, 1}, {0.5, 0.25, 0.25}},
        {"... all alike change nothing", POOL_LOAD_PERCENT, {30, 30, 30}, {2, 1, 1}, {0.5, 0.25, 0.25}},
        {"... nothing: the floor", POOL_LOAD_PERCENT, {100, 100, 0}, {1, 1, 1}, {0.4878, 0.4878, 0.0244}},
        {"all as busy", POOL_LOAD_UTILIZATION, {32768, 32768, 32768}, {4, 2, 2}, {0.5, 0.25, 0.25}},
        {"all idle, one more so", POOL_LOAD_UTILIZATION, {1000, 3, 2000}, {1, 1, 1}, {1. / 3, 1. / 3, 1. / 3}},
        {"as many connections by weight", POOL_LOAD_CONNECTIONS, {199, 99, 99}, {2, 1, 1}, {0.5, 0.25, 0.25}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct rig rig;
        setup(&rig, 3, rows[r].kind, rows[r].values);
        for (unsigned i = 0; i < 3; i++)
            rig.members[i].weight = rows[r].weights[i];
        steps(&rig, LONG);
        print_message("%-32s %.4f %.4f %.4f, steepest %.3f\n", rows[r].what, share(&rig, 0), share(&rig, 1),
                      share(&rig, 2), rig.steepest);
        for (unsigned i = 0; i < 3; i++)
            assert_share(&rig, i, rows[r].shares[i]);
    }
}

/* One that stays busier whatever is taken from it loses until the floor, and the others share it. */
static void integrates(void **unused)
{
    (void)unused;
    static const enum pool_load_kind kinds[] = {POOL_LOAD_UTILIZATION, POOL_LOAD_CONNECTIONS};
    static const uint32_t values[][4] = {{60000, 20000, 20000, 20000}, {600, 20, 20, 20}};
    for (unsigned k = 0; k < 2; k++) {
        struct rig rig;
        setup(&rig, 4, kinds[k], values[k]);
        steps(&rig, LONG);
        assert_true(share(&rig, 0) < 0.03);
        assert_true(share(&rig, 0) > 0.9 * POOL_LOAD_FLOOR / 4);
        assert_share(&rig, 1, share(&rig, 3));
    }
}

/* ---- bounds ---- */

static void no_share_jumps(void **unused)
{
    (void)unused;
    uint64_t random = 1;
    for (unsigned round = 0; round < 300; round++) {
        struct rig rig;
        uint32_t values[8];
        unsigned cnt = 2 + help_random(&random, 7);
        for (unsigned i = 0; i < cnt; i++)
            values[i] = 1u << help_random(&random, 24);
        setup(&rig, cnt, POOL_LOAD_TIME, values);
        for (unsigned n = 0; n < 60; n++) {
            for (unsigned i = 0; i < cnt; i++) { /* whatever they report, and be it of another kind each time */
                rig.members[i].report.kind = (enum pool_load_kind)help_random(&random, POOL_LOAD_KIND_CNT);
                rig.members[i].report.value = 1u << help_random(&random, 24);
                rig.members[i].weight += help_random(&random, 2) && rig.members[i].weight < 9;
            }
            step(&rig); /* asserts */
            for (unsigned i = 0; i < cnt; i++) {
                assert_true(isfinite(pool_load_factor(&rig.members[i].load)));
                assert_true(rig.members[i].load.withheld < POOL_PART_ONE);
            }
        }
    }
}

static void the_right_way_from_the_first_report_that_counts(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {50000, 10000};
    struct rig rig;
    setup(&rig, 2, POOL_LOAD_UTILIZATION, values);
    for (unsigned n = 0; n < POOL_LOAD_BLIND; n++) {
        step(&rig);
        assert_int_equal(rig.changes, 0); /* it has only just come into use */
    }
    step(&rig);
    assert_int_equal(rig.changes, 1);
    assert_true(share(&rig, 0) < 0.48);
    assert_true(share(&rig, 1) > 0.52);
}

static void goes_by_no_report_twice(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {50000, 10000};
    struct rig rig;
    setup(&rig, 2, POOL_LOAD_UTILIZATION, values);
    steps(&rig, 4);
    double before = share(&rig, 0);
    for (unsigned n = 0; n < 20; n++)
        assert_false(pool_load_step(rig.members, rig.cnt)); /* no `when_ms` has changed */
    assert_true(share(&rig, 0) == before);
    step(&rig);
    assert_true(share(&rig, 0) < before);
}

static void noise_makes_no_tables(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {30000, 30000, 30000, 30000};
    struct rig rig;
    uint64_t random = 3;
    setup(&rig, 4, POOL_LOAD_UTILIZATION, values);
    for (unsigned n = 0; n < 200; n++) {
        for (unsigned i = 0; i < 4; i++)
            rig.members[i].report.value = 29300 + help_random(&random, 1400); /* ± 2.3 % */
        step(&rig);
    }
    assert_int_equal(rig.changes, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig.members[i].load.withheld, 0);
}

/* A server so steep that every correction is too much: what swings gets smaller steps until it hardly does. */
static void a_swing_dies_out(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {30000, 30000};
    struct rig rig;
    double first = 0, last = 0, delayed[3] = {0.45, 0.45, 0.45};
    setup(&rig, 2, POOL_LOAD_UTILIZATION, values);
    for (unsigned n = 0; n < 120; n++) {
        for (unsigned i = 0; i < 2; i++) { /* twelve times as steep as its share, and two TTLs late */
            double was = i ? 1 - delayed[0] : delayed[0];
            rig.members[i].report.value = (uint32_t)fmin(30000 * pow(was / 0.5, 12), 4e9);
        }
        step(&rig);
        memmove(delayed, delayed + 1, 2 * sizeof *delayed);
        delayed[2] = share(&rig, 0);
        double off = fabs(share(&rig, 0) / 0.5 - 1);
        if (n < 20)
            first = fmax(first, off);
        if (n >= 90)
            last = fmax(last, off);
    }
    print_message("a swing of %.1f %% at first, of %.1f %% after 90 TTLs\n", first * 100, last * 100);
    assert_true(first > 0.1);
    assert_true(last < 0.06); /* two quanta */
}

/* ---- who is not steered ---- */

static void loss_of_reports_is_the_configured_weight(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {4000, 1000, 1000};
    struct rig rig;
    setup(&rig, 3, POOL_LOAD_TIME, values);
    steps(&rig, LONG);
    assert_share(&rig, 0, 1. / 9);
    rig.members[0].report.kind = POOL_LOAD_NONE;
    step(&rig);
    assert_true(share(&rig, 0) > 1.05 / 9); /* on its way, and no faster than the step, which step() asserts */
    steps(&rig, 20);
    assert_share(&rig, 0, 1. / 3);
    for (unsigned i = 1; i < 3; i++)
        rig.members[i].report.kind = POOL_LOAD_NONE;
    steps(&rig, 20);
    for (unsigned i = 0; i < 3; i++) /* to the bit, so that the table is a small one */
        assert_int_equal(rig.members[i].load.withheld, 0);
}

static void who_is_not_in_use_does_not_count(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {40000, 40000, 0};
    struct rig rig;
    setup(&rig, 3, POOL_LOAD_UTILIZATION, values);
    rig.members[2].used = false; /* idle, as nobody is sent there */
    steps(&rig, LONG);
    assert_int_equal(rig.changes, 0);
    assert_true(pool_load_factor(&rig.members[2].load) == 1);
    rig.members[2].used = true;
    steps(&rig, POOL_LOAD_BLIND);
    assert_share(&rig, 2, 1. / 3); /* its first reports, of nobody, are not believed */
}

static void one_alone_keeps_its_weight(void **unused)
{
    (void)unused;
    for (enum pool_load_kind kind = POOL_LOAD_TIME; kind < POOL_LOAD_KIND_CNT; kind++) {
        static const uint32_t values[] = {77, 77};
        struct rig rig;
        setup(&rig, 2, kind, values);
        rig.members[1].report.kind = POOL_LOAD_NONE;
        rig.members[0].weight = 3;
        steps(&rig, LONG);
        assert_share(&rig, 0, kind == POOL_LOAD_PERCENT ? 3 * 0.77 / (3 * 0.77 + 1) : 0.75);
    }
}

static void kinds_keep_their_sums(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {1000, 3000, 10, 30, 5};
    struct rig rig;
    setup(&rig, 5, POOL_LOAD_TIME, values);
    rig.members[2].report.kind = rig.members[3].report.kind = POOL_LOAD_WEIGHT;
    rig.members[4].report.kind = POOL_LOAD_NONE;
    steps(&rig, LONG);
    assert_share(&rig, 0, 0.4 * 3 / 4);
    assert_share(&rig, 1, 0.4 * 1 / 4);
    assert_share(&rig, 2, 0.4 * 1 / 4);
    assert_share(&rig, 3, 0.4 * 3 / 4);
    assert_share(&rig, 4, 0.2);
}

static void drained_and_none(void **unused)
{
    (void)unused;
    static const uint32_t values[] = {1000, 3000};
    struct rig rig;
    setup(&rig, 2, POOL_LOAD_TIME, values);
    rig.members[0].weight = rig.members[1].weight = 0;
    steps(&rig, LONG);
    assert_int_equal(rig.changes, 0);
    assert_false(pool_load_step(rig.members, 0));
}

static void as_many_as_may_be(void **unused)
{
    (void)unused;
    static struct rig rig;
    static uint32_t values[POOL_MEMBERS_MAX];
    for (unsigned i = 0; i < POOL_MEMBERS_MAX; i++)
        values[i] = 1000 + i;
    setup(&rig, POOL_MEMBERS_MAX, POOL_LOAD_TIME, values);
    steps(&rig, 4);
    uint64_t begin_us = help_worked_us();
    bool is_changed = pool_load_step(rig.members, rig.cnt);
    uint64_t took_us = help_worked_us() - begin_us;
    print_message("a step of %d members: %llu us%s\n", POOL_MEMBERS_MAX, (unsigned long long)took_us,
                  is_changed ? ", another table" : "");
    if (!HELP_SLOW)
        assert_true(took_us < 1000);
    steps(&rig, LONG);
    assert_true(share(&rig, 0) > 1.7 * share(&rig, POOL_MEMBERS_MAX - 1));
}

/* ---- reading ---- */

static void what_a_measurement_says(void **unused)
{
    (void)unused;
    struct health_measure measure = {.response_us = 4711,
                                     .response_wall_ms = 100000,
                                     .load = 291,
                                     .load_kind = HEALTH_LOAD_CONNECTIONS,
                                     .load_wall_ms = 90000};
    struct pool_load_report report = pool_load_read(POOL_FASTEST, &measure, 115000, 15000);
    assert_int_equal(report.kind, POOL_LOAD_TIME);
    assert_int_equal(report.value, 4711);
    assert_int_equal(report.when_ms, 100000);
    assert_int_equal(pool_load_read(POOL_FASTEST, &measure, 115001, 15000).kind, POOL_LOAD_NONE);
    report = pool_load_read(POOL_LEAST_CONNECTIONS, &measure, 105000, 15000);
    assert_int_equal(report.kind, POOL_LOAD_CONNECTIONS);
    assert_int_equal(report.value, 291);
    assert_int_equal(pool_load_read(POOL_LEAST_LOAD, &measure, 105001, 15000).kind, POOL_LOAD_NONE);
    assert_int_equal(pool_load_read(POOL_LEAST_LOAD, &measure, 80000, 15000).kind, POOL_LOAD_CONNECTIONS);
    measure = (struct health_measure){0};
    for (unsigned policy = 0; policy < POOL_POLICY_CNT; policy++)
        assert_int_equal(pool_load_read(policy, &measure, 5, 15000).kind, POOL_LOAD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps),
        cmocka_unit_test(integrates),
        cmocka_unit_test(no_share_jumps),
        cmocka_unit_test(the_right_way_from_the_first_report_that_counts),
        cmocka_unit_test(goes_by_no_report_twice),
        cmocka_unit_test(noise_makes_no_tables),
        cmocka_unit_test(a_swing_dies_out),
        cmocka_unit_test(loss_of_reports_is_the_configured_weight),
        cmocka_unit_test(who_is_not_in_use_does_not_count),
        cmocka_unit_test(one_alone_keeps_its_weight),
        cmocka_unit_test(kinds_keep_their_sums),
        cmocka_unit_test(drained_and_none),
        cmocka_unit_test(as_many_as_may_be),
        cmocka_unit_test(what_a_measurement_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
