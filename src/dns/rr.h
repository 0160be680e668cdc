/* The DNS's numbers (types, classes, opcodes, RCODEs) and a record as bytes. IANA's registry, RFC 1035, 3597, 6895.
 * No memory owned. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

enum rr_class { RR_CLASS_IN = 1, RR_CLASS_CH = 3, RR_CLASS_NONE = 254, RR_CLASS_ANY = 255 };

enum rr_type {
    RR_A = 1, RR_NS = 2, RR_MD = 3, RR_MF = 4, RR_CNAME = 5, RR_SOA = 6, RR_MB = 7, RR_MG = 8, RR_MR = 9,
    RR_NULL = 10, RR_WKS = 11, RR_PTR = 12, RR_HINFO = 13, RR_MINFO = 14, RR_MX = 15, RR_TXT = 16, RR_RP = 17,
    RR_AFSDB = 18, RR_RT = 21, RR_SIG = 24, RR_KEY = 25, RR_PX = 26, RR_AAAA = 28, RR_NXT = 30, RR_SRV = 33,
    RR_NAPTR = 35, RR_KX = 36, RR_DNAME = 39, RR_OPT = 41, RR_DS = 43, RR_RRSIG = 46, RR_NSEC = 47, RR_DNSKEY = 48,
    RR_NSEC3 = 50, RR_NSEC3PARAM = 51, RR_CDS = 59, RR_CDNSKEY = 60, RR_SVCB = 64, RR_HTTPS = 65, RR_TKEY = 249,
    RR_TSIG = 250, RR_IXFR = 251, RR_AXFR = 252, RR_MAILB = 253, RR_MAILA = 254, RR_ANY = 255,
};

enum rcode {
    RCODE_NOERROR = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4, RCODE_REFUSED = 5,
    RCODE_YXDOMAIN = 6, RCODE_YXRRSET = 7, RCODE_NXRRSET = 8, RCODE_NOTAUTH = 9, RCODE_NOTZONE = 10,
    RCODE_BADVERS = 16, RCODE_BADCOOKIE = 23,
};

enum opcode { OPCODE_QUERY = 0, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5 };

/* A record. `owner` is an uncompressed wire name as written (case kept), `rdata` uncompressed wire bytes. All
 * borrowed. */
struct rr {
    const uint8_t *owner;
    const uint8_t *rdata;
    uint32_t ttl;
    uint16_t type;
    uint16_t rdata_len;
};

/* "A", "TYPE65280", case-insensitive, `len` bytes. Knows every type that BIND 9.18 names. ERR_NOT_FOUND otherwise. */
enum err rr_type_from_text(uint16_t *type, const char *text, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
enum { RR_TYPE_TEXT_MAX = 16 };
/* The mnemonic, else "TYPEn"; returns `out`. */
char *rr_type_to_text(char out[RR_TYPE_TEXT_MAX], uint16_t type) ATTR_NONNULL_ALL;
/* "IN", "CH", "HS", "CLASSn". */
enum err rr_class_from_text(uint16_t *class, const char *text, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* "NOERROR", …, "RCODEn" for unknown ones (a static string "RCODE?" there). */
const char *rcode_text(unsigned rcode) ATTR_MUST_USE;

/* Types whose rdata names may be compressed when sent (RFC 3597 section 4: those of RFC 1035 only), and where the
 * names lie: `skip` bytes of rdata, then `names` names. False for every other type. */
bool rr_type_compressible(uint16_t type, unsigned *skip, unsigned *names) ATTR_NONNULL_ALL;
