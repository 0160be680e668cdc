/* utf8: what is well-formed, what harms, and lines of text out of any bytes. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_next(void **state)
{
    static const struct {
        const char *text;
        unsigned len;
        uint32_t code;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 'a'},
        {"\xc3\xa4", 2, 0xe4},
        {"\xe2\x82\xac", 3, 0x20ac},
        {"\xf0\x9f\x98\x80", 4, 0x1f600},
        {"\xc0\x80", 0, 0},         /* overlong */
        {"\xed\xa0\x80", 0, 0},     /* a surrogate */
        {"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
        {"\x80", 0, 0},
        {"\xe2\x82", 0, 0}, /* cut off */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t code = 0;
        assert_int_equal(utf8_next(rows[i].text, &code), rows[i].len);
        if (rows[i].len)
            assert_int_equal(code, rows[i].code);
    }
}

static void test_harmful(void **state)
{
    static const uint32_t bad[] = {0, 7, 0x1b, 0x7f, 0x85, 0x9b, 0x200b, 0x202e, 0x2066, 0xfeff};
    static const uint32_t good[] = {' ', '~', 0xa0, 0xe4, 0x20ac, 0x1f600};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(utf8_is_harmful(bad[i]));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_false(utf8_is_harmful(good[i]));
}

static void test_clean(void **state)
{
    static const struct {
        size_t cap;
        const char *bytes;
        size_t len; /* 0: all */
        const char *line;
    } rows[] = {
        {64, "", 0, ""},
        {64, "OK - fine", 0, "OK - fine"},
        {64, "  \t OK\r\n", 0, "OK"},
        {64, "a\tb", 0, "a b"},
        {64, "a\nb", 0, "a?b"},
        {64, "\x1b[31mred", 0, "?[31mred"},
        {64, "a\0b", 3, "a?b"},
        {64, "l\xc3\xa4uft", 0, "l\xc3\xa4uft"},
        {64, "l\xe4uft", 0, "l?uft"},
        {64, "\xe2\x80\xaetxt", 0, "???txt"}, /* right-to-left override */
        {64, "\xe2\x82", 0, "??"},
        {64, "\xe2\x82\xac", 2, "??"}, /* the third byte is not ours */
        {4, "abcdef", 0, "abc"},
        {4, "ab\xc3\xa4", 0, "ab"}, /* no half characters */
        {5, "ab\xc3\xa4", 0, "ab\xc3\xa4"},
        {1, "abc", 0, ""},
    };
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        memset(out, 'x', sizeof out);
        size_t len = rows[i].len ? rows[i].len : strlen(rows[i].bytes);
        assert_ptr_equal(utf8_clean(out, rows[i].cap, rows[i].bytes, len), out);
        assert_string_equal(out, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_harmful),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
