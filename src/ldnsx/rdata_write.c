#include "ldnsx/rdata_write.h"

#include <arpa/inet.h>
#include <time.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "ldnsx/rdata_fields.h"
#include "ldnsx/rdata_write_part.h"

/* ---- characters */

/* How a byte stands in text (RFC 1035 5.1): itself, behind a backslash, or as \DDD; in names, and in quotes. */
enum { PLAIN, ESCAPED, DECIMAL, AS_IN_NAME = 3, AS_IN_QUOTES = 12, QUOTES_SHIFT = 2 };
static const uint8_t how[256] = {
    [0 ... 0x1f] = DECIMAL | DECIMAL << QUOTES_SHIFT,
    [' '] = DECIMAL,
    ['"'] = ESCAPED | ESCAPED << QUOTES_SHIFT,
    ['\\'] = ESCAPED | ESCAPED << QUOTES_SHIFT,
    ['.'] = ESCAPED, [';'] = ESCAPED, ['('] = ESCAPED, [')'] = ESCAPED, ['@'] = ESCAPED, ['$'] = ESCAPED,
    [0x7f ... 0xff] = DECIMAL | DECIMAL << QUOTES_SHIFT,
};

static void put_char(struct writer *out, char c) { writer_u8(out, (uint8_t)c); }

static void put_bytes(struct writer *out, const uint8_t *bytes, unsigned len, unsigned mask)
{
    uint8_t *at = writer_room(out, 4 * (size_t)len);
    if (!at)
        return;
    for (unsigned i = 0; i < len; i++) {
        uint8_t c = bytes[i];
        unsigned way = mask == AS_IN_NAME ? how[c] & AS_IN_NAME : (how[c] & AS_IN_QUOTES) >> QUOTES_SHIFT;
        if (way != PLAIN)
            *at++ = '\\';
        if (way != DECIMAL) {
            *at++ = c;
            continue;
        }
        *at++ = (uint8_t)('0' + c / 100);
        *at++ = (uint8_t)('0' + c / 10 % 10);
        *at++ = (uint8_t)('0' + c % 10);
    }
    out->at = at;
}

void rdata_write_quoted(struct writer *out, const uint8_t *bytes, unsigned len)
{
    put_char(out, '"');
    put_bytes(out, bytes, len, AS_IN_QUOTES);
    put_char(out, '"');
}

void rdata_write_number(struct writer *out, uint32_t value)
{
    uint8_t digits[10], *at = digits + sizeof digits;
    do
        *--at = (uint8_t)('0' + value % 10);
    while (value /= 10);
    writer_put(out, at, (size_t)(digits + sizeof digits - at));
}

static void put_hex(struct writer *out, const uint8_t *bytes, unsigned len)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = writer_room(out, 2 * (size_t)len);
    for (unsigned i = 0; at && i < len; i++) {
        *at++ = (uint8_t)digits[bytes[i] >> 4];
        *at++ = (uint8_t)digits[bytes[i] & 15];
    }
}

/* `bits` a character, with padding to groups of `group` characters (0: none). */
static void put_digits(struct writer *out, const uint8_t *bytes, unsigned len, const char *digits, unsigned bits,
                       unsigned group)
{
    unsigned held = 0, cnt = 0;
    uint32_t value = 0;
    for (unsigned i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
        for (held += 8; held >= bits; held -= bits, cnt++)
            put_char(out, digits[value >> (held - bits) & ((1u << bits) - 1)]);
    }
    if (held) {
        put_char(out, digits[value << (bits - held) & ((1u << bits) - 1)]);
        cnt++;
    }
    for (; group && cnt % group; cnt++)
        put_char(out, '=');
}

/* RFC 4648 4 */
void rdata_write_base64(struct writer *out, const uint8_t *bytes, unsigned len)
{
    put_digits(out, bytes, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4);
}

