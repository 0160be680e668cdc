#include "pool/log2.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pool_help.h"

static uint64_t random_hash(uint64_t *seed)
{
    uint64_t hash = (uint64_t)help_random(seed, UINT32_MAX) << 32 | help_random(seed, UINT32_MAX);
    switch (help_random(seed, 4)) {
    case 0:
        return hash >> help_random(seed, 64); /* small */
    case 1:
        return ~(hash >> help_random(seed, 64)); /* next to 1 */
    default:
        return hash;
    }
}

static void the_table_is_log2(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= 256; i++) {
        double off = log2(1 + i / 256.0) * 0x1p40 - (double)pool_log2_table[i];
        assert_true(fabs(off) < 1);
    }
}

static void the_error_is_at_most_a_thousandth(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t hash = random_hash(&seed) | 1;
        long double exact =
            hash >> 63 ? -log1pl(-(long double)(-hash) * 0x1p-64L) / logl(2) : 64 - log2l((long double)hash);
        long double got = (long double)pool_log2_cost(hash) * 0x1p-40L;
        /* a thousandth, and where 1 − u is close to the resolution of 2^-39 that too */
        assert_true(fabsl(got - exact) <= exact / 1000 + 0x1p-37L);
    }
}

static void the_cost_never_rises_and_keeps_its_bound(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t a = random_hash(&seed), b = i & 1 ? a + 1 + help_random(&seed, 1u << 28) : random_hash(&seed);
        assert_true((a < b) ? pool_log2_cost(a) >= pool_log2_cost(b) : pool_log2_cost(a) <= pool_log2_cost(b));
        assert_true(pool_log2_bound(a) <= pool_log2_cost(a));
    }
    for (uint64_t i = 0; i < 1000000; i++) {
        uint64_t next_to_one = ~(i << 20);
        assert_true(pool_log2_bound(next_to_one) <= pool_log2_cost(next_to_one));
    }
    assert_true(pool_log2_cost(UINT64_MAX) > 0);
    assert_true(pool_log2_cost(0) == UINT64_C(64) << 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_log2),
        cmocka_unit_test(the_error_is_at_most_a_thousandth),
        cmocka_unit_test(the_cost_never_rises_and_keeps_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
