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
#include "probe/pattern.h"

#define TOO_LARGE "it is too large: at most 256 characters, repetitions written out"

/* The same in two pieces. */
static bool matches_in_pieces(const struct pattern *pattern, const uint8_t *body, size_t len, size_t first)
{
    struct pattern_scan scan = {{0}, false};
    return pattern_scan(pattern, &scan, body, first) || pattern_scan(pattern, &scan, body + first, len - first) ||
           pattern_scan_end(pattern, &scan);
}

static bool matches(const char *text, const char *body, size_t len)
{
    struct pattern_set set = {NULL};
    struct pattern *pattern = pattern_set_get(&set, text);
    uint8_t *exact = malloc(len ? len : 1); /* no byte behind it */
    memcpy(exact, body, len);
    bool is_match = pattern_matches(pattern, exact, len);
    for (size_t first = 0; first <= len && len < 100; first++)
        assert_int_equal(matches_in_pieces(pattern, exact, len, first), is_match);
    free(exact);
    pattern_put(pattern);
    pattern_set_fini(&set);
    return is_match;
}

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *body;
        size_t len;
        bool matches;
    } cases[] = {
        {"^OK$", "OK", 2, true},
        {"^OK$", "OK\n", 3, false},
        {"OK", "xxOKxx", 6, true},
        {"^OK", "xOK", 3, false},
        {"b", "a\0b", 3, true},
        {"^$", "", 0, true},
        {"^$", "a", 1, false},
        {"$", "abc", 3, true},
        {"", "", 0, true},
        {"a", "", 0, false},
        {"b", "ab", 1, false},
        {"x.y", "x\ny", 3, true},
        {"x.y", "x\0y", 3, true},
        {"[[:digit:]]{3}", "ab12c123", 8, true},
        {"^[^a-c]+$", "xyz\n", 4, true},
        {"^[^a-c]+$", "xyzc", 4, false},
        {"a|^b|c$", "xb", 2, false},
        {"a|^b|c$", "bx", 2, true},
        {"a|^b|c$", "xc", 2, true},
        {"(a*)*b", "aaab", 4, true},
        {"(a*)*b", "aaa", 3, false},
        {"^(ab?){2,3}$", "abaab", 5, true},
        {"^(ab?){2,3}$", "abaabab", 7, false},
        {"^x{0}y$", "y", 1, true},
        {"^x{2,}$", "x", 1, false},
        {"^x{2,}$", "xxxxx", 5, true},
        {"\\{\"up\": *true\\}", "..{\"up\":  true}", 15, true},
        {"[]x]", "]", 1, true},
        {"[^]x]", "]x", 2, false},
        {"[a\\]", "\\", 1, true},
        {"^[a-]+$", "a-a", 3, true},
        {"[[.-.]-/]", ".", 1, true},
        {"[[=a=]]", "a", 1, true},
        {"\xff", "\xff", 1, true},
        {"[\x80-\xff]", "a\x90", 2, true},
        {"^(|a)b$", "b", 1, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        if (matches(cases[i].pattern, cases[i].body, cases[i].len) != cases[i].matches)
            fail_msg("\"%s\" and \"%s\"", cases[i].pattern, cases[i].body);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"(", "a ( has no )"},
        {"(a|b", "a ( has no )"},
        {"a)", "a ) has no ("},
        {"a|b)c", "a ) has no ("},
        {"[", "a [ has no ]"},
        {"[]", "a [ has no ]"},
        {"[^]", "a [ has no ]"},
        {"[a-", "a [ has no ]"},
        {"[b-a]", "a range in [] ends before it begins"},
        {"[A-[:x:]]", "a character class is no end of a range"},
        {"[+-[:alpha:]]", "a character class is no end of a range"},
        {"[[:alfa:]]", "unknown character class"},
        {"[[:alpha]", "unknown character class"},
        {"[[.hyphen.]]", "unknown collating symbol"},
        {"[[.", "unknown collating symbol"},
        {"[a-[=", "unknown collating symbol"},
        {"*a", "a repetition of nothing"},
        {"a|+", "a repetition of nothing"},
        {"(?a)", "a repetition of nothing"},
        {"^*", "a repetition of nothing"},
        {"a**", "a repetition of a repetition needs parentheses"},
        {"a{2}{3}", "a repetition of a repetition needs parentheses"},
        {"a{2,1}", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{256}", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{1,99999999999999999999}", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{,3}", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{1", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"a{-1}", "expected {N}, {N,} or {N,M}, N at most M, both at most 255"},
        {"\\", "\"\\\" stands only before special characters"},
        {"(\\", "\"\\\" stands only before special characters"},
        {"(a)\\1", "\"\\\" stands only before special characters"},
        {"\\d", "\"\\\" stands only before special characters"},
        {"a{255}a{255}", TOO_LARGE},
        {"a{255}a{200}c", TOO_LARGE},
        {"a{255}bc", TOO_LARGE},
        {"((a{255}){255}){255}", TOO_LARGE},
        {"((((){255}){255}){255}){255}", TOO_LARGE},
        {"((((||){0}){255}){255}){255}", TOO_LARGE},
        {"((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))", "groups are nested too deep"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char problem[PATTERN_PROBLEM_MAX] = "";
        char *exact = strdup(cases[i].text);
        bool has_problem = pattern_has_problem(problem, exact);
        free(exact);
        if (!has_problem || strcmp(problem, cases[i].problem) != 0)
            fail_msg("\"%s\": \"%s\"", cases[i].text, problem);
    }
}

