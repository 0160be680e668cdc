#include "base/opt.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    const char *name;
    uint64_t ms;
} duration_units[] = {{"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { DURATION_UNIT_CNT = sizeof duration_units / sizeof *duration_units };

/* Decimal digits → number; `end` gets what follows them. */
static enum err digits_parse(uint64_t *value, const char *text, const char **end)
{
    *value = 0;
    *end = text;
    for (; **end >= '0' && **end <= '9'; ++*end) {
        if (__builtin_mul_overflow(*value, (uint64_t)10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(**end - '0'), value))
            return ERR_RANGE;
    }
    return *end == text ? ERR_SYNTAX : ERR_OK;
}

enum err opt_duration_from_text(uint64_t *ms, const char *text)
{
    uint64_t value, unit_ms = 0;
    const char *unit;
    enum err e = digits_parse(&value, text, &unit);
    if (e != ERR_OK)
        return e;
    if (!*unit)
        unit_ms = 1000;
    for (size_t i = 0; i < DURATION_UNIT_CNT; i++)
        if (!strcmp(unit, duration_units[i].name))
            unit_ms = duration_units[i].ms;
    if (!unit_ms)
        return ERR_SYNTAX;
    if (__builtin_mul_overflow(value, unit_ms, &value))
        return ERR_RANGE;
    *ms = value;
    return ERR_OK;
}

char *opt_duration_to_text(char out[OPT_DURATION_TEXT_MAX], uint64_t ms)
{
    size_t unit = 0;
    if (!ms)
        return strcpy(out, "0s");
    while (ms % duration_units[unit].ms)
        unit++;
    snprintf(out, OPT_DURATION_TEXT_MAX, "%llu%s", (unsigned long long)(ms / duration_units[unit].ms),
             duration_units[unit].name);
    return out;
}

static bool is_unlimited(const struct opt *opt)
{
    return !opt->least && !opt->most;
}

static enum err parse_bool(bool *field, const char *text)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(text, words[i])) {
            *field = i % 2;
            return ERR_OK;
        }
    }
    return ERR_SYNTAX;
}

static enum err parse_int(const struct opt *opt, int64_t *field, const char *text)
{
    bool negative = *text == '-';
    uint64_t magnitude;
    const char *end;
    enum err e = digits_parse(&magnitude, text + negative, &end);
    if (e != ERR_SYNTAX && end[strspn(end, "0123456789")])
        return ERR_SYNTAX;
    if (e != ERR_OK)
        return e;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return ERR_RANGE;
    int64_t value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    if (!is_unlimited(opt) && (value < opt->least || value > opt->most))
        return ERR_RANGE;
    *field = value;
    return ERR_OK;
}

static enum err parse_fraction(const struct opt *opt, double *field, const char *text)
{
    char *end;
    if (!*text || text[strspn(text, "0123456789.eE+-")])
        return ERR_SYNTAX; /* strtod knows hexadecimal, nan and infinity too */
    double value = strtod(text, &end);
    if (*end)
        return ERR_SYNTAX;
    if (!is_unlimited(opt) && !(value * 1000 >= (double)opt->least && value * 1000 <= (double)opt->most))
        return ERR_RANGE;
    if (value > 1e300 || value < -1e300)
        return ERR_RANGE;
    *field = value;
    return ERR_OK;
}

static enum err parse_duration(const struct opt *opt, uint64_t *field, const char *text)
{
    uint64_t ms;
    enum err e = opt_duration_from_text(&ms, text);
    if (e != ERR_OK)
        return e;
    if (!is_unlimited(opt) && (ms < (uint64_t)opt->least || ms > (uint64_t)opt->most))
        return ERR_RANGE;
    *field = ms;
    return ERR_OK;
}

static enum err parse_string(const struct opt *opt, char **field, const char *text)
{
    size_t len = strlen(text);
    if (len < (size_t)opt->least || (opt->most && len > (size_t)opt->most))
        return ERR_RANGE;
    *field = mem_strdup(text);
    return ERR_OK;
}

static enum err parse_enum(const struct opt *opt, int *field, const char *text)
{
    for (int i = 0; opt->names[i]; i++) {
        if (!strcmp(opt->names[i], text)) {
            *field = i;
            return ERR_OK;
        }
    }
    return ERR_INVALID;
}

enum err opt_parse(const struct opt *opt, void *field, const char *text)
{
    const char *expected;
    switch (opt->type) {
    case OPT_BOOL:
        return parse_bool(field, text);
    case OPT_INT:
        return parse_int(opt, field, text);
    case OPT_FRACTION:
        return parse_fraction(opt, field, text);
    case OPT_DURATION:
        return parse_duration(opt, field, text);
    case OPT_STRING:
        return parse_string(opt, field, text);
    case OPT_ENUM:
        return parse_enum(opt, field, text);
    case OPT_ADDR:
        return addr_port_from_text(field, text, opt->port_default);
    case OPT_CUSTOM:
        return opt->parse(field, text, &expected);
    case OPT_GROUP:
        break;
    }
    return ERR_INVALID;
}

