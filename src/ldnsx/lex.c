#include "ldnsx/lex.h"

#include <stdlib.h>

#include "base/mem.h"

/* What a byte does to a word that it follows; everything else goes on with it. */
enum class { GOES_ON, ENDS, ESCAPES };
static const uint8_t classes[256] = {
    ['\0'] = ENDS, [' '] = ENDS, ['\t'] = ENDS, ['\r'] = ENDS, ['\n'] = ENDS,
    ['('] = ENDS,  [')'] = ENDS, ['"'] = ENDS,  [';'] = ENDS,  ['\\'] = ESCAPES,
};

void lexer_init(struct lexer *lexer, const char *text, size_t len)
{
    *lexer = (struct lexer){.at = text, .end = text + len, .line = 1};
}

void lexer_restart(struct lexer *lexer, const char *text, size_t len)
{
    lexer->at = text;
    lexer->end = text + len;
    lexer->line = 1;
}

void lexer_fini(struct lexer *lexer)
{
    free(lexer->words);
    lexer->words = NULL;
}

static bool add_word(struct lexer *lexer, const char *at, const char *end, uint32_t flags)
{
    if (unlikely(lexer->word_cnt == lexer->word_cap)) {
        if (lexer->word_cnt == LEX_WORDS_MAX)
            return false;
        lexer->word_cap = lexer->word_cap ? lexer->word_cap * 2 : 64;
        if (lexer->word_cap > LEX_WORDS_MAX)
            lexer->word_cap = LEX_WORDS_MAX;
        lexer->words = mem_realloc(lexer->words, lexer->word_cap, sizeof(*lexer->words));
    }
    lexer->words[lexer->word_cnt++] = (struct word){at, (uint32_t)(end - at), flags};
    return true;
}

/* A word without quotes. An escaped byte never ends it, but for a line's end, as BIND reads it. */
static bool read_plain(struct lexer *lexer)
{
    const char *start = lexer->at, *p = start;
    uint32_t flags = 0;

    for (;;) {
        enum class c = classes[(uint8_t)*p];
        if (likely(c == GOES_ON)) {
            p++;
        } else if (c == ESCAPES) {
            flags = WORD_ESCAPED;
            p++;
            if (*p != '\n' && *p != '\r' && *p != '\0')
                p++;
        } else {
            break;
        }
    }
    lexer->at = p;
    return add_word(lexer, start, p, flags);
}

/* `at` is behind the opening quote. A line's end closes nothing, unless it is escaped. False in *closed: the quote
 * stays open. */
static bool read_quoted(struct lexer *lexer, bool joined, bool *closed)
{
    const char *start = lexer->at, *p = start;
    uint32_t flags = WORD_QUOTED | (joined ? WORD_JOINED : 0u);

    while (*p != '"' && *p != '\n' && *p != '\0') {
        if (*p == '\\' && p[1] != '\0') {
            flags |= WORD_ESCAPED;
            p++;
            lexer->line += *p == '\n';
        }
        p++;
    }
    *closed = *p == '"';
    if (!*closed) {
        lexer->at = p;
        return true;
    }
    lexer->at = p + 1;
    return add_word(lexer, start, p, flags);
}

static void skip_line(struct lexer *lexer)
{
    while (*lexer->at != '\n' && *lexer->at != '\0')
        lexer->at++;
}

/* A line's end: passes over it; true when it ends the entry. */
static bool end_line(struct lexer *lexer)
{
    lexer->at++;
    lexer->line++;
    return !lexer->parens;
}

static const char open_quote[] = "a quote does not end on its line";
static const char too_many[] = "too many words in one record";

/* One step: blank, comment, parenthesis, word or line's end. NULL when all is well; *done when the entry has ended. */
static const char *read_step(struct lexer *lexer, bool *done)
{
    const char *before = lexer->at;
    bool closed, ok;

    switch (*before) {
    case ' ':
    case '\t':
        lexer->at++;
        return NULL;
    case '\r': /* alone it ends a line too */
        lexer->at++;
        *done = *lexer->at != '\n' && !lexer->parens;
        return NULL;
    case ';':
        skip_line(lexer);
        return NULL;
    case '\n':
        *done = end_line(lexer);
        return NULL;
    case '\0':
        *done = true;
        return lexer->parens ? "\"(\" without \")\"" : NULL;
    case '(':
        lexer->at++;
        lexer->parens++;
        return NULL;
    case ')':
        lexer->at++;
        if (!lexer->parens)
            return "\")\" without \"(\"";
        lexer->parens--;
        return NULL;
    case '"':
        lexer->at++;
        ok = read_quoted(lexer, lexer->word_cnt && lexer->words[lexer->word_cnt - 1].at +
                                    lexer->words[lexer->word_cnt - 1].len == before, &closed);
        if (!closed)
            return open_quote;
        return ok ? NULL : too_many;
    default:
        return read_plain(lexer) ? NULL : too_many;
    }
}

enum lex_result lexer_next(struct lexer *lexer, const char **why)
{
    while (lexer->at < lexer->end) {
        bool done = false;
        lexer->entry_line = lexer->line;
        lexer->blank_led = *lexer->at == ' ' || *lexer->at == '\t';
        lexer->word_cnt = 0;
        lexer->parens = 0;
        *why = NULL;
        while (!done) {
            const char *wrong = read_step(lexer, &done);
            if (!wrong)
                continue;
            if (!*why)
                *why = wrong;
            /* What follows an open quote can't be told from what it was to hold: begin anew with the next line. */
            if (wrong == open_quote)
                lexer->parens = 0;
            if (wrong == too_many)
                lexer->word_cnt = 0;
        }
        if (*why)
            return LEX_BAD;
        if (lexer->word_cnt)
            return LEX_ENTRY;
    }
    return LEX_END;
}
