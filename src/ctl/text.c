#include "ctl/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/utf8.h"

static json_t *escaped(const char *s)
{
    char *text = mem_zalloc(strlen(s) + 1, 4); /* "\xHH" at worst */
    char *at = text;
    while (*s) {
        uint32_t code;
        unsigned len = utf8_next(s, &code);
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
