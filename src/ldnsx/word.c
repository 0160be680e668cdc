#include "ldnsx/word.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

enum err word_number(uint32_t *value, const struct word *word, uint32_t most)
{
    uint64_t n = 0;

    if (!word->len || word->flags & WORD_QUOTED)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < word->len; i++) {
        if (!is_digit(word->at[i]))
            return ERR_SYNTAX;
        if (n <= UINT32_MAX)
            n = n * 10 + (unsigned)(word->at[i] - '0');
    }
    if (n > most)
        return ERR_RANGE;
    *value = (uint32_t)n;
    return ERR_OK;
}

/* Seconds of a unit letter; 0: no unit. */
static uint32_t unit_seconds(char c)
{
    switch (c | 0x20) {
    case 'w': return 604800;
    case 'd': return 86400;
    case 'h': return 3600;
    case 'm': return 60;
    case 's': return 1;
    default: return 0;
    }
}

enum err word_period(uint32_t *seconds, const struct word *word)
{
    const char *p = word->at, *end = p + word->len;
    uint64_t sum = 0;
    bool units = false;

    if (p == end || word->flags & WORD_QUOTED || word->len > 63)
        return ERR_SYNTAX;
    while (p < end) {
        uint64_t n = 0;
        if (!is_digit(*p))
            return ERR_SYNTAX;
        for (; p < end && is_digit(*p); p++)
            if (n <= UINT32_MAX)
                n = n * 10 + (unsigned)(*p - '0');
        if (n > UINT32_MAX)
            return ERR_RANGE;
        if (p == end) {
            /* A bare number is alone; BIND takes one behind "0h" too. */
            if (units && sum)
                return ERR_SYNTAX;
            sum = n;
            break;
        }
        uint32_t unit = unit_seconds(*p++);
        if (!unit)
            return ERR_SYNTAX;
        units = true;
        sum += n * unit; /* at most 63 / 2 units of 2^32 weeks: no overflow */
    }
    if (sum > UINT32_MAX)
        return ERR_RANGE;
    *seconds = (uint32_t)sum;
    return ERR_OK;
}

