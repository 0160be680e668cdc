/* Serials that are made here are later than what was published, in every mode and all around the circle (RFC 1982). */
#include "store/serial_mode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/random.h"
#include "dns/serial.h"

#define F STORE_SERIAL_FILE
#define I STORE_SERIAL_INCREMENT
#define U STORE_SERIAL_UNIXTIME
#define D STORE_SERIAL_DATE

#define NONE UINT64_MAX /* nothing is wanted */
#define HALF UINT32_C(0x80000000)

/* 2026-11-29 14:00 UTC, and the last second of 2026. */
#define NOV UINT64_C(1795960800)
#define EVE UINT64_C(1798761599)

static const struct after {
    enum store_serial mode;
    uint32_t published;
    uint64_t wanted, now_sec;
    uint32_t is;
} afters[] = {
    {F, 5, 6, NOV, 6},
    {F, 5, 900, NOV, 900},
    {F, 5, 5, NOV, 6},
    {F, 5, 4, NOV, 6},
    {F, 5, NONE, NOV, 6},
    {F, UINT32_MAX, NONE, NOV, 0},
    {F, UINT32_MAX, 0, NOV, 0},
    {F, UINT32_MAX, 7, NOV, 7},
    {F, UINT32_MAX, UINT32_MAX - 1, NOV, 0},
    /* Half the circle away is not later (RFC 1982 3.2); just before that is. */
    {F, 5, 5 + HALF, NOV, 6},
    {F, 5, 4 + HALF, NOV, 4 + HALF},
    {I, 5, NONE, NOV, 6},
    {I, 5, 5, NOV, 6},
    {I, 5, 9, NOV, 9},
    {I, UINT32_MAX, NONE, NOV, 0},
    {U, 5, NONE, NOV, (uint32_t)NOV},
    {U, (uint32_t)NOV - 1, NONE, NOV, (uint32_t)NOV},
    {U, (uint32_t)NOV, NONE, NOV, (uint32_t)NOV + 1},
    {U, (uint32_t)NOV + 50, NONE, NOV, (uint32_t)NOV + 51},
    {U, 5, NOV + 9, NOV, (uint32_t)NOV + 9},
    /* A published serial that the time is not later than: one more. */
    {U, (uint32_t)NOV + HALF - 1, NONE, NOV, (uint32_t)NOV + HALF},
    /* The time is later than what comes next, yet half the circle ahead of what was published. */
    {U, (uint32_t)NOV + HALF, NONE, NOV, (uint32_t)NOV + HALF + 1},
    {U, (uint32_t)NOV + HALF - 1, NOV - 11, NOV, (uint32_t)NOV - 11},
    /* Seconds that do not fit into 32 bits go round. */
    {U, UINT32_MAX, NONE, (UINT64_C(1) << 32) + 20, 20},
    {D, 5, NONE, NOV, 2026112900},
    {D, 2026112800, NONE, NOV, 2026112900},
    {D, 2026112900, NONE, NOV, 2026112901},
    {D, 2026112999, NONE, NOV, 2026113000},
    {D, 2026113000, NONE, NOV, 2026113001},
    {D, 2026112907, 2026112950, NOV, 2026112950},
    {D, 2026112900, NONE, EVE, 2026123100},
    {D, 2026123199, NONE, EVE + 1, 2027010100},
};

static void test_after(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof afters / sizeof *afters; i++) {
        const struct after *a = &afters[i];
        uint32_t wanted = (uint32_t)a->wanted;
        uint32_t is = serial_after(a->mode, a->published, a->wanted == NONE ? NULL : &wanted, a->now_sec);
        if (is != a->is)
            fail_msg("row %zu: %u instead of %u", i, is, a->is);
    }
}

static void test_first(void **state)
{
    (void)state;
    assert_int_equal(serial_first(F, 7, NOV), 7);
    assert_int_equal(serial_first(I, 7, NOV), 7);
    assert_int_equal(serial_first(U, 7, NOV), (uint32_t)NOV);
    assert_int_equal(serial_first(U, (uint32_t)NOV + 3, NOV), (uint32_t)NOV + 3);
    assert_int_equal(serial_first(D, 7, NOV), 2026112900);
    assert_int_equal(serial_first(D, 2026112907, NOV), 2026112907);
    /* The date is not later than this one, which is more than half the circle behind it. */
    assert_int_equal(serial_first(D, 4000000000u, NOV), 4000000000u);
}

static void test_always_later(void **state)
{
    static const enum store_serial modes[] = {F, I, U, D};
    struct random_state rng = {{3, 4}};
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t published = (uint32_t)random_u64(&rng), wanted = (uint32_t)random_u64(&rng);
        uint64_t now_sec = random_u64(&rng) >> (24 + random_below(&rng, 20));
        for (unsigned m = 0; m < 4; m++) {
            uint32_t is = serial_after(modes[m], published, i & 1 ? &wanted : NULL, now_sec);
            assert_true(serial_is_later(is, published));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_after),
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_always_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
