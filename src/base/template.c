#include "base/template.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* The length of "{word}" at `text`, 0: there is none. */
static size_t word_len(const char *text)
{
    if (*text != '{')
        return 0;
    size_t len = 1;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len > 1 && text[len] == '}' ? len + 1 : 0;
}

static bool is_word(const char *text, size_t len, const char *name)
{
    return strlen(name) == len - 2 && !memcmp(text + 1, name, len - 2);
}

static const struct template_word *find(const char *text, size_t len, const struct template_word *words, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        if (is_word(text, len, words[i].name))
            return &words[i];
    return NULL;
}

static void tell_unknown(char problem[TEMPLATE_PROBLEM_MAX], const char *text, size_t len,
                         const struct template_word *words, size_t cnt)
{
    size_t at =
        (size_t)snprintf(problem, TEMPLATE_PROBLEM_MAX, "\"%.*s\" stands for nothing; known are", (int)len, text);
    for (size_t i = 0; i < cnt && at < TEMPLATE_PROBLEM_MAX; i++)
        at += (size_t)snprintf(problem + at, TEMPLATE_PROBLEM_MAX - at, "%s {%s}", i ? "," : "", words[i].name);
}

bool template_has_problem(char problem[TEMPLATE_PROBLEM_MAX], const char *text, const struct template_word *words,
                          size_t cnt)
{
    for (const char *at = text; *at; at++) {
        size_t len = word_len(at);
        if (at[0] == '{' && at[1] == '{') {
            snprintf(problem, TEMPLATE_PROBLEM_MAX, "\"{{\" is no escape: a brace that begins no word in braces stands "
                                                    "for itself, and two of them are refused");
            return true;
        }
        if (len && !find(at, len, words, cnt)) {
            tell_unknown(problem, at, len, words, cnt);
            return true;
        }
    }
    return false;
}

bool template_uses(const char *text, const char *name)
{
    for (; *text; text++) {
        size_t len = word_len(text);
        if (len && is_word(text, len, name))
            return true;
    }
    return false;
}

/* The length of the result; into `out` where there is one. */
static size_t fill(char *out, const char *text, const struct template_word *words, size_t cnt)
{
    size_t used = 0;
    while (*text) {
        size_t len = word_len(text);
        const struct template_word *word = len ? find(text, len, words, cnt) : NULL;
        const char *piece = word ? word->value : text;
        size_t piece_len = word ? strlen(word->value) : 1;
        if (out)
            memcpy(out + used, piece, piece_len);
        used += piece_len;
        text += word ? len : 1;
    }
    return used;
}

char *template_fill(const char *text, const struct template_word *words, size_t cnt)
{
    size_t len = fill(NULL, text, words, cnt);
    char *out = mem_zalloc(len + 1, 1);
    (void)fill(out, text, words, cnt);
    return out;
}
