#include "health/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* One second a letter: `results` (+ pass, - fail) in, after each the state (u up, d down; in capitals while unsettled)
 * and whether a change was told (!). */
static const struct {
    uint16_t rise, fall;
    const char *results;
    const char *states;
    const char *changes;
} cases[] = {
    {2, 3, "+", "u", "!"},
    {2, 3, "-", "d", "!"},
    {2, 3, "++++", "uuuu", "!..."},
    {2, 3, "+---", "uUUd", "!!.!"},
    {2, 3, "+--+---", "uUUuUUd", "!!.!!.!"},
    {2, 3, "+-+-+-+", "uUuUuUu", "!!!!!!!"},
    {2, 3, "-++", "dDu", "!!!"},
    {2, 3, "-+-+-++", "dDdDdDu", "!!!!!!!"},
    {2, 3, "-++---++", "dDuUUdDu", "!!!!.!!!"},
    {1, 1, "+-+-+", "ududu", "!!!!!"},
    {3, 1, "+-+++-", "udDDud", "!!!.!!"},
    {1, 4, "----+----+",
     "ddddu"
     "UUUdu",
     "!...!!..!!"},
};

static void verdicts_follow_rise_and_fall(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct health_settings settings = {.rise = cases[c].rise, .fall = cases[c].fall};
        struct health_target target = {0};
        char states[32] = "", changes[32] = "";
        uint64_t since = 0, now = 1700000000000;
        for (size_t i = 0; cases[c].results[i]; i++, now += 1000) {
            enum health_verdict before = target.verdict;
            enum health_result result = cases[c].results[i] == '+' ? HEALTH_PASS : HEALTH_FAIL;
            bool changed = health_observe(&target, &settings, HEALTH_OBSERVER_SELF, result, now) == HEALTH_CHANGED;
            since = target.verdict != before ? now : since;
            assert_true(target.since_ms == since);
            assert_int_equal(target.result_cnt, i + 1);
            assert_int_equal(target.unsettled, target.contrary_cnt > 0);
            states[i] = target.verdict == HEALTH_UP ? (target.unsettled ? 'U' : 'u') : (target.unsettled ? 'D' : 'd');
            changes[i] = changed ? '!' : '.';
        }
        if (strcmp(states, cases[c].states) || strcmp(changes, cases[c].changes))
            fail_msg("rise %u, fall %u, \"%s\": \"%s\" \"%s\"", cases[c].rise, cases[c].fall, cases[c].results, states,
                     changes);
    }
}

static void settings_may_change_between_results(void **state)
{
    (void)state;
    struct health_settings settings = {.rise = 2, .fall = 5};
    struct health_target target = {0};
    for (unsigned i = 0; i < 4; i++)
        health_observe(&target, &settings, HEALTH_OBSERVER_SELF, i ? HEALTH_FAIL : HEALTH_PASS, i);
    assert_int_equal(target.verdict, HEALTH_UP);
    assert_int_equal(target.contrary_cnt, 3);
    settings.fall = 2; /* a reload */
    assert_int_equal(health_observe(&target, &settings, HEALTH_OBSERVER_SELF, HEALTH_FAIL, 9), HEALTH_CHANGED);
    assert_int_equal(target.verdict, HEALTH_DOWN);
    assert_false(target.unsettled);
}

static void only_our_own_checks_count(void **state)
{
    (void)state;
    struct health_settings settings = {.rise = 1, .fall = 1};
    struct health_target target = {0}, before = target;
    assert_int_equal(health_observe(&target, &settings, 1, HEALTH_FAIL, 5), HEALTH_SAME);
    assert_memory_equal(&target, &before, sizeof target);
}

static void verdicts_have_names(void **state)
{
    (void)state;
    assert_string_equal(health_verdict_name(HEALTH_UNKNOWN), "unknown");
    assert_string_equal(health_verdict_name(HEALTH_UP), "up");
    assert_string_equal(health_verdict_name(HEALTH_DOWN), "down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_follow_rise_and_fall),
        cmocka_unit_test(settings_may_change_between_results),
        cmocka_unit_test(only_our_own_checks_count),
        cmocka_unit_test(verdicts_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
