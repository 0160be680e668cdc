/* The message's frame (RFC 1035 4.1, 6891): header, the single question, the OPT record. Pure functions over bytes, for
 * the query path and the tools. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "dns/name.h"

enum {
    MSG_HEADER_LEN = 12,
    MSG_MAX_LEN = 65535,
    MSG_UDP_MIN = 512, /* RFC 1035 4.2.1; an OPT payload below counts as this (RFC 6891 6.2.3) */
    MSG_OPT_LEN = 11,  /* an OPT record without options */
    /* Records that a request may have unless it is an UPDATE: an OPT, a TSIG and the SOA of an IXFR or a NOTIFY are
     * those there is a use for. Messages full of others would cost many times what a query does. */
    MSG_RECORDS_MAX = 4,
    MSG_OPTIONS_MAX = 16, /* of an OPT, for the same reason; clients that send three are rare */
};

/* Bits of the header's third and fourth byte, as one 16-bit number. */
enum {
    MSG_QR = 0x8000, MSG_OPCODE_MASK = 0x7800, MSG_OPCODE_SHIFT = 11, MSG_AA = 0x0400, MSG_TC = 0x0200, MSG_RD = 0x0100,
    MSG_RA = 0x0080, MSG_AD = 0x0020, MSG_CD = 0x0010, MSG_RCODE_MASK = 0x000f,
};
/* Flags in the TTL field of an OPT. */
enum { MSG_EDNS_DO = 0x8000 };

static inline uint16_t msg_id(const uint8_t *m) { return be16_get(m); }
static inline uint16_t msg_flags(const uint8_t *m) { return be16_get(m + 2); }
static inline unsigned msg_opcode(const uint8_t *m) { return (unsigned)(m[2] >> 3 & 15); }
static inline uint16_t msg_qdcount(const uint8_t *m) { return be16_get(m + 4); }
static inline uint16_t msg_ancount(const uint8_t *m) { return be16_get(m + 6); }
static inline uint16_t msg_nscount(const uint8_t *m) { return be16_get(m + 8); }
static inline uint16_t msg_arcount(const uint8_t *m) { return be16_get(m + 10); }

/* What an OPT record said, and where a TSIG stands: the records that are about the message itself. */
struct msg_edns {
    bool present;
    bool dnssec_ok;
    uint8_t version;
    uint16_t payload_len;   /* as sent, before any minimum */
    const uint8_t *options; /* borrowed from the message */
    uint16_t options_len;
    uint16_t tsig_at; /* the offset of the TSIG, the last record, in the message; 0: there is none */
};

/* Passes over a possibly compressed name without following pointers, which must point backwards: `r` is over the
 * whole message. False (and r failed) when it is malformed. */
bool msg_skip_name(struct reader *r) ATTR_NONNULL_ALL;
/* Reads such a name, its pointers followed; returns its length, 0 (and r failed) when it is malformed. */
unsigned msg_read_name(uint8_t out[NAME_MAX_LEN], struct reader *r) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Reads the records behind the question (answer, authority, additional: `cnt` in all, the last `additional_cnt` of them
 * additional) and finds the OPT and the TSIG. ERR_SYNTAX: malformed records, two OPTs, an OPT outside additional or not
 * at the root, broken options, a TSIG that is not the last record or not in additional (RFC 8945 5.1), more than
 * MSG_RECORDS_MAX records or MSG_OPTIONS_MAX options. What the TSIG says, and trailing bytes, are left for the caller
 * to judge. `r` is over the whole message, of at most MSG_MAX_LEN bytes. */
enum err msg_read_edns(struct msg_edns *edns, struct reader *r, unsigned cnt, unsigned additional_cnt)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
