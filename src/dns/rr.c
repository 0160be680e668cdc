#include "dns/rr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct mnemonic {
    uint16_t value;
    uint8_t len;
    char text[13];
};

#define MNEMONIC(value, text) {value, sizeof text - 1, text}

/* IANA's registry as far as BIND 9.18 knows it, by number; the obsolete private ones (SPF to UNSPEC, TA, DLV,
 * KEYDATA) included. */
static const struct mnemonic types[] = {
    MNEMONIC(1, "A"),            MNEMONIC(2, "NS"),          MNEMONIC(3, "MD"),          MNEMONIC(4, "MF"),
    MNEMONIC(5, "CNAME"),        MNEMONIC(6, "SOA"),         MNEMONIC(7, "MB"),          MNEMONIC(8, "MG"),
    MNEMONIC(9, "MR"),           MNEMONIC(10, "NULL"),       MNEMONIC(11, "WKS"),        MNEMONIC(12, "PTR"),
    MNEMONIC(13, "HINFO"),       MNEMONIC(14, "MINFO"),      MNEMONIC(15, "MX"),         MNEMONIC(16, "TXT"),
    MNEMONIC(17, "RP"),          MNEMONIC(18, "AFSDB"),      MNEMONIC(19, "X25"),        MNEMONIC(20, "ISDN"),
    MNEMONIC(21, "RT"),          MNEMONIC(22, "NSAP"),       MNEMONIC(23, "NSAP-PTR"),   MNEMONIC(24, "SIG"),
    MNEMONIC(25, "KEY"),         MNEMONIC(26, "PX"),         MNEMONIC(27, "GPOS"),       MNEMONIC(28, "AAAA"),
    MNEMONIC(29, "LOC"),         MNEMONIC(30, "NXT"),        MNEMONIC(31, "EID"),        MNEMONIC(32, "NIMLOC"),
    MNEMONIC(33, "SRV"),         MNEMONIC(34, "ATMA"),       MNEMONIC(35, "NAPTR"),      MNEMONIC(36, "KX"),
    MNEMONIC(37, "CERT"),        MNEMONIC(38, "A6"),         MNEMONIC(39, "DNAME"),      MNEMONIC(40, "SINK"),
    MNEMONIC(41, "OPT"),         MNEMONIC(42, "APL"),        MNEMONIC(43, "DS"),         MNEMONIC(44, "SSHFP"),
    MNEMONIC(45, "IPSECKEY"),    MNEMONIC(46, "RRSIG"),      MNEMONIC(47, "NSEC"),       MNEMONIC(48, "DNSKEY"),
    MNEMONIC(49, "DHCID"),       MNEMONIC(50, "NSEC3"),      MNEMONIC(51, "NSEC3PARAM"), MNEMONIC(52, "TLSA"),
    MNEMONIC(53, "SMIMEA"),      MNEMONIC(55, "HIP"),        MNEMONIC(56, "NINFO"),      MNEMONIC(57, "RKEY"),
    MNEMONIC(58, "TALINK"),      MNEMONIC(59, "CDS"),        MNEMONIC(60, "CDNSKEY"),    MNEMONIC(61, "OPENPGPKEY"),
    MNEMONIC(62, "CSYNC"),       MNEMONIC(63, "ZONEMD"),     MNEMONIC(64, "SVCB"),       MNEMONIC(65, "HTTPS"),
    MNEMONIC(66, "DSYNC"),       MNEMONIC(67, "HHIT"),       MNEMONIC(68, "BRID"),       MNEMONIC(99, "SPF"),
    MNEMONIC(100, "UINFO"),      MNEMONIC(101, "UID"),       MNEMONIC(102, "GID"),       MNEMONIC(103, "UNSPEC"),
    MNEMONIC(104, "NID"),        MNEMONIC(105, "L32"),       MNEMONIC(106, "L64"),       MNEMONIC(107, "LP"),
    MNEMONIC(108, "EUI48"),      MNEMONIC(109, "EUI64"),     MNEMONIC(249, "TKEY"),      MNEMONIC(250, "TSIG"),
    MNEMONIC(251, "IXFR"),       MNEMONIC(252, "AXFR"),      MNEMONIC(253, "MAILB"),     MNEMONIC(254, "MAILA"),
    MNEMONIC(255, "ANY"),        MNEMONIC(256, "URI"),       MNEMONIC(257, "CAA"),       MNEMONIC(258, "AVC"),
    MNEMONIC(259, "DOA"),        MNEMONIC(260, "AMTRELAY"),  MNEMONIC(261, "RESINFO"),   MNEMONIC(262, "WALLET"),
    MNEMONIC(32768, "TA"),       MNEMONIC(32769, "DLV"),     MNEMONIC(65533, "KEYDATA"),
};

