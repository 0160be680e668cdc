#include "helpers/decode.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct decoder {
    const uint8_t *message;
    size_t len, at;
    char *text;
    size_t cap, text_len;
    const char *wrong;
    bool opt_seen;
    unsigned opt_rcode; /* the upper bits */
    char opt_text[1024];
};

static void put(struct decoder *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct decoder *d, const char *fmt, ...)
{
    if (!d->text)
        return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(d->text + d->text_len, d->cap - d->text_len, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= d->cap - d->text_len)
        d->wrong = "text too long";
    else
        d->text_len += (size_t)n;
}

static unsigned number(struct decoder *d, unsigned bytes)
{
    unsigned value = 0;
    while (bytes-- > 0) {
        if (d->at >= d->len) {
            d->wrong = "ends too early";
            return 0;
        }
        value = value << 8 | d->message[d->at++];
    }
    return value;
}

/* A name at d->at, as text. `plain`: compression is not allowed there. */
static void name(struct decoder *d, char out[1100], bool plain)
{
    size_t at = d->at, behind = 0, wire_len = 0, floor = d->at;
    char *o = out;
    while (!d->wrong) {
        if (at >= d->len) {
            d->wrong = "name ends too early";
            break;
        }
        unsigned c = d->message[at++];
        if (c >= 0xc0) {
            size_t target = (c & 0x3fu) << 8 | (at < d->len ? d->message[at] : 0);
            behind = behind ? behind : at + 1;
            if (plain || target < 12 || target >= floor || at >= d->len)
                d->wrong = plain ? "compressed where it must not be" : "pointer that does not lead backwards";
            if (!d->wrong && d->message[target] >= 0xc0)
                d->wrong = "pointer to a pointer";
            at = floor = target;
            continue;
        }
        if (c > 63 || at + c > d->len || (wire_len += c + 1) > 255) {
            d->wrong = "malformed name";
            break;
        }
        if (!c)
            break;
        for (unsigned i = 0; i < c; i++, at++) {
            unsigned char b = d->message[at];
            o += b > ' ' && b < 0x7f && b != '.' && b != '\\' ? sprintf(o, "%c", b) : sprintf(o, "\\%03u", b);
        }
        *o++ = '.';
    }
    if (o == out)
        *o++ = '.';
    *o = 0;
    d->at = behind ? behind : at;
}

static void put_name(struct decoder *d, bool plain)
{
    char text[1100];
    name(d, text, plain);
    put(d, " %s", text);
}

static void put_hex(struct decoder *d, size_t end)
{
    if (d->at < end)
        put(d, " ");
    while (d->at < end && !d->wrong)
        put(d, "%02x", number(d, 1));
}

static void put_rdata(struct decoder *d, unsigned type, size_t end)
{
    switch (type) {
    case 1:
        put(d, " %u.%u.%u.%u", d->message[d->at], d->message[d->at + 1], d->message[d->at + 2], d->message[d->at + 3]);
        d->at += 4;
        break;
    case 2: case 3: case 4: case 7: case 8: case 9: case 12:
        put_name(d, false);
        break;
    case 5: case 39: /* the next link of a chain begins there */
        put_name(d, true);
        break;
    case 6:
        put_name(d, false);
        put_name(d, false);
        for (unsigned i = 0; i < 5; i++)
            put(d, " %u", number(d, 4));
        break;
    case 15:
        put(d, " %u", number(d, 2));
        put_name(d, false);
        break;
    case 33:
        for (unsigned i = 0; i < 3; i++)
            put(d, " %u", number(d, 2));
        put_name(d, true);
        break;
    default:
        put_hex(d, end);
    }
}

static void opt(struct decoder *d, const char *owner, const char *section, unsigned payload, unsigned ttl,
    unsigned rdata_len)
{
    if (strcmp(owner, ".") || strcmp(section, "ar") || d->opt_seen)
        d->wrong = "misplaced OPT";
    if (payload < 512 || ttl >> 16 & 0xff || ttl & 0x7fff)
        d->wrong = "odd OPT";
    d->opt_seen = true;
    d->opt_rcode = ttl >> 24;
    int n = snprintf(d->opt_text, sizeof d->opt_text, "opt %u%s", payload, ttl & 0x8000 ? " do" : "");
    for (size_t end = d->at + rdata_len; d->at < end && !d->wrong;) {
        unsigned code = number(d, 2), len = number(d, 2);
        if (d->at + len > end || (size_t)n + 2 * len + 16 > sizeof d->opt_text)
            d->wrong = "odd option";
        n += d->wrong ? 0 : sprintf(d->opt_text + n, " %u:", code);
        while (len-- && !d->wrong)
            n += sprintf(d->opt_text + n, "%02x", number(d, 1));
    }
    snprintf(d->opt_text + n, sizeof d->opt_text - (size_t)n, "\n");
}

