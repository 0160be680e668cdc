/* Signed requests on the way of a query (TSIG, RFC 8945): judged before anything else that they say is, and their
 * answers signed when nothing is left to be changed, whatever the RCODE. What nobody signed costs a look at the types
 * of its records (msg_read_edns), which there are to be read anyway. [worker] */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "answer/answer.h"
#include "answer/query.h"

/* Judges the request by its TSIG, which begins at `at` and ends with the message: sets query->tsig, query->tsig_len and
 * query->tsig_error. False: it is malformed (FORMERR, in an answer without TSIG). Before the answer takes the request's
 * place; whatever is kept is copied. */
bool signing_read(struct query *query, const struct answer_packet *packet, size_t at) ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The most bytes that an answer with a TSIG may have, where any other may have `most`: more, when header, question
 * (query->begun_len), OPT and TSIG need it: there is no other way to answer. The request was hardly shorter: a key's
 * name that it had compressed may have grown, and NSID and cookie. */
size_t signing_most(struct query *query, const struct answer_packet *packet, size_t most)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* Appends the TSIG to the finished answer. */
void signing_write(struct query *query) ATTR_NONNULL_ALL;
