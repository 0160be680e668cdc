#include "zone/records.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/rdata.h"

enum {
    /* two passes of 2,048 buckets order by the top 22 bits; the few that share them are merged */
    RADIX_BITS = 11,
    RADIX_LEAST = 1024,    /* fewer records are merge-sorted at once */
    INSERTION_MOST = 12,
    PREFETCH_AHEAD = 12,
    LOOK_AHEAD = 64,       /* records; some three lines of cache for each look-up */
};

/* Entries of zone_records.targets; from TARGET_FIRST on an index. */
enum { TARGET_UNKNOWN, TARGET_NONE, TARGET_FIRST };

/* What the radix passes move: a quarter of a record. */
struct sort_key {
    uint64_t hash;
    uint64_t index;
};

void zone_records_free(struct zone_records *records)
{
    if (!records)
        return;
    arena_fini(&records->arena);
    free(records->recs);
    free(records->runs);
    free(records->starts);
    free(records->targets);
    free(records);
}

struct zone_records *zone_records_new(const uint8_t *apex, const struct hash_key *key)
{
    struct zone_records *r = mem_zalloc(1, sizeof(*r));
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, apex);
    arena_init(&r->arena);
    r->apex = arena_dup(&r->arena, lower, len, 1);
    r->key = key;
    return r;
}

static void note_file(struct zone_records *r, const char *file)
{
    if (r->run_cnt && r->runs[r->run_cnt - 1].file == file)
        return;
    if (r->run_cnt == r->run_cap) {
        r->run_cap = r->run_cap ? r->run_cap * 2 : 4;
        r->runs = mem_realloc(r->runs, r->run_cap, sizeof(*r->runs));
    }
    r->runs[r->run_cnt++] = (struct zone_records_run){file, r->added_cnt};
}

const char *zone_records_file(const struct zone_records *records, const struct zone_record *record)
{
    size_t low = 0;
    for (size_t high = records->run_cnt; high - low > 1;) {
        size_t middle = low + (high - low) / 2;
        if (records->runs[middle].seq <= record->seq)
            low = middle;
        else
            high = middle;
    }
    return records->runs[low].file;
}

/* Records of one owner mostly come one after the other: they share the copy and the hash. */
static void use_owner(struct zone_records *r, const uint8_t *owner)
{
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, owner);
    if (r->last_owner && r->last_owner_len == len && !memcmp(r->last_owner, lower, len))
        return;
    r->last_owner = arena_dup(&r->arena, lower, len, 1);
    r->last_owner_len = len;
    r->last_hash = name_hash(lower, r->key);
}

void zone_records_add(struct zone_records *records, const struct rr *rr, const char *file, unsigned line)
{
    if (records->cnt == records->cap) {
        records->cap = records->cap ? records->cap * 2 : 16;
        records->recs = mem_realloc(records->recs, records->cap, sizeof(*records->recs));
    }
    assert(records->added_cnt < UINT32_MAX / 2);
    use_owner(records, rr->owner);
    note_file(records, file);
    struct zone_record *rec = &records->recs[records->cnt];
    rec->rr = *rr;
    rec->rr.owner = records->last_owner;
    rec->rr.rdata = arena_dup(&records->arena, rr->rdata, rr->rdata_len, 1);
    rec->owner_hash = records->last_hash;
    rec->line = line;
    rec->seq = records->added_cnt++;
    records->cnt++;
    records->sorted = false;
}

size_t zone_records_bytes(const struct zone_records *records)
{
    return records->arena.total_bytes + records->cap * sizeof(*records->recs);
}

static int owner_cmp(const uint8_t *a, const uint8_t *b)
{
    if (a == b)
        return 0;
    unsigned a_len = name_len(a), b_len = name_len(b);
    return a_len != b_len ? (a_len > b_len) - (a_len < b_len) : memcmp(a, b, a_len);
}

