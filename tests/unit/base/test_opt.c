#include "base/opt.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } right[] = {{"500ms", 500},
                 {"5s", 5000},
                 {"5", 5000},
                 {"3m", 180000},
                 {"1h", 3600000},
                 {"2d", 172800000},
                 {"1w", 604800000},
                 {"0", 0},
                 {"0ms", 0},
                 {"007s", 7000},
                 {"18446744073709551615ms", UINT64_MAX}};
    uint64_t ms;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_int_equal(opt_duration_from_text(&ms, right[i].text), ERR_OK);
        assert_true(ms == right[i].ms);
    }
    static const char *const wrong[] = {"",    "s",   "ms",   "5x", "5 s", " 5s",   "5s ",
                                        "-5s", "+5s", "1.5s", "5S", "5ss", "1h30m", "0x5s"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(opt_duration_from_text(&ms, wrong[i]), ERR_SYNTAX);
    static const char *const huge[] = {"18446744073709551616ms", "18446744073709551615", "99999999999999999999999999w",
                                       "30500568904945w"};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++)
        assert_int_equal(opt_duration_from_text(&ms, huge[i]), ERR_RANGE);
}

static void durations_as_text(void **state)
{
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {{0, "0s"},      {1, "1ms"},     {1500, "1500ms"},  {5000, "5s"},
                {90000, "90s"}, {120000, "2m"}, {604800000, "1w"}, {UINT64_MAX, "18446744073709551615ms"}};
    char out[OPT_DURATION_TEXT_MAX];
    uint64_t ms;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_string_equal(opt_duration_to_text(out, rows[i].ms), rows[i].text);
        assert_int_equal(opt_duration_from_text(&ms, out), ERR_OK);
        assert_true(ms == rows[i].ms);
    }
}

