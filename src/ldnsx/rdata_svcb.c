/* The parameters of SVCB and HTTPS (RFC 9460 2.1, appendix A; dohpath RFC 9461): text → wire, sorted by key, and the
 * check of the wire. */
#include <ctype.h>
#include <string.h>

#include "ldnsx/rdata_fields.h"
#include "ldnsx/word.h"

enum key {
    KEY_MANDATORY = 0,
    KEY_ALPN = 1,
    KEY_NO_DEFAULT_ALPN = 2,
    KEY_PORT = 3,
    KEY_IPV4HINT = 4,
    KEY_ECH = 5,
    KEY_IPV6HINT = 6,
    KEY_DOHPATH = 7
};
static const char *const key_names[] = {"mandatory", "alpn", "no-default-alpn", "port",
                                        "ipv4hint",  "ech",  "ipv6hint",        "dohpath"};
enum { KEYS_KNOWN = sizeof(key_names) / sizeof(*key_names) };

/* More parameters than anyone writes; sorting them is quadratic. */
enum { PARAMS_MAX = 1024 };

/* ---- wire */

static bool valid_utf8(const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        uint32_t c = *p++, least;
        unsigned more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (!more)
            continue;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) < more)
            return false;
        least = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
        for (c &= 0x3fu >> more; more; more--, p++) {
            if ((*p & 0xc0) != 0x80)
                return false;
            c = c << 6 | (*p & 0x3fu);
        }
        if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
            return false;
    }
    return true;
}

/* "%XX" at p. */
static bool percent_ok(const uint8_t *p, const uint8_t *end)
{
    return end - p >= 3 && isxdigit(p[1]) && isxdigit(p[2]);
}

/* One variable of a template's expression (RFC 6570 2.3, 2.4); NULL: malformed. */
static const uint8_t *template_variable(const uint8_t *p, const uint8_t *end, bool *dns)
{
    const uint8_t *name = p;

    while (p < end && (isalnum(*p) || *p == '_' || *p == '%')) {
        if (*p == '%' && !percent_ok(p, end))
            return NULL;
        p += *p == '%' ? 3 : 1;
    }
    if (p == name)
        return NULL;
    if (p - name == 3 && !memcmp(name, "dns", 3))
        *dns = true;
    if (p < end && *p == '*')
        return p + 1;
    if (p < end && *p == ':') {
        const uint8_t *digits = ++p;
        while (p < end && p - digits < 4 && isdigit(*p))
            p++;
        return p > digits && *digits != '0' ? p : NULL;
    }
    return p;
}

/* A URI template, relative, with the variable "dns" (RFC 9461 5). */
static bool valid_dohpath(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    bool dns = false;

    if (!len || *p != '/' || !valid_utf8(p, end))
        return false;
    while (p < end) {
        if (*p == '%' && !percent_ok(p, end))
            return false;
        if (*p++ != '{')
            continue;
        if (p < end && *p && strchr("+#./;?&", *p))
            p++;
        do {
            p = template_variable(p, end, &dns);
            if (!p || p == end)
                return false;
        } while (*p++ == ',');
        if (p[-1] != '}')
            return false;
    }
    return dns;
}

static bool valid_alpn(const uint8_t *p, size_t len)
{
    const uint8_t *end = p + len;
    while (p < end) {
        if (!*p || (size_t)(end - p) < *p + 1u)
            return false;
        p += *p + 1;
    }
    return len;
}

static bool valid_mandatory(const uint8_t *p, size_t len)
{
    if (!len || len % 2)
        return false;
    for (size_t i = 0; i < len; i += 2) {
        unsigned key = be16_get(p + i);
        if (key == KEY_MANDATORY || (i && key <= be16_get(p + i - 2)))
            return false;
    }
    return true;
}

