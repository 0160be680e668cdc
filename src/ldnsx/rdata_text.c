#include "ldnsx/rdata.h"

#include <string.h>

#include "dns/name.h"
#include "dns/rr.h"
#include "ldnsx/mnemonic.h"
#include "ldnsx/rdata_fields.h"
#include "ldnsx/word.h"

bool rdata_fail(struct rdata_text *t, const struct word *word, const char *why)
{
    if (!t->why) {
        t->why = why;
        t->bad = word;
    }
    return false;
}

const struct word *rdata_any_word(struct rdata_text *t)
{
    if (t->at < t->end)
        return t->at++;
    rdata_fail(t, NULL, "the record ends too early");
    return NULL;
}

const struct word *rdata_word(struct rdata_text *t)
{
    const struct word *word = rdata_any_word(t);
    if (word && word->flags & WORD_QUOTED) {
        rdata_fail(t, word, "quotes are not for here");
        return NULL;
    }
    return word;
}

/* Turns a parser's error into a problem. */
static bool take(struct rdata_text *t, const struct word *word, enum err e, const char *syntax, const char *range)
{
    return e ? rdata_fail(t, word, e == ERR_RANGE ? range : syntax) : true;
}

bool rdata_number(struct rdata_text *t, uint32_t *value, uint32_t most)
{
    const struct word *word = rdata_word(t);
    return word && take(t, word, word_number(value, word, most), "not a number", "number out of range");
}

bool rdata_name(struct rdata_text *t, bool may_be_quoted)
{
    const struct word *word = may_be_quoted ? rdata_any_word(t) : rdata_word(t);
    uint8_t name[NAME_MAX_LEN];
    unsigned len;

    if (!word || !take(t, word, name_from_text(name, &len, word->at, word->len, t->origin), "bad name",
                       "name or label too long"))
        return false;
    writer_put(t->out, name, len);
    return true;
}

static void put_number(struct writer *out, uint32_t value, unsigned octets)
{
    for (unsigned i = octets; i-- > 0;)
        writer_u8(out, (uint8_t)(value >> 8 * i));
}

static bool text_number(struct rdata_text *t, unsigned octets)
{
    uint32_t value;
    if (!rdata_number(t, &value, octets == 4 ? UINT32_MAX : (1u << 8 * octets) - 1))
        return false;
    put_number(t->out, value, octets);
    return true;
}

/* A number that may be written as a name. */
static bool text_mnemonic(struct rdata_text *t, enum err (*read)(uint32_t *, const struct word *), unsigned octets,
                          const char *unknown)
{
    const struct word *word = rdata_word(t);
    uint32_t value;
    if (!word || !take(t, word, read(&value, word), unknown, "number out of range"))
        return false;
    put_number(t->out, value, octets);
    return true;
}

static bool text_address(struct rdata_text *t, bool v6)
{
    const struct word *word = rdata_word(t);
    uint8_t octets[16];
    if (!word)
        return false;
    if (v6 ? word_ipv6(octets, word) : word_ipv4(octets, word))
        return rdata_fail(t, word, v6 ? "bad IPv6 address" : "bad IPv4 address");
    writer_put(t->out, octets, v6 ? 16 : 4);
    return true;
}

static bool text_string(struct rdata_text *t)
{
    const struct word *word = rdata_any_word(t);
    return word && take(t, word, word_string(t->out, word), "bad escape", "string longer than 255 octets");
}

static bool text_strings(struct rdata_text *t)
{
    do {
        if (!text_string(t))
            return false;
    } while (t->at < t->end);
    return true;
}

/* A text whose length only the record bounds: CAA's value, URI's target. */
static bool text_long(struct rdata_text *t, bool quoted)
{
    const struct word *word = rdata_any_word(t);
    if (!word)
        return false;
    if (quoted && !(word->flags & WORD_QUOTED))
        return rdata_fail(t, word, "a quoted text must be here");
    return take(t, word, word_octets(t->out, word, 65535), "bad escape", "text too long");
}

static bool text_tag(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    if (!word)
        return false;
    for (uint32_t i = 0; i < word->len; i++) {
        char c = word->at[i], l = (char)(c | 0x20);
        if (!((c >= '0' && c <= '9') || (l >= 'a' && l <= 'z')))
            return rdata_fail(t, word, "a tag has letters and digits only");
    }
    return take(t, word, word_string(t->out, word), "bad tag", "tag longer than 255 octets");
}

