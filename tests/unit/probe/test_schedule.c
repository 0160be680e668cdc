#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "health/bounds.h"
#include "health/health.h"
#include "probe/schedule.h"

static const struct health_timing usual = {
    .interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3};

/* ---- rules ---- */

static void test_first_check_is_soon(void **state)
{
    (void)state;
    struct health_timing quick = usual;
    quick.interval_ms = 300;
    quick.fast_interval_ms = 100;
    for (uint64_t i = 0; i < 1000; i++) {
        uint32_t fraction = (uint32_t)(i * (UINT32_MAX / 999));
        uint64_t due = schedule_first_us(&usual, 7, 1000000, fraction);
        assert_in_range(due, 7, 7 + 1000000 - 1);
        assert_in_range(schedule_first_us(&quick, 7, 1000000, fraction), 7, 7 + 300000 - 1);
    }
    assert_int_equal(schedule_first_us(&usual, 7, 1000000, 0), 7);
    assert_int_equal(schedule_first_us(&usual, 7, 0, UINT32_MAX), 7);
}

static void test_steady_has_jitter_of_a_tenth_at_most(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t i = 0; i <= 1000; i++) {
        uint64_t due = schedule_next_us(&usual, 100, 200, SCHEDULE_STEADY, (uint32_t)(i * (UINT32_MAX / 1000)));
        least = due < least ? due : least;
        most = due > most ? due : most;
    }
    assert_int_equal(least, 100 + 5000000);
    assert_in_range(most, 100 + 5490000, 100 + 5500000);
}

static void test_unsettled_has_none(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= 1000; i++)
        assert_int_equal(schedule_next_us(&usual, 100, 200, SCHEDULE_UNSETTLED, (uint32_t)(i * (UINT32_MAX / 1000))),
                         100 + 1000000);
}

static void test_never_before_the_end_of_the_last(void **state)
{
    (void)state;
    struct health_timing slow = usual;
    slow.fast_interval_ms = 100; /* less than the timeout */
    slow.timeout_ms = 5000;
    assert_int_equal(schedule_next_us(&slow, 0, 5000000, SCHEDULE_UNSETTLED, 0), 5000000);
    assert_int_equal(schedule_next_us(&slow, 0, 70000, SCHEDULE_UNSETTLED, 0), 100000);
    assert_int_equal(schedule_next_us(&slow, 0, 5300000, SCHEDULE_STEADY, 0), 5300000);
    assert_int_equal(schedule_next_us(&slow, 0, 5000000, SCHEDULE_FIRST, 0), 5000000);
}

static void test_second_check_is_anywhere_in_the_interval(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= 1000; i++)
        assert_in_range(schedule_next_us(&usual, 100, 200, SCHEDULE_FIRST, (uint32_t)(i * (UINT32_MAX / 1000))),
                        100 + 1000000, 100 + 5000000);
    assert_int_equal(schedule_next_us(&usual, 100, 200, SCHEDULE_FIRST, UINT32_MAX / 2 + 1), 100 + 3000000);
}

static void test_retry_is_soon(void **state)
{
    (void)state;
    for (uint64_t i = 0; i <= 1000; i++)
        assert_in_range(schedule_retry_us(&usual, 100, (uint32_t)(i * (UINT32_MAX / 1000))), 100 + 500000,
                        100 + 1000000);
}

/* Of n fractions in a row, no twentieth of the whole gets twice its share. */
static void test_spread_does_not_clump(void **state)
{
    (void)state;
    uint32_t at = 12345;
    for (unsigned n = 100; n <= 100000; n *= 10) {
        unsigned part[20] = {0};
        for (unsigned i = 0; i < n; i++)
            part[(uint64_t)schedule_spread(&at) * 20 >> 32]++;
        for (unsigned i = 0; i < 20; i++)
            assert_in_range(part[i], n / 40, n / 10 - 1);
    }
}

/* ---- the clock ---- */

static void test_clock_runs(void **state)
{
    (void)state;
    struct schedule_clock clock;
    schedule_clock_init(&clock, 1000);
    assert_int_equal(schedule_clock_us(&clock, 1000, 0), 1000);
    assert_int_equal(schedule_clock_us(&clock, 51000, 0), 51000);             /* late, not lost */
    assert_int_equal(schedule_clock_us(&clock, 5051000, 5000000), 5051000);   /* as long as meant */
    assert_int_equal(schedule_clock_us(&clock, 10150000, 5000000), 10150000); /* 99 ms longer */
    assert_int_equal(clock.stall_cnt, 0);
}

