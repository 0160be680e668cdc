/* Numbers in bodies: tables, and regexec(3) as a second opinion. */
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/random.h"
#include "probe/pattern_number.h"

/* −1: none. */
static double find(const char *text, const char *body, size_t len)
{
    struct pattern_set set = {NULL};
    struct pattern *parts[PATTERN_PLACES] = {NULL};
    char part[PATTERN_MAX + 1];
    double number = -1;
    for (unsigned i = 0; i < PATTERN_PLACES; i++) {
        pattern_number_part(part, text, (enum pattern_number_place)i);
        parts[i] = *part ? pattern_set_get(&set, part) : NULL;
    }
    uint8_t *exact = malloc(len ? len : 1); /* no byte behind it */
    memcpy(exact, body, len);
    if (!pattern_number_find(parts, exact, len, &number))
        number = -1;
    free(exact);
    for (unsigned i = 0; i < PATTERN_PLACES; i++)
        pattern_put(parts[i]);
    pattern_set_fini(&set);
    return number;
}

#define STUB_STATUS \
    "Active connections: 291 \nserver accepts handled requests\n 16630948 16630948 31070465 \n" \
    "Reading: 6 Writing: 179 Waiting: 106 \n"

static void test_finds(void **state)
{
    (void)state;
    static const struct {
        const char *text, *body;
        double number;
    } cases[] = {
        {"Active connections: ([0-9]+)", STUB_STATUS, 291},
        {"Writing: ([0-9]+)", STUB_STATUS, 179},
        {"requests\n ([0-9]+) ", STUB_STATUS, 16630948},
        {"^Active [a-z]+: ([0-9]{1,9}) $", STUB_STATUS, -1},
        {"Waiting: ([0-9]+) \n$", STUB_STATUS, 106},
        {"^([0-9]+)", "12 34", 12},
        {"([0-9]+)$", "12 34", 34},
        {"^([0-9]+)$", "1234", 1234},
        {"^([0-9]+)$", "1234 ", -1},
        {"([0-9]+)", "", -1},
        {"([0-9]+)", "none", -1},
        {"load=([0-9.]+),", "load=0.75,", 0.75},
        {"load=([0-9]+(\\.[0-9]+)?)", "load=12.5 x", 12.5},
        {"load=(1|[0-9.]+e[0-9])", "load=1.5e3", 1500},
        {"load=(.*)", "load=7x8", 7},            /* the longest that is a number */
        {"load=([a-z]+)", "load=abc", -1},
        {"(a|b): ", "", -1},
        {"x=([0-9]+);y", "x=1;x=22;x=3;y", 3}, /* the first does not go on */
        {"x1y2([0-9]+)", "x1y2345", 345},
        {"a*([0-9]+)b*", "zzz5", 5},
        {"[(](.[0-9]*)[)]", "(12)", 12},
        {"\\((.*)\\)", "f(42)", 42},
        {"\"conns\": *([0-9]+)[,}]", "{\"max\": 9, \"conns\": 17}", 17},
        {"([0-9]+)$x", "5", -1},
        {"$([0-9]+)", "5", -1},
        {"([0-9]+)^", "5", -1},
        {"x|([0-9]+)|y", "5", -2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char problem[PATTERN_PROBLEM_MAX];
        bool is_bad = pattern_number_has_problem(problem, cases[i].text);
        if (cases[i].number == -2) {
            assert_true(is_bad);
            continue;
        }
        if (is_bad)
            fail_msg("\"%s\": %s", cases[i].text, problem);
        double number = find(cases[i].text, cases[i].body, strlen(cases[i].body));
        if (number != cases[i].number)
            fail_msg("\"%s\" in \"%s\" is %g, not %g", cases[i].text, cases[i].body, number, cases[i].number);
    }
    assert_true(find("b([0-9]+)", "a\0b7", 4) == 7);
}

static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"[0-9]+", "it has no group: parentheses around the number"},
        {"\\([0-9]+\\)", "it has no group: parentheses around the number"},
        {"[(][0-9]+[)]", "it has no group: parentheses around the number"},
        {"(a|b)([0-9]+)", "it has a second group beside the number's"},
        {"([0-9]+)(a)", "it has a second group beside the number's"},
        {"a([0-9])+", "the group with the number must not be repeated"},
        {"([0-9]){2}", "the group with the number must not be repeated"},
        {"a|([0-9]+)", "the group with the number must not be one of alternatives"},
        {"([0-9]+)|b", "the group with the number must not be one of alternatives"},
        {"()", "the group for the number is empty"},
        {"Active connections: ()[0-9]+", "the group for the number is empty"},
        {"([0-9]+", "a ( has no )"},
        {"([0-9]+))", "a ) has no ("},
        {"*([0-9]+)", "a repetition of nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char problem[PATTERN_PROBLEM_MAX] = "none";
        assert_true(pattern_number_has_problem(problem, cases[i].text));
        assert_string_equal(problem, cases[i].problem);
    }
}

