#include "tools/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/human.h"

static void harm_is_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain text", "plain text"},
        {"", ""},
        {"\xc3\xa4\xe6\x97\xa5", "\xc3\xa4\xe6\x97\xa5"},
        {"\x1b[2J", "\\x1b[2J"},
        {"a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f"},
        {"\xc2\x9b"
         "2J",
         "\\xc2\\x9b2J"}, /* C1: CSI */
        {"\xe2\x80\xae"
         "abc",
         "\\xe2\\x80\\xae"
         "abc"}, /* right-to-left override */
        {"\xff\xc3", "\\xff\\xc3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *clean = table_clean(cases[i].in);
        assert_string_equal(clean, cases[i].out);
        free(clean);
    }
}

static void width_is_what_a_terminal_shows(void **state)
{
    (void)state;
    assert_int_equal(table_width(""), 0);
    assert_int_equal(table_width("abc"), 3);
    assert_int_equal(table_width("\xc3\xa4"), 1);                 /* a umlaut */
    assert_int_equal(table_width("\xe6\x97\xa5\xe6\x9c\xac"), 4); /* two wide characters */
    assert_int_equal(table_width("a\xcc\x88"), 1);                /* a with a combining mark */
}

static char *printed(const struct table *table)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    table_print(table, out);
    fclose(out);
    return text;
}

static void columns_line_up(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{"NAME", TABLE_LEFT}, {"N", TABLE_RIGHT}, {"NOTE", TABLE_LEFT}};
    struct table *table = table_new(columns, 3);
    table_add(table, "a");
    table_addf(table, "%d", 12345);
    table_add(table, NULL);
    table_add(table, "\xe6\x97\xa5\xe6\x9c\xac\xc3\xa4");
    table_add(table, "7");
    table_add(table, "");
    char *text = printed(table);
    assert_string_equal(text, "NAME       N  NOTE\n"
                              "a      12345  -\n"
                              "\xe6\x97\xa5\xe6\x9c\xac\xc3\xa4      7\n");
    free(text);
    table_free(table);
}

static void a_table_may_have_no_head(void **state)
{
    (void)state;
    static const struct table_column columns[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    struct table *table = table_new(columns, 2);
    char *text = printed(table);
    assert_string_equal(text, "");
    free(text);
    table_add(table, "one");
    table_add(table, "1");
    table_add(table, "eleven");
    table_add(table, "11");
    text = printed(table);
    assert_string_equal(text, "one     1\neleven  11\n");
    free(text);
    table_free(table);
}

static void durations_have_two_units(void **state)
{
    (void)state;
    static const struct {
        uint64_t sec;
        const char *text;
    } cases[] = {{0, "0s"},
                 {59, "59s"},
                 {60, "1m"},
                 {192, "3m12s"},
                 {3600, "1h"},
                 {3659, "1h"},
                 {3660, "1h1m"},
                 {86399, "23h59m"},
                 {86400, "1d"},
                 {198000, "2d7h"},
                 {UINT64_MAX, "213503982334601d7h"}};
    char out[HUMAN_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(human_duration(out, cases[i].sec), cases[i].text);
}

static void sizes_have_one_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},           {1023, "1023 B"},           {1024, "1.0 KiB"},       {12595, "12.3 KiB"},
                 {1048575, "1.0 MiB"}, {4294967296ull, "4.0 GiB"}, {UINT64_MAX, "16.0 EiB"}};
    char out[HUMAN_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(human_bytes(out, cases[i].bytes), cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harm_is_escaped),          cmocka_unit_test(width_is_what_a_terminal_shows),
        cmocka_unit_test(columns_line_up),          cmocka_unit_test(a_table_may_have_no_head),
        cmocka_unit_test(durations_have_two_units), cmocka_unit_test(sizes_have_one_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