static bool text_octets(struct rdata_text *t, enum err (*read)(struct writer *, const struct word *, unsigned),
                        bool may_be_empty, const char *what)
{
    if (t->at == t->end && !may_be_empty)
        return rdata_any_word(t);
    const struct word *first = t->at;
    t->at = t->end;
    return take(t, first, read(t->out, first, (unsigned)(t->end - first)), what, "longer than 65535 octets");
}

static bool text_dash_base64(struct rdata_text *t)
{
    if (t->at < t->end && word_is(t->at, "-")) {
        t->at++;
        return true;
    }
    return text_octets(t, words_base64, false, "bad base64");
}

static bool text_key(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    uint32_t flags;

    if (!word || !take(t, word, mnemonic_key_flags(&flags, word), "unknown flags", "flags out of range"))
        return false;
    put_number(t->out, flags, 2);
    if (!text_mnemonic(t, mnemonic_protocol, 1, "unknown protocol") ||
        !text_mnemonic(t, mnemonic_algorithm, 1, "unknown algorithm"))
        return false;
    /* "no key" (RFC 2535 3.1.2) */
    if (t->type == RR_KEY && (flags & 0xc000) == 0xc000)
        return true;
    return text_octets(t, words_base64, false, "bad base64");
}

static bool text_salt(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    uint8_t *len = writer_room(t->out, 1);

    if (!word || !len)
        return false;
    *len = 0;
    if (word_is(word, "-"))
        return true;
    if (word->len > 510)
        return rdata_fail(t, word, "salt longer than 255 octets");
    *len = (uint8_t)(word->len / 2);
    return take(t, word, words_hex(t->out, word, 1), "bad hexadecimal", "salt too long");
}

static bool text_next_hash(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    uint8_t *len = writer_room(t->out, 1);
    if (!word || !len)
        return false;
    const uint8_t *start = t->out->at;
    if (!take(t, word, word_base32hex(t->out, word), "bad base32hex", "hash too long"))
        return false;
    if (t->out->at - start > 155) /* what fits in a label (BIND's limit) */
        return rdata_fail(t, word, "hash too long");
    *len = (uint8_t)(t->out->at - start);
    return true;
}

/* Seconds since 1970 when it has at most 10 digits (RFC 4034 3.2), or a date. */
static bool text_time(struct rdata_text *t, bool number_too)
{
    const struct word *word = rdata_word(t);
    uint32_t seconds;

    if (!word)
        return false;
    enum err e = number_too && word->len <= 10 ? word_number(&seconds, word, UINT32_MAX) : word_time(&seconds, word);
    if (!take(t, word, e, "bad time", "time out of range"))
        return false;
    writer_u32(t->out, seconds);
    return true;
}

static bool text_period(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    uint32_t seconds;
    if (!word || !take(t, word, word_period(&seconds, word), "bad time span", "time span out of range"))
        return false;
    writer_u32(t->out, seconds);
    return true;
}

