/* TSIG (RFC 8945): messages signed and verified with a secret that both sides have. Functions over wire bytes, for one
 * message and its answer or for a stream of answers (RFC 8945 5.3.1); no I/O, no clock, no memory beside what the
 * caller hands in. Both sides of an exchange are here, each with a struct tsig_state of its own:
 *
 *     server: tsig_verify_request, then tsig_sign for the answer, or for each message of a transfer
 *     client: tsig_start, tsig_sign for the request, then tsig_verify_answer for each message that comes back
 *
 * A state borrows its key, belongs to one thread at a time, and owns nothing: it may be left or copied at any time.
 *
 * What is not here: a memory of the last Time Signed of each key (5.2.3, a SHOULD): it would be shared by all workers,
 * and refuse what UDP has brought out of order. TKEY and GSS-TSIG are not supported. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "dns/hmac.h"
#include "dns/name.h"
#include "dns/tsig_key.h"

enum {
    TSIG_FUDGE_SEC = 300,    /* ours, as RFC 8945 10 recommends; a client's own counts for its messages */
    TSIG_UNSIGNED_MOST = 99, /* messages in a row without TSIG within a stream (5.3.1) */
    TSIG_OTHER_MOST = 6,     /* bytes of Other Data that we send: a time */
};

/* What a look at a message's TSIG found. Those from TSIG_BADSIG to TSIG_BADTRUNC are the wire's values (table 2). */
enum tsig_verdict {
    TSIG_OK = 0,
    TSIG_FORMERR = 1,   /* no well-formed message, or TSIG; or a MAC longer or shorter than can be (5.2.2.1) */
    TSIG_BADSIG = 16,
    TSIG_BADKEY = 17,
    TSIG_BADTIME = 18,
    TSIG_BADTRUNC = 22, /* a MAC shorter than the key's algorithm makes it: our policy (5.2.4) is BIND's */
    TSIG_PENDING = 256, /* an answer without TSIG within a stream, to be believed when a later one proves good */
    TSIG_MISSING = 257, /* an answer without TSIG where there has to be one */
};

/* What the next signature is about (5.3, 5.3.1). */
enum tsig_phase {
    TSIG_REQUEST, /* the message alone */
    TSIG_FIRST,   /* the request's MAC before it */
    TSIG_NEXT,    /* the MAC of the message before, and of the TSIG only its times */
};

/* An exchange. The caller reads it, and writes nothing in it. */
struct tsig_state {
    const struct tsig_key *key; /* borrowed; of a request: NULL when it has none of ours */
    uint16_t error;             /* server: the verdict on the request. Client: what the last TSIG of an answer says */
    uint16_t fudge_sec;         /* of the message read last */
    uint64_t time_sec;          /* Time Signed of the same */
    uint64_t server_time_sec;   /* client: the server's, which an answer with the error TSIG_BADTIME tells; else 0 */
    uint8_t phase;              /* enum tsig_phase */
    uint8_t unsigned_cnt;       /* messages since the last that was signed */
    uint8_t mac_len;            /* 0: there is none yet */
    uint8_t name_len, algorithm_len; /* bytes of the next two */
    uint8_t name[NAME_MAX_LEN]; /* the key's and the algorithm's, lower-cased, as in the request */
    uint8_t algorithm[NAME_MAX_LEN];
    uint8_t mac[HMAC_LEN_MAX];  /* that of the message before */
    struct hmac hmac;           /* of the messages since the last that was signed, when there are any */
};

/* ---- the server's side */

/* Judges the request `msg`, whose TSIG begins at `at` (msg_read_edns found it) and ends with it: the key, the MAC, the
 * time, the MAC's length, in that order (5.2). TSIG_OK: state->key is whose request it is. TSIG_FORMERR: the answer has
 * no TSIG. Any other: the answer's RCODE is NOTAUTH, and tsig_sign gives it the TSIG that says so. `keys` may be
 * NULL. */
enum tsig_verdict tsig_verify_request(struct tsig_state *state, const struct tsig_keys *keys, const uint8_t *msg,
                                      size_t len, size_t at, uint64_t now_sec) ATTR_NONNULL(1, 3) ATTR_MUST_USE;

/* The exchange goes on with a copy of its key (it has one), made in *copy, when the table may go before it ends. The
 * copy holds the secret: hmac_wipe before its memory goes. */
void tsig_own_key(struct tsig_state *state, struct tsig_key *copy) ATTR_NONNULL_ALL;

/* ---- both */

/* Bytes that tsig_sign will append for this exchange: to be kept back while the message is made. */
unsigned tsig_room(const struct tsig_state *state) ATTR_NONNULL_ALL ATTR_PURE;
/* Appends the TSIG to the message that `w` is over from its beginning, complete but for that, and counts it in the
 * header: the client's request, or the server's answer, which is signed unless the request's key or MAC was bad
 * (5.3.2). Called again, it signs the next message of a stream, each of which it expects to be signed (BIND refuses
 * others). False when there is no room, or no place in ARCOUNT, and then nothing was written. */
bool tsig_sign(struct tsig_state *state, struct writer *w, uint64_t now_sec) ATTR_NONNULL_ALL ATTR_MUST_USE;

/* ---- the client's side */

/* Before a request is signed. */
void tsig_start(struct tsig_state *state, const struct tsig_key *key) ATTR_NONNULL_ALL;
/* Judges the next message of the answer to the request that was signed (5.4). Whether it answers that request is the
 * caller's to see: the ID is signed as the server got it. After anything but TSIG_OK and TSIG_PENDING the exchange is
 * over: over UDP the message is to be ignored, as it may be forged; state->error then tells what the server complains
 * of (TSIG_BADSIG, TSIG_BADKEY), which nobody has signed. An answer with TSIG_OK and state->error TSIG_BADTIME says
 * that our clock is wrong, or the server's. */
enum tsig_verdict tsig_verify_answer(struct tsig_state *state, const uint8_t *msg, size_t len, uint64_t now_sec)
    ATTR_NONNULL_ALL ATTR_MUST_USE;
/* True when nothing that came is still unproven: asked at the stream's end, whose last message must be signed. */
static inline bool tsig_is_proven(const struct tsig_state *state)
{
    return state->phase == TSIG_NEXT && !state->unsigned_cnt;
}
