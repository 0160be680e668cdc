/* The receiving side of a zone transfer (RFC 5936, RFC 1995): whole messages go in one at a time, records come out in
 * their order, and at the end what it was. Bytes only: no socket, no clock, nothing allocated. What comes from a
 * primary may be anything; the machine holds it to the protocol and to limits, and says in a sentence what was wrong.
 *
 * What comes out is not to be believed before the end: a later message may fail, or prove by its TSIG that an earlier
 * one was not the primary's (RFC 8945 5.3.1). Whether the records make a zone is for others to judge.
 *
 * One thread at a time; the machine stays where it is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/tsig.h"
#include "sync/record_in.h"

/* What comes out. */
enum stream_in_kind {
    STREAM_IN_RECORD,  /* of a whole zone; its SOA is the first, and comes once */
    STREAM_IN_BEGIN,   /* a changeset from serial_from begins (serial_to is not known yet); no record */
    STREAM_IN_REMOVED, /* a record that goes, the old SOA first */
    STREAM_IN_ADDED,   /* a record that comes, the new SOA first */
    STREAM_IN_END,     /* the changeset is complete; no record */
};

/* `rr`, NULL where there is none, is valid during the call: owner as it came, rdata uncompressed and valid. The serials
 * are the changeset's; of a record of a whole zone both are the zone's. */
typedef void stream_in_fn(void *arg, enum stream_in_kind kind, const struct rr *rr, uint32_t serial_from,
                          uint32_t serial_to);

/* What is too much: 0 is no limit. */
struct stream_in_limits {
    uint64_t messages;
    uint64_t records; /* those outside the zone count too */
    uint64_t bytes;   /* of the records, uncompressed: what keeping them takes at least */
};

/* What was asked. Copied, but what it points to is borrowed (the name too is copied). */
struct stream_in_asked {
    const uint8_t *name; /* the zone's */
    uint16_t type;       /* RR_AXFR or RR_IXFR */
    uint16_t id;
    uint32_t serial;         /* ours, that was sent with an IXFR */
    bool datagram;           /* an IXFR by UDP: one message, and others than the answer are passed over */
    struct tsig_state *tsig; /* after the request was signed; NULL: it was not */
    struct stream_in_limits limits;
    stream_in_fn *fn;
    void *arg;
};

enum stream_in_state {
    STREAM_IN_MORE,    /* another message has to come. Of a datagram: this was not the answer, which may still come */
    STREAM_IN_DONE,    /* see `outcome` */
    STREAM_IN_FAILED,  /* see `why` */
};

enum stream_in_outcome {
    STREAM_IN_WHOLE,      /* a whole zone, whatever was asked (RFC 1995 4) */
    STREAM_IN_CHANGES,
    STREAM_IN_UP_TO_DATE, /* the primary has nothing newer: `serial` is ours, or older */
    STREAM_IN_USE_TCP,    /* of a datagram: there is something newer that does not fit in one */
};

enum { STREAM_IN_WHY_MAX = 256 };

struct stream_in {
    /* read by the caller */
    enum stream_in_state state;
    enum stream_in_outcome outcome; /* when done */
    uint32_t serial;                /* of the first SOA, once `has_serial` */
    bool has_serial;
    uint16_t rcode;                 /* of the message fed last, with its OPT's bits; 0 too when not read so far */
    enum tsig_verdict verdict;      /* on that message; TSIG_OK when TSIG is not expected */
    uint64_t message_cnt, rr_cnt, bytes;
    uint64_t outside_cnt;           /* records outside the zone, which were passed over */
    char why[STREAM_IN_WHY_MAX];    /* what failed, or why a datagram was passed over */
    /* private */
    struct stream_in_asked asked;
    int phase;
    uint8_t name[NAME_MAX_LEN];     /* lower-cased */
    unsigned name_len;
    uint32_t serial_from, serial_to; /* of the changeset at hand */
    struct record_in record;
    struct rr soa; /* the first, until it is known what follows */
    uint8_t soa_rdata[2 * NAME_MAX_LEN + 20];
    uint16_t outside_type; /* of the first of those */
    uint8_t outside_owner[NAME_MAX_LEN];
};

void stream_in_init(struct stream_in *in, const struct stream_in_asked *asked) ATTR_NONNULL_ALL;
/* The next message, without the length before it. Returns in->state; after DONE or FAILED nothing more may come. Costs
 * what the message is long.
 *
 * What a primary may answer is told by `rcode` (with `why`, as by an unknown or wrong TSIG): a caller that got FORMERR,
 * NOTIMP or a malformed IXFR asks for AXFR, or without EDNS. */
enum stream_in_state stream_in_feed(struct stream_in *in, const uint8_t *msg, size_t len, uint64_t now_sec)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* What a primary's sloppy data is worth: a sentence about records outside the zone; false: there were none. */
bool stream_in_warning(const struct stream_in *in, char out[STREAM_IN_WHY_MAX]) ATTR_NONNULL_ALL;
