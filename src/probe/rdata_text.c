#include "probe/rdata_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "dns/msg.h"
#include "dns/rr.h"

struct text {
    char *out;
    size_t len; /* below RDATA_TEXT_MAX */
};

ATTR_PRINTF(2, 3) static void put(struct text *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text->out + text->len, RDATA_TEXT_MAX - text->len, fmt, args);
    va_end(args);
    text->len += len > 0 ? (size_t)len : 0;
    if (text->len >= RDATA_TEXT_MAX)
        text->len = RDATA_TEXT_MAX - 1;
}

/* ---- parts ---- */

static void put_name(struct text *text, struct reader *r)
{
    uint8_t name[NAME_MAX_LEN];
    char name_text[NAME_TEXT_MAX];
    if (msg_read_name(name, r))
        put(text, "%s", name_to_text(name_text, name));
}

static void put_numbers(struct text *text, struct reader *r, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        put(text, "%u ", reader_u16(r));
}

static void put_address(struct text *text, struct reader *r, enum addr_family family)
{
    struct addr addr = {.family = (uint8_t)family};
    char addr_text[ADDR_TEXT_MAX];
    const uint8_t *bytes = reader_take(r, addr_len(&addr));
    if (!bytes)
        return;
    memcpy(addr.bytes, bytes, addr_len(&addr));
    put(text, "%s", addr_to_text(addr_text, &addr));
}

/* RFC 1035 section 5.1. */
static void put_string(struct text *text, struct reader *r)
{
    uint8_t len = reader_u8(r);
    const uint8_t *bytes = reader_take(r, len);
    put(text, "\"");
    for (unsigned i = 0; bytes && i < len; i++) {
        if (bytes[i] < ' ' || bytes[i] > '~')
            put(text, "\\%03u", bytes[i]);
        else
            put(text, bytes[i] == '"' || bytes[i] == '\\' ? "\\%c" : "%c", bytes[i]);
    }
    put(text, "\"");
}

/* ---- types ---- */

static void put_soa(struct text *text, struct reader *r)
{
    put_name(text, r);
    put(text, " ");
    put_name(text, r);
    for (unsigned i = 0; i < 5; i++)
        put(text, " %u", reader_u32(r));
}

static void put_strings(struct text *text, struct reader *r)
{
    do {
        if (text->len)
            put(text, " ");
        put_string(text, r);
    } while (!r->failed && reader_left(r));
}

/* False: no type that is known here. */
static bool put_known(struct text *text, struct reader *r, uint16_t type)
{
    switch (type) {
    case RR_A:
        put_address(text, r, ADDR_V4);
        return true;
    case RR_AAAA:
        put_address(text, r, ADDR_V6);
        return true;
    case RR_NS:
    case RR_CNAME:
    case RR_PTR:
    case RR_DNAME:
        put_name(text, r);
        return true;
    case RR_MX:
    case RR_SRV:
        put_numbers(text, r, type == RR_MX ? 1 : 3);
        put_name(text, r);
        return true;
    case RR_SOA:
        put_soa(text, r);
        return true;
    case RR_TXT:
        put_strings(text, r);
        return true;
    default:
        return false;
    }
}

static void put_unknown(struct text *text, struct reader *r)
{
    size_t len = reader_left(r);
    put(text, "\\# %zu%s", len, len ? " " : "");
    while (reader_left(r) && text->len < RDATA_TEXT_MAX - 1)
        put(text, "%02x", reader_u8(r));
}

size_t rdata_text(char out[RDATA_TEXT_MAX], const struct reader *message, uint16_t type, uint16_t rdata_len)
{
    struct text text = {out, 0};
    struct reader whole = *message;
    out[0] = '\0';
    whole.end = whole.at + rdata_len; /* pointers lead backwards */
    struct reader r = whole;
    if (!put_known(&text, &r, type) || r.failed || reader_left(&r)) {
        text.len = 0;
        put_unknown(&text, &whole);
    }
    return text.len;
}