/* RFC 8945 4.2. */
static void tsig(struct decoder *d, const char *owner, const char *section, unsigned class, unsigned ttl, size_t end)
{
    char algorithm[1100];
    if (class != 255 || ttl || section[1] != 'r' || end != d->len)
        d->wrong = "odd TSIG";
    name(d, algorithm, true);
    number(d, 6);
    number(d, 2);
    unsigned mac_len = number(d, 2);
    for (unsigned i = 0; i < mac_len; i++)
        number(d, 1);
    number(d, 2);
    unsigned error = number(d, 2), other_len = number(d, 2);
    for (unsigned i = 0; i < other_len; i++)
        number(d, 1);
    put(d, "tsig %s %s %u mac %u other %u\n", owner, algorithm, error, mac_len, other_len);
}

static void record(struct decoder *d, const char *section)
{
    char owner[1100];
    name(d, owner, false);
    unsigned type = number(d, 2), class = number(d, 2), ttl = number(d, 4), rdata_len = number(d, 2);
    if (!d->wrong && d->at + rdata_len > d->len)
        d->wrong = "rdata ends too early";
    if (d->wrong)
        return;
    if (type == 41) {
        opt(d, owner, section, class, ttl, rdata_len);
        return;
    }
    size_t end = d->at + rdata_len;
    if (type == 250) {
        tsig(d, owner, section, class, ttl, end);
        return;
    }
    if ((class != 1 && class != 3) || ((type == 1) & (rdata_len != 4)) || ((type == 28) & (rdata_len != 16)))
        d->wrong = "odd record";
    put(d, "%s %s %u %u%s", section, owner, ttl, type, class == 3 ? " ch" : "");
    if (!d->wrong)
        put_rdata(d, type, end);
    put(d, "\n");
    if (d->at != end && !d->wrong)
        d->wrong = "rdata of another length";
}

static void put_header(struct decoder *d, unsigned flags, unsigned rcode)
{
    static const char *const rcodes[] = {"noerror", "formerr", "servfail", "nxdomain", "notimp", "refused", "yxdomain"};
    static const struct {
        unsigned bit;
        const char *text;
    } bits[] = {{0x400, " aa"}, {0x200, " tc"}, {0x100, " rd"}, {0x80, " ra"}, {0x40, " z"}, {0x20, " ad"}, {0x10,
        " cd"}};
    if (rcode == 16)
        put(d, "badvers");
    else if (rcode < sizeof rcodes / sizeof *rcodes)
        put(d, "%s", rcodes[rcode]);
    else
        put(d, "rcode%u", rcode);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (flags & bits[i].bit)
            put(d, "%s", bits[i].text);
    if (flags >> 11 & 15)
        put(d, " opcode%u", flags >> 11 & 15);
    put(d, "\n");
}

static void sections(struct decoder *d)
{
    static const char *const names[] = {"an", "ns", "ar"};
    unsigned questions = number(d, 2), counts[3];
    for (unsigned i = 0; i < 3; i++)
        counts[i] = number(d, 2);
    if (questions > 1)
        d->wrong = "several questions";
    if (questions && !d->wrong) {
        char owner[1100];
        name(d, owner, true);
        unsigned type = number(d, 2), class = number(d, 2);
        put(d, "qu %s %u %u\n", owner, type, class);
    }
    for (unsigned section = 0; section < 3; section++)
        for (unsigned i = 0; i < counts[section] && !d->wrong; i++)
            record(d, names[section]);
    if (!d->wrong && d->at != d->len)
        d->wrong = "bytes left over";
}

const char *decode_answer(char *text, size_t cap, const uint8_t *message, size_t len)
{
    struct decoder d = {.message = message, .len = len, .at = 2};
    if (len < 12 || !(message[2] & 0x80))
        return "not an answer";
    unsigned flags = number(&d, 2);
    /* Once for the RCODE, whose upper bits stand in the OPT; then with text. */
    sections(&d);
    if (d.wrong || !text)
        return d.wrong;
    struct decoder with_text = {.message = message, .len = len, .at = 4, .text = text, .cap = cap};
    put_header(&with_text, flags, d.opt_rcode << 4 | (flags & 15));
    sections(&with_text);
    put(&with_text, "%s", with_text.opt_text);
    return with_text.wrong;
}
