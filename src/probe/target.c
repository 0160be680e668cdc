#include "probe/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/kind.h"

/* A slot of the table. */
struct target_seat {
    struct target *target; /* NULL: free */
    uint64_t hash;
    uint32_t subscriber_cnt;
    uint32_t next; /* slot + 1: of the bucket's chain, or of the free ones */
};

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
    for (unsigned i = 0; i < TARGET_PATTERNS; i++)
        pattern_put(target->patterns[i]);
    free(target);
}

/* The one of the address's family; a row has at most one of each. */
static struct addr source_of(const struct probe_spec *spec)
{
    const struct addr *sources = spec->options.source.items;
    for (size_t i = 0; i < spec->options.source.cnt; i++)
        if (sources[i].family == spec->address.family)
            return sources[i];
    return (struct addr){.family = ADDR_NONE};
}

static struct target *make(struct pattern_set *patterns, const struct probe_spec *spec)
{
    const struct kind *kind = kinds[spec->options.type];
    size_t detail_len = 0;
    uint8_t *detail = kind->pack ? kind->pack(spec, &detail_len) : NULL;
    struct target *target = mem_zalloc(1, sizeof *target + detail_len);
    target->refs = 1;
    target->type = (enum probe_type)spec->options.type;
    target->address = spec->address;
    target->source = source_of(spec);
    target->timing = spec->timing;
    target->detail_len = (uint32_t)detail_len;
    if (detail_len)
        memcpy(target->detail, detail, detail_len);
    free(detail);
    for (unsigned i = 0; i < TARGET_PATTERNS && kind->pattern; i++) {
        const char *text = kind->pattern(spec, i);
        target->patterns[i] = text ? pattern_set_get(patterns, text) : NULL;
    }
    return target;
}

/* ---- identity ---- */

/* Of the check: what is asked, and which answer is wanted. When it is asked is not part of it. Without the padding of
 * structs. */
struct identity {
    uint8_t address[16], source[16];
    uint64_t patterns[TARGET_PATTERNS];
    uint32_t type, family_port, source_family, detail_len;
};
_Static_assert(sizeof(struct identity) == 2 * 16 + TARGET_PATTERNS * 8 + 4 * 4, "no padding");

static void identify(struct identity *identity, const struct target *target)
{
    memset(identity, 0, sizeof *identity);
    memcpy(identity->address, target->address.bytes, addr_len(&target->address));
    memcpy(identity->source, target->source.bytes, addr_len(&target->source));
    for (unsigned i = 0; i < TARGET_PATTERNS; i++)
        identity->patterns[i] = (uintptr_t)target->patterns[i];
    identity->type = target->type;
    identity->family_port = (uint32_t)target->address.family << 16 | target->address.port;
    identity->source_family = target->source.family;
    identity->detail_len = target->detail_len;
}

static uint64_t hash_of(const struct target_table *table, const struct target *target)
{
    struct identity identity;
    identify(&identity, target);
    uint64_t hash = hash_step(0, (const uint8_t *)&identity, sizeof identity, &table->key);
    return hash_step(hash, target->detail, target->detail_len, &table->key);
}

static bool same_check(const struct target *a, const struct target *b)
{
    struct identity ours, theirs;
    identify(&ours, a);
    identify(&theirs, b);
    return !memcmp(&ours, &theirs, sizeof ours) && !memcmp(a->detail, b->detail, a->detail_len);
}

/* Any odd constants; changing one forgets what was known of every target. */
static const struct hash_key digest_keys[2] = {
    {{UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f), UINT64_C(0x165667b19e3779f9)}},
    {{UINT64_C(0x27d4eb2f165667c5), UINT64_C(0x94d049bb133111eb), UINT64_C(0xbf58476d1ce4e5b9)}},
};

/* The number that a type has in this version may be another in the next: its name counts. */
static uint64_t digest_half(const struct target *target, const struct hash_key *key)
{
    struct identity identity;
    identify(&identity, target);
    memset(identity.patterns, 0, sizeof identity.patterns);
    identity.type = 0;
    uint64_t hash = hash_step(0, (const uint8_t *)&identity, sizeof identity, key);
    const char *name = kinds[target->type]->name;
    hash = hash_step(hash, (const uint8_t *)name, (unsigned)strlen(name), key);
    for (unsigned i = 0; i < TARGET_PATTERNS; i++) {
        const char *text = target->patterns[i] ? pattern_text(target->patterns[i]) : "";
        hash = hash_step(hash, (const uint8_t *)text, (unsigned)strlen(text), key);
    }
    return hash_step(hash, target->detail, target->detail_len, key);
}

void target_digest(uint8_t digest[TARGET_DIGEST_LEN], const struct target *target)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t half = digest_half(target, &digest_keys[i]);
        memcpy(digest + i * sizeof half, &half, sizeof half);
    }
}

static bool same_timing(const struct health_timing *a, const struct health_timing *b)
{
    return a->interval_ms == b->interval_ms && a->fast_interval_ms == b->fast_interval_ms &&
           a->timeout_ms == b->timeout_ms && a->rise == b->rise && a->fall == b->fall &&
           a->start_gap_ms == b->start_gap_ms;
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
