#include "conf/source.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "conf/literal.h"

/* Words of the user's are cut to this in messages. */
enum { SHOWN_MOST = 60 };

struct scan {
    struct conf_source *source;
    const char *file;
    const char *at, *end;
    unsigned line;
    unsigned outer_cnt; /* levels that were open before this file */
    bool after_string;  /* strings side by side are one */
};

static struct conf_level *top(const struct scan *scan)
{
    return &scan->source->levels[scan->source->level_cnt - 1];
}

/* Wrong, but what follows can be read all the same. */
static void complain(struct scan *scan, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void complain(struct scan *scan, const char *fmt, ...)
{
    va_list args;
    char text[512];
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    diag_error(scan->source->diag, scan->file, scan->line, "%s", len < 0 ? fmt : text);
}

/* Ends the reading: what follows would only confuse. */
static void stop(struct scan *scan)
{
    scan->source->failed = scan->source->stopped = true;
    scan->at = scan->end;
}

static bool is_list(const struct conf_level *level)
{
    return level->open != '{';
}

static char closer(const struct conf_level *level)
{
    return level->open == '{' ? '}' : level->open == '(' ? ')' : ']';
}

static bool ends_word(const struct scan *scan, const char *at)
{
    if (at == scan->end || (unsigned char)*at <= ' ' || strchr(",;{}()[]\"=#", *at))
        return true;
    return *at == '/' && at + 1 < scan->end && (at[1] == '/' || at[1] == '*');
}

static size_t word_len(const struct scan *scan)
{
    const char *at = scan->at;
    while (!ends_word(scan, at))
        at++;
    return (size_t)(at - scan->at);
}

static void unexpected(struct scan *scan)
{
    const struct conf_level *level = top(scan);
    bool is_file = scan->source->level_cnt == 1;
    size_t len = word_len(scan);
    int shown = len ? len < SHOWN_MOST ? (int)len : SHOWN_MOST : 1;
    char expected[2 * SHOWN_MOST];
    const struct conf_key *key = level->key_cnt ? &level->keys[level->key_cnt - 1] : NULL;
    if (level->want == CONF_WANT_EQUALS && key)
        snprintf(expected, sizeof expected, "\"=\" after \"%.*s\"", key->len < SHOWN_MOST ? (int)key->len : SHOWN_MOST,
                 scan->source->text + key->at);
    else if (level->want == CONF_WANT_VALUE || level->want == CONF_WANT_EQUALS)
        snprintf(expected, sizeof expected, "a value");
    else if (level->want == CONF_WANT_VALUE_OR_CLOSE)
        snprintf(expected, sizeof expected, "a value or \"%c\"", closer(level));
    else if (is_list(level))
        snprintf(expected, sizeof expected, "\",\" or \"%c\"", closer(level));
    else if (level->want == CONF_WANT_NEXT)
        snprintf(expected, sizeof expected, is_file ? "\";\" or a key" : "\";\", a key or \"}\"");
    else
        snprintf(expected, sizeof expected, is_file ? "a key" : "a key or \"}\"");
    if (scan->at == scan->end)
        complain(scan, "expected %s, but the file ends", expected);
    else
        complain(scan, "expected %s, got \"%.*s\"", expected, shown, scan->at);
    stop(scan);
}

static bool wants_value(const struct conf_level *level)
{
    return level->want == CONF_WANT_VALUE || level->want == CONF_WANT_VALUE_OR_CLOSE;
}

/* One character that means what it is. */
static void take_char(struct scan *scan, char as)
{
    conf_source_put(scan->source, &as, 1);
    scan->at++;
}

static void take_newline(struct scan *scan)
{
    take_char(scan, '\n');
    scan->line++;
}

static void take_block_comment(struct scan *scan)
{
    unsigned began = scan->line;
    for (scan->at += 2; scan->at < scan->end;) {
        if (*scan->at == '\n') {
            take_newline(scan);
        } else if (scan->end - scan->at >= 2 && !memcmp(scan->at, "*/", 2)) {
            scan->at += 2;
            return;
        } else {
            scan->at++;
        }
    }
    scan->line = began;
    complain(scan, "the comment that begins here does not end");
    stop(scan);
}

/* Blanks and comments; in the expanded text only their newlines and one blank remain. */
static void skip_blanks(struct scan *scan)
{
    conf_source_put(scan->source, " ", 1);
    while (scan->at < scan->end) {
        bool has_two = scan->end - scan->at >= 2;
        if (*scan->at == '\n')
            take_newline(scan);
        else if (strchr(" \t\r\f", *scan->at))
            scan->at++;
        else if (*scan->at == '#' || (has_two && !memcmp(scan->at, "//", 2)))
            while (scan->at < scan->end && *scan->at != '\n')
                scan->at++;
        else if (has_two && !memcmp(scan->at, "/*", 2))
            take_block_comment(scan);
        else
            return;
    }
}

/* What stands behind a backslash, as libconfig reads it: a backslash before any other character is one. */
static unsigned char take_escape(struct scan *scan)
{
    static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    size_t left = (size_t)(scan->end - scan->at);
    const char *letter = left ? strchr(letters, *scan->at) : NULL;
    if (left && (*scan->at == '\\' || *scan->at == '"'))
        return (unsigned char)*scan->at++;
    if (letter && *letter) {
        scan->at++;
        return (unsigned char)values[letter - letters];
    }
    if (left >= 3 && (*scan->at | 0x20) == 'x' && isxdigit((unsigned char)scan->at[1]) &&
        isxdigit((unsigned char)scan->at[2])) {
        unsigned c = conf_literal_hex_digit(scan->at[1]) << 4 | conf_literal_hex_digit(scan->at[2]);
        scan->at += 3;
        if (!c || c == CONF_MARK_INTEGER)
            complain(scan, "\"\\x%02x\" can't stand in a string", c);
        return c && c != CONF_MARK_INTEGER ? (unsigned char)c : '?';
    }
    return '\\';
}

static void take_string(struct scan *scan)
{
    struct conf_level *level = top(scan);
    bool continues = scan->after_string && level->want == CONF_WANT_NEXT;
    if (!wants_value(level) && !continues) {
        unexpected(scan);
        return;
    }
    conf_source_put(scan->source, "\"", 1);
    for (scan->at++; scan->at < scan->end && *scan->at != '"';) {
        unsigned char c = (unsigned char)*scan->at++;
        if (c == '\\') {
            c = take_escape(scan);
        } else if (c != '\t' && (c < ' ' || c == 127)) {
            complain(scan, c == '\n' ? "the string does not end on its line" : "a control character in a string");
            stop(scan);
            return;
        }
        conf_literal_put_char(scan->source, c);
    }
    if (scan->at == scan->end) {
        complain(scan, "the string does not end");
        stop(scan);
        return;
    }
    take_char(scan, '"');
    level->want = CONF_WANT_NEXT;
    scan->after_string = true;
}

static bool is_truth(const char *word, size_t len)
{
    return (len == 4 && !strncasecmp(word, "true", 4)) || (len == 5 && !strncasecmp(word, "false", 5));
}

static void take_bare_value(struct scan *scan)
{
    size_t len = word_len(scan);
    const char *word = scan->at;
    if (!len) {
        unexpected(scan);
        return;
    }
    if (is_truth(word, len)) {
        conf_source_put(scan->source, word, len);
    } else if (!conf_literal_put_number(scan->source, word, len)) {
        complain(scan, "text must stand in quotes: \"%.*s\"", len < SHOWN_MOST ? (int)len : SHOWN_MOST, word);
        conf_literal_put_quoted(scan->source, word, len);
    }
    scan->at += len;
    top(scan)->want = CONF_WANT_NEXT;
}

static const struct conf_key *find_key(const struct conf_source *source, const struct conf_level *level,
                                       const char *name, size_t len)
{
    for (size_t i = 0; i < level->key_cnt; i++)
        if (level->keys[i].len == len && !memcmp(source->text + level->keys[i].at, name, len))
            return &level->keys[i];
    return NULL;
}

static void put_key_given_twice(struct scan *scan, const struct conf_key *first, const char *name, size_t len)
{
    struct conf_source *source = scan->source;
    struct opt_where where = conf_source_where(source, first->line);
    char text[32];
    complain(scan, "key \"%.*s\" is given twice, first at %s:%u", len < SHOWN_MOST ? (int)len : SHOWN_MOST, name,
             where.file, where.line);
    int text_len = snprintf(text, sizeof text, "%c%u", CONF_MARK_TWICE, source->twice_cnt++);
    conf_source_put(source, text, (size_t)text_len);
}

static void put_key(struct scan *scan, const char *name, size_t len)
{
    struct conf_source *source = scan->source;
    struct conf_level *level = top(scan);
    const struct conf_key *first = find_key(source, level, name, len);
    if (level->key_cnt == CONF_KEYS_MOST) {
        complain(scan, "more than %d keys in one group", CONF_KEYS_MOST);
        stop(scan);
    } else if (first) {
        put_key_given_twice(scan, first, name, len);
    } else {
        level->keys[level->key_cnt++] = (struct conf_key){source->len, len, source->line};
        conf_source_put(source, name, len);
    }
}

static void take_key(struct scan *scan)
{
    const char *name = scan->at, *at = name;
    struct conf_level *level = top(scan);
    while (at < scan->end && (isalnum((unsigned char)*at) || *at == '_' || *at == '-'))
        at++;
    size_t len = (size_t)(at - name);
    bool is_wanted = level->want == CONF_WANT_KEY || (level->want == CONF_WANT_NEXT && !is_list(level));
    if (!is_wanted || !len || !isalpha((unsigned char)*name) || is_truth(name, len)) {
        unexpected(scan);
        return;
    }
    put_key(scan, name, len);
    if (!scan->source->stopped) {
        scan->at = at;
        level->want = CONF_WANT_EQUALS;
    }
}

static void take_open(struct scan *scan)
{
    struct conf_source *source = scan->source;
    struct conf_level *level = top(scan);
    char open = *scan->at;
    if (!wants_value(level)) {
        unexpected(scan);
    } else if (level->open == '[') {
        complain(scan, "[ ] holds single values only; use ( )");
        stop(scan);
    } else if (source->level_cnt > CONF_NESTING_MOST) {
        complain(scan, "brackets are nested too deeply");
        stop(scan);
    } else {
        level->want = CONF_WANT_NEXT;
        level = &source->levels[source->level_cnt++];
        level->open = open;
        level->want = open == '{' ? CONF_WANT_KEY : CONF_WANT_VALUE_OR_CLOSE;
        level->line = source->line;
        level->key_cnt = 0;
        take_char(scan, open == '[' ? '(' : open);
    }
}

static void take_close(struct scan *scan)
{
    struct conf_source *source = scan->source;
    const struct conf_level *level = top(scan);
    struct opt_where where = conf_source_where(source, level->line);
    if (source->level_cnt <= scan->outer_cnt) {
        complain(scan, "\"%c\" closes nothing", *scan->at);
        stop(scan);
    } else if (*scan->at != closer(level)) {
        complain(scan, "expected \"%c\", for the \"%c\" of line %u, got \"%c\"", closer(level), level->open, where.line,
                 *scan->at);
        stop(scan);
    } else if (is_list(level) && level->want == CONF_WANT_VALUE) {
        complain(scan, "a comma before \"%c\"", *scan->at);
        stop(scan);
    } else if (level->want == CONF_WANT_EQUALS || level->want == CONF_WANT_VALUE) {
        unexpected(scan);
    } else {
        take_char(scan, is_list(level) ? ')' : '}');
        source->level_cnt--;
    }
}

static void take_separator(struct scan *scan)
{
    struct conf_level *level = top(scan);
    char c = *scan->at;
    bool ends_value = c == ',' || (c == ';' && !is_list(level));
    if (ends_value && level->want == CONF_WANT_NEXT)
        level->want = is_list(level) ? CONF_WANT_VALUE : CONF_WANT_KEY;
    else if ((c == '=' || c == ':') && level->want == CONF_WANT_EQUALS)
        level->want = CONF_WANT_VALUE;
    else
        unexpected(scan);
    if (scan->at < scan->end)
        take_char(scan, c);
}

static bool at_include(const struct scan *scan)
{
    static const char word[] = "@include";
    size_t len = sizeof word - 1;
    return (size_t)(scan->end - scan->at) > len && !memcmp(scan->at, word, len) && strchr(" \t\"", scan->at[len]);
}

static void take_include(struct scan *scan)
{
    const char *at = scan->at + strlen("@include");
    while (at < scan->end && (*at == ' ' || *at == '\t'))
        at++;
    const char *name = at + 1, *end = name;
    while (end < scan->end && *end != '"' && *end != '\n')
        end++;
    if (at == scan->end || *at != '"' || end >= scan->end || *end != '"' || end == name) {
        complain(scan, "expected @include \"FILE\"");
        stop(scan);
        return;
    }
    char *file = mem_strndup(name, (size_t)(end - name));
    conf_source_include(scan->source, scan->file, scan->line, file);
    free(file);
    scan->at = end + 1;
}

static void take_token(struct scan *scan)
{
    char c = *scan->at;
    bool was_string = scan->after_string;
    scan->after_string = false;
    if (at_include(scan)) {
        take_include(scan);
    } else if (c == '"') {
        scan->after_string = was_string;
        take_string(scan);
    } else if (strchr("{([", c)) {
        take_open(scan);
    } else if (strchr("})]", c)) {
        take_close(scan);
    } else if (c == ',' || c == ';' || c == '=' || (c == ':' && !wants_value(top(scan)))) {
        take_separator(scan);
    } else if (wants_value(top(scan))) {
        take_bare_value(scan);
    } else {
        take_key(scan);
    }
}

/* Nothing that a file opens may stay open behind it. */
static void check_end(struct scan *scan)
{
    const struct conf_level *level = top(scan);
    if (scan->source->level_cnt > scan->outer_cnt) {
        scan->line = conf_source_where(scan->source, level->line).line;
        complain(scan, "the \"%c\" that begins here is not closed", level->open);
        stop(scan);
    } else if (!is_list(level) && level->want != CONF_WANT_KEY && level->want != CONF_WANT_NEXT) {
        unexpected(scan);
    }
}

void conf_scan(struct conf_source *source, const char *file, const char *text, size_t len)
{
    struct scan scan = {
        .source = source, .file = file, .at = text, .end = text + len, .line = 1, .outer_cnt = source->level_cnt};
    for (skip_blanks(&scan); scan.at < scan.end && !source->stopped; skip_blanks(&scan))
        take_token(&scan);
    if (!source->stopped)
        check_end(&scan);
}
