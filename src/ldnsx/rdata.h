/* Rdata in zone text → wire, and the check of rdata that comes as wire bytes (RFC 3597 text here; transfers and updates
 * can use it as well). One table of field kinds drives both. The verdicts are those of BIND 9.18. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "ldnsx/lex.h"

struct rdata_problem {
    const char *why;         /* static text */
    const struct word *word; /* where; NULL: at the end */
};

/* Writes the rdata that the words stand for to `out` (at most 65,535 bytes), names relative to `origin`. All words must
 * be used up. RFC 3597's "\#" is understood for every type. ERR_INVALID with *problem filled. */
enum err rdata_from_words(struct writer *out, uint16_t type, const struct word *words, unsigned cnt,
                          const uint8_t *origin, struct rdata_problem *problem) ATTR_NONNULL(1, 5, 6) ATTR_MUST_USE;
/* True when the bytes are rdata that a record of this type may have; anything is for a type that BIND 9.18 does not
 * know. Names are uncompressed. */
bool rdata_valid(uint16_t type, const uint8_t *rdata, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Types that never stand in a zone: 0, and meta types and QTYPEs (RFC 6895 3.1). */
bool rdata_type_meta(uint16_t type);
