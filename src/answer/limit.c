#include "answer/limit.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    /* Other workers may be faster as often; an answer that still has no word then is not counted. */
    TRIES = 8,
    LINE_WORDS = LIMIT_LINE_BYTES / sizeof(uint64_t),
};

struct limit {
    void *words;
    size_t bytes; /* a power of two, below 4 GiB: what is a word's place is no part of the tag */
};

static uint64_t mask_of(unsigned prefix)
{
    return htobe64(prefix ? UINT64_MAX << (64 - prefix) : 0);
}

void limit_settings_fini(struct limit_settings *settings)
{
    prefix_table_free(settings->exempt);
}

void limit_settings_init(struct limit_settings *settings, const struct limit_options *options)
{
    *settings = (struct limit_settings){
        .mask4 = mask_of((unsigned)options->prefix4),
        .mask6 = mask_of((unsigned)options->prefix6),
        .rate = (uint32_t)options->rate,
        .slip = (uint32_t)options->slip,
        .leak = (uint32_t)options->leak,
        .log_only = options->log_only,
        .exempt = options->exempt.cnt ? prefix_table_new(options->exempt.items, options->exempt.cnt) : NULL,
    };
}

void limit_free(struct limit *limit)
{
    if (limit)
        munmap(limit->words, limit->bytes);
    free(limit);
}

struct limit *limit_new(size_t bytes)
{
    struct limit *limit = mem_zalloc(1, sizeof *limit);
    limit->bytes = LIMIT_LINE_BYTES;
    while (limit->bytes <= bytes / 2)
        limit->bytes *= 2;
    limit->words = mmap(NULL, limit->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (limit->words == MAP_FAILED)
        mem_exhausted();
    return limit;
}

bool limit_begin(struct limit_batch *batch, const struct limit *limit, const struct limit_settings *settings,
                 const struct hash_key *key, struct answer_counters *counters)
{
    if (!limit || !settings->rate)
        return false;
    batch->words = limit->words;
    batch->place_mask = limit->bytes - sizeof(uint64_t);
    batch->mask[ADDR_V4] = settings->mask4;
    batch->mask[ADDR_V6] = settings->mask6;
    batch->key[ADDR_V4] = key->k[0];
    batch->key[ADDR_V6] = key->k[1];
    /* No key of those that make names' hashes: k[2] is the root's. */
    batch->name_key = hash_fold(key->k[0], key->k[1]);
    batch->next = limit_time(settings->rate, clock_mono_us()) + 1;
    /* A worker that was kept from running has an older now than the one that wrote a word: twice a second. What is
     * further away is from before the time wrapped, or from another rate. */
    batch->horizon = 2 * settings->rate;
    batch->rate = settings->rate;
    batch->counters = counters;
    return true;
}

/* ---- words */

/* How many answers the bucket in a word is ahead of now; 0: its time is over, the word is free. */
static uint32_t ahead(uint64_t word, const struct limit_batch *batch)
{
    uint32_t answers = (uint32_t)word - (batch->next - 1);
    return answers <= batch->horizon ? answers : 0;
}

static bool is_ours(uint64_t word, const struct limit_bucket *bucket)
{
    return word >> 32 == bucket->tag >> 32;
}

/* Where the bucket lives in the line of its own word; else the first word that is free, from its own on; else that of
 * the bucket nearest to its end. `*was`: what stood there. */
static uint64_t *choose(uint64_t *was, const struct limit_batch *batch, const struct limit_bucket *bucket)
{
    size_t at = (uintptr_t)bucket->word / sizeof(uint64_t) % LINE_WORDS;
    uint64_t *line = bucket->word - at, *best = bucket->word;
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < LINE_WORDS; i++) {
        uint64_t *word = &line[(at + i) % LINE_WORDS], value = __atomic_load_n(word, __ATOMIC_RELAXED);
        uint32_t answers = ahead(value, batch);
        bool found = answers && is_ours(value, bucket);
        if (found || answers < least) {
            best = word;
            *was = value;
            least = answers;
        }
        if (found)
            break;
    }
    return best;
}

bool limit_take_live(const struct limit_batch *batch, const struct limit_bucket *bucket)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t was = 0, *word = choose(&was, batch, bucket);
        uint32_t answers = ahead(was, batch);
        bool is_evicted = answers && !is_ours(was, bucket);
        if (is_evicted)
            answers = 0;
        if (answers >= batch->rate)
            return false;
        uint64_t is = bucket->tag | (uint32_t)(batch->next + answers);
        if (__atomic_compare_exchange_n(word, &was, is, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            if (is_evicted)
                answer_count(batch->counters, rate_full);
            return true;
        }
    }
    return true;
}

/* ---- over the limit */

static bool one_in(uint32_t cnt, struct random_state *rng)
{
    return cnt && random_below(rng, cnt) == 0;
}

enum limit_verdict limit_judge(const struct limit_settings *settings, const struct addr *client,
                               struct random_state *rng, struct answer_counters *counters)
{
    enum limit_verdict verdict = LIMIT_DROP;
    if (settings->exempt && prefix_table_has(settings->exempt, client))
        return LIMIT_PASS;
    if (one_in(settings->leak, rng)) {
        answer_count(counters, rate_leaked);
        verdict = LIMIT_PASS;
    } else if (one_in(settings->slip, rng)) {
        answer_count(counters, rate_slipped);
        verdict = LIMIT_SLIP;
    } else {
        answer_count(counters, rate_limited);
    }
    return settings->log_only ? LIMIT_PASS : verdict;
}
