/* The messages between a primary and its secondaries that are no transfers themselves: a NOTIFY and its answer (RFC
 * 1996), the question for a SOA, and the questions that begin a transfer (RFC 1995 3, 5936 2.1). Bytes in, bytes out;
 * no I/O, no clock, no memory beside what the caller hands in. Any thread.
 *
 * What we ask has no OPT: the answers are small, and some primaries refuse EDNS. What is asked with a key is signed,
 * and only an answer with that key's signature is believed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "dns/msg.h"
#include "dns/tsig.h"
#include "sync/soa.h"

enum notify_msg_kind { NOTIFY_MSG_NOTIFY, NOTIFY_MSG_SOA, NOTIFY_MSG_IXFR, NOTIFY_MSG_AXFR };

enum {
    NOTIFY_MSG_QUESTION_MAX = NAME_MAX_LEN + 4,
    NOTIFY_MSG_SOA_MAX = 2 + 10 + 2 * NAME_MAX_LEN + 20,
    NOTIFY_MSG_TSIG_MAX = 2 * NAME_MAX_LEN + 26 + HMAC_LEN_MAX + TSIG_OTHER_MOST,
    NOTIFY_MSG_MAX = MSG_HEADER_LEN + NOTIFY_MSG_QUESTION_MAX + NOTIFY_MSG_SOA_MAX + MSG_OPT_LEN + NOTIFY_MSG_TSIG_MAX,
};

/* ---- what we ask */

/* An exchange: what was asked, to know its answer by. The caller fills the first part, notify_msg_write the second. */
struct notify_msg_ask {
    enum notify_msg_kind kind;
    uint16_t id;                /* from the kernel's randomness: over UDP it is what an answer is known by */
    const uint8_t *apex;        /* borrowed */
    const struct rr *soa;       /* NOTIFY: the new one, or NULL; IXFR: ours; borrowed. Others: not looked at */
    const struct tsig_key *key; /* borrowed; NULL: not signed */

    struct tsig_state tsig; /* when there is a key */
};
/* Writes the message and returns its length. A NOTIFY leaves its SOA out where it would have more than MSG_UDP_MIN
 * bytes with it: it is a hint that may be missing (RFC 1996 3.7), and without EDNS nobody has to take more. The others
 * go over TCP then, or are short. */
size_t notify_msg_write(uint8_t out[NOTIFY_MSG_MAX], struct notify_msg_ask *ask, uint64_t now_sec) ATTR_NONNULL_ALL;

struct notify_msg_answer {
    uint16_t rcode;
    bool is_authoritative;
    bool is_truncated;  /* to be asked again over TCP when it has no SOA */
    bool has_soa;       /* the answer has a SOA of the zone */
    struct soa soa;     /* with has_soa */
};
/* Reads the answer to a NOTIFY or a question for a SOA. ERR_INVALID: it answers something else (the ID, the opcode, the
 * question, or it is no answer at all), and ERR_DENIED: it lacks the signature that it must have, or that is wrong:
 * over UDP both may be forged and are to be passed over (ask->tsig.error says what the server complains of, if
 * anything). ERR_SYNTAX: it is malformed. Only with ERR_OK is `answer` written. A question
 * may be missing where the RCODE tells why (a server that could not read ours). What of a truncated message is whole is
 * read. */
enum err notify_msg_read_answer(struct notify_msg_answer *answer, struct notify_msg_ask *ask, const uint8_t *msg,
                                size_t len, uint64_t now_sec) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* ---- what we are told */

/* An incoming NOTIFY. */
struct notify_msg_request {
    uint16_t id;
    uint8_t zone[NAME_MAX_LEN]; /* lower-cased */
    bool has_serial;
    uint32_t serial;
    struct msg_edns edns; /* with the TSIG's place, which the caller has verified, or will */
    uint16_t question_len;
};
/* ERR_INVALID: it is no NOTIFY, or an answer to one: to be dropped. ERR_SYNTAX: FORMERR (not one question, or for
 * something else than SOA, the only type that RFC 1996 knows; malformed records; bytes behind them). ERR_NOT_FOUND: of
 * a class that we have no zone of: NOTAUTH. A SOA of another owner, and whatever else stands in the answer section, is
 * passed over; AA need not be set, as not all senders do. Only with ERR_OK is `request` whole. */
enum err notify_msg_read(struct notify_msg_request *request, const uint8_t *msg, size_t len)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* The answer to the NOTIFY `msg` of which notify_msg_read made `request` (NULL: it failed, and the header alone is
 * answered): its header and question, our OPT where it had one, and a TSIG where `tsig` (of tsig_verify_request; may be
 * NULL) has one to answer. Returns its length. `msg` has at least a header. */
size_t notify_msg_reply(uint8_t out[NOTIFY_MSG_MAX], const uint8_t *msg, const struct notify_msg_request *request,
                        enum rcode rcode, uint16_t udp_payload, struct tsig_state *tsig, uint64_t now_sec)
    ATTR_NONNULL(1, 2);
