/* The way of a query: a batch of requests as bytes in, responses as bytes and outcomes out. No socket, no
 * allocation, no lock, no log line; tests, fuzzers and benchmarks call it as the workers do.
 *
 * Passes over a batch: parse the frame and hash the name; find the zone; walk the zones' tries in step, prefetching;
 * then answer one after the other from images; last, hold the answers against the rate limit. RFC 1034 4.3.2 with 2181,
 * 2308, 4592, 6604, 6672, 6891, 8482, 9471, 9619. */
#pragma once

#include <stdint.h>

#include "answer/counters.h"
#include "answer/limit.h"
#include "answer/settings.h"
#include "base/addr.h"
#include "base/attr.h"
#include "base/hash.h"
#include "pool/directory.h"
#include "zone/catalogue.h"

enum { ANSWER_BATCH_MAX = 32 };

enum answer_proto { ANSWER_UDP, ANSWER_TCP };
enum answer_outcome {
    ANSWER_SEND,
    ANSWER_DROP,
    ANSWER_HAND_OFF, /* to be taken with answer_take_hand_off; not answered */
};

/* One request. `out` may be `in` (the answer is then built in place, behind the question); otherwise they must not
 * overlap. */
struct answer_packet {
    const uint8_t *in;
    uint8_t *out;
    uint32_t in_len;
    uint32_t out_cap; /* at least 512; UDP answers are also cut to the client's and our payload size */
    uint32_t out_len; /* result: bytes to send, when outcome is ANSWER_SEND */
    enum answer_proto proto;
    enum answer_outcome outcome; /* result */
    /* How long the connection may be idle, as an answer may tell it (RFC 7828 3.1): in tenths of a second, 0 when it
     * had better be closed at once. 0 over UDP, where nothing is told. */
    uint16_t tcp_idle_100ms;
    struct addr client;
};

/* What the workers read through RCU. [control] publishes each field by rcu_publish. */
struct answer_shared {
    struct hash_key key; /* constant */
    struct catalogue *catalogue;
    struct answer_settings *settings;
    struct pool_directory *pools; /* constant from before the first worker on; NULL: no name has a pool */
    struct limit *limit; /* likewise constant; NULL: nothing is limited, whatever the settings say */
};

/* One thread's scratch memory, random state and counters. */
struct answer_worker;
void answer_worker_free(struct answer_worker *worker);
/* `shared` is borrowed. */
struct answer_worker *answer_worker_new(const struct answer_shared *shared)
    ATTR_FREED_BY(answer_worker_free) ATTR_MUST_USE ATTR_NONNULL_ALL;
/* Written by the owner alone, read by anyone (relaxed). */
const struct answer_counters *answer_worker_counters(const struct answer_worker *worker) ATTR_NONNULL_ALL;

/* The next request that the worker has refused and somebody may want to know of (answer/refusals.h); false: there is
 * none. [control] */
struct refusal;
bool answer_take_refusal(struct answer_worker *worker, struct refusal *refusal) ATTR_NONNULL_ALL ATTR_MUST_USE;

struct answer_hand_off;
/* What became of packets[i] of the last batch, whose outcome was ANSWER_HAND_OFF: the caller's from now on, and to be
 * taken once (answer/handoff.h). What nobody takes is freed some time later. [worker] */
struct answer_hand_off *answer_take_hand_off(struct answer_worker *worker, unsigned i)
    ATTR_MUST_USE ATTR_RETURNS_NONNULL ATTR_NONNULL_ALL;

/* Answers `cnt` ≤ ANSWER_BATCH_MAX requests. The caller is an online RCU reader. [worker] */
void answer_batch(struct answer_worker *worker, struct answer_packet *packets, unsigned cnt) ATTR_NONNULL_ALL ATTR_HOT;
