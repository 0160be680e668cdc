#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void time_goes_forward(void **state)
{
    (void)state;
    uint64_t a_us = clock_mono_us(), a_ms = clock_mono_ms();
    assert_true(a_us > 0);
    assert_true(a_ms >= a_us / 1000 && a_ms < a_us / 1000 + 10000);
    assert_true(clock_mono_us() >= a_us);
    assert_true(clock_wall_ms() > 1700000000000); /* November 2023 */
}

static void the_fake_clock_stands_until_moved(void **state)
{
    (void)state;
    clock_fake_us(0);
    assert_int_equal(clock_mono_us(), 0);
    clock_fake_us(1234567);
    assert_int_equal(clock_mono_us(), 1234567);
    assert_int_equal(clock_mono_ms(), 1234);
    assert_true(clock_wall_ms() > 1700000000000);
    clock_fake_us(UINT64_MAX);
    assert_int_not_equal(clock_mono_us(), 1234567);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_goes_forward),
        cmocka_unit_test(the_fake_clock_stands_until_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