/* RFC 4648 7, as RFC 5155 3.3 wants it */
static void put_base32hex(struct writer *out, const uint8_t *bytes, unsigned len)
{
    put_digits(out, bytes, len, "0123456789ABCDEFGHIJKLMNOPQRSTUV", 5, 0);
}

/* ---- names and types */

void rdata_write_name(struct writer *out, const uint8_t *name, const uint8_t *origin)
{
    unsigned left = name_len(name), tail = origin && *origin ? name_len(origin) : 0;
    if (left == 1) {
        put_char(out, '.');
        return;
    }
    if (left == tail && !memcmp(name, origin, tail)) {
        put_char(out, '@');
        return;
    }
    for (bool first = true; *name; first = false, left -= 1u + *name, name += 1 + *name) {
        if (left == tail && !memcmp(name, origin, tail))
            return;
        if (!first)
            put_char(out, '.');
        put_bytes(out, name + 1, *name, AS_IN_NAME);
    }
    put_char(out, '.');
}

enum { TYPE_SINK = 40, TYPE_NINFO = 56, TYPE_RKEY = 57, TYPE_DSYNC = 66, TYPE_HHIT = 67, TYPE_BRID = 68 };
enum { TYPE_UINFO = 100, TYPE_UNSPEC = 103, TYPE_AVC = 258, TYPE_WALLET = 262, TYPE_TA = 32768, TYPE_KEYDATA = 65533 };

/* BIND 9.18 has a name for it, and ldns 1.8 none, or other fields (SINK). */
static bool is_known_to_few(uint16_t type)
{
    return type == TYPE_SINK || type == TYPE_NINFO || type == TYPE_RKEY || (type >= TYPE_DSYNC && type <= TYPE_BRID) ||
           (type >= TYPE_UINFO && type <= TYPE_UNSPEC) || (type >= TYPE_AVC && type <= TYPE_WALLET) ||
           type == TYPE_TA || type == TYPE_KEYDATA;
}

void rdata_write_type(struct writer *out, uint16_t type)
{
    char text[RR_TYPE_TEXT_MAX];
    if (!is_known_to_few(type)) {
        rr_type_to_text(text, type);
        writer_put(out, text, strlen(text));
    } else {
        writer_put(out, "TYPE", 4);
        rdata_write_number(out, type);
    }
}

/* ---- fields: each takes its bytes from `r`; what is malformed makes it fail */

struct fields {
    struct writer *out;
    struct reader r;
    const uint8_t *origin;
    uint16_t type;
    bool any; /* something is written */
};

static void put_space(struct fields *f)
{
    if (f->any)
        put_char(f->out, ' ');
    f->any = true;
}

static void write_number(struct fields *f, unsigned octets)
{
    put_space(f);
    rdata_write_number(f->out, octets == 1 ? reader_u8(&f->r) : octets == 2 ? reader_u16(&f->r) : reader_u32(&f->r));
}

static void write_name(struct fields *f)
{
    unsigned len = name_check(f->r.at, reader_left(&f->r));
    const uint8_t *name = reader_take(&f->r, len);
    if (!len)
        f->r.failed = true;
    if (!len || !name)
        return;
    put_space(f);
    rdata_write_name(f->out, name, f->origin);
}

static void write_address(struct fields *f, int family)
{
    char text[INET6_ADDRSTRLEN];
    const uint8_t *octets = reader_take(&f->r, family == AF_INET ? 4 : 16);
    if (!octets)
        return;
    put_space(f);
    if (family == AF_INET) {
        for (unsigned i = 0; i < 4; i++) {
            if (i)
                put_char(f->out, '.');
            rdata_write_number(f->out, octets[i]);
        }
    } else {
        inet_ntop(family, octets, text, sizeof text);
        writer_put(f->out, text, strlen(text));
    }
}

