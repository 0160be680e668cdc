#include "conf/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void add_bytes(struct conf_text *text, const char *bytes, size_t len)
{
    if (text->len + len >= text->cap) {
        text->cap = (text->len + len + 1) * 2;
        text->bytes = mem_realloc(text->bytes, 1, text->cap);
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

void conf_text_add(struct conf_text *text, const char *fmt, ...)
{
    va_list args;
    char *bytes = NULL;
    va_start(args, fmt);
    int len = vasprintf(&bytes, fmt, args);
    va_end(args);
    if (len < 0)
        mem_exhausted();
    add_bytes(text, bytes, (size_t)len);
    free(bytes);
}

void conf_text_wrap(struct conf_text *text, const char *prefix, const char *words, size_t width)
{
    size_t prefix_len = strlen(prefix), column = 0;
    for (words += strspn(words, " \n"); *words; words += strspn(words, " \n")) {
        size_t len = strcspn(words, " \n");
        if (column && column + 1 + len > width) {
            add_bytes(text, "\n", 1);
            column = 0;
        }
        add_bytes(text, column ? " " : prefix, column ? 1 : prefix_len);
        add_bytes(text, words, len);
        column += (column ? 1 : prefix_len) + len;
        words += len;
    }
    if (column)
        add_bytes(text, "\n", 1);
}

char *conf_text_take(struct conf_text *text)
{
    char *bytes = text->bytes ? text->bytes : mem_strdup("");
    *text = (struct conf_text){0};
    return bytes;
}

char *conf_text_facts(const struct opt *opt)
{
    struct conf_text text = {0};
    char expected[OPT_EXPECTED_MAX];
    opt_expected(expected, sizeof expected, opt);
    bool is_list = opt->flags & OPT_LIST && opt->type != OPT_GROUP;
    conf_text_add(&text, "Expected: %s%s.", expected, is_list ? "; one, or a list" : "");
    if (opt->flags & OPT_REQUIRED)
        conf_text_add(&text, " Required.");
    if (opt->text_default)
        conf_text_add(&text, " Default: %s.", opt->text_default);
    if (opt->flags & OPT_RESTART)
        conf_text_add(&text, " A change needs a restart.");
    return conf_text_take(&text);
}
