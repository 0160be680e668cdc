#include "pool/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pool/classes.h"
#include "pool/rendezvous.h"
#include "pool/schedule.h"
#include "pool/shares.h"
#include "pool/trickle.h"

/* A record in image form. zone/image.h defines it; pool is below zone and repeats what it needs: the owner is the
 * pointer to the question's name (0xC00C), then type, class IN, TTL, RDLENGTH (RFC 1035 3.2.1), and the address. */
enum { RR_FIXED_LEN = 12, RR_A_LEN = RR_FIXED_LEN + 4, RR_AAAA_LEN = RR_FIXED_LEN + 16, TYPE_A = 1, TYPE_AAAA = 28 };

/* What a table is made from: the addresses to be used, in order, and how their records look. */
struct draft {
    const struct pool_settings *settings;
    enum addr_family family;
    uint32_t ttl_sec;
    unsigned rr_len, cnt, answers;
    const struct addr *address[POOL_MEMBERS_MAX];
};

/* Of a table's parts. */
struct extent {
    unsigned sets, weights, slots;
    size_t bytes;
};

void pool_table_free(struct pool_table *table)
{
    if (table && table->outcome == POOL_BY_CLASS)
        pool_classes_end(table);
    free(table);
}

/* One allocation: the struct, then its parts in falling order of alignment. */
static struct pool_table *table_new(const struct pool_settings *settings, enum addr_family family,
                                    enum pool_outcome outcome, const struct extent *extent)
{
    size_t sets_at = sizeof(struct pool_table);
    size_t weights_at = sets_at + extent->sets * sizeof(struct pool_set);
    size_t slots_at = weights_at + extent->weights * sizeof(uint32_t);
    size_t bytes_at = slots_at + extent->slots * sizeof(uint16_t);
    uint8_t *memory = mem_zalloc(1, bytes_at + extent->bytes);
    struct pool_table *table = (struct pool_table *)(void *)memory;
    *table = (struct pool_table){
        .seed = settings->seed,
        .slot_cnt = extent->slots,
        .set_cnt = (uint16_t)extent->sets,
        .rr_len = family == ADDR_V4 ? RR_A_LEN : RR_AAAA_LEN,
        .outcome = (uint8_t)outcome,
        .hash_prefix4 = settings->hash_prefix4,
        .hash_prefix6 = settings->hash_prefix6,
        .exact = true,
        .negative_ttl_sec = settings->ttl_sec,
        .sets = (struct pool_set *)(void *)(memory + sets_at),
        .weights = extent->weights ? (uint32_t *)(void *)(memory + weights_at) : NULL,
        .slots = (uint16_t *)(void *)(memory + slots_at),
        .bytes = memory + bytes_at,
        .total_bytes = bytes_at + extent->bytes,
    };
    return table;
}

static struct pool_table *without_addresses(const struct pool_settings *settings, enum addr_family family,
                                            enum pool_outcome outcome)
{
    return table_new(settings, family, outcome, &(struct extent){0});
}

static void draft_init(struct draft *draft, const struct pool_settings *settings, enum addr_family family,
                       uint32_t ttl_sec)
{
    draft->settings = settings;
    draft->family = family;
    draft->ttl_sec = ttl_sec;
    draft->rr_len = family == ADDR_V4 ? RR_A_LEN : RR_AAAA_LEN;
    draft->cnt = 0;
}

/* `answers` cut to what there is, once all addresses are in. */
static void draft_close(struct draft *draft)
{
    unsigned answers = draft->settings->answers;
    answers = answers > POOL_ANSWERS_MAX ? POOL_ANSWERS_MAX : answers ? answers : 1;
    draft->answers = answers < draft->cnt ? answers : draft->cnt;
}