static void integers(void **state)
{
    (void)state;
    struct opt opt = {.type = OPT_INT, .least = -5, .most = 10};
    int64_t value = 77;
    assert_int_equal(opt_parse(&opt, &value, "10"), ERR_OK);
    assert_int_equal(value, 10);
    assert_int_equal(opt_parse(&opt, &value, "-5"), ERR_OK);
    assert_int_equal(value, -5);
    static const char *const out_of_range[] = {
        "11", "-6", "4294967297", "9223372036854775808", "-9223372036854775809", "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
        assert_int_equal(opt_parse(&opt, &value, out_of_range[i]), ERR_RANGE);
    static const char *const wrong[] = {
        "", "-", "x", "1x", "0x1", "1.0", "+1", " 1", "1 ", "--1", "99999999999999999999999999x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(opt_parse(&opt, &value, wrong[i]), ERR_SYNTAX);
    assert_int_equal(value, -5); /* untouched by what was refused */
    struct opt unlimited = {.type = OPT_INT};
    assert_int_equal(opt_parse(&unlimited, &value, "-9223372036854775808"), ERR_OK);
    assert_true(value == INT64_MIN);
    assert_int_equal(opt_parse(&unlimited, &value, "9223372036854775807"), ERR_OK);
    assert_true(value == INT64_MAX);
    assert_int_equal(opt_parse(&unlimited, &value, "9223372036854775808"), ERR_RANGE);
}

static void fractions(void **state)
{
    (void)state;
    struct opt opt = {.type = OPT_FRACTION, .least = 0, .most = 1000};
    double value = 7;
    assert_int_equal(opt_parse(&opt, &value, "0.25"), ERR_OK);
    assert_true(value > 0.2499 && value < 0.2501);
    assert_int_equal(opt_parse(&opt, &value, "1"), ERR_OK);
    assert_int_equal(opt_parse(&opt, &value, "1e-3"), ERR_OK);
    static const char *const out_of_range[] = {"1.001", "-0.1", "1e300", "1e999"};
    for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
        assert_int_equal(opt_parse(&opt, &value, out_of_range[i]), ERR_RANGE);
    static const char *const wrong[] = {"", "x", "0x1", "nan", "inf", "0.5x", ".", "0.5 ", "1e", "50%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(opt_parse(&opt, &value, wrong[i]), ERR_SYNTAX);
    struct opt unlimited = {.type = OPT_FRACTION};
    assert_int_equal(opt_parse(&unlimited, &value, "1e999"), ERR_RANGE);
}

static void the_other_scalars(void **state)
{
    (void)state;
    static const char *const names[] = {"round_robin", "weighted", "random", NULL};
    struct opt opt = {.type = OPT_BOOL};
    bool truth = false;
    assert_int_equal(opt_parse(&opt, &truth, "yes"), ERR_OK);
    assert_true(truth);
    assert_int_equal(opt_parse(&opt, &truth, "off"), ERR_OK);
    assert_false(truth);
    assert_int_equal(opt_parse(&opt, &truth, "maybe"), ERR_SYNTAX);
    opt = (struct opt){.type = OPT_ENUM, .names = names};
    int choice = 0;
    assert_int_equal(opt_parse(&opt, &choice, "random"), ERR_OK);
    assert_int_equal(choice, 2);
    assert_int_equal(opt_parse(&opt, &choice, "rand"), ERR_INVALID);
    opt = (struct opt){.type = OPT_STRING, .least = 1, .most = 3};
    char *string = NULL;
    assert_int_equal(opt_parse(&opt, &string, ""), ERR_RANGE);
    assert_int_equal(opt_parse(&opt, &string, "abcd"), ERR_RANGE);
    assert_null(string);
    assert_int_equal(opt_parse(&opt, &string, "abc"), ERR_OK);
    assert_string_equal(string, "abc");
    free(string);
    opt = (struct opt){.type = OPT_ADDR, .port_default = 53};
    struct addr addr;
    assert_int_equal(opt_parse(&opt, &addr, "192.0.2.1"), ERR_OK);
    assert_int_equal(addr.port, 53);
    assert_int_equal(opt_parse(&opt, &addr, "192.0.2.1@70000"), ERR_RANGE);
    opt = (struct opt){.type = OPT_DURATION, .least = 100, .most = 3600000};
    uint64_t ms = 1;
    assert_int_equal(opt_parse(&opt, &ms, "99ms"), ERR_RANGE);
    assert_int_equal(opt_parse(&opt, &ms, "61m"), ERR_RANGE);
    assert_int_equal(ms, 1);
    assert_int_equal(opt_parse(&opt, &ms, "100ms"), ERR_OK);
    assert_int_equal(ms, 100);
    opt = (struct opt){.type = OPT_GROUP};
    assert_int_equal(opt_parse(&opt, &ms, "x"), ERR_INVALID);
}

static enum err parse_answers(void *field, const char *text, const char **expected)
{
    *expected = "\"all\" or a number from 1 to 9";
    if (!strcmp(text, "all") || (text[0] >= '1' && text[0] <= '9' && !text[1])) {
        if (field)
            *(uint8_t *)field = *text == 'a' ? 99 : (uint8_t)(*text - '0');
        return ERR_OK;
    }
    return ERR_SYNTAX;
}

static void a_custom_value(void **state)
{
    (void)state;
    struct opt opt = {.type = OPT_CUSTOM, .parse = parse_answers, .parse_size = 1};
    uint8_t answers = 0;
    assert_int_equal(opt_parse(&opt, &answers, "all"), ERR_OK);
    assert_int_equal(answers, 99);
    assert_int_equal(opt_parse(&opt, &answers, "none"), ERR_SYNTAX);
    assert_int_equal(opt_value_size(&opt), 1);
}

static void what_is_expected(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", NULL};
    static const struct {
        struct opt opt;
        const char *text;
    } rows[] = {
        {{.type = OPT_BOOL}, "true or false"},
        {{.type = OPT_INT, .least = 1, .most = 65535}, "a whole number from 1 to 65535"},
        {{.type = OPT_INT, .least = 512, .most = 4096, .unit = "bytes"}, "a whole number from 512 to 4096 bytes"},
        {{.type = OPT_INT, .least = 1, .most = INT64_MAX}, "a whole number of at least 1"},
        {{.type = OPT_INT}, "a whole number"},
        {{.type = OPT_FRACTION, .most = 1000}, "a number from 0 to 1"},
        {{.type = OPT_DURATION, .least = 100, .most = 3600000}, "a duration of 100ms to 1h, such as \"5s\""},
        {{.type = OPT_STRING}, "a string"},
        {{.type = OPT_STRING, .least = 1}, "a string that is not empty"},
        {{.type = OPT_STRING, .least = 1, .most = 63}, "a string of 1 to 63 bytes"},
        {{.type = OPT_ENUM, .names = names}, "\"a\", \"b\" or \"c\""},
        {{.type = OPT_CUSTOM, .parse = parse_answers}, "\"all\" or a number from 1 to 9"},
    };
    char out[OPT_EXPECTED_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        opt_expected(out, sizeof out, &rows[i].opt);
        assert_string_equal(out, rows[i].text);
        opt_expected(out, 4, &rows[i].opt);
        assert_true(strlen(out) <= 3);
    }
}

static void the_nearest_key(void **state)
{
    (void)state;
    static const struct opt opts[] = {
        {.name = "listen"}, {.name = "workers"}, {.name = "ttl"}, {.name = "ttl_min"}, {.name = "tcp_max_per_client"}};
    static const struct opt more[] = {{.name = "file"}};
    static const struct opt_table a = {.opts = opts, .cnt = 5}, b = {.opts = more, .cnt = 1};
    const struct opt_table *tables[] = {&a, &b};
    static const struct {
        const char *key, *nearest;
    } rows[] = {
        {"lisen", "listen"},    {"listne", "listen"}, {"Listen", "listen"}, {"worker", "workers"},
        {"ttl-min", "ttl_min"}, {"tll", "ttl"},       {"flie", "file"},     {"tcp_max_client", "tcp_max_per_client"},
        {"xyz", NULL},          {"", NULL},           {"x", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *nearest = opt_nearest(tables, 2, rows[i].key);
        if (rows[i].nearest)
            assert_string_equal(nearest, rows[i].nearest);
        else
            assert_null(nearest);
    }
    static char endless[100000];
    memset(endless, 'l', sizeof endless - 1);
    assert_null(opt_nearest(tables, 2, endless));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),        cmocka_unit_test(durations_as_text), cmocka_unit_test(integers),
        cmocka_unit_test(fractions),        cmocka_unit_test(the_other_scalars), cmocka_unit_test(a_custom_value),
        cmocka_unit_test(what_is_expected), cmocka_unit_test(the_nearest_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