static bool valid_param(unsigned key, const uint8_t *value, size_t len)
{
    switch (key) {
    case KEY_MANDATORY: return valid_mandatory(value, len);
    case KEY_ALPN: return valid_alpn(value, len);
    case KEY_NO_DEFAULT_ALPN: return !len;
    case KEY_PORT: return len == 2;
    case KEY_IPV4HINT: return len && len % 4 == 0;
    case KEY_IPV6HINT: return len && len % 16 == 0;
    case KEY_DOHPATH: return valid_dohpath(value, len);
    default: return true;
    }
}

bool rdata_valid_svcb(struct reader *r)
{
    struct reader mandatory = reader_over("", 0);
    int last = -1;
    bool alpn = false;

    while (reader_left(r)) {
        unsigned key = reader_u16(r), len = reader_u16(r);
        const uint8_t *value = reader_take(r, len);
        if (!value || (int)key <= last || !valid_param(key, value, len))
            return false;
        last = (int)key;
        alpn |= key == KEY_ALPN;
        if (key == KEY_NO_DEFAULT_ALPN && !alpn) /* RFC 9460 7.1.1 */
            return false;
        if (key == KEY_MANDATORY)
            mandatory = reader_over(value, len);
        else if (reader_left(&mandatory) && key >= be16_get(mandatory.at) && reader_u16(&mandatory) != key)
            return false; /* passed over one that must be there (8) */
    }
    return !reader_left(&mandatory);
}

/* ---- text */

/* A key's number out of its name; false: no key. In another case than the registry's a name counts, but its value is
 * taken like that of keyN. */
static bool key_number(uint32_t *key, const struct word *name, bool *exact)
{
    *exact = true;
    for (unsigned i = 0; i < KEYS_KNOWN; i++) {
        if (word_is(name, key_names[i])) {
            *key = i;
            *exact = !memcmp(name->at, key_names[i], name->len);
            return true;
        }
    }
    struct word digits = {name->at + 3, name->len - 3, 0};
    *exact = false;
    return name->len > 3 && !memcmp(name->at, "key", 3) && (digits.len == 1 || *digits.at != '0') &&
           !word_number(key, &digits, 65535);
}

/* The part of `list` up to the next comma, which is passed over; false: nothing is there. */
static bool next_item(struct word *item, struct word *list)
{
    const char *comma = memchr(list->at, ',', list->len);
    uint32_t len = comma ? (uint32_t)(comma - list->at) : list->len;
    *item = (struct word){list->at, len, 0};
    if (comma && len + 1 == list->len) /* a comma at the end */
        return false;
    list->at += len + (comma ? 1u : 0u);
    list->len -= len + (comma ? 1u : 0u);
    return len;
}

static bool put_addresses(struct writer *out, struct word list, bool v6)
{
    do {
        struct word item;
        uint8_t address[16];
        if (!next_item(&item, &list) || (v6 ? word_ipv6(address, &item) : word_ipv4(address, &item)))
            return false;
        writer_put(out, address, v6 ? 16 : 4);
    } while (list.len);
    return true;
}

/* Keys in ascending order, whatever order they are written in. */
static bool put_mandatory(struct writer *out, struct word list)
{
    uint16_t keys[PARAMS_MAX];
    unsigned cnt = 0;

    do {
        struct word item;
        uint32_t key;
        bool exact;
        if (cnt == PARAMS_MAX || !next_item(&item, &list) || !key_number(&key, &item, &exact))
            return false;
        unsigned at = cnt++;
        for (; at && keys[at - 1] > key; at--)
            keys[at] = keys[at - 1];
        keys[at] = (uint16_t)key;
    } while (list.len);
    for (unsigned i = 0; i < cnt; i++)
        writer_u16(out, keys[i]);
    return true;
}

/* Protocol names, a length byte before each. Within the octets (zone text's own escapes are gone) a comma parts two, a
 * backslash escapes (RFC 9460 A.1). */