static void draft_choice(struct draft *draft, const struct pool_settings *settings, enum addr_family family,
                         const struct pool_member *members, const struct pool_choice *choice)
{
    uint32_t ttl = settings->ttl_sec;
    if (choice->unsettled && settings->ttl_min_sec < ttl)
        ttl = settings->ttl_min_sec;
    draft_init(draft, settings, family, ttl);
    for (unsigned i = 0; i < choice->cnt; i++)
        draft->address[draft->cnt++] = &members[choice->member[i]].address;
    draft_close(draft);
}

static void put_rr(uint8_t *out, const struct draft *draft, unsigned index)
{
    unsigned rdata_len = draft->rr_len - RR_FIXED_LEN;
    uint32_t ttl = draft->ttl_sec;
    const uint8_t fixed[RR_FIXED_LEN] = {0xc0,
                                         0x0c,
                                         0,
                                         draft->family == ADDR_V4 ? TYPE_A : TYPE_AAAA,
                                         0,
                                         1,
                                         (uint8_t)(ttl >> 24),
                                         (uint8_t)(ttl >> 16),
                                         (uint8_t)(ttl >> 8),
                                         (uint8_t)ttl,
                                         0,
                                         (uint8_t)rdata_len};
    memcpy(out, fixed, sizeof fixed);
    memcpy(out + RR_FIXED_LEN, draft->address[index]->bytes, rdata_len);
}

/* Sets that are windows of one run through all addresses, set i beginning with address i; the run goes on from its
 * start again so that the last window fits. */
static struct pool_table *ring(const struct draft *draft, unsigned slot_cnt, unsigned weight_cnt)
{
    unsigned run = draft->cnt + draft->answers - 1;
    struct extent extent = {
        .sets = draft->cnt, .weights = weight_cnt, .slots = slot_cnt, .bytes = (size_t)run * draft->rr_len};
    struct pool_table *table = table_new(draft->settings, draft->family, POOL_ANSWER, &extent);
    for (unsigned i = 0; i < run; i++)
        put_rr(table->bytes + i * draft->rr_len, draft, i % draft->cnt);
    for (unsigned i = 0; i < draft->cnt; i++)
        table->sets[i] = (struct pool_set){.at = i * draft->rr_len, .rr_cnt = (uint8_t)draft->answers, .starts = 1};
    return table;
}

static struct pool_table *rotation(const struct draft *draft)
{
    struct pool_table *table = ring(draft, draft->cnt, 0);
    for (unsigned i = 0; i < draft->cnt; i++)
        table->slots[i] = (uint16_t)i;
    table->pick = POOL_PICK_NEXT;
    return table;
}

/* The answer sets of one tier, or of the one that is used and the next. */
struct sets {
    struct pool_shares own, next;
    bool has_next;
};

static struct sets *sets_new(const struct draft *draft, const struct pool_choice *choice)
{
    struct sets *sets = mem_zalloc(1, sizeof *sets);
    pool_shares_make(&sets->own, choice->weight, choice->own_cnt, draft->answers);
    sets->has_next = choice->own_cnt < choice->cnt;
    if (!sets->has_next)
        return sets;
    pool_shares_make(&sets->next, choice->weight + choice->own_cnt, choice->cnt - choice->own_cnt, draft->answers);
    pool_trickle_thin(&sets->next, draft->settings->trickle, draft->settings->turn);
    return sets;
}

/* Each set's records, and again all but the last, so that any of them can stand first. */
static unsigned run_of(const struct pool_shares *shares) { return 2 * shares->rr_cnt - 1; }

static size_t sets_bytes(const struct pool_shares *shares, const struct draft *draft)
{
    return (size_t)shares->cnt * run_of(shares) * draft->rr_len;
}

/* From set `first` and byte `at` on; the shares' members begin with `member` of the draft. */
static void put_sets(struct pool_table *table, const struct draft *draft, const struct pool_shares *shares,
                     unsigned first, size_t at, unsigned member)
{
    for (unsigned s = 0; s < shares->cnt; s++) {
        table->sets[first + s] = (struct pool_set){
            .at = (uint32_t)at, .rr_cnt = (uint8_t)shares->rr_cnt, .starts = (uint8_t)shares->rr_cnt};
        for (unsigned i = 0; i < run_of(shares); i++, at += draft->rr_len)
            put_rr(table->bytes + at, draft, member + shares->member[s][i % shares->rr_cnt]);
    }
}

