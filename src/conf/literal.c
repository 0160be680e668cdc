#include "conf/literal.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conf_literal_put_char(struct conf_source *source, unsigned char c)
{
    char escaped[8];
    if (c == '"' || c == '\\' || c == '@' || c < ' ') {
        int len = snprintf(escaped, sizeof escaped, "\\x%02x", c);
        conf_source_put(source, escaped, (size_t)len);
    } else {
        escaped[0] = (char)c;
        conf_source_put(source, escaped, 1);
    }
}

void conf_literal_put_quoted(struct conf_source *source, const char *text, size_t len)
{
    conf_source_put(source, "\"", 1);
    for (size_t i = 0; i < len; i++)
        conf_literal_put_char(source, (unsigned char)text[i]);
    conf_source_put(source, "\"", 1);
}

unsigned conf_literal_hex_digit(char c)
{
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower((unsigned char)c) - 'a' + 10);
}

/* Digits in base 10 or 16; false: none, or something else among them. `fits` says whether `value` holds them. */
static bool read_digits(const char *at, const char *end, unsigned base, uint64_t *value, bool *fits)
{
    *value = 0;
    *fits = true;
    if (at == end)
        return false;
    for (; at < end; at++) {
        if (base == 16 ? !isxdigit((unsigned char)*at) : !isdigit((unsigned char)*at))
            return false;
        if (__builtin_mul_overflow(*value, (uint64_t)base, value) ||
            __builtin_add_overflow(*value, (uint64_t)conf_literal_hex_digit(*at), value))
            *fits = false;
    }
    return true;
}

/* A number that libconfig can't hold. */
static void put_too_large(struct conf_source *source, const char *word, size_t len)
{
    char mark[8];
    int mark_len = snprintf(mark, sizeof mark, "\"\\x%02x", CONF_MARK_INTEGER);
    conf_source_put(source, mark, (size_t)mark_len);
    conf_source_put(source, word, len);
    conf_source_put(source, "\"", 1);
}

/* [-+]DIGITS or 0xDIGITS, with or without "L" or "LL" behind. */
static bool put_integer(struct conf_source *source, const char *word, size_t len)
{
    const char *at = word, *end = word + len;
    char text[32];
    uint64_t value;
    bool fits, negative = *word == '-';
    for (int i = 0; i < 2 && end > word && end[-1] == 'L'; i++)
        end--;
    at += *word == '-' || *word == '+';
    bool is_hex = at == word && end - at > 2 && *at == '0' && (at[1] | 0x20) == 'x';
    if (!read_digits(is_hex ? at + 2 : at, end, is_hex ? 16 : 10, &value, &fits))
        return false;
    if (fits && value <= (uint64_t)INT64_MAX + negative) {
        int text_len = snprintf(text, sizeof text, "%s%lluL", negative ? "-" : "", (unsigned long long)value);
        conf_source_put(source, text, (size_t)text_len);
    } else {
        put_too_large(source, word, (size_t)(end - word));
    }
    return true;
}

static bool put_fraction(struct conf_source *source, const char *word, size_t len)
{
    char text[64], *end;
    if (len >= sizeof text)
        return false;
    memcpy(text, word, len);
    text[len] = '\0';
    if (text[strspn(text, "0123456789.eE+-")] || !strpbrk(text, "0123456789"))
        return false;
    double value = strtod(text, &end);
    if (*end)
        return false;
    if (!isfinite(value)) {
        put_too_large(source, word, len);
        return true;
    }
    len = (size_t)snprintf(text, sizeof text, "%.17g", value);
    if (strspn(text, "-0123456789") == len) /* without a point libconfig reads an integer */
        len += (size_t)snprintf(text + len, sizeof text - len, ".0");
    conf_source_put(source, text, len);
    return true;
}

bool conf_literal_put_number(struct conf_source *source, const char *word, size_t len)
{
    return put_integer(source, word, len) || put_fraction(source, word, len);
}
