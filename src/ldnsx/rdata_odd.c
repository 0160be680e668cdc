/* The text forms of their own that few types have. */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "dns/rr.h"
#include "ldnsx/rdata_fields.h"
#include "ldnsx/word.h"

bool rdata_text_eui(struct rdata_text *t, unsigned octets)
{
    const struct word *word = rdata_word(t);
    if (!word)
        return false;
    const char *p = word->at, *end = p + word->len;
    for (unsigned i = 0; i < octets; i++) {
        unsigned n = 0, digits = 0;
        for (; p < end && digits < 2 && hex_value(*p) >= 0; p++, digits++)
            n = n << 4 | (unsigned)hex_value(*p);
        if (!digits || (i + 1 < octets && (p == end || *p++ != '-')))
            return rdata_fail(t, word, "bad EUI address");
        writer_u8(t->out, (uint8_t)n);
    }
    return p == end ? true : rdata_fail(t, word, "bad EUI address");
}

/* Four groups of hexadecimal digits (RFC 6742 2.1.1, 2.3.1). */
bool rdata_text_locator(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    if (!word)
        return false;
    const char *p = word->at, *end = p + word->len;
    for (unsigned i = 0; i < 4; i++) {
        unsigned n = 0, digits = 0;
        for (; p < end && digits < 4 && hex_value(*p) >= 0; p++, digits++)
            n = n << 4 | (unsigned)hex_value(*p);
        if (!digits || (i < 3 && (p == end || *p++ != ':')))
            return rdata_fail(t, word, "bad locator");
        writer_u16(t->out, (uint16_t)n);
    }
    return p == end ? true : rdata_fail(t, word, "bad locator");
}

bool rdata_text_types(struct rdata_text *t)
{
    uint8_t bits[65536 / 8] = {0};
    uint16_t type;

    while (t->at < t->end) {
        const struct word *word = rdata_word(t);
        if (!word)
            return false;
        if (rr_type_from_text(&type, word->at, word->len))
            return rdata_fail(t, word, "unknown type");
        bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
    }
    for (unsigned window = 0; window < 256; window++) {
        unsigned len = 32;
        while (len && !bits[window * 32 + len - 1])
            len--;
        if (!len)
            continue;
        writer_u8(t->out, (uint8_t)window);
        writer_u8(t->out, (uint8_t)len);
        writer_put(t->out, bits + window * 32, len);
    }
    return true;
}

/* The old NSEC's bitmap: types 1 to 127, in one piece (RFC 2535 5.2). */
bool rdata_text_nxt(struct rdata_text *t)
{
    uint8_t bits[16] = {0};
    unsigned len = 0;

    while (t->at < t->end) {
        const struct word *word = rdata_word(t);
        uint16_t type;
        uint32_t n;
        if (!word)
            return false;
        if (word_number(&n, word, 127)) {
            if (rr_type_from_text(&type, word->at, word->len))
                return rdata_fail(t, word, "unknown type");
            n = type;
        }
        if (n < 1 || n > 127)
            return rdata_fail(t, word, "type out of range");
        bits[n / 8] |= (uint8_t)(0x80 >> n % 8);
        if (n / 8 + 1 > len)
            len = n / 8 + 1;
    }
    writer_put(t->out, bits, len);
    return true;
}

