#include "answer/key_file.h"

#include <string.h>

/* What is left to be read. */
struct cursor {
    const char *at, *end;
};

static bool begins(const struct cursor *c, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(c->end - c->at) >= len && !memcmp(c->at, text, len);
}

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* Behind the next `mark`, or at the end. */
static void pass(struct cursor *c, const char *mark)
{
    while (c->at < c->end && !begins(c, mark))
        c->at++;
    if (c->at < c->end)
        c->at += strlen(mark);
}

static void pass_space(struct cursor *c)
{
    while (c->at < c->end) {
        if (is_space(*c->at))
            c->at++;
        else if (*c->at == '#' || begins(c, "//"))
            pass(c, "\n");
        else if (begins(c, "/*"))
            pass(c, "*/");
        else
            return;
    }
}

static bool take_mark(struct cursor *c, const char *mark)
{
    pass_space(c);
    if (!begins(c, mark))
        return false;
    c->at += strlen(mark);
    return true;
}

static bool ends_word(char c) { return is_space(c) || strchr(";{}\"", c); }

/* "…" or a word; not empty, and quotes are closed on their line. */
static bool take_part(struct cursor *c, struct key_file_part *part)
{
    bool is_quoted = take_mark(c, "\"");
    part->text = c->at;
    while (c->at < c->end && (is_quoted ? *c->at != '"' && *c->at != '\n' : !ends_word(*c->at)))
        c->at++;
    part->len = (size_t)(c->at - part->text);
    if (!part->len || (is_quoted && !begins(c, "\"")))
        return false;
    c->at += is_quoted;
    return true;
}

static bool is_word(const struct key_file_part *part, const char *word)
{
    return part->len == strlen(word) && !memcmp(part->text, word, part->len);
}

/* "algorithm X;" or "secret X;", each once. */
static bool take_statement(struct cursor *c, struct key_file *file)
{
    struct key_file_part word;
    if (!take_part(c, &word))
        return false;
    struct key_file_part *part = is_word(&word, "algorithm") ? &file->algorithm
                                 : is_word(&word, "secret") ? &file->secret : NULL;
    return part && !part->len && take_part(c, part) && take_mark(c, ";");
}

bool key_file_is(const char *text, size_t len)
{
    struct cursor c = {text, text + len};
    pass_space(&c);
    return begins(&c, "key ") || begins(&c, "key\t") || begins(&c, "key\"");
}

enum err key_file_read(struct key_file *file, const char *text, size_t len)
{
    struct cursor c = {text, text + len};
    *file = (struct key_file){.name.len = 0};
    bool is_good = key_file_is(text, len) && take_mark(&c, "key") && take_part(&c, &file->name) && take_mark(&c, "{") &&
                   take_statement(&c, file) && take_statement(&c, file) && take_mark(&c, "}") && take_mark(&c, ";");
    pass_space(&c);
    return is_good && c.at == c.end ? ERR_OK : ERR_SYNTAX;
}
