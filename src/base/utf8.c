#include "base/utf8.h"

#include <string.h>

/* RFC 3629 section 4: the first byte fixes the length, and the range of the second byte excludes overlong forms,
 * surrogates and what is above U+10FFFF. */
struct lead {
    unsigned char first, last; /* range of the first byte */
    unsigned char len;
    unsigned char least, most; /* range of the second byte */
};
static const struct lead leads[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f},
    {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

static const struct lead *lead_of(unsigned char c)
{
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        if (c >= leads[i].first && c <= leads[i].last)
            return &leads[i];
    return NULL;
}

/* 0: there is none, or `left` bytes do not hold it. */
static unsigned next(const char *s, size_t left, uint32_t *code)
{
    unsigned char c = left ? (unsigned char)s[0] : 0;
    if (c < 0x80) {
        *code = c;
        return c ? 1 : 0;
    }
    const struct lead *lead = lead_of(c);
    if (!lead)
        return 0;
    uint32_t value = c & (0xffu >> (lead->len + 1));
    for (unsigned i = 1; i < lead->len; i++) {
        unsigned char more = i < left ? (unsigned char)s[i] : 0;
        if (more < (i == 1 ? lead->least : 0x80) || more > (i == 1 ? lead->most : 0xbf))
            return 0;
        value = value << 6 | (more & 0x3f);
    }
    *code = value;
    return lead->len;
}

/* A NUL byte ends every sequence that it stands in. */
unsigned utf8_next(const char *s, uint32_t *code) { return next(s, SIZE_MAX, code); }

bool utf8_is_harmful(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

char *utf8_clean(char *out, size_t cap, const char *bytes, size_t len)
{
    size_t at = 0, used = 0;
    while (len && is_blank(bytes[len - 1]))
        len--;
    while (at < len && is_blank(bytes[at]))
        at++;
    while (at < len) {
        uint32_t code;
        unsigned taken = next(bytes + at, len - at, &code);
        bool is_good = taken && !utf8_is_harmful(code);
        unsigned shown = is_good ? taken : 1;
        if (used + shown + 1 > cap)
            break;
        if (is_good)
            memcpy(out + used, bytes + at, shown);
        else
            out[used] = bytes[at] == '\t' ? ' ' : '?';
        used += shown;
        at += is_good ? taken : 1;
    }
    out[used] = '\0';
    return out;
}
