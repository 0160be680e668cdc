/* Records as bytes on a disk, one behind the other: what the last one had already (owner, type, TTL) is left out, and
 * so is the zone's name at an owner's end. A record is a byte of flags, then what they announce:
 *
 *     flags      1: the owner of the last record, 2: its type, 4: its TTL; no other bits; the first record has none
 *     owner      a byte of length and the labels above the apex, without a root label
 *     type       two bytes
 *     TTL        four
 *     rdata      two bytes of length and so many, uncompressed
 *
 * Class IN throughout. Pure; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "dns/name.h"
#include "dns/rr.h"

/* The most that one record takes. */
enum { PACKED_MAX = 1 + 1 + NAME_MAX_LEN + 2 + 4 + 2 + 65535 };

/* The last record of a row. One for each row that is written, measured or read. */
struct packed {
    uint8_t owner[NAME_MAX_LEN];
    const uint8_t *apex; /* borrowed */
    unsigned owner_len, apex_len;
    uint32_t ttl;
    uint16_t type;
    bool any;
};

/* A row begins. `apex` is a valid name, borrowed until the row's end. */
void packed_init(struct packed *packed, const uint8_t *apex) ATTR_NONNULL_ALL;
/* The bytes that `rr`, whose owner is within the zone, takes as the row's next record. */
size_t packed_len(struct packed *packed, const struct rr *rr) ATTR_NONNULL_ALL;
/* Writes as many. */
void packed_put(struct packed *packed, struct writer *w, const struct rr *rr) ATTR_NONNULL_ALL;
/* Reads the next record: its owner is in `packed` until the next one is read, its rdata where `r` reads. ERR_SYNTAX:
 * the bytes are none, or say what no zone can have (a type that never stands there, rdata that no record of the type
 * may have). */
enum err packed_get(struct packed *packed, struct reader *r, struct rr *rr) ATTR_NONNULL_ALL ATTR_MUST_USE;
