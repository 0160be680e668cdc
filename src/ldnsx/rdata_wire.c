#include "ldnsx/rdata.h"

#include "dns/name.h"
#include "dns/rr.h"
#include "ldnsx/rdata_fields.h"

enum { TYPE_SSHFP = 44, TYPE_RKEY = 57, TYPE_ZONEMD = 63, TYPE_TA = 32768, TYPE_DLV = 32769 };

static bool wire_name(struct reader *r)
{
    unsigned len = name_check(r->at, reader_left(r));
    return len && reader_take(r, len);
}

static bool wire_names(struct reader *r)
{
    while (reader_left(r))
        if (!wire_name(r))
            return false;
    return true;
}

static bool wire_string(struct reader *r)
{
    return reader_take(r, reader_u8(r));
}

static bool wire_strings(struct reader *r)
{
    do {
        if (!wire_string(r))
            return false;
    } while (reader_left(r));
    return true;
}

static bool wire_rest(struct reader *r, size_t least)
{
    return reader_left(r) >= least && reader_take(r, reader_left(r));
}

/* RFC 4034 4.1.2: windows ascending, 1 to 32 octets each, the last octet not 0. */
static bool wire_types(struct reader *r, bool may_be_empty)
{
    int last = -1;
    if (!reader_left(r))
        return may_be_empty;
    while (reader_left(r)) {
        int window = reader_u8(r);
        unsigned len = reader_u8(r);
        const uint8_t *bits = reader_take(r, len);
        if (!bits || len < 1 || len > 32 || window <= last || !bits[len - 1])
            return false;
        last = window;
    }
    return true;
}

/* Flags, protocol, algorithm, key. RKEY has no flags. */
static bool wire_key(struct reader *r, uint16_t type)
{
    unsigned flags = reader_u16(r);

    if (!reader_take(r, 2) || (type == TYPE_RKEY && flags))
        return false;
    return (type == RR_KEY && (flags & 0xc000) == 0xc000) || wire_rest(r, 1);
}

static bool wire_apl(struct reader *r)
{
    while (reader_left(r)) {
        unsigned family = reader_u16(r), prefix = reader_u8(r), len = reader_u8(r) & 0x7fu;
        const uint8_t *octets = reader_take(r, len);
        if (!octets || (len && !octets[len - 1]))
            return false;
        if ((family == 1 && (prefix > 32 || len > 4)) || (family == 2 && (prefix > 128 || len > 16)))
            return false;
    }
    return true;
}

/* RFC 1876 2: a size or precision is two digits, the first not 0. */
static bool wire_loc(struct reader *r)
{
    if (reader_u8(r)) /* another version: anything */
        return wire_rest(r, 0);
    for (unsigned i = 0; i < 3; i++) {
        unsigned size = reader_u8(r);
        if (size && ((size & 15) > 9 || size >> 4 > 9 || !(size >> 4)))
            return false;
    }
    int64_t latitude = (int64_t)reader_u32(r) - INT64_C(0x80000000),
            longitude = (int64_t)reader_u32(r) - INT64_C(0x80000000);
    reader_u32(r);
    return !r->failed && latitude >= -90 * 3600000 && latitude <= 90 * 3600000 && longitude >= -180 * 3600000 &&
           longitude <= 180 * 3600000;
}

static bool wire_wks(struct reader *r)
{
    size_t len = reader_left(r);
    return len >= 5 && len <= 5 + 8192 && (len == 5 || r->end[-1]) && wire_rest(r, 5);
}

static bool wire_nxt(struct reader *r)
{
    size_t len = reader_left(r);
    return (!len || (len <= 16 && !(r->at[0] & 0x80) && r->end[-1])) && wire_rest(r, 0);
}

static bool wire_digits(struct reader *r)
{
    for (; reader_left(r); r->at++)
        if (*r->at < '0' || *r->at > '9')
            return false;
    return true;
}

static bool wire_atma(struct reader *r)
{
    unsigned format = reader_u8(r);
    return reader_left(r) && (format == 1 ? wire_digits(r) : wire_rest(r, 1));
}

static bool wire_x25(struct reader *r)
{
    unsigned len = reader_u8(r);
    return len >= 4 && reader_left(r) == len && wire_digits(r);
}

static bool wire_a6(struct reader *r)
{
    unsigned prefix = reader_u8(r);
    if (r->failed || prefix > 128)
        return false;
    if (prefix < 128) {
        const uint8_t *suffix = reader_take(r, 16 - prefix / 8);
        if (!suffix || suffix[0] & ~(0xff >> prefix % 8))
            return false;
    }
    return !prefix || wire_name(r);
}

static bool wire_amtrelay(struct reader *r)
{
    reader_u8(r);
    unsigned relay = reader_u8(r) & 0x7fu;
    if (r->failed)
        return false;
    switch (relay) {
    case 0: return true;
    case 1: return reader_take(r, 4);
    case 2: return reader_take(r, 16);
    case 3: return wire_name(r);
    default: return wire_rest(r, 0);
    }
}

static bool wire_ipseckey(struct reader *r)
{
    reader_u8(r);
    unsigned gateway = reader_u8(r);
    reader_u8(r);
    if (r->failed || gateway > 3)
        return false;
    bool ok = gateway == 0 || (gateway == 3 ? wire_name(r) : reader_take(r, gateway == 1 ? 4 : 16) != NULL);
    return ok;
}

