#include "probe/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/request.h"

/* A slot of the table. */
struct target_seat {
    struct target *target; /* NULL: free */
    uint64_t hash;
    uint32_t subscriber_cnt;
    uint32_t next; /* slot + 1: of the bucket's chain, or of the free ones */
};

static const struct probe_status_range status_default = {200, 299};

/* ---- one target ---- */

struct target *target_get(struct target *target)
{
    __atomic_add_fetch(&target->refs, 1, __ATOMIC_RELAXED);
    return target;
}

void target_put(struct target *target)
{
    if (!target || __atomic_sub_fetch(&target->refs, 1, __ATOMIC_ACQ_REL))
        return;
    pattern_put(target->pattern);
    free(target);
}

static struct target *allocate(const struct probe_spec *spec, const struct probe_status_range *status,
                               size_t status_cnt, const char *request)
{
    size_t status_len = status_cnt * sizeof *status, request_len = strlen(request);
    struct target *target = mem_zalloc(1, sizeof *target + status_len + request_len);
    target->refs = 1;
    target->type = spec->type;
    target->address = spec->address;
    target->timing = spec->timing;
    target->status_cnt = (uint32_t)status_cnt;
    target->request_len = (uint32_t)request_len;
    if (status_len)
        memcpy(target->tail, status, status_len);
    memcpy(target->tail + status_len, request, request_len);
    return target;
}

static struct target *make(struct pattern_set *patterns, const struct probe_spec *spec)
{
    if (spec->type != PROBE_HTTP)
        return allocate(spec, NULL, 0, "");
    char *request = request_make(spec);
    struct target *target = spec->status_cnt ? allocate(spec, spec->status, spec->status_cnt, request)
                                             : allocate(spec, &status_default, 1, request);
    free(request);
    if (spec->expect_body)
        target->pattern = pattern_set_get(patterns, spec->expect_body);
    return target;
}

/* ---- identity ---- */

/* Of the check: what is asked, and which answer is wanted. When it is asked is not part of it. Without the padding of
 * structs. */
struct identity {
    uint8_t address[16];
    uint64_t pattern;
    uint32_t type, family_port, status_cnt, request_len;
};

static void identify(struct identity *identity, const struct target *target)
{
    memset(identity, 0, sizeof *identity);
    memcpy(identity->address, target->address.bytes, addr_len(&target->address));
    identity->pattern = (uintptr_t)target->pattern;
    identity->type = target->type;
    identity->family_port = (uint32_t)target->address.family << 16 | target->address.port;
    identity->status_cnt = target->status_cnt;
    identity->request_len = target->request_len;
}
_Static_assert(sizeof(struct identity) == 16 + 8 + 4 * 4, "no padding");

static size_t tail_len(const struct target *target)
{
    return target->status_cnt * sizeof(struct probe_status_range) + target->request_len;
}

static uint64_t hash_of(const struct target_table *table, const struct target *target)
{
    struct identity identity;
    identify(&identity, target);
    uint64_t hash = hash_step(0, (const uint8_t *)&identity, sizeof identity, &table->key);
    return hash_step(hash, target->tail, (unsigned)tail_len(target), &table->key);
}

static bool same_check(const struct target *a, const struct target *b)
{
    struct identity ours, theirs;
    identify(&ours, a);
    identify(&theirs, b);
    return !memcmp(&ours, &theirs, sizeof ours) && !memcmp(a->tail, b->tail, tail_len(a));
}

static bool same_timing(const struct health_timing *a, const struct health_timing *b)
{
    return a->interval_ms == b->interval_ms && a->fast_interval_ms == b->fast_interval_ms &&
           a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall;
}

/* ---- the table ---- */

static uint32_t *bucket_of(const struct target_table *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_cnt - 1)];
}

static void link_seat(struct target_table *table, uint32_t slot)
{
    uint32_t *bucket = bucket_of(table, table->seats[slot].hash);
    table->seats[slot].next = *bucket;
    *bucket = slot + 1;
}

