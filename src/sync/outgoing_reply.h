/* Answers of one message to a transfer that was handed off: a SOA, changes that fit, an RCODE. Each gives the hand-off
 * back, with what it has of the request (io/io.h). [control] */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "answer/handoff.h"
#include "base/attr.h"
#include "dns/edns.h"
#include "io/io.h"
#include "sync/stream_out.h"

enum { OUTGOING_REPLY_MAX = 4096 /* the most that server.udp_payload can be */ };

/* What a stream is to answer; borrows from the request, its TSIG state too. */
struct stream_out_request outgoing_stream_request(struct answer_hand_off *request) ATTR_NONNULL_ALL;

/* Writes all that `out` has if it fits in what the client takes, else one SOA, or less (stream_out_datagram). Returns
 * its length; 0: nothing fits. */
size_t outgoing_reply_make(uint8_t message[OUTGOING_REPLY_MAX], const struct answer_hand_off *request,
                           struct stream_out *out) ATTR_NONNULL_ALL;
/* Answers with that; `len` 0: not at all. */
void outgoing_reply_send(struct io *io, struct io_handoff **handoff, const uint8_t *message, size_t len)
    ATTR_NONNULL_ALL;
/* One SOA: there is nothing newer (RFC 1995 2), or it is to be asked for by TCP. */
void outgoing_reply_soa(struct io *io, struct io_handoff **handoff, const struct zone_version *version)
    ATTR_NONNULL_ALL;
void outgoing_reply_rcode(struct io *io, struct io_handoff **handoff, enum rcode rcode, enum edns_ede ede)
    ATTR_NONNULL_ALL;
