#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ldnsx/lex.h"

/* Everything the lexer says of a text: "LINE:" and ">" for a blank-led entry, words with "'" around quoted ones and "+"
 * before joined ones, "!" for an error, each entry ended by "|". */
static char *lexed(const char *text)
{
    static char out[4096];
    size_t at = 0;
    struct lexer lexer;
    const char *why;
    enum lex_result result;

    lexer_init(&lexer, text, strlen(text));
    out[0] = '\0';
    while ((result = lexer_next(&lexer, &why)) != LEX_END) {
        at += (size_t)snprintf(out + at, sizeof(out) - at, "%u:%s", lexer.entry_line,
                               result == LEX_BAD ? "!"
                               : lexer.blank_led ? ">"
                                                 : "");
        for (unsigned i = 0; result == LEX_ENTRY && i < lexer.word_cnt; i++) {
            const struct word *w = &lexer.words[i];
            const char *quote = w->flags & WORD_QUOTED ? "'" : "";
            at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s%s%.*s%s", i ? " " : "",
                                   w->flags & WORD_JOINED ? "+" : "", quote, (int)w->len, w->at, quote);
        }
        at += (size_t)snprintf(out + at, sizeof(out) - at, "|");
    }
    lexer_fini(&lexer);
    return out;
}

static const struct {
    const char *text, *entries;
} table[] = {
    {"\n", ""},
    {"a b c\n", "1:a b c|"},
    {"a\tb  c \n\n d\n", "1:a b c|3:>d|"},
    {"; nothing\n   ; nor here\n  \na ;b\n", "4:a|"},
    {"a;b\n", "1:a|"},
    {"a\\;b\n", "1:a\\;b|"},
    {"a\\ b\n", "1:a\\ b|"},
    {"a\\\nb\n", "1:a\\|2:b|"},
    {"a\\\\ b\n", "1:a\\\\ b|"},
    {"a (b\nc) d\ne\n", "1:a b c d|3:e|"},
    {"a(b)c\n", "1:a b c|"},
    {"( a\n)\n", "1:a|"},
    {" ( a ) \n", "1:>a|"},
    {"a ( ; ) \n b )\n", "1:a b|"},
    {"a ( ( b ) \n c )\nd\n", "1:a b c|3:d|"},
    {"a ( b\nc\n", "1:!|"},
    {"a ) b\nc\n", "1:!|2:c|"},
    {"\"a b\" c\n", "1:'a b' c|"},
    {"\"a;(\" c\n", "1:'a;(' c|"},
    {"\"a\\\"b\"\n", "1:'a\\\"b'|"},
    {"\"a\\\\\" b\n", "1:'a\\\\' b|"},
    {"\"\" \"\"\n", "1:'' ''|"},
    {"\"a\"b\"c\"\n", "1:'a' b +'c'|"},
    {"k=\"v\" k= \"v\"\n", "1:k= +'v' k= 'v'|"},
    {"\"a\nb c\n", "1:!|2:b c|"},
    {"a ( \"b\nc )\nd\n", "1:!|2:!|3:d|"},
    {"\"a\\\nb\" c\nd\n", "1:'a\\\nb' c|3:d|"},
    {"\"a\\\\\nb\n", "1:!|2:b|"},
    {"a b\r\nc\r\n\r\nd (\r\ne )\r\n", "1:a b|2:c|4:d e|"},
    {"a\rb\r \n", "1:a|1:b|"},
    {"\\\n", "1:\\|"},
};

static void test_entries(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        assert_string_equal(lexed(table[i].text), table[i].entries);
}

static void test_too_many_words(void **state)
{
    (void)state;
    size_t len = (LEX_WORDS_MAX + 10) * 2 + 3;
    char *text = mem_zalloc(len + 1, 1);
    struct lexer lexer;
    const char *why;

    for (size_t i = 0; i < len; i += 2)
        memcpy(text + i, "a ", 2);
    text[0] = '(';
    memcpy(text + len - 5, "\n)\nb\n", 5);
    lexer_init(&lexer, text, len);
    assert_int_equal(lexer_next(&lexer, &why), LEX_BAD);
    assert_int_equal(lexer_next(&lexer, &why), LEX_ENTRY);
    assert_int_equal(lexer.entry_line, 3);
    assert_int_equal(lexer.word_cnt, 1);
    assert_int_equal(lexer_next(&lexer, &why), LEX_END);
    lexer_fini(&lexer);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_too_many_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
