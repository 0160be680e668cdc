/* Which transfers, NOTIFYs and UPDATEs are handed off, and what all others get: the zone must be one of ours, exactly,
 * and the list of its access (zone/access.h) allow the client by its address and the key that the request is signed
 * with, which has been verified. Not a zone of ours: NOTAUTH (RFC 5936 2.2.1; for NOTIFY as BIND and Knot say, NSD's
 * NXDOMAIN would be a lie). Not allowed: REFUSED, for the request is understood and the zone ours, as BIND and NSD say
 * (Knot: NOTAUTH, which RFC 8945 has for signatures). A zone with no list for NOTIFY, a primary's, is no exception:
 * BIND says NOERROR there and forgets it, which tells the sender that he was heard.
 *
 * RFC 1995, 1996, 5936. Allocates what is handed off; everything else is as on the way of any other query. [worker] */
#pragma once

#include "answer/answer.h"
#include "answer/frame.h"
#include "answer/query.h"

/* An AXFR or IXFR. Over UDP an AXFR is malformed (RFC 5936 4.2), as is an IXFR without the
 * zone's SOA, which says from where (RFC 1995 3). FRAME_HAND_OFF: query->hand_off is it. */
enum frame_verdict admit_transfer(struct query *query, const struct answer_packet *packet)
    ATTR_NONNULL_ALL ATTR_COLD ATTR_MUST_USE;
/* A message of the opcode NOTIFY: one question, of type SOA (RFC 1996 3.11 defines no other). */
enum frame_verdict admit_notify(struct query *query, const struct answer_packet *packet)
    ATTR_NONNULL_ALL ATTR_COLD ATTR_MUST_USE;
/* One of the opcode UPDATE: its zone section is like a question for a SOA (RFC 2136 2.3). */
enum frame_verdict admit_update(struct query *query, const struct answer_packet *packet)
    ATTR_NONNULL_ALL ATTR_COLD ATTR_MUST_USE;