/* "[!]family:address/prefix" (RFC 3123 5). */
static bool apl_item(struct rdata_text *t, const struct word *word)
{
    struct word part = {word->at, word->len, 0};
    uint8_t address[16];
    uint32_t family, prefix;
    uint8_t negated = 0;

    if (part.len && *part.at == '!') {
        negated = 0x80;
        part.at++;
        part.len--;
    }
    const char *colon = memchr(part.at, ':', part.len), *slash = memrchr(part.at, '/', part.len);
    if (!colon || !slash || slash < colon)
        return rdata_fail(t, word, "not [!]family:address/prefix");
    struct word at_family = {part.at, (uint32_t)(colon - part.at), 0},
                at_address = {colon + 1, (uint32_t)(slash - colon - 1), 0};
    struct word at_prefix = {slash + 1, part.len - (uint32_t)(slash + 1 - part.at), 0};
    if (word_number(&family, &at_family, 65535) || (family != 1 && family != 2))
        return rdata_fail(t, word, "address family must be 1 or 2");
    if (word_number(&prefix, &at_prefix, family == 1 ? 32 : 128))
        return rdata_fail(t, word, "bad prefix length");
    if (family == 1 ? word_ipv4(address, &at_address) : word_ipv6(address, &at_address))
        return rdata_fail(t, word, "bad address");
    unsigned len = family == 1 ? 4 : 16;
    while (len && !address[len - 1])
        len--;
    writer_u16(t->out, (uint16_t)family);
    writer_u8(t->out, (uint8_t)prefix);
    writer_u8(t->out, (uint8_t)(negated | len));
    writer_put(t->out, address, len);
    return true;
}

bool rdata_text_apl(struct rdata_text *t)
{
    while (t->at < t->end) {
        const struct word *word = rdata_word(t);
        if (!word || !apl_item(t, word))
            return false;
    }
    return true;
}

/* A protocol or service as a lower-cased C string; false: too long for one. */
static bool lower_text(char out[32], const struct word *word)
{
    if (word->len >= 32)
        return false;
    for (uint32_t i = 0; i < word->len; i++)
        out[i] = word->at[i] >= 'A' && word->at[i] <= 'Z' ? (char)(word->at[i] | 0x20) : word->at[i];
    out[word->len] = '\0';
    return true;
}

static bool find_protocol(uint32_t *number, const struct word *word)
{
    struct protoent entry, *found = NULL;
    char name[32], room[2048];

    if (!word_number(number, word, 255))
        return true;
    if (!lower_text(name, word) || getprotobyname_r(name, &entry, room, sizeof(room), &found) || !found)
        return false;
    *number = (uint32_t)found->p_proto;
    return *number <= 255;
}

static bool find_service(uint32_t *port, const struct word *word, uint32_t protocol)
{
    struct servent entry, *found = NULL;
    char name[32], room[2048];
    const char *of = protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : NULL;

    if (!word_number(port, word, 65535))
        return true;
    if (!lower_text(name, word) || getservbyname_r(name, of, &entry, room, sizeof(room), &found) || !found)
        return false;
    *port = ntohs((uint16_t)found->s_port);
    return true;
}

bool rdata_text_wks(struct rdata_text *t)
{
    uint8_t bits[65536 / 8] = {0}, address[4];
    uint32_t protocol, port;
    unsigned len = 0;
    const struct word *word = rdata_word(t);

    if (!word || word_ipv4(address, word))
        return rdata_fail(t, word, "bad IPv4 address");
    if (!(word = rdata_word(t)) || !find_protocol(&protocol, word))
        return rdata_fail(t, word, "unknown protocol");
    while (t->at < t->end) {
        if (!(word = rdata_word(t)) || !find_service(&port, word, protocol))
            return rdata_fail(t, word, "unknown service");
        bits[port / 8] |= (uint8_t)(0x80 >> port % 8);
        if (port / 8 + 1 > len)
            len = port / 8 + 1;
    }
    writer_put(t->out, address, 4);
    writer_u8(t->out, (uint8_t)protocol);
    writer_put(t->out, bits, len);
    return true;
}