static void test_clock_stands_still_in_a_stall(void **state)
{
    (void)state;
    struct schedule_clock clock;
    schedule_clock_init(&clock, 1000000);
    assert_int_equal(schedule_clock_us(&clock, 61000000, 20000), 1000000);
    assert_int_equal(clock.stall_cnt, 1);
    assert_int_equal(schedule_clock_us(&clock, 61000500, 0), 1000500);
    assert_int_equal(schedule_clock_us(&clock, 61500500, 0), 1500500);
    assert_int_equal(clock.stall_cnt, 2); /* late, but the clock ran */
    assert_int_equal(schedule_clock_us(&clock, 62000501, 0), 1500500);
    assert_int_equal(clock.stall_cnt, 3);
}

static void test_clock_never_goes_back(void **state)
{
    (void)state;
    struct schedule_clock clock;
    schedule_clock_init(&clock, 5000000);
    assert_int_equal(schedule_clock_us(&clock, 5000, 0), 5000000);
    assert_int_equal(schedule_clock_us(&clock, 6000, 0), 5001000);
    assert_int_equal(schedule_clock_us(&clock, 5000, 0), 5001000);
    assert_int_equal(schedule_clock_us(&clock, 9000, UINT64_MAX), 5005000);
    assert_int_equal(clock.stall_cnt, 0);
}

/* ---- the heap ---- */

enum { MODEL_CNT = 300 };

static void test_heap_against_a_model(void **state)
{
    (void)state;
    struct schedule_heap heap = {0};
    struct random_state rng;
    uint64_t model[MODEL_CNT] = {0}; /* 0: not in */
    random_seed(&rng);
    for (unsigned step = 0; step < 50000; step++) {
        uint32_t number = random_below(&rng, MODEL_CNT), first;
        uint64_t due = 1 + random_below(&rng, 1000), first_due, least = UINT64_MAX;
        if (random_below(&rng, 3)) {
            schedule_heap_set(&heap, number, due);
            model[number] = due;
        } else {
            schedule_heap_remove(&heap, number);
            model[number] = 0;
        }
        for (unsigned i = 0; i < MODEL_CNT; i++)
            if (model[i] && model[i] < least)
                least = model[i];
        bool is_any = schedule_heap_first(&heap, &first, &first_due);
        assert_int_equal(is_any, least != UINT64_MAX);
        if (is_any) {
            assert_int_equal(first_due, least);
            assert_int_equal(model[first], least);
        }
    }
    schedule_heap_fini(&heap);
    assert_int_equal(heap.cnt, 0);
}

static void test_heap_drains_in_order(void **state)
{
    (void)state;
    enum { CNT = 100000 };
    struct schedule_heap heap = {0};
    struct random_state rng;
    uint32_t number;
    uint64_t due, last = 0;
    random_seed(&rng);
    for (uint32_t i = 0; i < CNT; i++)
        schedule_heap_set(&heap, i, random_u64(&rng) >> 1);
    for (uint32_t i = 0; i < CNT; i++) {
        assert_true(schedule_heap_first(&heap, &number, &due));
        assert_true(due >= last);
        last = due;
        schedule_heap_remove(&heap, number);
    }
    assert_false(schedule_heap_first(&heap, &number, &due));
    schedule_heap_remove(&heap, CNT * 10); /* never was in */
    schedule_heap_fini(&heap);
}

/* ---- all together, under virtual time ---- */

enum { TARGET_CNT = 1000 };

struct sim {
    struct health_timing timing;
    struct schedule_heap heap;
    struct random_state rng;
    uint32_t spread;
    struct health_target health[TARGET_CNT];
    uint64_t running_since[TARGET_CNT]; /* 0: waiting */
    uint64_t death_us[TARGET_CNT];      /* 0: lives */
    uint64_t down_us[TARGET_CNT];
    unsigned starts[1000]; /* in each 100 ms */
};

static void sim_end(struct sim *sim, uint32_t i, uint64_t now, bool passed)
{
    const struct health_settings settings = {sim->timing.rise, sim->timing.fall};
    enum health_verdict was = sim->health[i].verdict;
    uint64_t start = sim->running_since[i];
    bool is_first = !sim->health[i].result_cnt;
    (void)health_observe(&sim->health[i], &settings, HEALTH_OBSERVER_SELF, passed ? HEALTH_PASS : HEALTH_FAIL,
                         now / 1000);
    if (was == HEALTH_UP && sim->health[i].verdict == HEALTH_DOWN)
        sim->down_us[i] = now;
    sim->running_since[i] = 0;
    enum schedule_state state = is_first ? SCHEDULE_FIRST : SCHEDULE_STEADY;
    if (sim->health[i].unsettled)
        state = SCHEDULE_UNSETTLED;
    uint32_t fraction = is_first ? schedule_spread(&sim->spread) : (uint32_t)random_u64(&sim->rng);
    schedule_heap_set(&sim->heap, i, schedule_next_us(&sim->timing, start, now, state, fraction));
}