/* Tells each slot how often its set stood before in the cycle, and each set how often it stands in a whole one. */
static void put_turns(struct pool_table *table)
{
    for (unsigned slot = 0; slot < table->slot_cnt; slot++) {
        struct pool_set *set = &table->sets[table->slots[slot]];
        table->slots[slot] |= (uint16_t)(set->per_turn << POOL_SLOT_SET_BITS);
        set->per_turn = (uint8_t)((set->per_turn + 1) % set->starts);
    }
}

static struct pool_table *scheduled(const struct draft *draft, const struct pool_choice *choice)
{
    struct sets *sets = sets_new(draft, choice);
    struct pool_shares *next = sets->has_next ? &sets->next : NULL;
    uint32_t length[POOL_MEMBERS_MAX], slots_of[POOL_MEMBERS_MAX];
    bool exact;
    unsigned set_cnt = pool_trickle_lengths(length, &sets->own, next, draft->settings->trickle);
    unsigned slot_cnt = pool_schedule_shares(slots_of, length, set_cnt, &exact);
    if (next && !exact)
        slot_cnt = pool_trickle_divide(slots_of, &sets->own, next, draft->settings->trickle);
    size_t own_bytes = sets_bytes(&sets->own, draft);
    struct extent extent = {
        .sets = set_cnt, .slots = slot_cnt, .bytes = own_bytes + (next ? sets_bytes(next, draft) : 0)};
    struct pool_table *table = table_new(draft->settings, draft->family, POOL_ANSWER, &extent);
    pool_schedule_order(table->slots, slots_of, set_cnt, slot_cnt);
    put_sets(table, draft, &sets->own, 0, 0, 0);
    if (next)
        put_sets(table, draft, next, sets->own.cnt, own_bytes, choice->own_cnt);
    put_turns(table);
    table->exact = exact;
    table->pick = draft->settings->policy == POOL_RANDOM ? POOL_PICK_RANDOM : POOL_PICK_NEXT;
    free(sets);
    return table;
}

/* What differs between `previous`, whose set i begins with its i-th member, and what is to be used now. False when they
 * have nothing in common that could be kept. Both are in canonical order, which within a family is that of the bytes.
 */
static bool compare(struct pool_rendezvous_change *change, const struct pool_table *previous, const struct draft *draft,
                    const uint32_t *weight)
{
    if (!previous || previous->outcome != POOL_ANSWER || previous->pick != POOL_PICK_HASH ||
        previous->seed != draft->settings->seed || previous->rr_len != draft->rr_len)
        return false;
    unsigned then = 0, now = 0, kept = 0;
    change->slots = previous->slots;
    change->fresh_cnt = 0;
    while (then < previous->set_cnt || now < draft->cnt) {
        int order = then == previous->set_cnt ? 1 : -1; /* one of them has ended */
        if (then < previous->set_cnt && now < draft->cnt)
            order = memcmp(previous->bytes + previous->sets[then].at + RR_FIXED_LEN, draft->address[now]->bytes,
                           draft->rr_len - RR_FIXED_LEN);
        bool same = !order && previous->weights[then] == weight[now];
        kept += same;
        if (order <= 0)
            change->kept[then++] = (uint16_t)(same ? now : POOL_RENDEZVOUS_GONE);
        if (order >= 0) {
            if (!same)
                change->fresh[change->fresh_cnt++] = (uint16_t)now;
            now++;
        }
    }
    return kept;
}