static bool text_field(struct rdata_text *t, enum field field)
{
    switch (field) {
    case FIELD_U8: return text_number(t, 1);
    case FIELD_U16: return text_number(t, 2);
    case FIELD_U32: return text_number(t, 4);
    case FIELD_PERIOD: return text_period(t);
    case FIELD_NAME: return rdata_name(t, false);
    case FIELD_NAME_QUOTED: return rdata_name(t, true);
    case FIELD_IPV4: return text_address(t, false);
    case FIELD_IPV6: return text_address(t, true);
    case FIELD_LOCATOR: return rdata_text_locator(t);
    case FIELD_EUI48: return rdata_text_eui(t, 6);
    case FIELD_EUI64: return rdata_text_eui(t, 8);
    case FIELD_X25:
    case FIELD_STRING: return text_string(t);
    case FIELD_STRING_OPT: return t->at == t->end || text_string(t);
    case FIELD_STRINGS: return text_strings(t);
    case FIELD_HEX_OPT: return text_octets(t, words_hex, true, "bad hexadecimal");
    case FIELD_HEX: return text_octets(t, words_hex, false, "bad hexadecimal");
    case FIELD_BASE64: return text_octets(t, words_base64, false, "bad base64");
    case FIELD_BASE64_OPT: return text_octets(t, words_base64, true, "bad base64");
    case FIELD_BASE64_DASH: return text_dash_base64(t);
    case FIELD_TYPE: return text_mnemonic(t, mnemonic_type, 2, "unknown type");
    case FIELD_TYPES:
    case FIELD_TYPES_OPT: return rdata_text_types(t);
    case FIELD_CERT: return text_mnemonic(t, mnemonic_cert, 2, "unknown certificate type");
    case FIELD_ALGORITHM: return text_mnemonic(t, mnemonic_algorithm, 1, "unknown algorithm");
    case FIELD_DIGEST: return text_mnemonic(t, mnemonic_digest, 1, "unknown digest type");
    case FIELD_HASH: return text_mnemonic(t, mnemonic_nsec3_hash, 1, "unknown hash algorithm");
    case FIELD_SCHEME: return text_mnemonic(t, mnemonic_dsync, 1, "unknown scheme");
    case FIELD_KEY: return text_key(t);
    case FIELD_SALT: return text_salt(t);
    case FIELD_NEXT_HASH: return text_next_hash(t);
    case FIELD_TIME: return text_time(t, true);
    case FIELD_TIME_SIG: return text_time(t, false);
    case FIELD_APL: return rdata_text_apl(t);
    case FIELD_LOC: return rdata_text_loc(t);
    case FIELD_WKS: return rdata_text_wks(t);
    case FIELD_SVCB: return rdata_text_svcb(t);
    case FIELD_NSAP: return rdata_text_nsap(t);
    case FIELD_ATMA: return rdata_text_atma(t);
    case FIELD_NXT: return rdata_text_nxt(t);
    case FIELD_A6: return rdata_text_a6(t);
    case FIELD_AMTRELAY: return rdata_text_amtrelay(t);
    case FIELD_IPSECKEY: return rdata_text_ipseckey(t);
    case FIELD_TAG: return text_tag(t);
    case FIELD_TEXT: return text_long(t, false);
    case FIELD_TEXT_QUOTED: return text_long(t, true);
    case FIELD_LDNS: return rdata_text_ldns(t);
    case FIELD_NONE: break;
    }
    return rdata_fail(t, t->at < t->end ? t->at : NULL, "this type is written as \\# only (RFC 3597)");
}

/* RFC 3597 5: "\#", the length, and as many octets in hexadecimal. */
static bool text_generic(struct rdata_text *t)
{
    uint32_t len;
    const struct word *len_word = ++t->at;

    if (!rdata_number(t, &len, 65535))
        return false;
    if (t->at < t->end && !text_octets(t, words_hex, false, "bad hexadecimal"))
        return false;
    if (writer_len(t->out) - t->start != len)
        return rdata_fail(t, len_word, "the length is not that of the data");
    return true;
}

/* For TXT "\#" may be an escaped string as well: only a number behind it makes it RFC 3597's. */
static bool is_generic(const struct rdata_text *t)
{
    uint32_t n;
    if (t->at == t->end || t->at->flags & WORD_QUOTED || t->at->len != 2 || memcmp(t->at->at, "\\#", 2))
        return false;
    return t->type != RR_TXT || (t->end - t->at > 1 && !word_number(&n, t->at + 1, UINT32_MAX));
}

/* Kinds whose text parser leaves nothing for the check of the wire bytes to find; most records have only these. */
static bool needs_no_check(uint16_t type, const char *fields)
{
    return fields[strspn(fields, "aAnslqQt")] == '\0' && type != RR_NAPTR;
}

static bool read_fields(struct rdata_text *t)
{
    const char *fields = rdata_fields(t->type);
    bool generic = is_generic(t);

    if (generic) {
        if (!text_generic(t))
            return false;
    } else {
        if (!fields)
            return rdata_fail(t, t->at < t->end ? t->at : NULL, "this type is written as \\# only (RFC 3597)");
        for (const char *f = fields; *f; f++)
            if (!text_field(t, (enum field)*f))
                return false;
        if (t->at < t->end)
            return rdata_fail(t, t->at, "more than the record can have");
    }
    if (t->out->failed || writer_len(t->out) - t->start > 65535)
        return rdata_fail(t, NULL, "rdata longer than 65535 octets");
    if (!generic && needs_no_check(t->type, fields))
        return true;
    if (!rdata_valid(t->type, t->out->begin + t->start, writer_len(t->out) - t->start))
        return rdata_fail(t, NULL, "values do not fit the type or each other");
    return true;
}

enum err rdata_from_words(struct writer *out, uint16_t type, const struct word *words, unsigned cnt,
                          const uint8_t *origin, struct rdata_problem *problem)
{
    struct rdata_text t = {
        .at = words,
        .end = words ? words + cnt : NULL,
        .origin = origin,
        .out = out,
        .start = writer_len(out),
        .type = type,
    };
    if (read_fields(&t))
        return ERR_OK;
    *problem = (struct rdata_problem){t.why ? t.why : "rdata longer than 65535 octets", t.bad};
    return ERR_INVALID;
}
