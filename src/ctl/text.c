#include "ctl/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

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

unsigned ctl_utf8_next(const char *s, uint32_t *code)
{
    unsigned char c = (unsigned char)s[0];
    if (c < 0x80) {
        *code = c;
        return c ? 1 : 0;
    }
    const struct lead *lead = lead_of(c);
    if (!lead)
        return 0;
    uint32_t value = c & (0xffu >> (lead->len + 1));
    for (unsigned i = 1; i < lead->len; i++) {
        unsigned char next = (unsigned char)s[i];
        if (next < (i == 1 ? lead->least : 0x80) || next > (i == 1 ? lead->most : 0xbf))
            return 0;
        value = value << 6 | (next & 0x3f);
    }
    *code = value;
    return lead->len;
}

static json_t *escaped(const char *s)
{
    char *text = mem_zalloc(strlen(s) + 1, 4); /* "\xHH" at worst */
    char *at = text;
    while (*s) {
        uint32_t code;
        unsigned len = ctl_utf8_next(s, &code);
        if (len) {
            memcpy(at, s, len);
            at += len;
            s += len;
        } else {
            at += sprintf(at, "\\x%02x", (unsigned char)*s++);
        }
    }
    json_t *json = json_string_nocheck(text);
    free(text);
    return json;
}

json_t *ctl_json_text(const char *s)
{
    if (!s)
        return json_null();
    json_t *json = json_string(s);
    return json ? json : escaped(s);
}

json_t *ctl_json_time(uint64_t wall_ms)
{
    time_t sec = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[64];
    if (!wall_ms || !gmtime_r(&sec, &tm) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm))
        return json_null();
    return json_string(text);
}
