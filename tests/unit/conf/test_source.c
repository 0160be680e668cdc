#include "conf/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[] = "test_source.XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(path_of(name), "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char *command = mem_printf("rm -r %s", folder);
    int status = system(command);
    free(command);
    return status;
}

/* The expanded text with every run of blanks as one blank, or the first error; the result is the caller's. */
static char *squeezed(struct conf_source *source, const struct diag *diag)
{
    char line[512];
    if (diag_cnt(diag, DIAG_ERROR)) {
        diag_format(line, sizeof line, diag_at(diag, 0));
        return mem_strdup(line);
    }
    char *out = mem_strdup(source->text), *to = out;
    for (const char *from = out; *from; from++)
        if (!strchr(" \n", *from) || (to != out && to[-1] != ' '))
            *to++ = *from == '\n' ? ' ' : *from;
    while (to > out && to[-1] == ' ')
        to--;
    *to = '\0';
    return out;
}

static char *expand(const char *text, size_t len)
{
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_text(source, "t", text, len);
    char *out = squeezed(source, diag);
    conf_source_free(source);
    diag_free(diag);
    return out;
}

static char *expand_file(const char *name)
{
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_file(source, path_of(name));
    char *out = squeezed(source, diag);
    conf_source_free(source);
    diag_free(diag);
    return out;
}

struct row {
    const char *text, *expected;
};

static void check_rows(const struct row *rows, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        char *out = expand(rows[i].text, strlen(rows[i].text));
        assert_string_equal(out, rows[i].expected);
        free(out);
    }
}
#define CHECK_ROWS(rows) check_rows((rows), sizeof(rows) / sizeof *(rows))

static void what_is_right_goes_through(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", ""},
        {"a = 1;", "a = 1L ;"},
        {"a: 1 b=2,c = 3", "a : 1L b = 2L , c = 3L"},
        {"a = \"x\";\nb = { c = \"y\"; };", "a = \"x\" ; b = { c = \"y\" ; } ;"},
        {"a = ( { }, {b=1}, ( ), 5 );", "a = ( { } , { b = 1L } , ( ) , 5L ) ;"},
        {"a = [ 1, \"x\" ];", "a = ( 1L , \"x\" ) ;"},
        {"a = \"x\" # y = \"\n \"z\";", "a = \"x\" \"z\" ;"},
        {"# c\n// c\n/* c \n * \" \n */ a /**/ = /* @include \"x\" */ 1;", "a = 1L ;"},
        {"a = 1 /* x **/ ;", "a = 1L ;"},
        {"a = 1//x", "a = 1L"},
        {"a = 1#x", "a = 1L"},
        {"a = true; b = FALSE;", "a = true ; b = FALSE ;"},
        {"a\r\n=\t1\f;", "a = 1L ;"},
        {"a-b_C9 = 1", "a-b_C9 = 1L"},
    };
    CHECK_ROWS(rows);
}

static void strings_keep_their_bytes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a = \"#\";", "a = \"#\" ;"},
        {"a = \"/* // */\";", "a = \"/* // */\" ;"},
        {"a = \"{ ( [\";", "a = \"{ ( [\" ;"},
        {"a = \"\\\\\";", "a = \"\\x5c\" ;"},
        {"a = \"\\\\\\\"\";", "a = \"\\x5c\\x22\" ;"},
        {"a = \"\\n\\t\\x41\\d\";", "a = \"\\x0a\\x09A\\x5cd\" ;"},
        {"a = \"@include\";", "a = \"\\x40include\" ;"},
        {"a = \"é\";", "a = \"é\" ;"},
    };
    CHECK_ROWS(rows);
}

static void integers_keep_their_value(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"a = 2147483648;", "a = 2147483648L ;"},
        {"a = 4294967297;", "a = 4294967297L ;"},
        {"a = 4294967297L;", "a = 4294967297L ;"},
        {"a = 4294967297LL;", "a = 4294967297L ;"},
        {"a = +007;", "a = 7L ;"},
        {"a = 0xFFFFFFFF;", "a = 4294967295L ;"},
        {"a = 9223372036854775807;", "a = 9223372036854775807L ;"},
        {"a = -9223372036854775808;", "a = -9223372036854775808L ;"},
        {"a = 9223372036854775808;", "a = \"\\x019223372036854775808\" ;"},
        {"a = 99999999999999999999999L;", "a = \"\\x0199999999999999999999999\" ;"},
        {"a = 0xFFFFFFFFFFFFFFFFF;", "a = \"\\x010xFFFFFFFFFFFFFFFFF\" ;"},
        {"a = 0.5;", "a = 0.5 ;"},
        {"a = -.5;", "a = -0.5 ;"},
        {"a = 1e2;", "a = 100.0 ;"},
        {"a = 1e444;", "a = \"\\x011e444\" ;"},
    };
    CHECK_ROWS(rows);
}

