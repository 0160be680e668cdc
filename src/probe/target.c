#include "probe/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "probe/kind.h"

/* A slot of the table. */
struct target_seat {
    struct map_link link;  /* of its check, while it has a target */
    struct target *target; /* NULL: free */
    uint32_t slot, subscriber_cnt;
    uint32_t next_free; /* slot + 1 */
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

static struct target_seat *seat_at(const struct target_table *table, uint32_t slot)
{
    return paged_at(&table->seats, slot);
}

static struct target_seat *take_seat(struct target_table *table)
{
    uint32_t slot = table->free_seat ? table->free_seat - 1 : table->seat_cnt++;
    paged_grow(&table->seats, slot + 1);
    struct target_seat *seat = seat_at(table, slot);
    if (table->free_seat)
        table->free_seat = seat->next_free;
    seat->slot = slot;
    return seat;
}

/* The next one from `link` on that checks the same. */
static struct target_seat *same_from(struct map_link *link, const struct target *target)
{
    for (; link; link = map_next(link))
        if (same_check(container_of(link, struct target_seat, link)->target, target))
            return container_of(link, struct target_seat, link);
    return NULL;
}

static struct target_seat *find(const struct target_table *table, const struct target *target, uint64_t hash)
{
    struct target_seat *seat = same_from(map_first(&table->by_check, hash), target);
    while (seat && !same_timing(&seat->target->timing, &target->timing))
        seat = same_from(map_next(&seat->link), target);
    return seat;
}

uint32_t target_table_add(struct target_table *table, const struct probe_spec *spec, bool *is_new)
{
    struct target *target = make(&table->patterns, spec);
    uint64_t hash = hash_of(table, target);
    struct target_seat *seat = find(table, target, hash);
    *is_new = !seat;
    if (seat) {
        target_put(target);
    } else {
        seat = take_seat(table);
        seat->target = target;
        map_add(&table->by_check, &seat->link, hash);
        table->used_cnt++;
    }
    seat->subscriber_cnt++;
    return seat->slot;
}

bool target_table_find_like(const struct target_table *table, uint32_t slot, uint32_t *like)
{
    struct target_seat *seat = seat_at(table, slot);
    struct target_seat *other = same_from(map_first(&table->by_check, seat->link.hash), seat->target);
    if (other == seat)
        other = same_from(map_next(&seat->link), seat->target);
    if (other)
        *like = other->slot;
    return other != NULL;
}

bool target_table_drop(struct target_table *table, uint32_t slot)
{
    struct target_seat *seat = seat_at(table, slot);
    if (--seat->subscriber_cnt)
        return false;
    map_remove(&table->by_check, &seat->link);
    target_put(seat->target);
    seat->target = NULL;
    seat->next_free = table->free_seat;
    table->free_seat = slot + 1;
    table->used_cnt--;
    return true;
}

struct target *target_table_at(const struct target_table *table, uint32_t slot)
{
    return slot < table->seat_cnt ? seat_at(table, slot)->target : NULL;
}

void target_table_init(struct target_table *table)
{
    *table = (struct target_table){.seats = {.item_len = sizeof(struct target_seat)}};
    hash_key_random(&table->key);
}

void target_table_fini(struct target_table *table)
{
    for (uint32_t slot = 0; slot < table->seat_cnt; slot++)
        target_put(seat_at(table, slot)->target);
    paged_fini(&table->seats);
    map_fini(&table->by_check);
    pattern_set_fini(&table->patterns);
}
