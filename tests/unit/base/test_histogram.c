#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/random.h"

static struct histogram histogram;

static int clear(void **state)
{
    (void)state;
    histogram_clear(&histogram);
    return 0;
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(histogram_quantile(&histogram, 990), 0);
}

/* One value alone is told as itself, or at most an eighth more, whatever its size. */
static void test_each_size(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++)
        for (uint64_t less = 0; less < 2; less++) {
            uint64_t value = (UINT64_C(1) << bit) - less;
            histogram_clear(&histogram);
            histogram_add(&histogram, value);
            uint64_t told = histogram_quantile(&histogram, 500);
            assert_true(told >= value && told - value <= value / 8);
        }
    histogram_clear(&histogram);
    histogram_add(&histogram, UINT64_MAX);
    assert_true(histogram_quantile(&histogram, 1000) == UINT64_MAX);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_quantiles(void **state)
{
    (void)state;
    enum { CNT = 10000 };
    static uint64_t values[CNT];
    struct random_state rng;
    random_seed(&rng);
    for (unsigned i = 0; i < CNT; i++) {
        values[i] = random_u64(&rng) >> (random_u64(&rng) % 60);
        histogram_add(&histogram, values[i]);
    }
    qsort(values, CNT, sizeof *values, compare);
    for (unsigned permille = 1; permille <= 1000; permille++) {
        uint64_t exact = values[CNT / 1000 * permille - 1], told = histogram_quantile(&histogram, permille);
        assert_true(told >= exact && told - exact <= exact / 8);
    }
}

static void test_merge(void **state)
{
    (void)state;
    static struct histogram other;
    for (unsigned i = 0; i < 99; i++)
        histogram_add(&histogram, 1);
    histogram_clear(&other);
    histogram_add(&other, 5);
    histogram_merge(&histogram, &other);
    assert_int_equal(histogram_quantile(&histogram, 990), 1);
    assert_int_equal(histogram_quantile(&histogram, 1000), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing, clear),
        cmocka_unit_test_setup(test_each_size, clear),
        cmocka_unit_test_setup(test_quantiles, clear),
        cmocka_unit_test_setup(test_merge, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
