#include "base/diag.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void entries_come_back_in_order(void **state)
{
    (void)state;
    struct diag *diag = diag_new(100);
    char file[] = "a.conf";
    diag_error(diag, file, 3, "bad \"%s\"", "x");
    file[0] = 'b';
    diag_warning(diag, file, 0, "odd");
    diag_error(diag, NULL, 0, "no file");
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 2);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    const struct diag_entry *entry = diag_at(diag, 0);
    assert_int_equal(entry->level, DIAG_ERROR);
    assert_string_equal(entry->file, "a.conf");
    assert_int_equal(entry->line, 3);
    assert_string_equal(entry->text, "bad \"x\"");
    assert_string_equal(diag_at(diag, 1)->file, "b.conf");
    assert_null(diag_at(diag, 2)->file);
    assert_null(diag_at(diag, 3));
    diag_free(diag);
}

static void sorted_by_file_and_line(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        unsigned line;
        const char *text;
    } rows[] = {{"z", 3, "5"}, {"a", 1, "7"}, {NULL, 0, "9"}, {"z", 1, "2"}, {"a", 2, "8"},
                {"z", 3, "6"}, {"z", 0, "1"}, {"z", 2, "4"},  {"z", 1, "3"}};
    enum { CNT = sizeof rows / sizeof *rows };
    struct diag *diag = diag_new(100);
    diag_sort(diag);
    for (size_t i = 0; i < CNT; i++)
        diag_error(diag, rows[i].file, rows[i].line, "%s", rows[i].text);
    diag_sort(diag);
    for (size_t i = 0; i < CNT; i++) {
        char text[2] = {(char)('1' + i), '\0'};
        assert_string_equal(diag_at(diag, i)->text, text);
    }
    assert_null(diag_at(diag, CNT));
    diag_error(diag, "z", 0, "last");
    assert_string_equal(diag_at(diag, CNT)->text, "last");
    diag_free(diag);
}

static void an_error_takes_a_warnings_place(void **state)
{
    (void)state;
    struct diag *diag = diag_new(4);
    diag_error(diag, NULL, 0, "e0");
    for (int i = 0; i < 5; i++)
        diag_warning(diag, NULL, 0, "w%d", i);
    diag_error(diag, NULL, 0, "e1");
    diag_warning(diag, NULL, 0, "w5");
    diag_error(diag, NULL, 0, "e2");
    static const char *const kept[] = {"e0", "w0", "e1", "e2"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(diag_at(diag, i)->text, kept[i]);
    diag_error(diag, NULL, 0, "e3");
    diag_error(diag, NULL, 0, "e4");
    assert_string_equal(diag_at(diag, 3)->text, "e3");
    assert_null(diag_at(diag, 4));
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 5);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 6);
    diag_free(diag);
}

static void more_than_kept_is_counted(void **state)
{
    (void)state;
    struct diag *diag = diag_new(20), *all = diag_new(25);
    for (int i = 0; i < 30; i++)
        diag_error(diag, "f", (unsigned)i, "e%d", i);
    for (int i = 0; i < 10; i++)
        diag_warning(diag, "f", 0, "w");
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 30);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 10);
    assert_string_equal(diag_at(diag, 19)->text, "e19");
    assert_null(diag_at(diag, 20));
    diag_error(all, NULL, 0, "first");
    diag_merge(all, diag);
    assert_int_equal(diag_cnt(all, DIAG_ERROR), 31);
    assert_int_equal(diag_cnt(all, DIAG_WARNING), 10);
    assert_string_equal(diag_at(all, 20)->text, "e19");
    assert_string_equal(diag_at(all, 20)->file, "f");
    assert_null(diag_at(all, 21));
    diag_free(diag);
    assert_string_equal(diag_at(all, 1)->text, "e0");
    diag_free(all);
}

static void format_leaves_out_what_is_unknown(void **state)
{
    (void)state;
    char out[64];
    struct diag_entry entry = {DIAG_ERROR, 7, "z.conf", "bad"};
    assert_int_equal(diag_format(out, sizeof out, &entry), 20);
    assert_string_equal(out, "z.conf:7: error: bad");
    entry.line = 0;
    entry.level = DIAG_WARNING;
    diag_format(out, sizeof out, &entry);
    assert_string_equal(out, "z.conf: warning: bad");
    entry.file = NULL;
    diag_format(out, sizeof out, &entry);
    assert_string_equal(out, "warning: bad");
    assert_int_equal(diag_format(out, 5, &entry), 12);
    assert_string_equal(out, "warn");
}

static void a_very_long_text_is_cut(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text - 1);
    struct diag *diag = diag_new(10);
    diag_error(diag, text, 1, "%s", text);
    assert_true(strlen(diag_at(diag, 0)->text) < 10000);
    diag_free(diag);
    diag_free(NULL);
}

static void file_for_those_without(void **state)
{
    (void)state;
    struct diag *diag = diag_new(10);
    diag_error(diag, NULL, 0, "before");
    diag_set_file(diag, "a.zone");
    diag_error(diag, NULL, 0, "after");
    diag_error(diag, "b.zone", 3, "its own");
    assert_null(diag_at(diag, 0)->file);
    assert_string_equal(diag_at(diag, 1)->file, "a.zone");
    assert_string_equal(diag_at(diag, 2)->file, "b.zone");
    diag_free(diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_back_in_order),
        cmocka_unit_test(sorted_by_file_and_line),
        cmocka_unit_test(an_error_takes_a_warnings_place),
        cmocka_unit_test(more_than_kept_is_counted),
        cmocka_unit_test(file_for_those_without),
        cmocka_unit_test(format_leaves_out_what_is_unknown),
        cmocka_unit_test(a_very_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
