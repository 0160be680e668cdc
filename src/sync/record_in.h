/* A record out of a transfer's message: owner and rdata without compression, and whether the rdata is what its type may
 * have (ldnsx/rdata.h; of a type that nobody knows any bytes are, RFC 3597). Any thread, one record_in each. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "dns/name.h"
#include "dns/rr.h"

/* Rdata with names is no longer than NAPTR's: two numbers, three strings and a name. */
enum { RECORD_IN_ROOM = 4 + 3 * 256 + NAME_MAX_LEN };

struct record_in {
    struct rr rr; /* points into this and into the message */
    uint16_t class;
    unsigned owner_len;
    uint8_t owner[NAME_MAX_LEN];
    uint8_t rdata[RECORD_IN_ROOM];
};

enum record_in_verdict {
    RECORD_IN_OK,
    RECORD_IN_CUT,       /* no whole record */
    RECORD_IN_MALFORMED, /* its type's rdata cannot be that; `r` is behind it, and owner and type are read */
};

/* The next record of the message that `r` is over from its beginning. Names in rdata may be compressed where RFC 3597 4
 * has receivers understand that. A TTL above 2^31 - 1 counts as 0 (RFC 2181 8). */
enum record_in_verdict record_in_read(struct record_in *record, struct reader *r) ATTR_NONNULL_ALL ATTR_MUST_USE;
