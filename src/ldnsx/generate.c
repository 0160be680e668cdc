/* $GENERATE range owner [TTL] [class] type rdata: a record for each number of a range, as BIND makes them. "$" in owner
 * and rdata stands for the number, "${offset[,width[,base]]}" for it in another form, "$$" and "\$" for the character.
 */
#include <stdio.h>
#include <string.h>

#include "ldnsx/reader.h"
#include "ldnsx/word.h"

/* A generated owner or rdata; BIND's bound. */
enum { TEXT_MAX = 2048, NUMBER_MAX_LEN = 128 };

struct range {
    uint32_t first, last, step;
};

/* "first-last" or "first-last/step". */
static bool read_range(struct range *range, const struct word *word)
{
    const char *end = word->at + word->len;
    const char *dash = memchr(word->at, '-', word->len), *slash = memchr(word->at, '/', word->len);

    if (!dash || (slash && slash < dash))
        return false;
    struct word first = {word->at, (uint32_t)(dash - word->at), word->flags};
    struct word last = {dash + 1, (uint32_t)((slash ? slash : end) - dash - 1), 0};
    struct word step = {slash ? slash + 1 : end, (uint32_t)(slash ? end - slash - 1 : 0), 0};
    range->step = 1;
    return !word_number(&range->first, &first, INT32_MAX) && !word_number(&range->last, &last, INT32_MAX) &&
           (!slash || !word_number(&range->step, &step, INT32_MAX)) && range->step && range->first <= range->last;
}

/* How a number is written. */
struct form {
    int64_t offset;
    uint32_t width;
    char base; /* d o x X n N */
};

/* What stands between "{" and "}". */
static bool read_form(struct form *form, const char *p, const char *end)
{
    struct word part = {p, 0, 0};
    uint32_t offset;
    bool negative = p < end && *p == '-';

    part.at += p < end && (*p == '-' || *p == '+');
    const char *comma = memchr(part.at, ',', (size_t)(end - part.at));
    part.len = (uint32_t)((comma ? comma : end) - part.at);
    if (word_number(&offset, &part, INT32_MAX))
        return false;
    form->offset = negative ? -(int64_t)offset : offset;
    if (!comma)
        return true;
    part.at = comma + 1;
    comma = memchr(part.at, ',', (size_t)(end - part.at));
    part.len = (uint32_t)((comma ? comma : end) - part.at);
    if (word_number(&form->width, &part, NUMBER_MAX_LEN - 1))
        return false;
    if (!comma)
        return true;
    form->base = end - comma == 2 ? comma[1] : '\0';
    return form->base && strchr("doxXnN", form->base);
}

/* Nibbles from the least significant on with dots between, as reverse names of IPv6 want them; width counts dots too.
 */
static unsigned put_nibbles(char out[NUMBER_MAX_LEN], uint32_t n, const struct form *form)
{
    const char *digits = form->base == 'n' ? "0123456789abcdef" : "0123456789ABCDEF";
    uint32_t width = form->width;
    unsigned at = 0;

    do {
        out[at++] = digits[n & 15];
        n >>= 4;
        width -= width > 0;
        if (width || n)
            out[at++] = '.';
        width -= width > 0;
    } while (at < NUMBER_MAX_LEN - 2 && (width || n));
    return at;
}

static unsigned put_number(char out[NUMBER_MAX_LEN], uint32_t i, const struct form *form)
{
    int64_t n = i + form->offset;
    int len, width = (int)form->width;

    switch (form->base) {
    case 'n':
    case 'N': return put_nibbles(out, (uint32_t)n, form);
    case 'o': len = snprintf(out, NUMBER_MAX_LEN, "%0*o", width, (unsigned)n); break;
    case 'x': len = snprintf(out, NUMBER_MAX_LEN, "%0*x", width, (unsigned)n); break;
    case 'X': len = snprintf(out, NUMBER_MAX_LEN, "%0*X", width, (unsigned)n); break;
    default: len = snprintf(out, NUMBER_MAX_LEN, "%0*lld", width, (long long)n); break;
    }
    return len > 0 && len < NUMBER_MAX_LEN ? (unsigned)len : 0;
}

/* A template filled in; ends with a newline and a zero, which `len` counts the first of: the lexer reads it. */
struct filled {
    char text[TEXT_MAX + NUMBER_MAX_LEN + 2];
    unsigned len;
};

