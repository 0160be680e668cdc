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

/* Without the padding of structs. */
struct identity {
    uint8_t address[16];
    uint64_t interval_ms, fast_interval_ms, timeout_ms;
    uint64_t pattern;
    uint32_t type, family_port, rise_fall, status_cnt;
};

static void identify(struct identity *identity, const struct target *target)
{
    const struct health_timing *timing = &target->timing;
    memset(identity, 0, sizeof *identity);
    memcpy(identity->address, target->address.bytes, addr_len(&target->address));
    identity->interval_ms = timing->interval_ms;
    identity->fast_interval_ms = timing->fast_interval_ms;
    identity->timeout_ms = timing->timeout_ms;
    identity->pattern = (uintptr_t)target->pattern;
    identity->type = target->type;
    identity->family_port = (uint32_t)target->address.family << 16 | target->address.port;
    identity->rise_fall = (uint32_t)timing->rise << 16 | timing->fall;
    identity->status_cnt = target->status_cnt;
}
_Static_assert(sizeof(struct identity) == 16 + 4 * 8 + 4 * 4, "no padding");

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

static bool is_same(const struct target *a, const struct target *b)
{
    struct identity ours, theirs;
    identify(&ours, a);
    identify(&theirs, b);
    return !memcmp(&ours, &theirs, sizeof ours) && tail_len(a) == tail_len(b) && !memcmp(a->tail, b->tail, tail_len(a));
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
        if (table->seats[*slot].hash == hash && is_same(table->seats[*slot].target, target))
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
