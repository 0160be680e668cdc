/* template: words in braces, found, filled and refused. */
#include "base/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct template_word words[] = {
    {"address", "192.0.2.1"}, {"port", "80"}, {"pool", "www.example.com"}, {"odd", "{port}"}, {"none", ""}};
enum { WORD_CNT = sizeof words / sizeof *words };

static void test_fill(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"{address}", "192.0.2.1"},
        {"http://{address}:{port}/{pool}", "http://192.0.2.1:80/www.example.com"},
        {"{port}{port}", "8080"},
        {"{odd}", "{port}"}, /* a value is not looked at again */
        {"[{none}]", "[]"},
        {"{", "{"},
        {"}", "}"},
        {"{}", "{}"},
        {"{port", "{port"},
        {"{ port }", "{ port }"},
        {"{\"pool\": \"{pool}\"}", "{\"pool\": \"www.example.com\"}"},
        {"{Port}", "{Port}"}, /* nobody asked whether that is one */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = template_fill(rows[i][0], words, WORD_CNT);
        assert_string_equal(text, rows[i][1]);
        free(text);
    }
}

static void test_problems(void **state)
{
    static const struct {
        const char *text, *problem; /* NULL: none */
    } rows[] = {
        {"", NULL},
        {"{address}:{port}", NULL},
        {"{\"a\":{\"b\":1}}", NULL},
        {"{}", NULL},
        {"{ x }", NULL},
        {"{adress}", "\"{adress}\" stands for nothing; known are {address}, {port}"},
        {"a {Port} b", "\"{Port}\" stands for nothing; known are {address}, {port}"},
        {"{{address}}", "\"{{\" is no escape: a brace that begins no word in braces stands for itself, and two of them "
                        "are refused"},
    };
    char problem[TEMPLATE_PROBLEM_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool has = template_has_problem(problem, rows[i].text, words, 2);
        assert_int_equal(has, rows[i].problem != NULL);
        if (has)
            assert_string_equal(problem, rows[i].problem);
    }
}

/* A word as long as an argument may be does not leave its bounds. */
static void test_long_word(void **state)
{
    char text[4096], problem[TEMPLATE_PROBLEM_MAX];
    (void)state;
    memset(text, 'w', sizeof text);
    text[0] = '{';
    text[sizeof text - 2] = '}';
    text[sizeof text - 1] = '\0';
    assert_true(template_has_problem(problem, text, words, WORD_CNT));
    assert_true(strlen(problem) < TEMPLATE_PROBLEM_MAX);
}

static void test_uses(void **state)
{
    (void)state;
    assert_true(template_uses("x{pool}y", "pool"));
    assert_true(template_uses("{port} {pool}", "pool"));
    assert_false(template_uses("pool", "pool"));
    assert_false(template_uses("{pools}", "pool"));
    assert_false(template_uses("{ pool}", "pool"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_long_word),
        cmocka_unit_test(test_uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
