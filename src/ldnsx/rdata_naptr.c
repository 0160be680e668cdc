#include <regex.h>
#include <string.h>

#include "ldnsx/rdata_fields.h"

/* What stands between the delimiters of a substitution, as far as it has been read. */
struct substitution {
    char ere[256];
    unsigned ere_len;
    unsigned part; /* 0: expression, 1: replacement, 2: flags */
    unsigned groups; /* highest \N in the replacement */
};
/* Of an expression that flatten() has written anew: up to three bytes for one. */
enum { FLAT_MAX = 3 * 256 };

static bool take_escaped(struct substitution *s, char c)
{
    if (s->part == 0) {
        s->ere[s->ere_len++] = '\\';
        s->ere[s->ere_len++] = c;
    } else if (c >= '0' && c <= '9') {
        unsigned n = (unsigned)(c - '0');
        if (!n)
            return false;
        if (n > s->groups)
            s->groups = n;
    }
    return true;
}

static bool split_substitution(struct substitution *s, const uint8_t *text, unsigned len)
{
    uint8_t delimiter = text[0];

    if ((delimiter >= '0' && delimiter <= '9') || delimiter == '\\' || delimiter == 'i' || !delimiter)
        return false;
    for (unsigned i = 1; i < len; i++) {
        char c = (char)text[i];
        if (!c)
            return false;
        if (text[i] == delimiter) {
            if (++s->part > 2)
                return false;
        } else if (s->part == 2) {
            if (c != 'i')
                return false;
        } else if (c == '\\') {
            if (++i == len || !text[i] || !take_escaped(s, (char)text[i]))
                return false;
        } else if (s->part == 0) {
            s->ere[s->ere_len++] = c;
        }
    }
    s->ere[s->ere_len] = '\0';
    return s->part == 2;
}

/* "{2}", "{2,}" or "{2,5}" at p, numbers up to 255: its length; 0: it is not well formed. */
static unsigned interval_len(const char *p)
{
    unsigned least = 0, most = 0;
    const char *q = p + 1, *digits = q;

    for (; *q >= '0' && *q <= '9' && q - digits < 3; q++)
        least = least * 10 + (unsigned)(*q - '0');
    if (q == digits)
        return 0;
    most = least;
    if (*q == ',') {
        digits = ++q;
        for (most = 0; *q >= '0' && *q <= '9' && q - digits < 3; q++)
            most = most * 10 + (unsigned)(*q - '0');
        if (q == digits)
            most = 255;
    }
    return *q == '}' && least <= most && most <= 255 ? (unsigned)(q - p) + 1 : 0;
}

/* Behind the bracket expression that begins at p ("[^]a-z]"); NULL: it does not end. */
static const char *bracket_end(const char *p)
{
    p += p[1] == '^' ? 2 : 1;
    if (*p == ']')
        p++;
    for (; *p && *p != ']'; p++) {
        if (*p == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
            char kind[3] = {p[1], ']', '\0'};
            p = strstr(p + 2, kind);
            if (!p)
                return NULL;
            p++;
        }
    }
    return *p ? p + 1 : NULL;
}

/* Where a walk through an expression stands. */
struct walk {
    bool atom;     /* something stands before that may be repeated or end a branch */
    bool repeated; /* and is repeated already, or an anchor */
    bool empty_ok; /* a branch may be empty: "()" */
    unsigned open, groups;
};

static bool walk_repeat(struct walk *w)
{
    bool ok = w->atom && !w->repeated;
    w->repeated = true;
    return ok;
}

/* One character that is no bracket expression and repeats nothing but by "*", an escaped one with what it escapes. */
static bool walk_character(struct walk *w, const char *p)
{
    bool ok = true;

    switch (*p) {
    case '*': return walk_repeat(w);
    case '(':
        w->open++;
        w->groups++;
        *w = (struct walk){.empty_ok = true, .open = w->open, .groups = w->groups};
        return true;
    case ')':
        ok = !w->open || w->atom || w->empty_ok;
        w->open -= w->open > 0;
        break;
    case '|':
        ok = w->atom;
        *w = (struct walk){.open = w->open, .groups = w->groups};
        return ok;
    case '\\': /* a back reference looks back */
        ok = p[1] < '1' || p[1] > '9' || (unsigned)(p[1] - '0') <= w->groups;
        break;
    default: break;
    }
    w->atom = true;
    w->repeated = *p == '^' || *p == '$';
    return ok;
}

/* Walks through an extended regular expression (POSIX, as strict as BIND) and writes every repetition as "*", which may
 * stand wherever one may: the expression is compiled only to see whether it can be, and regcomp copies what an interval
 * or "+" repeats, so that nested ones multiply the memory it takes. */
static bool flatten(char out[FLAT_MAX], const char *p)
{
    struct walk w = {.empty_ok = false};

    while (*p) {
        const char *end = p + 1;
        if (*p == '[') {
            if (!(end = bracket_end(p)))
                return false;
            w.atom = true;
            w.repeated = false;
        } else if (*p == '{' && p[1] >= '0' && p[1] <= '9') {
            unsigned len = interval_len(p);
            if (!len || !walk_repeat(&w))
                return false;
            *out++ = '*';
            p += len;
            continue;
        } else if (*p == '+' || *p == '?') {
            if (!walk_repeat(&w))
                return false;
            *out++ = '*';
            p++;
            continue;
        } else {
            if (!walk_character(&w, p))
                return false;
            end += *p == '\\' && p[1];
        }
        /* A brace alone is itself, but regcomp wants that said. */
        bool brace = *p == '{';
        memcpy(out, brace ? "[{]" : p, brace ? 3 : (size_t)(end - p));
        out += brace ? 3 : end - p;
        p = end;
    }
    *out = '\0';
    return !w.open && w.atom;
}

bool rdata_valid_substitution(const uint8_t *text, unsigned len)
{
    struct substitution s = {.ere_len = 0};
    char flat[FLAT_MAX];
    regex_t re;

    if (!len)
        return true;
    if (!split_substitution(&s, text, len) || !flatten(flat, s.ere) || regcomp(&re, flat, REG_EXTENDED))
        return false;
    size_t groups = re.re_nsub;
    regfree(&re);
    return s.groups <= groups;
}