/* A living target passes within 1 ms if it lives then; a dead one hangs for its whole timeout. */
static void sim_due(struct sim *sim, uint32_t i, uint64_t now)
{
    if (sim->running_since[i]) {
        bool is_late = now - sim->running_since[i] >= sim->timing.timeout_ms * 1000;
        sim_end(sim, i, now, !is_late);
        return;
    }
    bool is_dead = sim->death_us[i] && now >= sim->death_us[i];
    sim->running_since[i] = now;
    if (now / 100000 < 1000)
        sim->starts[now / 100000]++;
    schedule_heap_set(&sim->heap, i, now + (is_dead ? sim->timing.timeout_ms * 1000 : 1000));
}

static void sim_run(struct sim *sim, uint64_t until_us)
{
    uint32_t number;
    uint64_t due;
    for (uint32_t i = 0; i < TARGET_CNT; i++)
        schedule_heap_set(&sim->heap, i, schedule_first_us(&sim->timing, 1000, 1000000, schedule_spread(&sim->spread)));
    while (schedule_heap_first(&sim->heap, &number, &due) && due < until_us)
        sim_due(sim, number, due);
}

static void test_no_herd(void **state)
{
    (void)state;
    struct sim *sim = calloc(1, sizeof *sim);
    sim->timing = usual;
    random_seed(&sim->rng);
    sim_run(sim, 100000000);
    unsigned most_begin = 0, most = 0, total = 0;
    for (unsigned i = 0; i < 1000; i++) {
        total += sim->starts[i];
        if (i < 10)
            most_begin = sim->starts[i] > most_begin ? sim->starts[i] : most_begin;
        else
            most = sim->starts[i] > most ? sim->starts[i] : most;
    }
    printf("1,000 targets, interval 5 s: at most %u starts in 100 ms of the first second (even: 100), %u later (even: "
           "20)\n",
           most_begin, most);
    assert_in_range(most_begin, 100, 110);
    assert_in_range(most, 20, 50);
    assert_in_range(total, 1000 + 1000 * 17, 1000 + 1000 * 21);
    schedule_heap_fini(&sim->heap);
    free(sim);
}

static void one_detection(const struct health_timing *timing)
{
    struct sim *sim = calloc(1, sizeof *sim);
    uint64_t bound_us = health_detection_ms(timing) * 1000, worst = 0;
    sim->timing = *timing;
    random_seed(&sim->rng);
    for (unsigned i = 0; i < TARGET_CNT; i++)
        sim->death_us[i] = 3000000 + random_below(&sim->rng, 20000000);
    sim_run(sim, 23000000 + 2 * bound_us);
    for (unsigned i = 0; i < TARGET_CNT; i++) {
        assert_int_equal(sim->health[i].verdict, HEALTH_DOWN);
        uint64_t took = sim->down_us[i] - sim->death_us[i];
        worst = took > worst ? took : worst;
    }
    printf("interval %llu ms, fast %llu ms, timeout %llu ms, fall %u: worst detection of 1,000 deaths %.2f s, bound "
           "%.2f s\n",
           (unsigned long long)timing->interval_ms, (unsigned long long)timing->fast_interval_ms,
           (unsigned long long)timing->timeout_ms, timing->fall, (double)worst / 1e6, (double)bound_us / 1e6);
    assert_true(worst <= bound_us - HEALTH_PUBLISH_MS * 1000);
    assert_true(worst > bound_us / 2);
    schedule_heap_fini(&sim->heap);
    free(sim);
}

static void test_detection_bound(void **state)
{
    (void)state;
    one_detection(&usual);
    one_detection(
        &(struct health_timing){.interval_ms = 1000, .fast_interval_ms = 200, .timeout_ms = 900, .rise = 1, .fall = 5});
    one_detection(&(struct health_timing){
        .interval_ms = 2000, .fast_interval_ms = 2000, .timeout_ms = 100, .rise = 1, .fall = 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_check_is_soon),
        cmocka_unit_test(test_steady_has_jitter_of_a_tenth_at_most),
        cmocka_unit_test(test_unsettled_has_none),
        cmocka_unit_test(test_never_before_the_end_of_the_last),
        cmocka_unit_test(test_second_check_is_anywhere_in_the_interval),
        cmocka_unit_test(test_retry_is_soon),
        cmocka_unit_test(test_spread_does_not_clump),
        cmocka_unit_test(test_clock_runs),
        cmocka_unit_test(test_clock_stands_still_in_a_stall),
        cmocka_unit_test(test_clock_never_goes_back),
        cmocka_unit_test(test_heap_against_a_model),
        cmocka_unit_test(test_heap_drains_in_order),
        cmocka_unit_test(test_no_herd),
        cmocka_unit_test(test_detection_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
