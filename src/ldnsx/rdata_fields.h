/* Private to rdata_*.c: the kinds of field that rdata is made of, and what reads each. A type's rdata is a string of
 * these letters (rdata_table.c); one without is known by number only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "ldnsx/rdata.h"

enum field {
    FIELD_U8 = 'b',
    FIELD_U16 = 's',
    FIELD_U32 = 'l',
    FIELD_PERIOD = 't',
    FIELD_NAME = 'n',
    FIELD_NAME_QUOTED = 'h', /* the second in quotes or not */
    FIELD_IPV4 = 'a',
    FIELD_IPV6 = 'A',
    FIELD_LOCATOR = '5',
    FIELD_EUI48 = '4',
    FIELD_EUI64 = '8',
    FIELD_STRING = 'q',
    FIELD_STRING_OPT = 'o',
    FIELD_STRINGS = 'Q', /* one or more, to the end */
    FIELD_HEX = 'X',
    FIELD_BASE64 = 'B', /* to the end, not empty */
    FIELD_HEX_OPT = 'Y',
    FIELD_BASE64_OPT = 'Z',
    FIELD_BASE64_DASH = 'K', /* may be empty; written "-" when it is */
    FIELD_TYPE = 'T',
    FIELD_TYPES = 'N',
    FIELD_TYPES_OPT = 'M', /* a type; a bitmap of types (RFC 4034 4.1.2), not empty or maybe */
    FIELD_CERT = 'c',
    FIELD_ALGORITHM = 'g',
    FIELD_DIGEST = 'd',
    FIELD_HASH = 'H',
    FIELD_SCHEME = 'k',
    FIELD_KEY = 'F', /* flags, protocol, algorithm, key (unless KEY's flags say that there is none, RFC 2535 3.1.2) */
    FIELD_SALT = 'S',
    FIELD_NEXT_HASH = '3',
    FIELD_TIME = 'e',
    FIELD_TIME_SIG = 'E', /* a time; a number of seconds is taken too by the first */
    FIELD_APL = 'P',
    FIELD_LOC = 'L',
    FIELD_WKS = 'W',
    FIELD_SVCB = 'V',
    FIELD_NSAP = 'x',
    FIELD_ATMA = 'y',
    FIELD_NXT = 'z',
    FIELD_A6 = '0',
    FIELD_AMTRELAY = 'J',
    FIELD_IPSECKEY = 'G',
    FIELD_X25 = '9',
    FIELD_TAG = 'C',
    FIELD_TEXT = 'D',
    FIELD_TEXT_QUOTED = 'U',
    FIELD_LDNS = '+', /* HIP: ldns converts it */
    FIELD_NONE = '*', /* no text form; any bytes */
};

/* The type's fields; NULL: a type that is not known. */
const char *rdata_fields(uint16_t type);

/* Text being read: words not used yet, bytes written so far. */
struct rdata_text {
    const struct word *at, *end;
    const uint8_t *origin;
    struct writer *out;
    size_t start; /* where in `out` the rdata begins */
    uint16_t type;
    const char *why; /* the first problem; NULL: none */
    const struct word *bad;
};

/* Remembers a problem at `word` (NULL: the end of the words); always false. */
bool rdata_fail(struct rdata_text *t, const struct word *word, const char *why) ATTR_NONNULL(1, 3);
/* The next word; NULL (and a problem) when there is none, or when it stands in quotes. */
const struct word *rdata_word(struct rdata_text *t) ATTR_NONNULL_ALL;
/* The next word, quoted or not. */
const struct word *rdata_any_word(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_number(struct rdata_text *t, uint32_t *value, uint32_t most) ATTR_NONNULL_ALL;
/* A name, absolute or relative to the origin. */
bool rdata_name(struct rdata_text *t, bool may_be_quoted) ATTR_NONNULL_ALL;

/* One kind each, from text. */
bool rdata_text_apl(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_loc(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_wks(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_svcb(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_nsap(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_atma(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_nxt(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_a6(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_amtrelay(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_ipseckey(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_eui(struct rdata_text *t, unsigned octets) ATTR_NONNULL_ALL;
bool rdata_text_locator(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_types(struct rdata_text *t) ATTR_NONNULL_ALL;
bool rdata_text_ldns(struct rdata_text *t) ATTR_NONNULL_ALL;

/* The parameters of SVCB and HTTPS as wire bytes (RFC 9460 2.2, 8), to the end of `r`. */
bool rdata_valid_svcb(struct reader *r) ATTR_NONNULL_ALL;
/* NAPTR's substitution (RFC 3402 3.2). */
bool rdata_valid_substitution(const uint8_t *text, unsigned len) ATTR_NONNULL_ALL;