static void unlink_seat(struct target_table *table, uint32_t slot)
{
    uint32_t *at = bucket_of(table, table->seats[slot].hash);
    while (*at != slot + 1)
        at = &table->seats[*at - 1].next;
    *at = table->seats[slot].next;
}

/* Doubling 100,000 targets relinks them in about a millisecond. */
static void grow_buckets(struct target_table *table)
{
    free(table->buckets);
    table->bucket_cnt *= 2;
    table->buckets = mem_zalloc(table->bucket_cnt, sizeof *table->buckets);
    for (uint32_t slot = 0; slot < table->seat_cnt; slot++)
        if (table->seats[slot].target)
            link_seat(table, slot);
}

static uint32_t take_slot(struct target_table *table)
{
    if (table->free_seat) {
        uint32_t slot = table->free_seat - 1;
        table->free_seat = table->seats[slot].next;
        return slot;
    }
    if (table->seat_cnt == table->seat_cap) {
        table->seat_cap = table->seat_cap ? table->seat_cap * 2 : 64;
        table->seats = mem_realloc(table->seats, table->seat_cap, sizeof *table->seats);
    }
    return table->seat_cnt++;
}

static bool find(const struct target_table *table, const struct target *target, uint64_t hash, uint32_t *slot)
{
    for (uint32_t at = *bucket_of(table, hash); at; at = table->seats[at - 1].next) {
        *slot = at - 1;
        const struct target_seat *seat = &table->seats[*slot];
        if (seat->hash == hash && same_check(seat->target, target) &&
            same_timing(&seat->target->timing, &target->timing))
            return true;
    }
    return false;
}

uint32_t target_table_add(struct target_table *table, const struct probe_spec *spec, bool *is_new)
{
    struct target *target = make(&table->patterns, spec);
    uint64_t hash = hash_of(table, target);
    uint32_t slot;
    *is_new = !find(table, target, hash, &slot);
    if (!*is_new) {
        target_put(target);
        table->seats[slot].subscriber_cnt++;
        return slot;
    }
    if (table->used_cnt == table->bucket_cnt)
        grow_buckets(table);
    slot = take_slot(table);
    table->seats[slot] = (struct target_seat){.target = target, .hash = hash, .subscriber_cnt = 1};
    link_seat(table, slot);
    table->used_cnt++;
    return slot;
}

bool target_table_find_like(const struct target_table *table, uint32_t slot, uint32_t *like)
{
    const struct target_seat *seat = &table->seats[slot];
    for (uint32_t at = *bucket_of(table, seat->hash); at; at = table->seats[at - 1].next) {
        const struct target_seat *other = &table->seats[at - 1];
        if (other == seat || other->hash != seat->hash || !same_check(other->target, seat->target))
            continue;
        *like = at - 1;
        return true;
    }
    return false;
}

bool target_table_drop(struct target_table *table, uint32_t slot)
{
    struct target_seat *seat = &table->seats[slot];
    if (--seat->subscriber_cnt)
        return false;
    unlink_seat(table, slot);
    target_put(seat->target);
    seat->target = NULL;
    seat->next = table->free_seat;
    table->free_seat = slot + 1;
    table->used_cnt--;
    return true;
}

struct target *target_table_at(const struct target_table *table, uint32_t slot)
{
    return slot < table->seat_cnt ? table->seats[slot].target : NULL;
}

void target_table_init(struct target_table *table)
{
    *table = (struct target_table){.bucket_cnt = 64};
    table->buckets = mem_zalloc(table->bucket_cnt, sizeof *table->buckets);
    hash_key_random(&table->key);
}

void target_table_fini(struct target_table *table)
{
    for (uint32_t slot = 0; slot < table->seat_cnt; slot++)
        target_put(table->seats[slot].target);
    free(table->seats);
    free(table->buckets);
    pattern_set_fini(&table->patterns);
}
