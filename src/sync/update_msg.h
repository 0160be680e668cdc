/* A dynamic update as it came (RFC 2136 2): the zone, the prerequisites, the updates. A message that cannot be read is
 * malformed as a whole; records that can be read and must not be there are told when their turn comes, because a
 * prerequisite that fails is told before them (RFC 2136 3). The additional section, with its OPT and its TSIG, is
 * somebody else's. A parsed message owns copies of all that it points to. Any thread, one at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "dns/rr.h"

struct update_record {
    struct rr rr;   /* owner lower-cased, and one pointer for records of one owner in a row; rdata uncompressed */
    uint16_t class; /* RR_CLASS_IN, RR_CLASS_ANY, RR_CLASS_NONE, or another one with FORMERR */
    uint8_t rcode;  /* what the record is by itself: NOERROR, FORMERR or NOTZONE (RFC 2136 3.2, 3.4.1) */
};

struct update_msg {
    struct arena arena;
    const uint8_t *zone; /* lower-cased */
    struct update_record *prerequisites, *updates;
    size_t prerequisite_cnt, update_cnt;
};

/* Of the message of `len` bytes, header included. NOERROR; FORMERR: it is none, its zone section is not one SOA
 * (RFC 2136 3.1.1), or it holds rdata that its type cannot have; NOTAUTH: the zone's class is not IN. To be finished in
 * each case. A TTL above 2^31 - 1 counts as 0 (RFC 2181 8). */
enum rcode update_msg_read(struct update_msg *msg, const uint8_t *bytes, size_t len) ATTR_NONNULL_ALL ATTR_MUST_USE;
void update_msg_fini(struct update_msg *msg) ATTR_NONNULL_ALL;
