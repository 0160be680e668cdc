/* Rate limiting of responses: who forges a victim's address gets few answers sent there. Answers over UDP are counted
 * in buckets, one for each network of clients (a /24, a /56), kind of answer and name:
 *
 *   positive, NODATA   the name asked for; all names that one wildcard or DNAME makes share that one's
 *   NXDOMAIN           the closest encloser: all names invented below it share it. (BIND, Knot and NSD take the zone,
 *                      which limits a large zone's honest clients sooner: in a DNS block list nearly every answer is
 *                      NXDOMAIN)
 *   referral           the cut
 *   error              none: one bucket a network
 *
 * Behind an alias the last name decides. The type is no part of it: one name is not to be worth many rates.
 *
 * A bucket is a theoretical arrival time (GCRA, ITU-T I.371 Annex A): each answer moves it on by 1/rate, and one that
 * would lead it more than a second away from now is over the limit and moves nothing. So a network may have `rate`
 * answers at once (as BIND has it: 200 a second may come as they like and never meet the default of 1,000), and as many
 * a second for as long as it likes; twice the rate loses half. Time is counted in answers (limit_time), which makes any
 * rate exact.
 *
 * All workers share one table, and no lock: a bucket is one word, changed by compare-and-swap. Its time is over 1/rate
 * after its last answer when there was but one, and then its word is free for another: of 300,000 different answers a
 * second at the default rate, 300 live at a time. Where a line has no free word, the bucket that is nearest to its end
 * gives way, so that those that matter stay.
 *
 * Over TCP, and to a client that has proved its address (query.trusted), nothing is limited: the address is no lie. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "answer/counters.h"
#include "base/addr.h"
#include "base/attr.h"
#include "base/hash.h"
#include "base/opt.h"
#include "base/prefix.h"
#include "base/random.h"

enum { LIMIT_RATE_MAX = 1000000, LIMIT_LINE_BYTES = 64 /* a cache line */ };

/* Part of struct answer_options. */
struct limit_options {
    int64_t rate; /* 0: off */
    int64_t slip;
    int64_t leak;
    int64_t prefix4;
    int64_t prefix6;
    struct opt_list exempt; /* of struct prefix */
    bool log_only;
    int64_t table_mib;
};

/* Part of struct answer_settings; all zeros: off. */
struct limit_settings {
    uint64_t mask4, mask6; /* of the first eight bytes of an address as they lie in memory */
    uint32_t rate;         /* answers a second and bucket; 0: off */
    uint32_t slip;         /* one in so many of those over the limit is sent truncated; 0: none */
    uint32_t leak;         /* one in so many of them is sent whole; 0: none */
    bool log_only;         /* count, but send everything */
    struct prefix_table *exempt; /* NULL: nobody is */
};
void limit_settings_fini(struct limit_settings *settings) ATTR_NONNULL_ALL;
void limit_settings_init(struct limit_settings *settings, const struct limit_options *options) ATTR_NONNULL_ALL;

/* The table, of all workers; made and freed by [control]. */
struct limit;
void limit_free(struct limit *limit);
/* Of at least LIMIT_LINE_BYTES, rounded down to a power of two; memory is used as lines are. */
struct limit *limit_new(size_t bytes) ATTR_FREED_BY(limit_free) ATTR_MUST_USE;

/* The time in units of one answer at `rate`; wraps, after 71 minutes at the highest rate and 49 days at the default. */
static inline uint32_t limit_time(uint32_t rate, uint64_t mono_us)
{
    return (uint32_t)(mono_us / 1000000 * rate + mono_us % 1000000 * rate / 1000000);
}

/* What all answers of a batch need of the above. [worker] */
struct limit_batch {
    char *words;                                   /* the table: a tag (high half) and a time (low) each */
    uint64_t place_mask;                           /* of a hash: where its word is, in bytes from `words` */
    uint64_t mask[ADDR_V6 + 1], key[ADDR_V6 + 1]; /* by family */
    uint64_t name_key;
    uint32_t next;    /* the time now, and an answer's more */
    uint32_t horizon; /* how far ahead a time may be, and not be over */
    uint32_t rate;
    struct answer_counters *counters;
};
/* Now. False (`limit` NULL, or rate 0): nothing is limited. */
bool limit_begin(struct limit_batch *batch, const struct limit *limit, const struct limit_settings *settings,
                 const struct hash_key *key, struct answer_counters *counters) ATTR_NONNULL(1, 3, 4, 5) ATTR_MUST_USE;

/* An answer's bucket: the word where it is when that isn't another's. */
struct limit_bucket {
    uint64_t *word;
    uint64_t tag;
};
/* Of `what` the answer is counted by: a keyed hash (base/hash.h) of name and kind, 0 for an error. Its line is then on
 * its way from memory; some time later: limit_take. */
static inline struct limit_bucket limit_aim(const struct limit_batch *batch, const struct addr *client, uint64_t what)
{
    uint64_t network;
    memcpy(&network, client->bytes, sizeof network);
    network = (network & batch->mask[client->family]) ^ batch->key[client->family];
    uint64_t hash = hash_fold(network, what ^ batch->name_key);
    uint64_t *word = (uint64_t *)(void *)(batch->words + (hash & batch->place_mask));
    __builtin_prefetch(word, 1);
    return (struct limit_bucket){word, hash >> 32 << 32};
}

/* limit_take where the word's time is not over, or another worker was faster. */
bool limit_take_live(const struct limit_batch *batch, const struct limit_bucket *bucket)
    ATTR_NONNULL_ALL ATTR_NOINLINE ATTR_MUST_USE;
/* Takes one answer out of the bucket; false: there is none left. Counts rate_full.
 *
 * A bucket takes its word whenever that is free: one that lives elsewhere in the line because it was not is then
 * forgotten, and its network has a second's answers once more than it should. Looking through the line each time would
 * cost more than all the rest. */
static inline bool limit_take(const struct limit_batch *batch, const struct limit_bucket *bucket)
{
    uint64_t was = __atomic_load_n(bucket->word, __ATOMIC_RELAXED), is = bucket->tag | batch->next;
    bool is_over = (uint32_t)was - batch->next >= batch->horizon;
    if (likely(is_over &&
               __atomic_compare_exchange_n(bucket->word, &was, is, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)))
        return true;
    return limit_take_live(batch, bucket);
}

enum limit_verdict { LIMIT_PASS, LIMIT_SLIP, LIMIT_DROP };
/* What becomes of an answer that limit_take refused; counts it. */
enum limit_verdict limit_judge(const struct limit_settings *settings, const struct addr *client,
                               struct random_state *rng, struct answer_counters *counters)
    ATTR_NONNULL_ALL ATTR_COLD ATTR_MUST_USE;