static bool put_alpn(struct writer *out, const struct word *list)
{
    uint8_t octets[4096];
    struct writer text = writer_over(octets, sizeof(octets));
    uint8_t *len = NULL;

    if (word_octets(&text, list, sizeof(octets)) || !writer_len(&text))
        return false;
    for (const uint8_t *p = octets; p < text.at; p++) {
        if (*p == ',') {
            if (!len || !*len)
                return false;
            len = NULL;
            continue;
        }
        if (*p == '\\' && ++p == text.at)
            return false;
        if (!len && (len = writer_room(out, 1)))
            *len = 0;
        if (!len || *len == 255)
            return false;
        writer_u8(out, *p);
        ++*len;
    }
    return len;
}

static bool put_value(struct writer *out, uint32_t key, const struct word *value)
{
    uint32_t port;
    struct word plain = {value->at, value->len, 0};

    switch (key) {
    case KEY_MANDATORY: return put_mandatory(out, *value);
    case KEY_ALPN: return put_alpn(out, value);
    case KEY_NO_DEFAULT_ALPN: return !value->len;
    case KEY_PORT:
        if (word_number(&port, &plain, 65535))
            return false;
        writer_u16(out, (uint16_t)port);
        return true;
    case KEY_IPV4HINT: return put_addresses(out, plain, false);
    case KEY_IPV6HINT: return put_addresses(out, plain, true);
    case KEY_ECH: return !words_base64(out, &plain, 1);
    default: return !word_octets(out, value, 65535);
    }
}

/* Where a parameter stands in the output. */
struct param {
    uint8_t *at;
    uint32_t len;
    uint32_t key;
};

/* "key", "key=value" or "key=" with a quoted value joined to it. */
static bool put_param(struct rdata_text *t, struct param *param)
{
    const struct word *word = rdata_word(t);
    bool exact;

    if (!word)
        return false;
    const char *equals = memchr(word->at, '=', word->len);
    struct word name = {word->at, equals ? (uint32_t)(equals - word->at) : word->len, 0};
    struct word value = {word->at + word->len, 0, 0};
    if (equals)
        value = (struct word){equals + 1, word->len - name.len - 1, word->flags};
    if (equals && !value.len && t->at < t->end && t->at->flags & WORD_JOINED)
        value = *t->at++;
    if (!key_number(&param->key, &name, &exact))
        return rdata_fail(t, word, "unknown parameter");
    param->at = t->out->at;
    writer_u16(t->out, (uint16_t)param->key);
    uint8_t *len = writer_room(t->out, 2);
    if (!(exact ? put_value(t->out, param->key, &value) : !word_octets(t->out, &value, 65535)))
        return rdata_fail(t, word, "bad value of a parameter");
    param->len = (uint32_t)(t->out->at - param->at);
    if (t->out->failed || !len || param->len > 65535 + 4)
        return rdata_fail(t, word, "record too long");
    be16_put(len, (uint16_t)(param->len - 4));
    return true;
}

/* Puts the parameters from `first` on in ascending order of their keys (RFC 9460 2.2). */
static void sort_params(uint8_t *first, struct param *params, unsigned cnt)
{
    uint8_t sorted[65536];
    struct writer out = writer_over(sorted, sizeof(sorted));

    for (unsigned i = 1; i < cnt; i++) {
        struct param moving = params[i];
        unsigned at = i;
        for (; at && params[at - 1].key > moving.key; at--)
            params[at] = params[at - 1];
        params[at] = moving;
    }
    for (unsigned i = 0; i < cnt; i++)
        writer_put(&out, params[i].at, params[i].len);
    if (!out.failed)
        memcpy(first, sorted, writer_len(&out));
}

bool rdata_text_svcb(struct rdata_text *t)
{
    struct param params[PARAMS_MAX];
    uint8_t *first = t->out->at;
    unsigned cnt = 0;

    while (t->at < t->end) {
        if (cnt == PARAMS_MAX)
            return rdata_fail(t, t->at, "too many parameters");
        if (!put_param(t, &params[cnt++]))
            return false;
    }
    sort_params(first, params, cnt);
    return true;
}
