/* What the query path counts, a thread its own, written by the owner alone with relaxed stores. One list makes the
 * struct, the names in `rondoctl status --json` (later the metrics) and their help. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define ANSWER_COUNTERS(X)                                                   \
    X(queries_udp, "requests read over UDP")                                 \
    X(queries_tcp, "requests read over TCP")                                 \
    X(edns, "requests with EDNS")                                            \
    X(noerror, "answers with RCODE NOERROR")                                 \
    X(nodata, "of these: without an answer record, referrals excepted")      \
    X(referral, "of these: referrals")                                       \
    X(pool, "answers with addresses that a pool chose")                      \
    X(pool_down, "answers without addresses because a pool had none to give") \
    X(formerr, "answers with RCODE FORMERR")                                 \
    X(servfail, "answers with RCODE SERVFAIL")                               \
    X(nxdomain, "answers with RCODE NXDOMAIN")                               \
    X(notimp, "answers with RCODE NOTIMP")                                   \
    X(refused, "answers with RCODE REFUSED")                                 \
    X(other_rcode, "answers with any other RCODE")                           \
    X(badcookie, "answers with RCODE BADCOOKIE")                             \
    X(cookie_new, "requests with a client cookie alone")                     \
    X(cookie_good, "requests with a server cookie of ours")                  \
    X(cookie_bad, "requests with a server cookie that is not, or no more")   \
    X(tsig_good, "requests with a TSIG that is good")                        \
    X(tsig_bad, "requests with a TSIG that is not")                          \
    X(handed_off, "transfers, NOTIFYs and UPDATEs that were allowed and handed to the control thread") \
    X(transfer_refused, "transfers refused because allow_transfer does not allow them") \
    X(notify_refused, "NOTIFYs refused because nothing allows them")         \
    X(update_refused, "UPDATEs refused because allow_update does not allow them") \
    X(truncated, "answers with TC")                                          \
    X(dropped, "requests that got no answer")                                \
    X(rate_limited, "answers over the rate limit, dropped unless it only logs") \
    X(rate_slipped, "answers over the rate limit, sent truncated")           \
    X(rate_leaked, "answers over the rate limit, sent whole")                \
    X(rate_full, "times that the rate limit forgot a bucket for want of room")

struct answer_counters {
#define X(name, help) uint64_t name;
    ANSWER_COUNTERS(X)
#undef X
};

enum { ANSWER_COUNTER_CNT = sizeof(struct answer_counters) / sizeof(uint64_t) };
extern const char *const answer_counter_names[ANSWER_COUNTER_CNT];
extern const char *const answer_counter_help[ANSWER_COUNTER_CNT];

/* The owner's way to count. */
#define answer_count(counters, name) \
    __atomic_store_n(&(counters)->name, __atomic_load_n(&(counters)->name, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED)

/* Adds `from` (another thread's, being written) to `to`. [any] */
void answer_counters_add(struct answer_counters *to, const struct answer_counters *from) ATTR_NONNULL_ALL;
