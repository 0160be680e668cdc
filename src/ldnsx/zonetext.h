/* Records → zone text (RFC 1035 5) that zonefile.h, BIND and ldns read back to the byte: one record a line, "OWNER TTL
 * IN TYPE RDATA" in columns, the owner left out where the line before has it. The TTL stands in every line: no line
 * depends on a $TTL that somebody edits. Names are relative to the $ORIGIN of the head, as people write them; those of
 * the root zone are absolute. How rdata looks is rdata_write.h's. The same records give the same text. No memory owned;
 * any thread, one text at a time. */
#pragma once

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "ldnsx/rdata_write.h"

/* Room for any record, and for the head. */
enum { ZONETEXT_LINE_MAX = RDATA_WRITE_MAX + NAME_TEXT_MAX + 64 };

struct zonetext {
    const uint8_t *origin; /* borrowed */
    uint8_t owner[NAME_MAX_LEN]; /* of the line before */
    unsigned owner_len;          /* 0: there is none */
};

/* `origin` is borrowed. */
void zonetext_init(struct zonetext *text, const uint8_t *origin) ATTR_NONNULL_ALL;
/* "$ORIGIN" and, for whoever adds records by hand, "$TTL". */
void zonetext_head(const struct zonetext *text, struct writer *out, uint32_t ttl) ATTR_NONNULL_ALL;
/* The record's line, its owner at or below the origin or anywhere else. `out` has ZONETEXT_LINE_MAX left. TTLs above
 * 2^31 - 1 are read back as 0 (RFC 2181 8). */
void zonetext_record(struct zonetext *text, struct writer *out, const struct rr *rr) ATTR_NONNULL_ALL;
