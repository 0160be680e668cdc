/* An outgoing zone transfer as a sequence of messages (RFC 5936, RFC 1995), made one at a time when there is room for
 * it: bytes only, no socket, no clock, nothing allocated. A stream is plain memory that may be left at any time, and
 * stays where it is. What it borrows (the version or the changesets, the TSIG state) is held by its owner until the
 * last message is made.
 *
 * What it tells: a whole zone (its SOA, all other records, its SOA), the changes from one serial to another (the SOA
 * that is current, then of each changeset the old SOA, what went, the new SOA, what came; then the current SOA again),
 * or one SOA: nothing newer here.
 *
 * The question is in the first message alone: later ones may have it or not (RFC 5936 2.2.1, 2.2.2), BIND leaves it
 * out, and their first owner is written whole in its place for the others to point to. OPT too is in the first alone
 * (2.2.5). AA is set, and every message is signed (RFC 8945 5.3.1 asks for one in a hundred; BIND refuses less).
 *
 * One thread at a time. [snapshot] */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/rr.h"
#include "dns/tsig.h"
#include "sync/packer.h"
#include "zone/changeset.h"
#include "zone/cursor.h"
#include "zone/version.h"

/* What was asked. Copied. */
struct stream_out_request {
    const uint8_t *name; /* the zone's, as it stands in the question */
    uint16_t type;       /* RR_AXFR or RR_IXFR (or RR_SOA) */
    uint16_t id;
    bool recursion_desired; /* RD, which is copied */
    bool edns;              /* an OPT came, and one goes back */
    uint16_t payload_len;   /* that it tells: what we take by UDP */
    struct tsig_state *tsig; /* of the verified request, borrowed; NULL: it was not signed */
    bool without_balance;    /* names at or below a "_balance" label are left out */
};

enum stream_out_state {
    STREAM_OUT_MORE,   /* there are more messages; this one may be empty (length 0), when all in a slice was left out */
    STREAM_OUT_DONE,   /* this was the last */
    STREAM_OUT_FAILED, /* a record does not fit in a message of this size: the connection is to be closed */
};

/* Room for the SOA's rdata: two names and five numbers. */
enum { STREAM_OUT_SOA_MAX = 2 * NAME_MAX_LEN + 20 };

struct stream_out {
    /* read by the caller, for its log */
    uint64_t rr_cnt;
    uint32_t serial; /* of the SOA that is current */
    unsigned message_cnt;
    /* private */
    struct stream_out_request request;
    uint8_t name[NAME_MAX_LEN]; /* as asked */
    uint8_t apex[NAME_MAX_LEN]; /* lower-cased */
    unsigned name_len;
    enum stream_out_state state;
    int step; /* what comes next */
    struct packer packer;
    struct rr soa; /* the current one */
    uint8_t soa_rdata[STREAM_OUT_SOA_MAX];
    unsigned passed_cnt; /* left out in this slice */
    /* a whole zone */
    const struct zone_version *version; /* NULL: not that */
    struct zone_cursor cursor;
    const struct zone_rrset *rrset; /* at hand; NULL: the next */
    struct packer_place place;
    /* changes */
    const struct changeset *const *changes;
    size_t change_cnt, change_at, record_at;
    const struct zone_record *change_soa; /* of the side at hand */
};

/* The whole zone. */
void stream_out_whole(struct stream_out *out, const struct stream_out_request *request,
                      const struct zone_version *version) ATTR_NONNULL_ALL;
/* What led from the serial asked for to `version`, the oldest first, each with its SOAs; 0 of them: one SOA. Of
 * `version` only the SOA is read, and that now. `changes` is borrowed with what it points to. */
void stream_out_changes(struct stream_out *out, const struct stream_out_request *request,
                        const struct zone_version *version, const struct changeset *const *changes, size_t cnt)
    ATTR_NONNULL(1, 2, 3);
/* One SOA: the client has that serial or a later one (RFC 1995 2). */
void stream_out_current(struct stream_out *out, const struct stream_out_request *request,
                        const struct zone_version *version) ATTR_NONNULL_ALL;

/* Writes the next message, *len of at most `cap` bytes (512 to 65,535; what is above counts as that), without the two
 * of its length that go before it over TCP. Costs what `cap` says, and a look at some thousand records that are left
 * out. After the last one and after a failure it is the same again, *len 0. */
enum stream_out_state stream_out_next(struct stream_out *out, uint8_t *message, size_t cap, size_t *len,
                                      uint64_t now_sec) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* In place of that, the one datagram that answers an IXFR by UDP: everything if it fits in `cap`, else the current SOA,
 * which makes the client ask again by TCP (RFC 1995 2), or where even that does not fit nothing and TC. *len 0: not
 * even the question and the TSIG fit. */
void stream_out_datagram(struct stream_out *out, uint8_t *message, size_t cap, size_t *len, uint64_t now_sec)
    ATTR_NONNULL_ALL;