/* Groups of octets as hexadecimal digits: "0014:4fff:ff20:ee64", "00-00-5e-00-53-2a". */
static void write_groups(struct fields *f, unsigned groups, unsigned group_len, char between)
{
    const uint8_t *octets = reader_take(&f->r, (size_t)groups * group_len);
    if (!octets)
        return;
    put_space(f);
    for (unsigned i = 0; i < groups; i++) {
        if (i)
            put_char(f->out, between);
        put_hex(f->out, octets + (size_t)i * group_len, group_len);
    }
}

static void write_string(struct fields *f)
{
    unsigned len = reader_u8(&f->r);
    const uint8_t *bytes = reader_take(&f->r, len);
    if (!bytes)
        return;
    put_space(f);
    rdata_write_quoted(f->out, bytes, len);
}

/* CAA's tag stands without quotes (RFC 8659 4.1.1). */
static void write_tag(struct fields *f)
{
    unsigned len = reader_u8(&f->r);
    const uint8_t *bytes = reader_take(&f->r, len);
    if (!bytes)
        return;
    put_space(f);
    writer_put(f->out, bytes, len);
}

static void write_salt(struct fields *f)
{
    unsigned len = reader_u8(&f->r);
    const uint8_t *bytes = reader_take(&f->r, len);
    if (!bytes)
        return;
    put_space(f);
    if (len)
        put_hex(f->out, bytes, len);
    else
        put_char(f->out, '-');
}

/* BIND reads no longer one. */
enum { NEXT_HASH_MAX = 155 };

static void write_next_hash(struct fields *f)
{
    unsigned len = reader_u8(&f->r);
    const uint8_t *bytes = reader_take(&f->r, len);
    f->r.failed |= len > NEXT_HASH_MAX;
    if (f->r.failed)
        return;
    put_space(f);
    put_base32hex(f->out, bytes, len);
}

static void write_rest(struct fields *f, void (*put)(struct writer *, const uint8_t *, unsigned))
{
    unsigned len = (unsigned)reader_left(&f->r);
    const uint8_t *bytes = reader_take(&f->r, len);
    f->r.failed |= !len; /* ldns reads none: not as text */
    if (f->r.failed)
        return;
    put_space(f);
    put(f->out, bytes, len);
}

static void write_long_text(struct fields *f)
{
    unsigned len = (unsigned)reader_left(&f->r);
    put_space(f);
    rdata_write_quoted(f->out, f->r.at, len);
    reader_take(&f->r, len);
}

/* YYYYMMDDHHmmSS (RFC 4034 3.2) */
static void write_time(struct fields *f)
{
    time_t seconds = reader_u32(&f->r);
    struct tm tm;
    char text[16];
    size_t len = strftime(text, sizeof text, "%Y%m%d%H%M%S", gmtime_r(&seconds, &tm));
    put_space(f);
    writer_put(f->out, text, len);
}

static void write_type(struct fields *f, uint16_t type)
{
    put_space(f);
    rdata_write_type(f->out, type);
}

/* RFC 4034 4.1.2. ldns reads an empty list of NSEC3 alone. */
static void write_types(struct fields *f)
{
    if (!reader_left(&f->r) && f->type != RR_NSEC3)
        f->r.failed = true;
    while (reader_left(&f->r) && !f->r.failed) {
        unsigned window = reader_u8(&f->r), len = reader_u8(&f->r);
        const uint8_t *bits = reader_take(&f->r, len);
        if (len > 32)
            f->r.failed = true;
        for (unsigned i = 0; bits && !f->r.failed && i < 8 * len; i++)
            if (bits[i / 8] & 0x80 >> i % 8)
                write_type(f, (uint16_t)(window << 8 | i));
    }
}

/* Flags, protocol, algorithm, and the key if there is one (RFC 2535 3.1.2). */
static void write_key(struct fields *f)
{
    write_number(f, 2);
    write_number(f, 1);
    write_number(f, 1);
    write_rest(f, rdata_write_base64);
}