static unsigned two_digits(const char *p) { return (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0'); }

static unsigned month_days(unsigned year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Days from 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day is a year's last. */
static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

enum err word_time(uint32_t *seconds, const struct word *word)
{
    const char *p = word->at;

    if (word->len != 14 || word->flags & WORD_QUOTED)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < 14; i++)
        if (!is_digit(p[i]))
            return ERR_SYNTAX;
    unsigned year = two_digits(p) * 100 + two_digits(p + 2), month = two_digits(p + 4), day = two_digits(p + 6);
    unsigned hour = two_digits(p + 8), minute = two_digits(p + 10), second = two_digits(p + 12);
    if (month < 1 || month > 12 || day < 1 || day > month_days(year, month) || hour > 23 || minute > 59 || second > 60)
        return ERR_RANGE;
    *seconds = (uint32_t)(days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second);
    return ERR_OK;
}

enum err word_ipv4(uint8_t out[4], const struct word *word)
{
    const char *p = word->at, *end = p + word->len;

    if (word->flags & WORD_QUOTED)
        return ERR_SYNTAX;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = 0, digits = 0;
        for (; p < end && is_digit(*p); p++, digits++) {
            if (digits == 3 || (digits && !n)) /* 01 may mean octal: refused as everywhere */
                return ERR_SYNTAX;
            n = n * 10 + (unsigned)(*p - '0');
        }
        if (!digits || n > 255)
            return ERR_SYNTAX;
        out[i] = (uint8_t)n;
        if (i < 3 && (p == end || *p++ != '.'))
            return ERR_SYNTAX;
    }
    return p == end ? ERR_OK : ERR_SYNTAX;
}

enum err word_ipv6(uint8_t out[16], const struct word *word)
{
    char text[INET6_ADDRSTRLEN];

    if (word->flags & WORD_QUOTED || word->len >= sizeof(text))
        return ERR_SYNTAX;
    memcpy(text, word->at, word->len);
    text[word->len] = '\0';
    return inet_pton(AF_INET6, text, out) == 1 ? ERR_OK : ERR_SYNTAX;
}

/* The octet at **p, an escape or not; moves on. False: a bad escape. */
static bool next_octet(uint8_t *c, const char **p, const char *end)
{
    *c = (uint8_t)*(*p)++;
    if (*c != '\\')
        return true;
    if (*p == end)
        return false;
    if (!is_digit(**p)) {
        *c = (uint8_t)*(*p)++;
        return true;
    }
    if (end - *p < 3 || !is_digit((*p)[1]) || !is_digit((*p)[2]))
        return false;
    unsigned n = (unsigned)(**p - '0') * 100 + two_digits(*p + 1);
    *p += 3;
    *c = (uint8_t)n;
    return n <= 255;
}

enum err word_octets(struct writer *out, const struct word *word, unsigned most)
{
    const char *p = word->at, *end = p + word->len;

    if (!(word->flags & WORD_ESCAPED)) {
        if (word->len > most)
            return ERR_RANGE;
        writer_put(out, word->at, word->len);
        return ERR_OK;
    }
    while (p < end) {
        uint8_t c;
        if (!next_octet(&c, &p, end))
            return ERR_SYNTAX;
        if (!most--)
            return ERR_RANGE;
        writer_u8(out, c);
    }
    return ERR_OK;
}

enum err word_string(struct writer *out, const struct word *word)
{
    uint8_t *len = writer_room(out, 1);
    const uint8_t *start = out->at;
    enum err e = word_octets(out, word, 255);

    if (!e && len && !out->failed)
        *len = (uint8_t)(out->at - start);
    return e;
}

int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err words_hex(struct writer *out, const struct word *words, unsigned cnt)
{
    unsigned high = 0;
    bool odd = false;

    for (unsigned w = 0; w < cnt; w++) {
        if (words[w].flags & WORD_QUOTED)
            return ERR_SYNTAX;
        for (uint32_t i = 0; i < words[w].len; i++, odd = !odd) {
            int v = hex_value(words[w].at[i]);
            if (v < 0)
                return ERR_SYNTAX;
            if (odd)
                writer_u8(out, (uint8_t)(high << 4 | (unsigned)v));
            high = (unsigned)v;
        }
        if (out->failed)
            return ERR_RANGE;
    }
    return odd ? ERR_SYNTAX : ERR_OK;
}

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct base64 {
    uint32_t bits;
    unsigned cnt; /* of digits and padding in this group of four */
    unsigned padding;
};

/* Takes one character. After padding nothing may come; the bits that padding leaves unused are 0 (RFC 4648 3.5). */
static bool base64_take(struct base64 *b, struct writer *out, char c)
{
    int v = base64_value(c);

    if (c == '=' && b->cnt >= 2 && b->padding < 4u - b->cnt + b->padding) {
        b->padding++;
        v = 0;
    } else if (v < 0 || b->padding) {
        return false;
    }
    b->bits = b->bits << 6 | (unsigned)v;
    if (++b->cnt < 4)
        return true;
    uint8_t octets[3] = {(uint8_t)(b->bits >> 16), (uint8_t)(b->bits >> 8), (uint8_t)b->bits};
    for (unsigned i = 3 - b->padding; i < 3; i++)
        if (octets[i])
            return false;
    writer_put(out, octets, 3 - b->padding);
    /* A padded group is the last: cnt stays, so that no other begins. */
    b->cnt = b->padding ? 4 : 0;
    b->bits = 0;
    return true;
}

enum err words_base64(struct writer *out, const struct word *words, unsigned cnt)
{
    struct base64 b = {0};

    for (unsigned w = 0; w < cnt; w++) {
        if (words[w].flags & WORD_QUOTED)
            return ERR_SYNTAX;
        for (uint32_t i = 0; i < words[w].len; i++)
            if ((b.cnt == 4) || !base64_take(&b, out, words[w].at[i]))
                return ERR_SYNTAX;
        if (out->failed)
            return ERR_RANGE;
    }
    return b.cnt % 4 ? ERR_SYNTAX : ERR_OK;
}

enum err word_base32hex(struct writer *out, const struct word *word)
{
    uint64_t bits = 0;
    unsigned held = 0;

    if (word->flags & WORD_QUOTED)
        return ERR_SYNTAX;
    for (uint32_t i = 0; i < word->len; i++) {
        char c = word->at[i], l = (char)(c | 0x20);
        int v = is_digit(c) ? c - '0' : l >= 'a' && l <= 'v' ? l - 'a' + 10 : -1;
        if (v < 0)
            return ERR_SYNTAX;
        bits = bits << 5 | (unsigned)v;
        held += 5;
        if (held >= 8) {
            held -= 8;
            writer_u8(out, (uint8_t)(bits >> held));
        }
    }
    /* A rest of 5, 6 or 7 bits is a digit too many; what is left must be 0. */
    if (held >= 5 || (bits & ((1u << held) - 1)))
        return ERR_SYNTAX;
    return out->failed ? ERR_RANGE : ERR_OK;
}

bool word_is(const struct word *word, const char *text)
{
    return !(word->flags & WORD_QUOTED) && strlen(text) == word->len && !strncasecmp(word->at, text, word->len);
}

char *word_show(char out[WORD_SHOWN_MAX], const struct word *word)
{
    unsigned at = 0;

    for (uint32_t i = 0; i < word->len; i++) {
        uint8_t c = (uint8_t)word->at[i];
        if (at + 8 >= WORD_SHOWN_MAX) {
            memcpy(out + at, "...", 4);
            return out;
        }
        if (c >= 0x20 && c < 0x7f) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '\\';
        out[at++] = (char)('0' + c / 100);
        out[at++] = (char)('0' + c / 10 % 10);
        out[at++] = (char)('0' + c % 10);
    }
    out[at] = '\0';
    return out;
}