/* Pairs of hexadecimal digits with single dots (any, for NSAP) between digits. */
static bool dotted_hex(struct rdata_text *t, const struct word *word, const char *p, bool any_dots)
{
    const char *end = word->at + word->len;
    unsigned high = 0, digits = 0;
    bool dot = true; /* one may not stand here */

    for (; p < end; p++) {
        int v = hex_value(*p);
        if (*p == '.' && (!dot || any_dots)) {
            dot = true;
            continue;
        }
        if (v < 0)
            return rdata_fail(t, word, "bad hexadecimal");
        if (digits++ & 1)
            writer_u8(t->out, (uint8_t)(high << 4 | (unsigned)v));
        high = (unsigned)v;
        dot = false;
    }
    if (!digits || digits & 1 || (dot && !any_dots))
        return rdata_fail(t, word, "bad hexadecimal");
    return true;
}

bool rdata_text_nsap(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    if (!word)
        return false;
    if (word->len < 2 || word->at[0] != '0' || (word->at[1] | 0x20) != 'x')
        return rdata_fail(t, word, "must begin with 0x");
    return dotted_hex(t, word, word->at + 2, true);
}

/* The ATM Forum's Name System, 5: an end system address in hexadecimal, or "+" and an E.164 number. */
bool rdata_text_atma(struct rdata_text *t)
{
    const struct word *word = rdata_word(t);
    if (!word)
        return false;
    bool number = word->len && *word->at == '+';
    writer_u8(t->out, number);
    if (!number)
        return dotted_hex(t, word, word->at, false);
    bool dot = true;
    for (uint32_t i = 1; i < word->len; i++) {
        char c = word->at[i];
        if (c == '.' ? dot : c < '0' || c > '9')
            return rdata_fail(t, word, "bad E.164 number");
        dot = c == '.';
        if (!dot)
            writer_u8(t->out, (uint8_t)c);
    }
    return dot ? rdata_fail(t, word, "bad E.164 number") : true;
}

/* RFC 2874 3.1: prefix length, the address's other bits, the prefix's name. */
bool rdata_text_a6(struct rdata_text *t)
{
    uint32_t prefix;
    uint8_t address[16];

    if (!rdata_number(t, &prefix, 128))
        return false;
    writer_u8(t->out, (uint8_t)prefix);
    if (prefix < 128) {
        const struct word *word = rdata_word(t);
        if (!word || word_ipv6(address, word))
            return rdata_fail(t, word, "bad IPv6 address");
        address[prefix / 8] &= (uint8_t)(0xff >> prefix % 8);
        writer_put(t->out, address + prefix / 8, 16 - prefix / 8);
    }
    return !prefix || rdata_name(t, false);
}

/* Nothing, an IPv4 or IPv6 address, or a name. */
static bool gateway(struct rdata_text *t, uint32_t type)
{
    uint8_t address[16];
    const struct word *word;

    if (type == 3)
        return rdata_name(t, false);
    if (!(word = rdata_word(t)))
        return false;
    if (type == 0)
        return word_is(word, ".") ? true : rdata_fail(t, word, "must be \".\" with type 0");
    if (type == 1 ? word_ipv4(address, word) : word_ipv6(address, word))
        return rdata_fail(t, word, "bad address");
    writer_put(t->out, address, type == 1 ? 4 : 16);
    return true;
}

/* RFC 8777 4.3 */
bool rdata_text_amtrelay(struct rdata_text *t)
{
    uint32_t precedence, discovery, type;

    if (!rdata_number(t, &precedence, 255) || !rdata_number(t, &discovery, 1) || !rdata_number(t, &type, 3))
        return false;
    writer_u8(t->out, (uint8_t)precedence);
    writer_u8(t->out, (uint8_t)(discovery << 7 | type));
    return gateway(t, type);
}

/* RFC 4025 3; the key follows. */
bool rdata_text_ipseckey(struct rdata_text *t)
{
    uint32_t precedence, type, algorithm;

    if (!rdata_number(t, &precedence, 255) || !rdata_number(t, &type, 3) || !rdata_number(t, &algorithm, 255))
        return false;
    writer_u8(t->out, (uint8_t)precedence);
    writer_u8(t->out, (uint8_t)type);
    writer_u8(t->out, (uint8_t)algorithm);
    return gateway(t, type);
}
