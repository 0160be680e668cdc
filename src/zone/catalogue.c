#include "zone/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void catalogue_free(struct catalogue *catalogue) { free(catalogue); }

struct catalogue *catalogue_new(struct zone *const *zones, size_t cnt)
{
    uint64_t slots = 2;
    while (slots < 2 * (uint64_t)cnt) /* at most half full: a miss ends soon, and always */
        slots *= 2;
    struct catalogue *c = mem_zalloc(1, sizeof(*c) + slots * sizeof(c->slots[0]));
    c->zone_cnt = cnt;
    c->mask = slots - 1;
    for (size_t i = 0; i < cnt; i++) {
        uint64_t at = zones[i]->name_hash & c->mask;
        while (c->slots[at])
            at = (at + 1) & c->mask;
        c->slots[at] = zones[i];
        c->depths[zones[i]->depth >> 6] |= UINT64_C(1) << (zones[i]->depth & 63);
    }
    return c;
}

static struct zone *lookup(const struct catalogue *c, uint64_t hash, const uint8_t *lower, unsigned len)
{
    for (uint64_t at = hash & c->mask; c->slots[at]; at = (at + 1) & c->mask) {
        struct zone *z = c->slots[at];
        if (z->name_hash == hash && z->name_len == len && !memcmp(z->name, lower, len))
            return z;
    }
    return NULL;
}

/* The greatest depth ≤ `most` where some zone has its apex; -1: none. */
static int depth_below(const struct catalogue *c, unsigned most)
{
    if (most >= 64) {
        uint64_t high = c->depths[1] & (~UINT64_C(0) >> (127 - most));
        if (high)
            return 127 - __builtin_clzll(high);
        most = 63;
    }
    uint64_t low = c->depths[0] & (~UINT64_C(0) >> (63 - most));
    return low ? 63 - __builtin_clzll(low) : -1;
}

struct zone *catalogue_find(const struct catalogue *catalogue, const struct name_split *name, unsigned depth_max)
{
    int d = depth_below(catalogue, depth_max < name->depth ? depth_max : name->depth);
    while (d >= 0) {
        unsigned depth = (unsigned)d, at = name->label_at[name->depth - depth];
        struct zone *z = lookup(catalogue, name->suffix_hash[depth], name->lower + at, name->len - at);
        if (z || !d)
            return z;
        d = depth_below(catalogue, depth - 1);
    }
    return NULL;
}

struct zone *catalogue_get(const struct catalogue *catalogue, const uint8_t *apex, const struct hash_key *key)
{
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, apex);
    return lookup(catalogue, name_hash(lower, key), lower, len);
}
