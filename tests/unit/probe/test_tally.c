#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe/tally.h"

enum { SECOND = 1000000 };

static void test_counts(void **state)
{
    (void)state;
    static struct tally tally;
    struct tally_view view;
    tally_count(&tally, begun);
    tally_count(&tally, begun);
    tally_count(&tally, failed);
    tally_set(&tally, running, 7);
    tally_look(&view, &tally);
    assert_int_equal(view.begun, 2);
    assert_int_equal(view.failed, 1);
    assert_int_equal(view.passed, 0);
    assert_int_equal(view.running, 7);
    assert_int_equal(view.lag_p99_us, 0);
}

/* A lag is seen for a minute at least, and for two at most. */
static void test_lags_are_forgotten(void **state)
{
    (void)state;
    static struct tally tally;
    struct tally_view view;
    uint64_t now_us = 1000 * (uint64_t)SECOND;
    tally_lag(&tally, now_us, 50000);
    for (unsigned sec = 1; sec <= 180; sec++) {
        tally_lag(&tally, now_us + sec * (uint64_t)SECOND, 10);
        tally_look(&view, &tally);
        if (sec <= 60)
            assert_in_range(view.lag_max_us, 50000, 50000 + 50000 / 8);
        if (sec >= 120)
            assert_int_equal(view.lag_max_us, 10);
        assert_int_equal(view.lag_p50_us, 10);
    }
}

/* After a long time without checks nothing old is left. */
static void test_after_a_pause(void **state)
{
    (void)state;
    static struct tally tally;
    struct tally_view view;
    tally_lag(&tally, 1000 * (uint64_t)SECOND, 50000);
    tally_lag(&tally, 5000 * (uint64_t)SECOND, 3);
    tally_look(&view, &tally);
    assert_int_equal(view.lag_max_us, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_lags_are_forgotten),
        cmocka_unit_test(test_after_a_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
