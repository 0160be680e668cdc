/* spawn_process: the first line of output out of pieces; processes themselves are test_spawn's. */
#include "loop/spawn_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect_line(const char *output, size_t piece, const char *expected)
{
    struct spawn_line line = {.len = 0};
    size_t len = strlen(output);
    for (size_t at = 0; at < len; at += piece)
        spawn_line_feed(&line, output + at, len - at < piece ? len - at : piece);
    assert_int_equal(line.len, strlen(expected));
    assert_memory_equal(line.bytes, expected, line.len);
}

static void test_first_line(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"OK", "OK"},
        {"OK\n", "OK"},
        {"OK\nmore\n", "OK"},
        {"\n\n  \t\r\nOK\nmore", "OK"},
        {"  two words \r\nx", "two words \r"}, /* made clean at the end */
        {"\n\n\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t piece = 1; piece < 5; piece++)
            expect_line(rows[i][0], piece, rows[i][1]);
}

static void test_long_line(void **state)
{
    struct spawn_line line = {.len = 0};
    char text[1000];
    (void)state;
    memset(text, 'x', sizeof text);
    for (unsigned i = 0; i < 10; i++)
        spawn_line_feed(&line, text, sizeof text);
    assert_true(line.is_whole);
    assert_int_equal(line.len, sizeof line.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_line),
        cmocka_unit_test(test_long_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