int zone_record_cmp(const struct zone_record *a, const struct zone_record *b)
{
    if (a->owner_hash != b->owner_hash)
        return a->owner_hash > b->owner_hash ? 1 : -1;
    int d = owner_cmp(a->rr.owner, b->rr.owner);
    if (d)
        return d;
    if (a->rr.type != b->rr.type)
        return a->rr.type > b->rr.type ? 1 : -1;
    return rdata_cmp(a->rr.type, a->rr.rdata, a->rr.rdata_len, b->rr.rdata, b->rr.rdata_len);
}

static void insertion_sort(struct zone_record *recs, size_t cnt)
{
    for (size_t i = 1; i < cnt; i++) {
        struct zone_record rec = recs[i];
        size_t at = i;
        for (; at && zone_record_cmp(&recs[at - 1], &rec) > 0; at--)
            recs[at] = recs[at - 1];
        recs[at] = rec;
    }
}

/* Stable, unlike qsort(3), so that of duplicates the first added stays. `tmp` has room for `cnt`. */
static void merge_sort(struct zone_record *recs, struct zone_record *tmp, size_t cnt)
{
    if (cnt <= INSERTION_MOST) {
        insertion_sort(recs, cnt);
        return;
    }
    size_t half = cnt / 2, a = 0, b = half, out = 0;
    merge_sort(recs, tmp, half);
    merge_sort(recs + half, tmp, cnt - half);
    if (zone_record_cmp(&recs[half - 1], &recs[half]) <= 0)
        return;
    memcpy(tmp, recs, half * sizeof(*recs));
    while (a < half && b < cnt)
        recs[out++] = zone_record_cmp(&tmp[a], &recs[b]) <= 0 ? tmp[a++] : recs[b++];
    memcpy(recs + out, tmp + a, (half - a) * sizeof(*recs));
}

/* One stable pass by RADIX_BITS bits of the hash. */
static void radix_pass(struct sort_key *to, const struct sort_key *from, size_t cnt, unsigned shift)
{
    enum { BUCKETS = 1 << RADIX_BITS };
    uint32_t at[BUCKETS] = {0}, sum = 0;
    for (size_t i = 0; i < cnt; i++)
        at[from[i].hash >> shift & (BUCKETS - 1)]++;
    for (unsigned b = 0; b < BUCKETS; b++) {
        uint32_t n = at[b];
        at[b] = sum;
        sum += n;
    }
    for (size_t i = 0; i < cnt; i++)
        to[at[from[i].hash >> shift & (BUCKETS - 1)]++] = from[i];
}

/* Orders by the top 22 bits of the hash; returns the new array. */
static struct zone_record *radix_sort(const struct zone_record *recs, size_t cnt, size_t cap)
{
    struct sort_key *keys = mem_realloc(NULL, cnt, sizeof(*keys)), *tmp = mem_realloc(NULL, cnt, sizeof(*tmp));
    for (size_t i = 0; i < cnt; i++)
        keys[i] = (struct sort_key){recs[i].owner_hash, i};
    radix_pass(tmp, keys, cnt, 64 - 2 * RADIX_BITS);
    radix_pass(keys, tmp, cnt, 64 - RADIX_BITS);
    free(tmp);
    struct zone_record *out = mem_realloc(NULL, cap, sizeof(*out));
    for (size_t i = 0; i < cnt; i++) {
        if (i + PREFETCH_AHEAD < cnt)
            __builtin_prefetch(&recs[keys[i + PREFETCH_AHEAD].index]);
        out[i] = recs[keys[i].index];
    }
    free(keys);
    return out;
}

static bool is_sorted(const struct zone_records *r)
{
    for (size_t i = 1; i < r->cnt; i++)
        if (zone_record_cmp(&r->recs[i - 1], &r->recs[i]) > 0)
            return false;
    return true;
}

/* Records with equal hashes will be compared to the last byte: those some way ahead are fetched. */
static void fetch_equal(const struct zone_records *r, size_t i)
{
    const struct zone_record *a = &r->recs[i + PREFETCH_AHEAD];
    if (i + PREFETCH_AHEAD + 1 >= r->cnt || a[0].owner_hash != a[1].owner_hash)
        return;
    __builtin_prefetch(a[0].rr.rdata);
    __builtin_prefetch(a[1].rr.rdata);
}