static void test_length(void **state)
{
    (void)state;
    char problem[PATTERN_PROBLEM_MAX], text[PATTERN_MAX + 2];
    memset(text, '[', sizeof text);
    text[PATTERN_MAX + 1] = '\0';
    assert_true(pattern_has_problem(problem, text));
    assert_string_equal(problem, TOO_LARGE);
    memset(text, '|', sizeof text); /* two steps each */
    text[(PATTERN_STEPS_MAX - 1) / 2] = '\0';
    assert_false(pattern_has_problem(problem, text));
    text[(PATTERN_STEPS_MAX - 1) / 2] = '|';
    text[PATTERN_STEPS_MAX / 2 + 1] = '\0';
    assert_true(pattern_has_problem(problem, text));
}

/* ---- regcomp(3) as the measure: short expressions and bodies, over few letters, so that much happens. Anchors only at
 * the ends of outermost branches: with others glibc is wrong ("[^a](a+^|b){2,}[ab]" matches "\nc\nabacb", it says).
 * ---- */

static size_t grow(char *out, size_t cap, struct random_state *rng, unsigned depth)
{
    static const char *const atoms[] = {"a", "b", ".", "[ab]", "[^a]", "[[:alpha:]]", "c"};
    static const char *const repeats[] = {"*", "+", "?", "{2}", "{1,2}", "{0,1}", "{2,}", "{0}"};
    size_t len = 0;
    unsigned pieces = 1 + random_below(rng, 3);
    if (!depth && !random_below(rng, 3))
        out[len++] = '^';
    for (unsigned i = 0; i < pieces && len + 40 < cap; i++) {
        const char *atom = atoms[random_below(rng, 7)];
        bool is_group = depth < 3 && !random_below(rng, 3);
        if (is_group) {
            out[len++] = '(';
            len += grow(out + len, (cap - len) / 2, rng, depth + 1);
            out[len++] = ')';
        } else {
            len += (size_t)sprintf(out + len, "%s", atom);
        }
        if (!random_below(rng, 2))
            len += (size_t)sprintf(out + len, "%s", repeats[random_below(rng, is_group ? 3 : 8)]);
        if (!random_below(rng, 4))
            len += (size_t)sprintf(out + len, "%s", depth || random_below(rng, 3) ? "|" : "$|");
    }
    if (!depth && !random_below(rng, 3))
        out[len++] = '$';
    out[len] = '\0';
    return len;
}

static void test_as_the_library_does(void **state)
{
    (void)state;
    struct random_state rng = {{20261122, 1}}; /* always the same; counted repetitions of groups are left out:
                                                     on some of them glibc takes minutes */
    unsigned compared = 0, matched = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char text[256], problem[PATTERN_PROBLEM_MAX];
        regex_t regex;
        grow(text, sizeof text, &rng, 0);
        if (pattern_has_problem(problem, text)) {
            assert_string_equal(problem, TOO_LARGE);
            continue;
        }
        if (regcomp(&regex, text, REG_EXTENDED | REG_NOSUB))
            fail_msg("only the library refuses \"%s\"", text);
        for (unsigned j = 0; j < 10; j++) {
            char body[10];
            unsigned len = random_below(&rng, sizeof body);
            for (unsigned k = 0; k < len; k++)
                body[k] = "abc\n"[random_below(&rng, 4)];
            body[len] = '\0';
            bool expected = regexec(&regex, body, 0, NULL, 0) == 0;
            if (matches(text, body, len) != expected)
                fail_msg("\"%s\" and \"%s\": the library says %d", text, body, expected);
            compared++;
            matched += expected;
        }
        regfree(&regex);
    }
    printf("%u comparisons, %u matches\n", compared, matched);
    assert_true(compared > 5000 && matched > 1000 && compared - matched > 1000);
}