static void what_is_malformed_is_told(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"server", "t:1: error: expected \"=\" after \"server\", but the file ends"},
        {"server {", "t:1: error: expected \"=\" after \"server\", got \"{\""},
        {"a =\n\n;", "t:3: error: expected a value, got \";\""},
        {"a = 1;;", "t:1: error: expected a key, got \";\""},
        {"= 1;", "t:1: error: expected a key, got \"=\""},
        {"a = 1 2;", "t:1: error: expected \";\" or a key, got \"2\""},
        {"a = \"x\" 2;", "t:1: error: expected \";\" or a key, got \"2\""},
        {"a = 2 \"x\";", "t:1: error: expected \";\" or a key, got \"\"\""},
        {"a = ( 1,\n );", "t:2: error: a comma before \")\""},
        {"a = ( 1 2 );", "t:1: error: expected \",\" or \")\", got \"2\""},
        {"a = ( , );", "t:1: error: expected a value or \")\", got \",\""},
        {"a = ( 1; );", "t:1: error: expected \",\" or \")\", got \";\""},
        {"a = ( b = 1 );", "t:1: error: text must stand in quotes: \"b\""},
        {"a = [ { } ];", "t:1: error: [ ] holds single values only; use ( )"},
        {"a = {\n b = 1;\n", "t:1: error: the \"{\" that begins here is not closed"},
        {"a = (\n{\n )", "t:3: error: expected \"}\", for the \"{\" of line 2, got \")\""},
        {"a = 1; }", "t:1: error: \"}\" closes nothing"},
        {"a = { b = };", "t:1: error: expected a value, got \"}\""},
        {"a = { b };", "t:1: error: expected \"=\" after \"b\", got \"}\""},
        {"\n/* /* */ */", "t:2: error: expected a key, got \"*/\""},
        {"\n\n/* a\n", "t:3: error: the comment that begins here does not end"},
        {"a = \"x\n\";", "t:1: error: the string does not end on its line"},
        {"a = \"x", "t:1: error: the string does not end"},
        {"a = \"x\\", "t:1: error: the string does not end"},
        {"a = \"\\x00\";", "t:1: error: \"\\x00\" can't stand in a string"},
        {"a = \"\\x015\";", "t:1: error: \"\\x01\" can't stand in a string"},
        {"a = \"\x01\";", "t:1: error: a control character in a string"},
        {"a = weighted;", "t:1: error: text must stand in quotes: \"weighted\""},
        {"a = 5s;", "t:1: error: text must stand in quotes: \"5s\""},
        {"a = ::1@53;", "t:1: error: text must stand in quotes: \"::1@53\""},
        {"a = @;", "t:1: error: text must stand in quotes: \"@\""},
        {"a = 0x;", "t:1: error: text must stand in quotes: \"0x\""},
        {"a = nan;", "t:1: error: text must stand in quotes: \"nan\""},
        {"*a = 1;", "t:1: error: expected a key, got \"*a\""},
        {"5 = 1;", "t:1: error: expected a key, got \"5\""},
        {"true = 1;", "t:1: error: expected a key, got \"true\""},
        {"\xff\xfe = 1;", "t:1: error: expected a key, got \"\xff\xfe\""},
        {"a = 1;\na = 2;", "t:2: error: key \"a\" is given twice, first at t:1"},
        {"@include", "t:1: error: expected a key, got \"@include\""},
        {"@include x", "t:1: error: expected @include \"FILE\""},
        {"@include \"x", "t:1: error: expected @include \"FILE\""},
        {"@include \"\"", "t:1: error: expected @include \"FILE\""},
        {"@include \"test_source_missing\"",
         "t:1: error: cannot include \"test_source_missing\": No such file or directory"},
    };
    CHECK_ROWS(rows);
    char *out = expand("a = 1;\n\0", 8);
    assert_string_equal(out, "t:2: error: a NUL byte; this is no text file");
    free(out);
}