static struct pool_table *hashed(const struct draft *draft, const struct pool_choice *choice,
                                 const struct pool_table *previous)
{
    struct pool_rendezvous rendezvous;
    struct pool_rendezvous_change change;
    pool_rendezvous_init(&rendezvous, draft->settings->seed);
    for (unsigned i = 0; i < draft->cnt; i++)
        pool_rendezvous_add(&rendezvous, draft->address[i], choice->weight[i]);
    struct pool_table *table = ring(draft, POOL_SLOTS_MAX, draft->cnt);
    bool known = compare(&change, previous, draft, choice->weight);
    pool_rendezvous_fill(table->slots, &rendezvous, known ? &change : NULL);
    memcpy(table->weights, choice->weight, draft->cnt * sizeof *table->weights);
    table->exact = false;
    table->pick = POOL_PICK_HASH;
    return table;
}

static struct pool_table *live(const struct pool_settings *settings, enum addr_family family,
                               const struct pool_member *members, const struct pool_choice *choice,
                               const struct pool_table *previous)
{
    struct draft draft;
    draft_choice(&draft, settings, family, members, choice);
    switch (settings->policy) {
    case POOL_HASH:
        return hashed(&draft, choice, previous);
    case POOL_WEIGHTED:
    case POOL_RANDOM:
    case POOL_FASTEST:
    case POOL_LEAST_CONNECTIONS:
    case POOL_LEAST_LOAD:
        return scheduled(&draft, choice);
    case POOL_ROUND_ROBIN:
    case POOL_POLICY_CNT:
        break;
    }
    return rotation(&draft);
}

static bool contains(const struct draft *draft, const struct addr *address)
{
    for (unsigned i = 0; i < draft->cnt; i++)
        if (addr_same_host(draft->address[i], address))
            return true;
    return false;
}

static struct pool_table *fall_back(const struct pool_settings *settings, enum addr_family family,
                                    const struct addr *fallback, size_t fallback_cnt)
{
    struct draft draft;
    draft_init(&draft, settings, family, settings->ttl_sec);
    for (size_t i = 0; i < fallback_cnt && draft.cnt < POOL_MEMBERS_MAX; i++)
        if (fallback[i].family == family && !contains(&draft, &fallback[i]))
            draft.address[draft.cnt++] = &fallback[i];
    draft_close(&draft);
    return draft.cnt ? rotation(&draft) : without_addresses(settings, family, POOL_NODATA);
}

struct pool_table *pool_table_compile(const struct pool_settings *settings, enum addr_family family,
                                      const struct pool_member *members, size_t cnt, const struct addr *fallback,
                                      size_t fallback_cnt, const struct pool_table *previous)
{
    for (size_t i = 0; i < cnt; i++) {
        assert(members[i].address.family == family);
        assert(!i || addr_cmp(&members[i - 1].address, &members[i].address) < 0);
    }
    struct pool_choice choice;
    pool_choose(&choice, settings, members, cnt);
    if (choice.cnt) {
        struct pool_table *table = live(settings, family, members, &choice, previous);
        table->all_down = choice.state == POOL_ALL_DOWN;
        return table;
    }
    if (choice.state == POOL_ALL_DOWN && settings->all_down == POOL_SERVFAIL)
        return without_addresses(settings, family, POOL_FAIL);
    if (choice.state == POOL_ALL_DOWN && settings->all_down == POOL_FALLBACK)
        return fall_back(settings, family, fallback, fallback_cnt);
    struct pool_table *table = without_addresses(settings, family, POOL_NODATA);
    table->empty = choice.state == POOL_EMPTY;
    return table;
}

uint64_t pool_table_compile_scores(const struct pool_settings *settings, enum addr_family family,
                                   const struct pool_member *members, size_t cnt, const struct pool_table *previous)
{
    struct pool_choice choice;
    struct draft draft;
    struct pool_rendezvous_change change;
    if (settings->policy != POOL_HASH)
        return 0;
    pool_choose(&choice, settings, members, cnt);
    draft_choice(&draft, settings, family, members, &choice);
    bool known = compare(&change, previous, &draft, choice.weight);
    return pool_rendezvous_scores(draft.cnt, known ? &change : NULL);
}