static void test_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number; /* −1: it is none */
    } cases[] = {
        {"0", 0}, {"291", 291}, {"0.3", 0.3}, {".5", 0.5}, {"5.", 5}, {"1e3", 1000}, {"1.5E-2", 0.015}, {"007", 7},
        {"", -1}, {".", -1}, {"e5", -1}, {"1e", -1}, {"1e+", -1}, {"-1", -1}, {"+1", -1}, {" 1", -1}, {"1 ", -1},
        {"0x10", -1}, {"nan", -1}, {"inf", -1}, {"1e999", -1}, {"1.2.3", -1}, {"1,5", -1},
        {"12345678901234567890123456789012", 12345678901234567890123456789012.}, /* 32 of them */
        {"123456789012345678901234567890123", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double number;
        bool is_one = decimal_read(&number, (const uint8_t *)cases[i].text, strlen(cases[i].text));
        assert_true(is_one == (cases[i].number >= 0));
        if (is_one)
            assert_true(number == cases[i].number);
    }
}

/* ---- a second opinion ---- */

/* regexec's leftmost match may begin elsewhere than ours, whose number is the leftmost: expressions whose part before
 * the number is of a fixed length are of one mind. */
static void test_like_regexec(void **state)
{
    static const char *const befores[] = {"", "a", "ab", "[ab]", "a.", "^", "^a"};
    static const char *const numbers[] = {"[0-9]+", "[0-9]{2}", "1|[0-9]*2", "[0-9]+(x|.)?"};
    static const char *const afters[] = {"", "b", "b*", "(ab)*$", "[^0-9]", "$"};
    struct random_state rng = {{11, 12}};
    unsigned found = 0;
    (void)state;
    for (unsigned round = 0; round < 4000; round++) {
        char text[64], body[16];
        snprintf(text, sizeof text, "%s(%s)%s", befores[random_below(&rng, 7)], numbers[random_below(&rng, 4)],
                 afters[random_below(&rng, 6)]);
        char problem[PATTERN_PROBLEM_MAX];
        if (pattern_number_has_problem(problem, text))
            continue; /* a second group */
        size_t len = random_below(&rng, sizeof body);
        for (size_t i = 0; i < len; i++)
            body[i] = "aabb1230"[random_below(&rng, 8)];
        body[len] = '\0';
        if (len == sizeof body)
            continue;
        regex_t regex;
        regmatch_t match[2];
        assert_int_equal(regcomp(&regex, text, REG_EXTENDED), 0);
        bool theirs = !regexec(&regex, body, 2, match, 0);
        double number = -1, ours = find(text, body, len);
        if (theirs && !decimal_read(&number, (const uint8_t *)body + match[1].rm_so,
                                    (size_t)(match[1].rm_eo - match[1].rm_so))) {
            regfree(&regex); /* what its group matches is no number, ours may be another place */
            continue;
        }
        if (ours != number)
            fail_msg("\"%s\" in \"%s\": %g, regexec finds %g", text, body, ours, number);
        found += theirs;
        regfree(&regex);
    }
    print_message("%u numbers like regexec's\n", found);
    assert_true(found > 500);
}

/* ---- bounds ---- */

static uint64_t worked_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void test_bounded_time(void **state)
{
    (void)state;
    enum { LEN = 64 * 1024 };
    static const char *const texts[] = {
        "([0-9]+)x", "([0-9]+).*x", ".*([0-9]+).*x", "(.{1,100}).{1,100}x", "[0-9]{1,120}([0-9]{1,30})[0-9]{1,90}x",
    };
    char *body = malloc(LEN);
    memset(body, '7', LEN);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        uint64_t begin_us = worked_us();
        assert_true(find(texts[i], body, LEN) == -1);
        print_message("\"%s\": %llu us\n", texts[i], (unsigned long long)(worked_us() - begin_us));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__)
        assert_true(worked_us() - begin_us < 60000);
#endif
    }
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds),        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_decimals),     cmocka_unit_test(test_like_regexec),
        cmocka_unit_test(test_bounded_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