/* Drops duplicates and lets equal owners share one pointer, in sorted records from `from` to `end`, the last ones of
 * their hash. `kept` are left of those before; returns how many are now. */
static size_t unify(struct zone_records *r, size_t kept, size_t from, size_t end)
{
    for (size_t i = from; i < end; i++) {
        struct zone_record *rec = &r->recs[i], *last = kept ? &r->recs[kept - 1] : NULL;
        if (last && last->owner_hash == rec->owner_hash && !owner_cmp(last->rr.owner, rec->rr.owner)) {
            rec->rr.owner = last->rr.owner;
            if (!zone_record_cmp(last, rec))
                continue;
        }
        if (kept != i)
            r->recs[kept] = *rec;
        kept++;
    }
    return kept;
}

/* By groups of equal top bits, each while it is in the cache. */
static void sort_all(struct zone_records *r)
{
    unsigned shift = 0;
    if (r->cnt >= RADIX_LEAST) {
        struct zone_record *recs = radix_sort(r->recs, r->cnt, r->cap);
        free(r->recs);
        r->recs = recs;
        shift = 64 - 2 * RADIX_BITS;
    }
    struct zone_record *tmp = NULL;
    size_t tmp_cap = 0, kept = 0;
    for (size_t i = 0, end; i < r->cnt; i = end) {
        uint64_t top = r->recs[i].owner_hash >> shift;
        fetch_equal(r, i);
        for (end = i + 1; end < r->cnt && (!shift || r->recs[end].owner_hash >> shift == top); end++)
            fetch_equal(r, end);
        if (end - i > tmp_cap) {
            tmp_cap = end - i;
            tmp = mem_realloc(tmp, tmp_cap, sizeof(*tmp));
        }
        if (end - i > 1)
            merge_sort(r->recs + i, tmp, end - i);
        kept = unify(r, kept, i, end);
    }
    r->cnt = kept;
    free(tmp);
}

void zone_records_sort(struct zone_records *records)
{
    if (is_sorted(records))
        records->cnt = unify(records, 0, 0, records->cnt);
    else
        sort_all(records);
    records->sorted = true;
    free(records->starts);
    free(records->targets);
    records->starts = records->targets = NULL;
}

/* The directory: starts[hash >> shift] .. starts[(hash >> shift) + 1] hold all records of that hash; about one record
 * an entry, as hashes are uniform. Filled in one sequential pass. */
static void make_starts(struct zone_records *r)
{
    unsigned bits = 1;
    while (bits < 31 && r->cnt >> (bits + 1))
        bits++;
    size_t entries = (size_t)1 << bits, at = 0;
    free(r->starts);
    r->starts = mem_realloc(NULL, entries + 1, sizeof(*r->starts));
    r->starts_shift = 64 - bits;
    r->starts_cnt = r->cnt;
    for (size_t e = 0; e < entries; e++) {
        r->starts[e] = (uint32_t)at;
        while (at < r->cnt && r->recs[at].owner_hash >> r->starts_shift == e)
            at++;
    }
    r->starts[entries] = (uint32_t)r->cnt;
    free(r->targets);
    r->targets = mem_zalloc(r->cnt, sizeof(*r->targets));
}

static void need_starts(const struct zone_records *records)
{
    assert(records->sorted);
    if (!records->starts || records->starts_cnt != records->cnt)
        make_starts((struct zone_records *)records); /* a cache, of an object that is always ours and on the heap */
}

