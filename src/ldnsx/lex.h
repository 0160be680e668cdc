/* Zone text → entries: the words of one logical line each (RFC 1035 5.1), with parentheses, quotes and comments gone.
 * Works in place: a word points into the text, escapes still in it. Any thread, one lexer a text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum word_flag {
    WORD_QUOTED = 1,  /* stood in quotes, which are not part of it */
    WORD_ESCAPED = 2, /* has a backslash in it */
    WORD_JOINED = 4,  /* quoted, right behind a word: key="value" */
};

struct word {
    const char *at;
    uint32_t len;
    uint32_t flags;
};

/* More than any record has: 131,070 hexadecimal digits, one a word. */
enum { LEX_WORDS_MAX = 140000 };

struct lexer {
    const char *at, *end;
    unsigned line; /* of `at` */
    /* the entry */
    unsigned entry_line;
    bool blank_led; /* began with white space: owner inherited */
    struct word *words;
    unsigned word_cnt;
    /* private */
    unsigned word_cap, parens;
};

/* `text` has a newline at [len - 1] and a zero byte at [len], none before; both stay while the lexer is used. */
void lexer_init(struct lexer *lexer, const char *text, size_t len) ATTR_NONNULL_ALL;
/* The same with another text; what it has allocated is used again. */
void lexer_restart(struct lexer *lexer, const char *text, size_t len) ATTR_NONNULL_ALL;
void lexer_fini(struct lexer *lexer) ATTR_NONNULL_ALL;

enum lex_result { LEX_ENTRY, LEX_END, LEX_BAD };
/* The next entry that has a word. LEX_BAD: *why says what is wrong with the entry at entry_line, which has been passed
 * over (up to the end of the physical line for a quote that does not close). */
enum lex_result lexer_next(struct lexer *lexer, const char **why) ATTR_NONNULL_ALL ATTR_MUST_USE;