static void what_follows_a_small_mistake_is_read(void **state)
{
    (void)state;
    static const char text[] = "a = one; b = { c = 1; c = 2; c = 3; }\na = 5s;";
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_text(source, "t", text, strlen(text));
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 5);
    assert_false(source->failed);
    assert_non_null(strstr(source->text, "*0"));
    assert_non_null(strstr(source->text, "*2"));
    conf_source_free(source);
    diag_free(diag);
}

static char *repeated(const char *what, size_t cnt, const char *end)
{
    size_t len = strlen(what);
    char *text = mem_realloc(NULL, 1, len * cnt + strlen(end) + 1);
    for (size_t i = 0; i < cnt; i++)
        memcpy(text + i * len, what, len);
    strcpy(text + cnt * len, end);
    return text;
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    static const char *const deep[] = {"a=(", "a={", "((", "{a="};
    for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
        char *text = repeated(deep[i], 100000, ""), *with_key = mem_printf("a=%s", text);
        char *out = expand(with_key, strlen(with_key));
        assert_non_null(strstr(out, "error: "));
        free(out);
        free(with_key);
        free(text);
    }
    char *text = repeated("(", 32, ""), *full = mem_printf("a=%s))))))))))))))))))))))))))))))))", text);
    char *out = expand(full, strlen(full));
    assert_null(strstr(out, "error"));
    free(out);
    free(full);
    full = mem_printf("a=(%s)))))))))))))))))))))))))))))))))", text);
    out = expand(full, strlen(full));
    assert_string_equal(out, "t:1: error: brackets are nested too deeply");
    free(out);
    free(full);
    free(text);
}

static void keys_of_a_group_are_bounded(void **state)
{
    (void)state;
    char *text = mem_zalloc(20, 300), *at = text;
    for (int i = 0; i < 257; i++)
        at += sprintf(at, "k%d = 1;\n", i);
    char *out = expand(text, strlen(text));
    assert_string_equal(out, "t:257: error: more than 256 keys in one group");
    free(out);
    free(text);
}

static void endless_words_are_cut_in_messages(void **state)
{
    (void)state;
    char *word = repeated("x", 1000000, ""), *text = mem_printf("%s %s", word, word),
         *text2 = mem_printf("a = %s;", word);
    char *out = expand(text, strlen(text));
    assert_true(strlen(out) < 300);
    free(out);
    out = expand(text2, strlen(text2));
    assert_true(strlen(out) < 300);
    free(out);
    free(text);
    free(text2);
    free(word);
}

static void includes_are_put_in_place(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    write_text("main", "a = 1;\n@include \"sub/one\"\nb = {\n  @include \"sub/two\"\n};\nbad here;\n");
    write_text("sub/one", "\xef\xbb\xbfone = 1;\r\n@include \"two\"\n");
    write_text("sub/two", "two = 2; # no newline at the end");
    char *out = expand_file("main"),
         *expected = mem_printf("%s:6: error: expected \"=\" after \"bad\", got \"here\"", path_of("main"));
    assert_string_equal(out, expected);
    free(out);
    free(expected);
    write_text("main", "a = 1;\n@include \"sub/one\"\nb = {\n  @include \"sub/two\"\n};\n");
    out = expand_file("main");
    assert_string_equal(out, "a = 1L ; one = 1L ; two = 2L ; b = { two = 2L ; } ;");
    free(out);
}

