/* A request that no worker answers: a transfer, a NOTIFY or an UPDATE that its zone's access lists allow
 * (answer/admit.h), taken out of its batch to be answered elsewhere. All that an answer needs is copied, so it may take
 * as long as it likes: the message, who sent it, what was verified of its TSIG, with the key.
 *
 * Made by a worker, one of the few things it allocates; it has one owner at a time, and then belongs to that thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer/answer.h"
#include "base/addr.h"
#include "base/attr.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/tsig.h"

struct query;

enum answer_hand_off_kind { ANSWER_AXFR, ANSWER_IXFR, ANSWER_NOTIFY, ANSWER_UPDATE };

struct answer_hand_off {
    enum answer_hand_off_kind kind;
    enum answer_proto proto;
    struct addr client;
    uint8_t zone[NAME_MAX_LEN]; /* the apex of one that is served here, lower-cased */
    uint8_t view;       /* enum acl_view, of the entry that allows it */
    bool has_serial;    /* always for IXFR */
    bool edns, dnssec_ok;
    bool is_signed;     /* and good: `tsig` is set, and the answer to be signed with it */
    uint32_t serial;    /* IXFR: of what the client has. NOTIFY: of what it says to have, which nothing proves */
    uint16_t payload_len; /* that our OPT tells */
    uint16_t most_len;  /* bytes that a message of the answer may have, TSIG included; over UDP what the client takes */
    uint16_t question_end; /* offset in `request` */
    struct tsig_state tsig;
    struct tsig_key key; /* what `tsig` borrows */
    size_t request_len;
    uint8_t request[]; /* the whole message as it came; its name, in any case, stands behind the header */
};

void answer_hand_off_free(struct answer_hand_off *hand_off);
/* Of a query whose zone has been found; `serial` NULL: there is none. [worker] */
struct answer_hand_off *answer_hand_off_new(const struct query *query, const struct answer_packet *packet,
                                            enum answer_hand_off_kind kind, unsigned view, const uint32_t *serial)
    ATTR_FREED_BY(answer_hand_off_free) ATTR_MUST_USE ATTR_NONNULL(1, 2);
/* Writes the answer that is an RCODE without records, header, question, OPT and TSIG, as the answer to a NOTIFY or for
 * a transfer that cannot be; returns its length, at most most_len and `cap` (at least 1,024 for most_len, or more).
 * `ede` is told when there is an OPT and room; negative: none. */
size_t answer_hand_off_reply(struct answer_hand_off *hand_off, uint8_t *out, size_t cap, enum rcode rcode, int ede,
                             uint64_t now_sec) ATTR_NONNULL_ALL ATTR_MUST_USE;