const struct zone_record *zone_records_find(const struct zone_records *records, const uint8_t *owner, size_t *cnt)
{
    need_starts(records);
    uint64_t hash = name_hash(owner, records->key);
    size_t low = records->starts[hash >> records->starts_shift],
           end = records->starts[(hash >> records->starts_shift) + 1];
    for (size_t high = end; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (records->recs[middle].owner_hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    while (low < end && records->recs[low].owner_hash == hash && !name_equal(records->recs[low].rr.owner, owner))
        low++;
    size_t from = low;
    while (low < end && records->recs[low].owner_hash == hash &&
           records->recs[low].rr.owner == records->recs[from].rr.owner)
        low++;
    *cnt = low - from;
    return low > from ? &records->recs[from] : NULL;
}

const struct zone_record *zone_records_find_target(const struct zone_records *records, const struct zone_record *rec,
                                                   size_t *cnt)
{
    need_starts(records);
    uint32_t *known = &records->targets[rec - records->recs];
    if (*known < TARGET_FIRST) {
        const struct zone_record *found = *known ? NULL : zone_records_find(records, rec->rr.rdata, cnt);
        *known = found ? (uint32_t)(found - records->recs) + TARGET_FIRST : TARGET_NONE;
        if (!found)
            *cnt = 0;
        return found;
    }
    const struct zone_record *first = &records->recs[*known - TARGET_FIRST], *at = first,
                             *end = records->recs + records->cnt;
    while (at < end && at->rr.owner == first->rr.owner)
        at++;
    *cnt = (size_t)(at - first);
    return first;
}

/* ---- looking ahead */

/* Bytes of rdata before the name that is looked up; -1: none is. */
static int target_skip(uint16_t type, bool services)
{
    if (type == RR_NS)
        return 0;
    if (services && type == RR_MX)
        return 2;
    return services && type == RR_SRV ? 6 : -1;
}

/* The first record with that hash; NULL: none. */
static const struct zone_record *first_of(const struct zone_records *r, uint64_t hash)
{
    uint32_t at = r->starts[hash >> r->starts_shift], end = r->starts[(hash >> r->starts_shift) + 1];
    while (at < end && r->recs[at].owner_hash != hash)
        at++;
    return at < end ? &r->recs[at] : NULL;
}

/* A look-up to come. */
struct look {
    const uint8_t *target;
    const struct zone_record *found; /* remembered; NULL: not looked up yet */
    uint64_t hash;
    uint16_t target_len;
};

/* In rounds, each of which reads what the one before it has fetched. */
static void fetch_looks(const struct zone_records *r, struct look *looks, size_t cnt)
{
    size_t left = 0;
    for (size_t i = 0; i < cnt; i++) {
        struct look look = looks[i];
        if (!look.found) {
            if (!name_check(look.target, look.target_len))
                continue; /* malformed: a transfer may bring that, and nobody will look it up */
            look.hash = name_hash(look.target, r->key);
            __builtin_prefetch(&r->starts[look.hash >> r->starts_shift]);
        }
        looks[left++] = look;
    }
    for (size_t i = 0; i < left; i++)
        if (looks[i].found)
            __builtin_prefetch(looks[i].found);
        else
            __builtin_prefetch(&r->recs[r->starts[looks[i].hash >> r->starts_shift]]);
    for (size_t i = 0; i < left; i++) {
        const struct zone_record *rec = looks[i].found ? looks[i].found : first_of(r, looks[i].hash);
        if (rec) {
            __builtin_prefetch(rec->rr.owner);
            __builtin_prefetch(rec->rr.rdata);
        }
    }
}

size_t zone_records_look_ahead(const struct zone_records *records, size_t from, bool services)
{
    size_t end = records->cnt - from > LOOK_AHEAD ? from + LOOK_AHEAD : records->cnt, cnt = 0;
    struct look looks[LOOK_AHEAD];
    need_starts(records);
    for (size_t i = from; i < end; i++) {
        const struct rr *rr = &records->recs[i].rr;
        int skip = target_skip(rr->type, services);
        uint32_t known = records->targets[i];
        if (skip < 0 || rr->rdata_len <= skip || known == TARGET_NONE)
            continue;
        __builtin_prefetch(rr->owner);
        __builtin_prefetch(rr->rdata);
        looks[cnt++] = (struct look){.target = rr->rdata + skip,
                                     .found = known ? &records->recs[known - TARGET_FIRST] : NULL,
                                     .target_len = (uint16_t)(rr->rdata_len - skip)};
    }
    fetch_looks(records, looks, cnt);
    return end;
}