size_t opt_value_size(const struct opt *opt)
{
    switch (opt->type) {
    case OPT_BOOL:
        return sizeof(bool);
    case OPT_INT:
        return sizeof(int64_t);
    case OPT_FRACTION:
        return sizeof(double);
    case OPT_DURATION:
        return sizeof(uint64_t);
    case OPT_STRING:
        return sizeof(char *);
    case OPT_ENUM:
        return sizeof(int);
    case OPT_ADDR:
        return sizeof(struct addr);
    case OPT_CUSTOM:
        return opt->parse_size;
    case OPT_GROUP:
        return opt->sub->size;
    }
    return 0;
}

static void expected_int(char *out, size_t cap, const struct opt *opt)
{
    long long least = opt->least, most = opt->most;
    const char *space = opt->unit ? " " : "", *unit = opt->unit ? opt->unit : "";
    if (is_unlimited(opt))
        snprintf(out, cap, "a whole number%s%s", opt->unit ? " of " : "", unit);
    else if (most == INT64_MAX)
        snprintf(out, cap, "a whole number of at least %lld%s%s", least, space, unit);
    else
        snprintf(out, cap, "a whole number from %lld to %lld%s%s", least, most, space, unit);
}

static void expected_fraction(char *out, size_t cap, const struct opt *opt)
{
    if (is_unlimited(opt))
        snprintf(out, cap, "a number");
    else
        snprintf(out, cap, "a number from %g to %g", (double)opt->least / 1000, (double)opt->most / 1000);
}

static void expected_duration(char *out, size_t cap, const struct opt *opt)
{
    char least[OPT_DURATION_TEXT_MAX], most[OPT_DURATION_TEXT_MAX];
    if (is_unlimited(opt))
        snprintf(out, cap, "a duration, such as \"5s\"");
    else
        snprintf(out, cap, "a duration of %s to %s, such as \"5s\"", opt_duration_to_text(least, (uint64_t)opt->least),
                 opt_duration_to_text(most, (uint64_t)opt->most));
}

static void expected_string(char *out, size_t cap, const struct opt *opt)
{
    if (opt->most)
        snprintf(out, cap, "a string of %lld to %lld bytes", (long long)opt->least, (long long)opt->most);
    else
        snprintf(out, cap, opt->least ? "a string that is not empty" : "a string");
}

static void expected_enum(char *out, size_t cap, const struct opt *opt)
{
    size_t len = 0;
    for (int i = 0; opt->names[i] && len < cap; i++) {
        const char *before = i == 0 ? "" : opt->names[i + 1] ? ", " : " or ";
        len += (size_t)snprintf(out + len, cap - len, "%s\"%s\"", before, opt->names[i]);
    }
}

void opt_expected(char *out, size_t cap, const struct opt *opt)
{
    const char *expected = "another value";
    if (cap)
        *out = '\0';
    switch (opt->type) {
    case OPT_BOOL:
        snprintf(out, cap, "true or false");
        break;
    case OPT_INT:
        expected_int(out, cap, opt);
        break;
    case OPT_FRACTION:
        expected_fraction(out, cap, opt);
        break;
    case OPT_DURATION:
        expected_duration(out, cap, opt);
        break;
    case OPT_STRING:
        expected_string(out, cap, opt);
        break;
    case OPT_ENUM:
        expected_enum(out, cap, opt);
        break;
    case OPT_ADDR:
        snprintf(out, cap, "an address with or without port, such as \"192.0.2.1\" or \"2001:db8::1@53\"");
        break;
    case OPT_CUSTOM:
        if (opt->parse(NULL, "", &expected) != ERR_OK || expected)
            snprintf(out, cap, "%s", expected);
        break;
    case OPT_GROUP:
        snprintf(out, cap, opt->flags & OPT_LIST ? "a list of groups, ( { ... }, { ... } )" : "a group, { ... }");
        break;
    }
}

enum { WORD_MOST = 64 };

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment), without regard to case. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MOST + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (unsigned j = 0; j <= b_len; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned changed = last[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            row[j] = least_of(last[j] + 1, row[j - 1] + 1, changed);
            if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]) &&
                before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        unsigned *free_row = before;
        before = last;
        last = row;
        row = free_row;
    }
    return last[b_len];
}

bool opt_is_nearer(const char *candidate, const char *word, unsigned *best_distance)
{
    size_t candidate_len = strlen(candidate), len = strlen(word);
    if (!len || len > WORD_MOST || candidate_len > WORD_MOST)
        return false;
    unsigned distance = edit_distance(candidate, candidate_len, word, len);
    unsigned most = len / 3 > 2 ? (unsigned)(len / 3) : 2;
    if (distance > most || distance >= candidate_len || distance >= len || distance >= *best_distance)
        return false;
    *best_distance = distance;
    return true;
}

const char *opt_nearest(const struct opt_table *const *tables, size_t cnt, const char *key)
{
    const char *best = NULL;
    unsigned distance = UINT_MAX;
    for (size_t t = 0; t < cnt; t++)
        for (size_t i = 0; i < tables[t]->cnt; i++)
            if (opt_is_nearer(tables[t]->opts[i].name, key, &distance))
                best = tables[t]->opts[i].name;
    return best;
}
