/* When the log speaks of the rate limit, and what it says. */
#include "daemon/limit_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char text[LIMIT_LOG_TEXT_MAX];

static const char *look(struct limit_log *log, const struct answer_counters *counters, unsigned sec)
{
    return limit_log_look(log, counters, false, sec * UINT64_C(1000), text) ? text : "";
}

static void test_a_life(void **state)
{
    struct limit_log log = {0};
    struct answer_counters c = {.noerror = 100};
    (void)state;
    assert_string_equal(look(&log, &c, 1000), "");
    c.noerror += 5000;
    assert_string_equal(look(&log, &c, 1002), "");
    c.rate_limited = 7;
    c.rate_slipped = 8;
    c.rate_leaked = 9;
    assert_string_equal(look(&log, &c, 1004), "rate limit exceeded: 7 answers dropped, 8 truncated, 9 sent whole");
    for (unsigned sec = 1005; sec < 1064; sec++) {
        c.rate_limited++;
        assert_string_equal(look(&log, &c, sec), "");
    }
    c.rate_slipped++;
    assert_string_equal(look(&log, &c, 1064), "rate limit exceeded: 59 answers dropped, 1 truncated");
    c.rate_leaked++;
    assert_string_equal(look(&log, &c, 1090), "");
    assert_string_equal(look(&log, &c, 1124), "rate limit exceeded: 1 answer sent whole");
    assert_string_equal(look(&log, &c, 1183), "");
    assert_string_equal(look(&log, &c, 1184),
                        "rate limit no longer exceeded, in all: 66 answers dropped, 9 truncated, 10 sent whole");
    for (unsigned sec = 1185; sec < 2000; sec++)
        assert_string_equal(look(&log, &c, sec), "");
    /* Again: what was before does not count. */
    c.rate_limited++;
    assert_string_equal(look(&log, &c, 2000), "rate limit exceeded: 1 answer dropped");
    assert_string_equal(look(&log, &c, 2060), "rate limit no longer exceeded, in all: 1 answer dropped");
}

static void test_log_only(void **state)
{
    struct limit_log log = {0};
    struct answer_counters c = {.rate_limited = 3};
    (void)state;
    assert_true(limit_log_look(&log, &c, true, 1, text));
    assert_string_equal(text, "rate limit exceeded, but rate_limit_log_only is set: 3 answers would have been dropped");
    c.rate_slipped = 2;
    assert_true(limit_log_look(&log, &c, true, 70 * 1000, text));
    assert_string_equal(text, "rate limit exceeded, but rate_limit_log_only is set: 2 answers would have been "
                              "truncated");
    assert_true(limit_log_look(&log, &c, true, 140 * 1000, text));
    assert_string_equal(text, "rate limit no longer exceeded, in all: 3 answers would have been dropped, 2 truncated");
}

/* No line mixes what was dropped with what would have been. */
static void test_log_only_changes(void **state)
{
    struct limit_log log = {0};
    struct answer_counters c = {0};
    (void)state;
    assert_string_equal(look(&log, &c, 1), "");
    assert_false(limit_log_flush(&log, &c, false, text));
    c.rate_limited = 5;
    assert_string_equal(look(&log, &c, 2), "rate limit exceeded: 5 answers dropped");
    c.rate_limited = 7; /* of these no line has told yet */
    assert_true(limit_log_flush(&log, &c, false, text));
    assert_string_equal(text, "rate limit exceeded until rate_limit_log_only was changed, in all: 7 answers dropped");
    assert_false(limit_log_look(&log, &c, true, 3 * 1000, text));
    c.rate_limited = 10;
    assert_true(limit_log_look(&log, &c, true, 5 * 1000, text));
    assert_string_equal(text, "rate limit exceeded, but rate_limit_log_only is set: 3 answers would have been dropped");
    assert_true(limit_log_flush(&log, &c, true, text));
    assert_string_equal(text, "rate limit exceeded until rate_limit_log_only was changed, in all: "
                              "3 answers would have been dropped");
    c.rate_limited = 11; /* not even one look has seen it */
    assert_true(limit_log_flush(&log, &c, false, text));
    assert_string_equal(text, "rate limit exceeded until rate_limit_log_only was changed, in all: 1 answer dropped");
    assert_string_equal(look(&log, &c, 200), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life),
        cmocka_unit_test(test_log_only),
        cmocka_unit_test(test_log_only_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
