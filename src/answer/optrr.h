/* The OPT record on the way of a query (RFC 6891): what the request's options ask for, and what the answer's OPT says.
 * NSID (RFC 5001), client subnet (RFC 7871), cookies (RFC 7873, 9018), TCP keepalive (RFC 7828), extended errors (RFC
 * 8914). [worker] */
#pragma once

#include <stdbool.h>

#include "answer/answer.h"
#include "answer/query.h"

/* Sets query->opt by the request's OPT (`edns` may be absent), and query->trusted when a cookie is good. False: an
 * option is malformed (FORMERR); the answer then gets an OPT without options. Whatever is kept is copied: the answer
 * may take the request's place. */
bool optrr_read(struct query *query, const struct answer_packet *packet, const struct msg_edns *edns)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Writes the record, for which query->opt.len bytes are kept at least; an extended error only while there is more. */
void optrr_write(struct query *query) ATTR_NONNULL_ALL;