static void lines_are_mapped_back(void **state)
{
    (void)state;
    write_text("lines", "a = 1;\n@include \"lines1\" b = 2;\nc = 3;\n");
    write_text("lines1", "\nd = 4;\n");
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_file(source, path_of("lines"));
    static const struct {
        const char *what, *file;
        unsigned line;
    } rows[] = {{"a =", "lines", 1}, {"b =", "lines", 2}, {"c =", "lines", 3}, {"d =", "lines1", 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *found = strstr(source->text, rows[i].what);
        assert_non_null(found);
        unsigned line = 1;
        for (const char *at = source->text; at < found; at++)
            line += *at == '\n';
        struct opt_where where = conf_source_where(source, line);
        assert_string_equal(where.file, path_of(rows[i].file));
        assert_int_equal(where.line, rows[i].line);
    }
    conf_source_free(source);
    diag_free(diag);
}

static void expect_error(const char *name, const char *error)
{
    char *out = expand_file(name);
    if (!strstr(out, error))
        fail_msg("expected \"%s\", got \"%s\"", error, out);
    free(out);
}

static void what_can_not_be_included_is_told(void **state)
{
    (void)state;
    assert_int_equal(mkdir(path_of("folder"), 0755), 0);
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    write_text("i1", "\n@include \"folder\"");
    expect_error("i1", "i1:2: error: cannot include \"");
    expect_error("i1", "folder\": a directory, not a file");
    write_text("i2", "@include \"fifo\"");
    expect_error("i2", "fifo\": not a regular file");
    write_text("i3", "@include \"/dev/zero\"");
    expect_error("i3", "cannot include \"/dev/zero\": not a regular file");
    write_text("i4", "@include \"i4\"");
    expect_error("i4", "i4\": it is being read already: it includes itself");
    write_text("i5", "@include \"i6\"");
    write_text("i6", "\n@include \"./i5\"");
    expect_error("i5", "i6:2: error: cannot include \"");
    write_file("i7", "a = 1;\n\0", 8);
    write_text("i8", "@include \"i7\"");
    expect_error("i8", "i7:2: error: a NUL byte; this is no text file");
    write_text("i9", "a = {\n@include \"i10\"");
    write_text("i10", "b = 1; };");
    expect_error("i9", "i10:1: error: \"}\" closes nothing");
    write_text("i11", "@include \"i12\"\n};");
    write_text("i12", "\nb = {");
    expect_error("i11", "i12:2: error: the \"{\" that begins here is not closed");
    expect_error("folder", "folder: error: a directory, not a file");
    expect_error("fifo", "fifo: error: not a regular file");
    expect_error("nothing", "nothing: error: No such file or directory");
}

static void several_missing_includes_are_told_at_once(void **state)
{
    (void)state;
    write_text("m", "@include \"m1\"\n@include \"m2\"\n");
    struct diag *diag = diag_new(10);
    struct conf_source *source = conf_source_new(diag);
    conf_source_add_file(source, path_of("m"));
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 2);
    assert_int_equal(diag_at(diag, 1)->line, 2);
    assert_true(source->failed);
    conf_source_free(source);
    diag_free(diag);
}

static void includes_are_bounded(void **state)
{
    (void)state;
    char name[32], text[64];
    for (int i = 0; i < 18; i++) {
        snprintf(name, sizeof name, "d%d", i);
        snprintf(text, sizeof text, "@include \"d%d\"", i + 1);
        write_text(name, i == 17 ? "" : text);
    }
    expect_error("d0", "d16:1: error: cannot include \"");
    expect_error("d0", "includes are nested too deeply");
    char *out = expand_file("d1");
    assert_string_equal(out, "");
    free(out);
    write_text("empty", "");
    char *many = repeated("@include \"empty\"\n", 10001, "");
    write_text("many", many);
    free(many);
    expect_error("many", "many:10001: error: cannot include \"");
}

static void the_size_is_bounded(void **state)
{
    (void)state;
    int fd = open(path_of("huge"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, CONF_TEXT_MOST + 1), 0);
    close(fd);
    expect_error("huge", "huge: error: larger than 64 MiB");
    char *line = repeated("#", 999, "\n"), *text = repeated(line, 100, "");
    free(line);
    write_text("comments", text);
    free(text);
    char *out = expand_file("comments");
    assert_string_equal(out, "");
    free(out);
    char *string = repeated("@", 4000000, ""), *value = mem_printf("x = ( \"%s\" );", string);
    write_text("at", value);
    free(string);
    free(value);
    text = repeated("a = { @include \"at\"\n};", 1,
                    "b = { @include \"at\"\n}; c = { @include \"at\"\n}; d = { @include \"at\"\n};"
                    "e = { @include \"at\"\n};");
    write_text("sum", text);
    free(text);
    expect_error("sum", "sum: error: larger than 64 MiB with all that it includes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_goes_through),
        cmocka_unit_test(strings_keep_their_bytes),
        cmocka_unit_test(integers_keep_their_value),
        cmocka_unit_test(what_is_malformed_is_told),
        cmocka_unit_test(what_follows_a_small_mistake_is_read),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(keys_of_a_group_are_bounded),
        cmocka_unit_test(endless_words_are_cut_in_messages),
        cmocka_unit_test(includes_are_put_in_place),
        cmocka_unit_test(lines_are_mapped_back),
        cmocka_unit_test(what_can_not_be_included_is_told),
        cmocka_unit_test(several_missing_includes_are_told_at_once),
        cmocka_unit_test(includes_are_bounded),
        cmocka_unit_test(the_size_is_bounded),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
