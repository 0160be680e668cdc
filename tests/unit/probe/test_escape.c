#include "probe/escape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        size_t len; /* SIZE_MAX: refused */
    } cases[] = {
        {"", "", 0},
        {"PING\\r\\n", "PING\r\n", 6},
        {"PING\r\n", "PING\r\n", 6},
        {"\\t\\\\", "\t\\", 2},
        {"\\x00\\x4A\\x4a\\xff", "\0JJ\xff", 4},
        {"\\\\r", "\\r", 2},
        {"\\", "", SIZE_MAX},
        {"a\\", "", SIZE_MAX},
        {"\\d", "", SIZE_MAX},
        {"\\x", "", SIZE_MAX},
        {"\\x4", "", SIZE_MAX},
        {"\\x4g", "", SIZE_MAX},
        {"\\X41", "", SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[ESCAPE_MAX];
        size_t len;
        bool good = escape_read(bytes, &len, cases[i].text);
        assert_int_equal(good, cases[i].len != SIZE_MAX);
        assert_int_equal(!escape_problem(cases[i].text), good);
        if (!good)
            continue;
        assert_int_equal(len, cases[i].len);
        assert_memory_equal(bytes, cases[i].bytes, len);
    }
    assert_null(escape_problem(NULL));
}

static void test_length(void **state)
{
    (void)state;
    char text[ESCAPE_MAX * 4 + 8] = "";
    for (unsigned i = 0; i < ESCAPE_MAX; i++)
        strcat(text, "\\x41");
    assert_null(escape_problem(text));
    strcat(text, "B");
    assert_string_equal(escape_problem(text), "expected at most 1024 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