/* False: a field that has no text here. */
static bool write_field(struct fields *f, enum field field)
{
    switch (field) {
    case FIELD_U8:
    case FIELD_ALGORITHM:
    case FIELD_DIGEST:
    case FIELD_HASH:
    case FIELD_SCHEME: write_number(f, 1); return true;
    case FIELD_U16:
    case FIELD_CERT: write_number(f, 2); return true;
    case FIELD_U32:
    case FIELD_PERIOD: write_number(f, 4); return true;
    case FIELD_NAME:
    case FIELD_NAME_QUOTED: write_name(f); return true;
    case FIELD_IPV4: write_address(f, AF_INET); return true;
    case FIELD_IPV6: write_address(f, AF_INET6); return true;
    case FIELD_LOCATOR: write_groups(f, 4, 2, ':'); return true;
    case FIELD_EUI48: write_groups(f, 6, 1, '-'); return true;
    case FIELD_EUI64: write_groups(f, 8, 1, '-'); return true;
    case FIELD_X25:
    case FIELD_STRING: write_string(f); return true;
    case FIELD_STRING_OPT:
    case FIELD_STRINGS:
        while (reader_left(&f->r) && !f->r.failed)
            write_string(f);
        return true;
    case FIELD_TAG: write_tag(f); return true;
    case FIELD_TEXT:
    case FIELD_TEXT_QUOTED: write_long_text(f); return true;
    case FIELD_HEX:
    case FIELD_HEX_OPT: write_rest(f, put_hex); return true;
    case FIELD_BASE64:
    case FIELD_BASE64_OPT: write_rest(f, rdata_write_base64); return true;
    case FIELD_TYPE: write_type(f, reader_u16(&f->r)); return true;
    case FIELD_TYPES:
    case FIELD_TYPES_OPT: write_types(f); return true;
    case FIELD_KEY: write_key(f); return true;
    case FIELD_SALT: write_salt(f); return true;
    case FIELD_NEXT_HASH: write_next_hash(f); return true;
    case FIELD_TIME:
    case FIELD_TIME_SIG: write_time(f); return true;
    case FIELD_SVCB: return rdata_write_params(f->out, &f->r);
    case FIELD_APL:
    case FIELD_LOC:
    case FIELD_NSAP:
    case FIELD_IPSECKEY:
    case FIELD_LDNS:
    /* Written as RFC 3597 has it. */
    case FIELD_BASE64_DASH:
    case FIELD_WKS:
    case FIELD_ATMA:
    case FIELD_NXT:
    case FIELD_A6:
    case FIELD_AMTRELAY:
    case FIELD_NONE: break;
    }
    return false;
}

static bool write_fields(struct fields *f, const char *fields)
{
    for (; *fields; fields++)
        if (!write_field(f, (enum field)*fields) || f->r.failed)
            return false;
    return !reader_left(&f->r);
}

static bool is_ldns_field(char field)
{
    return field == FIELD_APL || field == FIELD_LOC || field == FIELD_NSAP || field == FIELD_IPSECKEY ||
           field == FIELD_LDNS;
}

static bool has_ldns_field(const char *fields)
{
    while (*fields && !is_ldns_field(*fields))
        fields++;
    return *fields;
}

/* RFC 3597 5 */
static void write_generic(struct writer *out, const uint8_t *rdata, unsigned len)
{
    writer_put(out, "\\# ", 3);
    rdata_write_number(out, len);
    if (!len)
        return;
    put_char(out, ' ');
    put_hex(out, rdata, len);
}

void rdata_write(struct writer *out, uint16_t type, const uint8_t *rdata, unsigned len, const uint8_t *origin)
{
    const char *fields = is_known_to_few(type) || !len ? NULL : rdata_fields(type);
    struct fields f = {.out = out, .r = reader_over(rdata, len), .origin = origin, .type = type};
    uint8_t *start = out->at;

    if (fields && has_ldns_field(fields) ? rdata_write_by_ldns(out, type, rdata, len)
                                         : fields && write_fields(&f, fields))
        return;
    if (!out->failed)
        out->at = start;
    write_generic(out, rdata, len);
}