static const struct mnemonic classes[] = {
    MNEMONIC(1, "IN"), MNEMONIC(3, "CH"), MNEMONIC(4, "HS"), MNEMONIC(254, "NONE"), MNEMONIC(255, "ANY"),
};

/* `text` as one of the mnemonics, or as `prefix` and a decimal number below 65536 (RFC 3597 5). */
static enum err value_from_text(uint16_t *value, const char *text, size_t len, const struct mnemonic *known,
                                size_t known_cnt, const char *prefix)
{
    for (size_t i = 0; i < known_cnt; i++) {
        if (known[i].len == len && !strncasecmp(known[i].text, text, len)) {
            *value = known[i].value;
            return ERR_OK;
        }
    }
    size_t at = strlen(prefix);
    if (len <= at || len > at + 5 || strncasecmp(text, prefix, at))
        return ERR_NOT_FOUND;
    unsigned number = 0;
    for (; at < len; at++) {
        if (text[at] < '0' || text[at] > '9')
            return ERR_NOT_FOUND;
        number = number * 10 + (unsigned)(text[at] - '0');
    }
    if (number > UINT16_MAX)
        return ERR_NOT_FOUND;
    *value = (uint16_t)number;
    return ERR_OK;
}

enum err rr_type_from_text(uint16_t *type, const char *text, size_t len)
{
    return value_from_text(type, text, len, types, sizeof types / sizeof *types, "TYPE");
}

enum err rr_class_from_text(uint16_t *class, const char *text, size_t len)
{
    return value_from_text(class, text, len, classes, sizeof classes / sizeof *classes, "CLASS");
}

char *rr_type_to_text(char out[RR_TYPE_TEXT_MAX], uint16_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].value == type) {
            memcpy(out, types[i].text, types[i].len + 1u);
            return out;
        }
    }
    snprintf(out, RR_TYPE_TEXT_MAX, "TYPE%u", (unsigned)type);
    return out;
}

const char *rcode_text(unsigned rcode)
{
    static const char *const texts[] = {
        "NOERROR",   "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSET",   "NOTAUTH", "NOTZONE",  "DSOTYPENI", "RCODE?", "RCODE?",  "RCODE?",   "RCODE?",
        "BADVERS",   "BADKEY",  "BADTIME",  "BADMODE",  "BADNAME", "BADALG",  "BADTRUNC", "BADCOOKIE",
    };
    return rcode < sizeof texts / sizeof *texts ? texts[rcode] : "RCODE?";
}

bool rr_type_compressible(uint16_t type, unsigned *skip, unsigned *names)
{
    *skip = 0;
    *names = 1;
    switch (type) {
    case RR_NS:
    case RR_MD:
    case RR_MF:
    case RR_CNAME:
    case RR_MB:
    case RR_MG:
    case RR_MR:
    case RR_PTR:
        return true;
    case RR_SOA:
    case RR_MINFO:
        *names = 2;
        return true;
    case RR_MX:
        *skip = 2;
        return true;
    default:
        return false;
    }
}