static bool wire_hip(struct reader *r)
{
    unsigned hit_len = reader_u8(r);
    reader_u8(r);
    unsigned key_len = reader_u16(r);
    return hit_len && key_len && reader_take(r, hit_len + key_len) && wire_names(r);
}

static bool wire_tag(struct reader *r)
{
    unsigned len = reader_u8(r);
    const uint8_t *tag = reader_take(r, len);
    for (unsigned i = 0; tag && i < len; i++) {
        uint8_t l = tag[i] | 0x20;
        if (!((tag[i] >= '0' && tag[i] <= '9') || (l >= 'a' && l <= 'z')))
            return false;
    }
    return tag && len;
}

static bool wire_field(struct reader *r, enum field field, uint16_t type)
{
    switch (field) {
    case FIELD_U8:
    case FIELD_ALGORITHM:
    case FIELD_DIGEST:
    case FIELD_HASH:
    case FIELD_SCHEME: return reader_take(r, 1);
    case FIELD_U16:
    case FIELD_TYPE:
    case FIELD_CERT: return reader_take(r, 2);
    case FIELD_U32:
    case FIELD_PERIOD:
    case FIELD_TIME:
    case FIELD_TIME_SIG:
    case FIELD_IPV4: return reader_take(r, 4);
    case FIELD_IPV6: return reader_take(r, 16);
    case FIELD_EUI48: return reader_take(r, 6);
    case FIELD_LOCATOR:
    case FIELD_EUI64: return reader_take(r, 8);
    case FIELD_NAME:
    case FIELD_NAME_QUOTED: return wire_name(r);
    case FIELD_SALT:
    case FIELD_STRING: return wire_string(r);
    case FIELD_STRING_OPT: return !reader_left(r) || wire_string(r);
    case FIELD_STRINGS: return wire_strings(r);
    case FIELD_NEXT_HASH: return reader_left(r) && r->at[0] && wire_string(r);
    case FIELD_NSAP:
    case FIELD_HEX:
    case FIELD_BASE64: return wire_rest(r, 1);
    case FIELD_NONE:
    case FIELD_TEXT:
    case FIELD_TEXT_QUOTED:
    case FIELD_HEX_OPT:
    case FIELD_BASE64_DASH:
    case FIELD_BASE64_OPT: return wire_rest(r, 0);
    case FIELD_TYPES: return wire_types(r, false);
    case FIELD_TYPES_OPT: return wire_types(r, true);
    case FIELD_KEY: return wire_key(r, type);
    case FIELD_APL: return wire_apl(r);
    case FIELD_LOC: return wire_loc(r);
    case FIELD_WKS: return wire_wks(r);
    case FIELD_SVCB: return rdata_valid_svcb(r);
    case FIELD_ATMA: return wire_atma(r);
    case FIELD_NXT: return wire_nxt(r);
    case FIELD_A6: return wire_a6(r);
    case FIELD_AMTRELAY: return wire_amtrelay(r);
    case FIELD_X25: return wire_x25(r);
    case FIELD_TAG: return wire_tag(r);
    case FIELD_IPSECKEY: return wire_ipseckey(r);
    case FIELD_LDNS: return wire_hip(r);
    }
    return false;
}

/* Octets of a digest of that number in DS and its likes; 0: any. */
static size_t ds_digest_len(unsigned digest)
{
    return digest == 1 ? 20 : digest == 2 ? 32 : digest == 4 ? 48 : 0;
}

/* What spans fields: the digest's length goes with its type, RRSIG's labels with its signer, NAPTR's regular expression
 * compiles. */
static bool wire_rules(uint16_t type, const uint8_t *rdata, size_t len)
{
    size_t want;

    switch (type) {
    case RR_DS:
    case RR_CDS:
    case TYPE_TA:
    case TYPE_DLV:
        want = ds_digest_len(rdata[3]);
        return !want || len == 4 + want;
    case TYPE_SSHFP:
        want = rdata[1] == 1 ? 20 : rdata[1] == 2 ? 32 : 0;
        return !want || len == 2 + want;
    case TYPE_ZONEMD: /* RFC 8976 2.2.4 */
        want = rdata[5] == 1 ? 48 : rdata[5] == 2 ? 64 : 0;
        return want ? len == 6 + want : len >= 6 + 12;
    case RR_RRSIG:
        return rdata[3] >= name_depth(rdata + 18);
    case RR_NSEC3: /* hash 1 is SHA-1 */
        return rdata[0] != 1 || rdata[5 + rdata[4]] == 20;
    case RR_NAPTR: {
        struct reader r = reader_over(rdata + 4, len - 4);
        if (!wire_string(&r) || !wire_string(&r))
            return false;
        return rdata_valid_substitution(r.at + 1, r.at[0]);
    }
    default:
        return true;
    }
}

bool rdata_valid(uint16_t type, const uint8_t *rdata, size_t len)
{
    const char *fields = rdata_fields(type);
    struct reader r = reader_over(rdata, len);

    if (!fields)
        return true;
    for (; *fields; fields++)
        if (!wire_field(&r, (enum field)*fields, type) || r.failed)
            return false;
    return !reader_left(&r) && wire_rules(type, rdata, len);
}
