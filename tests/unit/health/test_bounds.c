#include "health/bounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "health/health.h"

static const struct health_timing defaults = {
    .interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3};

static void the_defaults_are_those_of_the_design(void **state)
{
    (void)state;
    char text[16];
    assert_int_equal(health_detection_ms(&defaults), 8550);
    snprintf(text, sizeof text, "%.1f", (double)health_detection_ms(&defaults) / 1000);
    assert_string_equal(text, "8.6");
    assert_int_equal(health_staleness_ms(&defaults, 20000, 5000), 26550);
    snprintf(text, sizeof text, "%.1f", (double)health_staleness_ms(&defaults, 20000, 5000) / 1000);
    assert_string_equal(text, "26.6");
}

static void each_part_counts(void **state)
{
    (void)state;
    static const struct {
        struct health_timing timing;
        uint64_t ttl, ttl_min, detection, staleness;
    } cases[] = {
        /* a single failure decides: fast_interval plays no part */
        {{5000, 1000, 1000, 2, 1}, 20000, 5000, 6550, 26550},
        /* the timeout is longer than fast_interval: the next check waits for it */
        {{5000, 500, 3000, 2, 3}, 20000, 5000, 14550, 28550},
        /* ttl_min above ttl is ttl; a short ttl makes detection the worse case */
        {{5000, 1000, 1000, 2, 3}, 2000, 5000, 8550, 10550},
        {{5000, 1000, 1000, 2, 3}, 2000, 1000, 8550, 9550},
        {{5000, 1000, 1000, 2, 3}, 0, 5000, 8550, 8550},
        /* many failures needed */
        {{1000, 1000, 1000, 1, 10}, 20000, 5000, 11150, 22150 + 0},
        /* starts are kept apart: after a failure, and where the interval itself is shorter */
        {{5000, 100, 100, 2, 3, 2000}, 20000, 5000, 5500 + 100 + 4000 + 50, 5500 + 100 + 20000 + 50},
        {{1000, 1000, 100, 2, 3, 2000}, 20000, 5000, 2000 + 100 + 4000 + 50, 2000 + 100 + 20000 + 50},
        {{5000, 1000, 1000, 2, 3, 100}, 20000, 5000, 8550, 26550},
        /* jitter that is no whole millisecond is rounded up */
        {{1001, 1001, 1, 1, 1}, 0, 0, 1001 + 101 + 1 + 50, 1001 + 101 + 1 + 50},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_int_equal(health_detection_ms(&cases[c].timing), cases[c].detection);
        assert_int_equal(health_staleness_ms(&cases[c].timing, cases[c].ttl, cases[c].ttl_min), cases[c].staleness);
    }
}

struct run {
    uint64_t died_ms, verdict_ms, unsettled_ms;
};

/* Plays a probe's schedule under virtual time: checks at their interval with jitter, a healthy one passes `answer_ms`
 * after its start, one that is under way at or starts after the death hangs into its timeout; after a contrary result
 * the next starts fast_interval after the last one's start, never before its end. */
static void play(struct run *run, const struct health_timing *timing, uint64_t jitter_percent, uint64_t answer_ms)
{
    struct health_settings settings = {.rise = timing->rise, .fall = timing->fall};
    struct health_target target = {0};
    uint64_t start = 1000;
    while (target.verdict != HEALTH_DOWN) {
        bool alive = start + answer_ms <= run->died_ms;
        uint64_t end = start + (alive ? answer_ms : timing->timeout_ms);
        health_observe(&target, &settings, HEALTH_OBSERVER_SELF, alive ? HEALTH_PASS : HEALTH_FAIL, end);
        if ((target.unsettled || target.verdict == HEALTH_DOWN) && !run->unsettled_ms)
            run->unsettled_ms = end;
        run->verdict_ms = end;
        uint64_t next = start + (target.unsettled ? timing->fast_interval_ms
                                                  : timing->interval_ms + timing->interval_ms * jitter_percent / 100);
        start = next > end ? next : end;
    }
}

static void no_schedule_takes_longer_than_promised(void **state)
{
    (void)state;
    static const struct health_timing timings[] = {{5000, 1000, 1000, 2, 3},
                                                   {5000, 1000, 3000, 2, 3},
                                                   {1000, 1000, 1000, 1, 1},
                                                   {2000, 100, 100, 2, 5},
                                                   {1000, 250, 1000, 2, 4}};
    for (size_t t = 0; t < sizeof timings / sizeof *timings; t++) {
        uint64_t worst = 0, bound = health_detection_ms(&timings[t]);
        for (uint64_t jitter = 0; jitter <= 10; jitter += 5)
            for (uint64_t answer = 0; answer < timings[t].timeout_ms; answer += 99)
                for (uint64_t died = 20000; died < 32000; died += 7) {
                    struct run run = {.died_ms = died};
                    play(&run, &timings[t], jitter, answer);
                    uint64_t detection = run.verdict_ms - died + HEALTH_PUBLISH_MS;
                    worst = detection > worst ? detection : worst;
                    assert_true(detection <= bound);
                    /* answers of 20 s until the first contrary result is published, of 5 s until the verdict is */
                    uint64_t long_gone = run.unsettled_ms + HEALTH_PUBLISH_MS + 20000 - died,
                             short_gone = detection + 5000;
                    assert_true(long_gone <= health_staleness_ms(&timings[t], 20000, 5000));
                    assert_true(short_gone <= health_staleness_ms(&timings[t], 20000, 5000));
                }
        assert_true(worst + 10 >= bound); /* the promise is no wider than it must be */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_are_those_of_the_design),
        cmocka_unit_test(each_part_counts),
        cmocka_unit_test(no_schedule_takes_longer_than_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
