#include "answer/answer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "answer/frame.h"
#include "answer/handoff.h"
#include "answer/limit.h"
#include "answer/lookup.h"
#include "answer/query.h"
#include "answer/refusals.h"
#include "answer/resolve.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/rcu.h"
#include "dns/nsec3.h"

enum {
    CACHE_LINE = 64,
    WALKS_MAX = 2 * ANSWER_BATCH_MAX, /* to the name, and to the topmost cut there may be above it */
};

/* A position for each family of each pool that there may ever be; the kernel gives memory to those that are used. */
#define POSITIONS_BYTES ((size_t)POOL_HANDLES_MAX * 2 * sizeof(uint32_t))

/* What is written all the time lies away from both ends, where a cache line may have another owner. */
struct answer_worker {
    const struct answer_shared *shared;
    enum frame_verdict verdicts[ANSWER_BATCH_MAX];
    struct random_state rng;
    struct query_context context;
    struct answer_counters counters;
    struct refusals refusals;
    struct limit_batch limit;
    struct query queries[ANSWER_BATCH_MAX];
};

static uint32_t *positions_new(void)
{
    void *p = mmap(NULL, POSITIONS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        mem_exhausted();
    return p;
}

void answer_worker_free(struct answer_worker *worker)
{
    if (worker && worker->context.positions)
        munmap(worker->context.positions, POSITIONS_BYTES);
    for (unsigned i = 0; worker && i < ANSWER_BATCH_MAX; i++)
        answer_hand_off_free(worker->queries[i].hand_off);
    if (worker)
        nsec3_hasher_free(worker->context.hasher);
    free(worker);
}

struct answer_worker *answer_worker_new(const struct answer_shared *shared)
{
    struct answer_worker *worker = mem_zalloc(1, sizeof *worker);
    worker->shared = shared;
    random_seed(&worker->rng);
    worker->context = (struct query_context){.key = &shared->key, .rng = &worker->rng, .counters = &worker->counters,
                                             .refusals = &worker->refusals};
    worker->context.hasher = nsec3_hasher_new();
    if (shared->pools) {
        worker->context.pools = shared->pools;
        worker->context.positions = positions_new();
        worker->context.position_seed = random_u64(&worker->rng);
    }
    for (unsigned i = 0; i < ANSWER_BATCH_MAX; i++)
        worker->queries[i].context = &worker->context;
    return worker;
}

const struct answer_counters *answer_worker_counters(const struct answer_worker *worker)
{
    return &worker->counters;
}

bool answer_take_refusal(struct answer_worker *worker, struct refusal *refusal)
{
    return refusals_take(&worker->refusals, refusal);
}

/* RFC 1034 4.3.2 step 2. No zone of ours above the name: REFUSED; one that could not be loaded: SERVFAIL. */
static enum frame_verdict find_zone(struct query *q)
{
    lookup_zone(q);
    if (likely(q->version != NULL)) {
        lookup_start(q);
        return FRAME_RESOLVE;
    }
    q->rcode = q->zone ? RCODE_SERVFAIL : RCODE_REFUSED;
    q->opt.ede = q->zone ? lookup_unserved_ede(q->zone) : EDNS_EDE_NOT_AUTHORITATIVE;
    return FRAME_DONE;
}

/* All walks one level at a time: what one level needs is on its way from memory while the others take theirs. */
static void walk_in_step(struct trie_walk **walks, unsigned cnt)
{
    while (cnt > 0) {
        unsigned left = 0;
        for (unsigned i = 0; i < cnt; i++) {
            struct trie_walk *walk = walks[i];
            trie_walk_step(walk);
            if (trie_walk_more(walk))
                walks[left++] = walk;
            else /* a node is longer than a cache line */
                __builtin_prefetch((const void *)(uintptr_t)((walk->ref & TRIE_ADDRESS_MASK) + CACHE_LINE));
        }
        cnt = left;
    }
}

static unsigned add_walk(struct trie_walk **walks, unsigned cnt, struct trie_walk *walk)
{
    if (likely(trie_walk_more(walk)))
        walks[cnt++] = walk;
    return cnt;
}

static void walk_all(struct answer_worker *worker, unsigned cnt)
{
    struct trie_walk *walks[WALKS_MAX];
    unsigned walk_cnt = 0;
    for (unsigned i = 0; i < cnt; i++) {
        struct query *q = &worker->queries[i];
        if (worker->verdicts[i] != FRAME_RESOLVE)
            continue;
        walk_cnt = add_walk(walks, walk_cnt, &q->walk);
        if (q->cover_depth != QUERY_NO_DEPTH)
            walk_cnt = add_walk(walks, walk_cnt, &q->cover);
    }
    walk_in_step(walks, walk_cnt);
}

static void count_rcode(struct answer_counters *c, const struct query *q)
{
    switch (q->rcode) {
    case RCODE_NOERROR:
        answer_count(c, noerror);
        if (q->referral)
            answer_count(c, referral);
        else if (!q->counts[QUERY_ANSWER] && !q->out.failed)
            answer_count(c, nodata);
        break;
    case RCODE_FORMERR:
        answer_count(c, formerr);
        break;
    case RCODE_SERVFAIL:
        answer_count(c, servfail);
        break;
    case RCODE_NXDOMAIN:
        answer_count(c, nxdomain);
        break;
    case RCODE_NOTIMP:
        answer_count(c, notimp);
        break;
    case RCODE_REFUSED:
        answer_count(c, refused);
        break;
    case RCODE_BADCOOKIE:
        answer_count(c, badcookie);
        break;
    default:
        answer_count(c, other_rcode);
    }
}

static void count_answer(struct answer_counters *c, const struct query *q)
{
    if (q->opt.len)
        answer_count(c, edns);
    if (unlikely(q->out.failed))
        answer_count(c, truncated);
    count_rcode(c, q);
}

static void finish(struct answer_worker *worker, struct query *q, struct answer_packet *packet)
{
    frame_finish(q);
    packet->out_len = (uint32_t)writer_len(&q->out);
    packet->outcome = ANSWER_SEND;
    count_answer(&worker->counters, q);
}

static void drop(struct answer_worker *worker, struct answer_packet *packet)
{
    packet->out_len = 0;
    packet->outcome = ANSWER_DROP;
    answer_count(&worker->counters, dropped);
}

struct answer_hand_off *answer_take_hand_off(struct answer_worker *worker, unsigned i)
{
    struct answer_hand_off *taken = worker->queries[i].hand_off;
    assert(taken);
    worker->queries[i].hand_off = NULL;
    return taken;
}

static bool has_records(const struct query *q)
{
    return q->counts[QUERY_ANSWER] || q->counts[QUERY_AUTHORITY] || q->counts[QUERY_ADDITIONAL];
}

/* Header, question and OPT, marked as truncated; most errors have no more anyway. Who sends cookies is better told ours
 * than to come by TCP, if anything is required of it (RFC 7873 5.2.3). */
static void slip(struct query *q)
{
    if (!has_records(q))
        return;
    frame_cut(q);
    q->opt.ede = QUERY_NO_EDE;
    q->out.failed = true;
    if (q->opt.flags & QUERY_OPT_COOKIE && q->context->settings->require_cookie != ANSWER_COOKIE_NEVER) {
        q->out.failed = false;
        q->rcode = RCODE_BADCOOKIE;
        q->flags &= (uint16_t)~MSG_AA;
    }
}

/* Whether an answer over the limit is sent. */
static ATTR_COLD bool may_go(struct answer_worker *worker, struct query *q)
{
    switch (limit_judge(&worker->context.settings->limit, q->client, &worker->rng, &worker->counters)) {
    case LIMIT_PASS:
        break;
    case LIMIT_SLIP:
        slip(q);
        break;
    case LIMIT_DROP:
        return false;
    }
    return true;
}

/* What the rate limit says to a hand-off. */
static enum limit_verdict limit_hand_off(struct answer_worker *worker, struct query *q)
{
    q->bucket = limit_aim(&worker->limit, q->client, q->name.suffix_hash[q->name.depth] + QUERY_LIMIT_HAND_OFF);
    if (limit_take(&worker->limit, &q->bucket))
        return LIMIT_PASS;
    return limit_judge(&worker->context.settings->limit, q->client, &worker->rng, &worker->counters);
}

/* What gets no answer here: FRAME_DROP comes back. Over the rate limit nothing is handed off: a client that means it
 * asks again, and whoever forges its address has no transfers sent there. One that is slipped is an IXFR that may come
 * by TCP: FRAME_DONE, and not to be limited again. (A NOTIFY cannot be truncated.) */
static ATTR_COLD enum frame_verdict leave(struct answer_worker *worker, struct query *q, struct answer_packet *packet,
                                          bool is_limiting)
{
    enum limit_verdict limited = LIMIT_PASS;
    bool is_handed_off = worker->verdicts[q - worker->queries] == FRAME_HAND_OFF;
    if (is_handed_off && is_limiting && !q->trusted)
        limited = limit_hand_off(worker, q);
    if (limited == LIMIT_SLIP && q->qtype == RR_IXFR) {
        q->trusted = q->out.failed = true;
        return FRAME_DONE;
    }
    if (is_handed_off && limited == LIMIT_PASS) {
        packet->out_len = 0;
        packet->outcome = ANSWER_HAND_OFF;
    } else {
        drop(worker, packet);
    }
    return FRAME_DROP;
}

static void resolve_all(struct answer_worker *worker, unsigned cnt, bool is_limiting)
{
    for (unsigned i = 0; i < cnt; i++) {
        struct query *q = &worker->queries[i];
        if (likely(worker->verdicts[i] == FRAME_RESOLVE))
            resolve_query(q);
        else
            q->limit_what = 0;
        if (is_limiting)
            q->bucket = limit_aim(&worker->limit, q->client, q->limit_what);
    }
}

static void finish_all(struct answer_worker *worker, struct answer_packet *packets, unsigned cnt, bool is_limiting)
{
    for (unsigned i = 0; i < cnt; i++) {
        struct query *q = &worker->queries[i];
        if (unlikely(worker->verdicts[i] == FRAME_DROP))
            continue;
        if (is_limiting && !q->trusted && unlikely(!limit_take(&worker->limit, &q->bucket)) && !may_go(worker, q))
            drop(worker, &packets[i]);
        else
            finish(worker, q, &packets[i]);
    }
}

void answer_batch(struct answer_worker *worker, struct answer_packet *packets, unsigned cnt)
{
    assert(cnt <= ANSWER_BATCH_MAX);
    const struct answer_settings *settings = rcu_read(worker->shared->settings);
    worker->context.settings = settings;
    worker->context.catalogue = rcu_read(worker->shared->catalogue);
    bool is_limiting =
        limit_begin(&worker->limit, worker->shared->limit, &settings->limit, &worker->shared->key, &worker->counters);
    for (unsigned i = 0; i < cnt; i++) {
        struct query *q = &worker->queries[i];
        q->client = &packets[i].client;
        worker->verdicts[i] = frame_read(q, &packets[i]);
        if (likely(worker->verdicts[i] == FRAME_RESOLVE))
            worker->verdicts[i] = find_zone(q);
        else if (worker->verdicts[i] >= FRAME_DROP)
            worker->verdicts[i] = leave(worker, q, &packets[i], is_limiting);
        if (packets[i].proto == ANSWER_UDP)
            answer_count(&worker->counters, queries_udp);
        else
            answer_count(&worker->counters, queries_tcp);
    }
    walk_all(worker, cnt);
    resolve_all(worker, cnt, is_limiting);
    finish_all(worker, packets, cnt, is_limiting);
}