/* Whatever it is, it is refused or it works; a sanitizer looks on. */
static void test_garbage(void **state)
{
    (void)state;
    static const char letters[] = "ab([)]{}|*+?^$.\\-,:=[:alpha:]0129";
    struct random_state rng;
    unsigned good = 0;
    random_seed(&rng);
    for (unsigned i = 0; i < 50000; i++) {
        char problem[PATTERN_PROBLEM_MAX];
        size_t len = random_below(&rng, 16);
        char *text = malloc(len + 1); /* no byte behind it */
        for (size_t j = 0; j < len; j++)
            text[j] = letters[random_below(&rng, sizeof letters - 1)];
        text[len] = '\0';
        if (!pattern_has_problem(problem, text)) {
            (void)!matches(text, "aab-:0{}", 8);
            good++;
        }
        free(text);
    }
    assert_true(good > 1000 && good < 49000);
}

/* ---- sharing ---- */

static void test_patterns_are_shared(void **state)
{
    (void)state;
    struct pattern_set set = {NULL};
    struct pattern *a = pattern_set_get(&set, "a"), *b = pattern_set_get(&set, "b");
    assert_ptr_equal(pattern_set_get(&set, "a"), a);
    assert_ptr_not_equal(a, b);
    pattern_put(b);
    pattern_put(pattern_set_get(&set, "c")); /* b goes */
    pattern_put(a);
    pattern_set_fini(&set);
    assert_true(pattern_matches(a, (const uint8_t *)"a", 1)); /* one count is left */
    pattern_put(a);
}

/* The most that may be, on both sides of every word of a set. */
static void test_long_ones(void **state)
{
    (void)state;
    char body[300], text[64];
    memset(body, 'a', sizeof body);
    for (unsigned n = 1; n <= 255; n++) {
        snprintf(text, sizeof text, "^a{%u}$", n);
        assert_true(matches(text, body, n));
        assert_false(matches(text, body, n - 1));
        assert_false(matches(text, body, n + 1));
        snprintf(text, sizeof text, "b|ca{%u}$", n < 255 ? n : 254);
        assert_false(matches(text, body, n));
        body[0] = 'c';
        assert_int_equal(matches(text, body, n + 1), n < 255);
        body[0] = 'a';
    }
    assert_true(matches("a{255}b?", body, 255));
    assert_false(matches("a{255}b", body, 255));
}

/* Processor time in milliseconds. */
static double match_ms(const struct pattern *pattern, const uint8_t *body, size_t len)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    assert_false(pattern_matches(pattern, body, len));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    return (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
}

/* The worst that a pattern may be, on the worst that a body may be: what the probe thread must be able to spare. Some
 * 5 ms when optimised; a sanitizer or a busy machine may take ten times that, one step at a time took more. */
static void test_speed(void **state)
{
    (void)state;
    static const char *const heavy[] = {"OK",
                                        "\"status\" *: *\"(up|ok|green)\"",
                                        "<.*>ok",
                                        "(a|b)*a(a|b){14}e",
                                        "(a|b)*a(a|b){100}c",
                                        "[abcd]{1,240}e",
                                        "a{255}e",
                                        ".{0,240}e",
                                        "(a|b|c|d){0,20}.{0,60}e"};
    enum { LEN = 65536 };
    struct pattern_set set = {NULL};
    uint8_t *body = malloc(LEN);
    for (unsigned i = 0; i < sizeof heavy / sizeof *heavy; i++) {
        struct pattern *pattern = pattern_set_get(&set, heavy[i]);
        double most = 0;
        for (unsigned letters = 1; letters <= 5; letters++) {
            for (unsigned j = 0; j < LEN; j++)
                body[j] = (uint8_t) "abdd<"[j * 7 / 3 % letters];
            double ms = match_ms(pattern, body, LEN);
            most = ms > most ? ms : most;
        }
        printf("%s over 64 KiB: at most %.2f ms\n", heavy[i], most);
        assert_true(most < 1000); /* a sanitizer makes it twenty times as much */
        pattern_put(pattern);
    }
    pattern_set_fini(&set);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches), cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_length),  cmocka_unit_test(test_as_the_library_does),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_patterns_are_shared),
        cmocka_unit_test(test_long_ones), cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
