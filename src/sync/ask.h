/* One small question to another nameserver and its answer: a NOTIFY (RFC 1996), or a question for a SOA. By UDP, or by
 * TCP when asked so, or when the UDP answer to a question for a SOA is truncated and has none.
 *
 * Each exchange has a socket of its own (sync/dial.h) and a random ID. Datagrams that are not the answer, be they
 * forged, are passed over until the time is up; over TCP the first message is the answer, or the end. Asking again is
 * the business of whoever keeps time (sync/refresh.h, sync/notify.h): here a question is sent once. Nothing is counted
 * or logged.
 *
 * An ask lives by itself: the pointer is good until `fn` is called or ask_cancel is. Its handles go with the next
 * rounds of the loop, which may be closed when uv_run finds nothing more to do. [loop] */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/attr.h"
#include "dns/rr.h"
#include "dns/tsig_key.h"
#include "sync/fault.h"
#include "sync/notify_msg.h"
#include "sync/plan.h"

/* Everything is copied, the key and what the pointers point to included. */
struct ask_question {
    enum notify_msg_kind kind;  /* NOTIFY_MSG_NOTIFY or NOTIFY_MSG_SOA */
    const uint8_t *apex;
    const struct rr *soa;       /* of a NOTIFY; NULL: none is told */
    const struct tsig_key *key; /* NULL: nothing is signed */
    struct addr peer;           /* with its port */
    struct sync_sources sources;
    bool over_tcp;
    uint64_t timeout_ms;        /* for all of it */
};

enum ask_outcome {
    ASK_ANSWERED,
    ASK_SILENT, /* the time is up; what was passed over, `why` says */
    ASK_FAILED, /* nothing can be sent there, or what came by TCP is no answer */
};

enum { ASK_WHY_MAX = FAULT_MAX };

struct ask_result {
    enum ask_outcome outcome;
    struct notify_msg_answer answer; /* ASK_ANSWERED */
    uint16_t tsig_error;             /* likewise; what a good signature says is wrong, which is TSIG_BADTIME; or 0 */
    char why[ASK_WHY_MAX];           /* of the others: a sentence */
    bool was_passed_over;            /* ASK_SILENT: something came that was no good answer */
};

/* Called once, from the loop, never from within ask_start. The result is valid during the call. */
typedef void ask_fn(void *arg, const struct ask_result *result);

struct ask;
struct ask *ask_start(uv_loop_t *loop, const struct ask_question *question, ask_fn *fn, void *arg)
    ATTR_NONNULL(1, 2, 3) ATTR_RETURNS_NONNULL;
/* Without calling `fn`. Not from within it. */
void ask_cancel(struct ask *ask) ATTR_NONNULL_ALL;