/* "$" at p, or "${...}": writes the number; returns what is behind, NULL for a malformed one. */
static const char *fill_number(struct filled *out, const char *p, const char *end, uint32_t i)
{
    struct form form = {.base = 'd'};

    if (++p < end && *p == '$') {
        out->text[out->len++] = '$';
        return p + 1;
    }
    if (p < end && *p == '{') {
        const char *close = memchr(p, '}', (size_t)(end - p));
        if (!close || !read_form(&form, p + 1, close))
            return NULL;
        p = close + 1;
    }
    if (i + form.offset > INT32_MAX)
        return NULL;
    out->len += put_number(out->text + out->len, i, &form);
    return p;
}

/* NULL when all is well. */
static const char *fill(struct filled *out, const struct word *template, uint32_t i)
{
    const char *p = template->at, *end = p + template->len;

    out->len = 0;
    while (p < end) {
        if (*p == '$') {
            if (!(p = fill_number(out, p, end, i)))
                return "malformed ${...}";
        } else if (*p == '\\' && end - p > 1 && p[1] == '"' && template->flags & WORD_QUOTED) {
            /* Within the quotes of the template a quote is escaped once. */
            out->text[out->len++] = '"';
            p += 2;
        } else {
            if (*p == '\\' && end - p > 1)
                out->text[out->len++] = *p++;
            out->text[out->len++] = *p++;
        }
        if (out->len >= TEXT_MAX)
            return "generated text too long";
    }
    out->text[out->len++] = '\n';
    out->text[out->len] = '\0';
    return NULL;
}

struct generation {
    struct zone_reader *r;
    struct lexer lexer; /* of generated rdata */
    struct record_head head;
    const struct word *owner, *rdata;
};

/* One record. False: nothing more of this $GENERATE makes sense. */
static bool generate_one(struct generation *g, uint32_t i)
{
    struct zone_reader *r = g->r;
    struct filled owner_text, rdata_text;
    uint8_t owner[NAME_MAX_LEN];
    unsigned errors = r->error_cnt, line = r->input->lexer.entry_line;
    const char *why = fill(&owner_text, g->owner, i);

    if (!why)
        why = fill(&rdata_text, g->rdata, i);
    struct word owner_word = {owner_text.text, owner_text.len - 1, 0};
    if (!why && !record_read_name(r, owner, &owner_word))
        return false;
    if (!why) {
        lexer_restart(&g->lexer, rdata_text.text, rdata_text.len);
        if (lexer_next(&g->lexer, &why) == LEX_END)
            why = "no rdata";
    }
    if (why) {
        read_error(r, line, "$GENERATE: %s", why);
        return false;
    }
    record_finish(r, &g->head, owner, g->lexer.words, g->lexer.words + g->lexer.word_cnt);
    return r->error_cnt == errors && !r->gave_up;
}

static void generate(struct generation *g, const struct range *range)
{
    struct zone_reader *r = g->r;
    uint64_t cnt = (range->last - range->first) / range->step + 1;

    r->generated += cnt;
    if (r->generated > READ_GENERATED_MAX) {
        read_error(r, r->input->lexer.entry_line, "$GENERATE makes more than %d records in all", READ_GENERATED_MAX);
        return;
    }
    for (uint64_t i = range->first; i <= range->last; i += range->step)
        if (!generate_one(g, (uint32_t)i))
            return;
}

void read_generate(struct zone_reader *r)
{
    const struct lexer *lexer = &r->input->lexer;
    const struct word *at = lexer->words + 3, *end = lexer->words + lexer->word_cnt;
    struct generation g = {.r = r};
    struct range range;
    char shown[WORD_SHOWN_MAX];

    if (lexer->word_cnt < 5) {
        read_error(r, lexer->entry_line, "$GENERATE needs range, owner, type and rdata");
        return;
    }
    if (lexer->line > lexer->entry_line + 1) {
        read_error(r, lexer->entry_line, "$GENERATE must stand in one line");
        return;
    }
    if (!read_range(&range, &lexer->words[1])) {
        read_error(r, lexer->entry_line, "$GENERATE: bad range \"%s\"", word_show(shown, &lexer->words[1]));
        return;
    }
    if (!record_read_head(r, &g.head, &at, end))
        return;
    if (end - at != 1) {
        read_error(r, lexer->entry_line, "$GENERATE: the rdata must be one word (quote it)");
        return;
    }
    g.owner = &lexer->words[2];
    g.rdata = at;
    lexer_init(&g.lexer, "\n", 1);
    generate(&g, &range);
    lexer_fini(&g.lexer);
}
