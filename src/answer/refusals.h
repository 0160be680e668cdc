/* Transfers, NOTIFYs and UPDATEs that a worker has refused, and whatever had a bad signature, for the log: the worker
 * puts them down here, the control thread takes them every now and then. What does not fit is only counted
 * (answer/counters.h): a flood of them costs nobody anything. One worker puts, one thread takes; neither waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"

struct answer_packet;
struct query;

enum refusal_why {
    REFUSAL_DENIED,    /* the zone's list of who may does not have it */
    REFUSAL_NO_ZONE,   /* no such zone is served */
    REFUSAL_SIGNATURE, /* see tsig_error */
};

struct refusal {
    struct addr client;
    const char *what; /* a literal: "AXFR", "IXFR", "NOTIFY", "UPDATE", "query" */
    enum refusal_why why;
    bool is_signed;       /* well, or with REFUSAL_SIGNATURE badly: */
    uint16_t tsig_error;  /* enum tsig_verdict */
    uint16_t fudge_sec;   /* by how much the signature's time may differ from ours */
    uint8_t key[NAME_MAX_LEN];  /* its name, with is_signed; both lower-cased */
    uint8_t zone[NAME_MAX_LEN]; /* the name asked for; the root when there was none */
};

enum { REFUSALS_KEPT = 8 };
/* Zero-initialise. */
struct refusals {
    uint32_t put, taken; /* so far */
    struct refusal kept[REFUSALS_KEPT];
};
/* [worker] */
void refusals_put(struct refusals *refusals, const struct refusal *refusal) ATTR_NONNULL_ALL;
/* Likewise, of a request that has been read: everything of it but why. Nothing when nobody wants to know. */
void refusals_note(const struct query *query, const struct answer_packet *packet, enum refusal_why why)
    ATTR_NONNULL_ALL ATTR_COLD;
/* The oldest; false: there is none. [control] */
bool refusals_take(struct refusals *refusals, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;
