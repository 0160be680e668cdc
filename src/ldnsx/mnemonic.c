#include "ldnsx/mnemonic.h"

#include <string.h>
#include <strings.h>

#include "dns/rr.h"
#include "ldnsx/word.h"

struct named {
    uint16_t value;
    const char *name;
};

static const struct named algorithms[] = {
    {1, "RSAMD5"},       {2, "DH"},
    {3, "DSA"},          {5, "RSASHA1"},
    {6, "NSEC3DSA"},     {7, "NSEC3RSASHA1"},
    {8, "RSASHA256"},    {10, "RSASHA512"},
    {12, "ECCGOST"},     {13, "ECDSAP256SHA256"},
    {13, "ECDSA256"},    {14, "ECDSAP384SHA384"},
    {14, "ECDSA384"},    {15, "ED25519"},
    {16, "ED448"},       {252, "INDIRECT"},
    {253, "PRIVATEDNS"}, {254, "PRIVATEOID"},
    {0, NULL},
};
static const struct named digests[] = {
    {1, "SHA-1"}, {1, "SHA1"}, {2, "SHA-256"}, {2, "SHA256"}, {3, "GOST"}, {4, "SHA-384"}, {4, "SHA384"}, {0, NULL},
};
static const struct named nsec3_hashes[] = {{1, "SHA-1"}, {0, NULL}};
static const struct named certs[] = {
    {1, "PKIX"},   {2, "SPKI"},    {3, "PGP"},   {4, "IPKIX"}, {5, "ISPKI"}, {6, "IPGP"},
    {7, "ACPKIX"}, {8, "IACPKIX"}, {253, "URI"}, {254, "OID"}, {0, NULL},
};
static const struct named protocols[] = {
    {0, "NONE"}, {1, "TLS"}, {2, "EMAIL"}, {3, "DNSSEC"}, {4, "IPSEC"}, {255, "ALL"}, {0, NULL},
};
static const struct named dsync_schemes[] = {{1, "NOTIFY"}, {0, NULL}};
static const struct named key_flags[] = {
    {0x4000, "NOCONF"}, {0x8000, "NOAUTH"}, {0xc000, "NOKEY"}, {0x2000, "FLAG2"},  {0x1000, "EXTEND"},
    {0x0800, "FLAG4"},  {0x0400, "FLAG5"},  {0, "USER"},       {0x0100, "ZONE"},   {0x0200, "HOST"},
    {0x0300, "NTYP3"},  {0x0080, "FLAG8"},  {0x0040, "FLAG9"}, {0x0020, "FLAG10"}, {0x0010, "FLAG11"},
    {0, "SIG0"},        {1, "SIG1"},        {2, "SIG2"},       {3, "SIG3"},        {4, "SIG4"},
    {5, "SIG5"},        {6, "SIG6"},        {7, "SIG7"},       {8, "SIG8"},        {9, "SIG9"},
    {10, "SIG10"},      {11, "SIG11"},      {12, "SIG12"},     {13, "SIG13"},      {14, "SIG14"},
    {15, "SIG15"},      {1, "KSK"},         {0, NULL},
};

static enum err find(uint32_t *value, const struct named *known, const char *text, size_t len)
{
    for (; known->name; known++) {
        if (strlen(known->name) == len && !strncasecmp(known->name, text, len)) {
            *value = known->value;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err number_or_name(uint32_t *value, const struct word *word, uint32_t most, const struct named *known)
{
    enum err e = word_number(value, word, most);
    if (e != ERR_SYNTAX)
        return e;
    return word->flags & WORD_QUOTED ? ERR_NOT_FOUND : find(value, known, word->at, word->len);
}

enum err mnemonic_algorithm(uint32_t *value, const struct word *word)
{
    return number_or_name(value, word, 255, algorithms);
}
enum err mnemonic_digest(uint32_t *value, const struct word *word) { return number_or_name(value, word, 255, digests); }
enum err mnemonic_nsec3_hash(uint32_t *value, const struct word *word)
{
    return number_or_name(value, word, 255, nsec3_hashes);
}
enum err mnemonic_cert(uint32_t *value, const struct word *word) { return number_or_name(value, word, 65535, certs); }
enum err mnemonic_protocol(uint32_t *value, const struct word *word)
{
    return number_or_name(value, word, 255, protocols);
}
enum err mnemonic_dsync(uint32_t *value, const struct word *word)
{
    return number_or_name(value, word, 255, dsync_schemes);
}

static enum err hex_flags(uint32_t *value, const struct word *word)
{
    uint32_t n = 0;
    for (uint32_t i = 2; i < word->len; i++) {
        int v = hex_value(word->at[i]);
        if (v < 0)
            return ERR_NOT_FOUND;
        n = n << 4 | (unsigned)v;
        if (n > 0xffff)
            return ERR_RANGE;
    }
    *value = n;
    return ERR_OK;
}

enum err mnemonic_key_flags(uint32_t *value, const struct word *word)
{
    enum err e = word_number(value, word, 65535);
    if (e != ERR_SYNTAX)
        return e;
    if (word->flags & WORD_QUOTED)
        return ERR_NOT_FOUND;
    if (word->len > 2 && word->at[0] == '0' && (word->at[1] | 0x20) == 'x')
        return hex_flags(value, word);
    const char *p = word->at, *end = p + word->len;
    *value = 0;
    while (p < end) {
        const char *bar = memchr(p, '|', (size_t)(end - p));
        uint32_t flag;
        if (!bar)
            bar = end;
        if (find(&flag, key_flags, p, (size_t)(bar - p)))
            return ERR_NOT_FOUND;
        *value |= flag;
        p = bar + (bar < end);
    }
    return ERR_OK;
}

enum err mnemonic_type(uint32_t *value, const struct word *word)
{
    uint16_t type;

    if (word->flags & WORD_QUOTED)
        return ERR_NOT_FOUND;
    if (!rr_type_from_text(&type, word->at, word->len)) {
        *value = type;
        return ERR_OK;
    }
    enum err e = word_number(value, word, 65535);
    return e == ERR_SYNTAX ? ERR_NOT_FOUND : e;
}
