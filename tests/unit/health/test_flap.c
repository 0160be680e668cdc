#include "health/flap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What checks see (u, d, ?), a second each, and what counts of it. */
static const struct {
    uint64_t hold_ms;
    const char *seen, *counts;
} cases[] = {
    {0, "??uudduudu", "??uudduudu"},
    /* a first verdict is no flip, and waits for nothing */
    {5000, "?uuuu", "?uuuu"},
    {5000, "?duuu", "?duuu"},
    /* down is heeded at once, the way back waits */
    {5000, "uuduuuuuuuu", "uuddddduuuu"},
    /* whatever happens meanwhile */
    {5000, "uududududuuu", "uudddddudddd"},
    /* it waits only if it still stands; and down has flipped nothing then */
    {3000, "uduuduuu", "udddduuu"},
    {3000, "uduudddd", "uddddddd"},
    /* who came up just now may go down at once, and is then away for the whole time */
    {3000, "udddduduuuuu", "udddduddduuu"},
    {3000, "uddddduduuuu", "uddddduddduu"},
    /* what nobody knows any more is told as it is */
    {5000, "ud?uu", "ud?uu"},
};

static enum health_verdict verdict_of(char c)
{
    return c == 'u' ? HEALTH_UP : c == 'd' ? HEALTH_DOWN : HEALTH_UNKNOWN;
}

static void only_the_way_back_waits(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct health_flap flap = {0};
        enum health_verdict counts = verdict_of(cases[c].seen[0]);
        char got[32] = "";
        for (size_t i = 0; cases[c].seen[i]; i++) {
            uint64_t now_ms = 100000 + i * 1000, due_ms;
            counts = health_flap_step(&flap, counts, verdict_of(cases[c].seen[i]), cases[c].hold_ms, now_ms);
            got[i] = "?ud"[counts];
            due_ms = health_flap_due_ms(&flap, cases[c].hold_ms);
            assert_true(flap.waits ? due_ms > now_ms && due_ms <= now_ms + cases[c].hold_ms : due_ms == UINT64_MAX);
        }
        if (strcmp(got, cases[c].counts) != 0)
            print_message("%zu: seen %s, got %s, expected %s\n", c, cases[c].seen, got, cases[c].counts);
        assert_string_equal(got, cases[c].counts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_the_way_back_waits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
