#include "sync/update_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/rdata.h"
#include "zone/trie.h"

void update_state_init(struct update_state *state, const struct zone_version *base)
{
    *state = (struct update_state){.base = base, .step = 1};
    arena_init(&state->arena);
}

static void free_records(const struct image_rdata *records, unsigned cap)
{
    if (cap)
        free((void *)(uintptr_t)records); /* ours, if only this file may write them */
}

void update_state_fini(struct update_state *state)
{
    update_state_undo(state);
    for (struct update_owner *owner = state->owners; owner; owner = owner->next)
        for (struct update_set *set = owner->sets; set; set = set->next)
            free_records(set->records, set->cap);
    map_fini(&state->owner_map);
    map_fini(&state->set_map);
    arena_fini(&state->arena);
    free(state->undos);
}

/* ---- looking */

/* As zone_check has it (RFC 2181 10.1, RFC 4034 2.5; KEY as BIND has it). */
static bool beside_cname(uint16_t type)
{
    return type == RR_CNAME || type == RR_RRSIG || type == RR_NSEC || type == RR_SIG || type == RR_KEY;
}

/* An rrset has its first record (by = 1), or no more (-1). */
static void count_type(struct update_owner *owner, uint16_t type, int by)
{
    owner->type_cnt += (unsigned)by;
    if (!beside_cname(type))
        owner->barring_cnt += (unsigned)by;
}

static struct update_owner *make_owner(struct update_state *state, const uint8_t *name, uint64_t hash)
{
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, name);
    struct update_owner *owner = arena_alloc(&state->arena, sizeof(*owner), _Alignof(struct update_owner));
    *owner = (struct update_owner){.name = arena_dup(&state->arena, lower, len, 1), .next = state->owners};
    owner->node = trie_find(state->base->root, hash, owner->name, len);
    for (unsigned i = 0; owner->node && i < owner->node->rrset_cnt; i++)
        count_type(owner, owner->node->rrsets[i].type, 1);
    state->owners = owner;
    map_add(&state->owner_map, &owner->link, hash);
    return owner;
}

struct update_owner *update_state_owner(struct update_state *state, const uint8_t *name)
{
    uint64_t hash = name_hash(name, state->base->zone->key);
    for (struct map_link *at = map_first(&state->owner_map, hash); at; at = map_next(at)) {
        struct update_owner *owner = container_of(at, struct update_owner, link);
        if (name_equal(owner->name, name))
            return owner;
    }
    return make_owner(state, name, hash);
}

static uint64_t set_hash(const struct update_owner *owner, uint16_t type)
{
    return owner->link.hash ^ type * UINT64_C(0x9e3779b97f4a7c15);
}

static struct update_set *find_set(const struct update_state *state, const struct update_owner *owner, uint16_t type)
{
    for (struct map_link *at = map_first(&state->set_map, set_hash(owner, type)); at; at = map_next(at)) {
        struct update_set *set = container_of(at, struct update_set, link);
        if (set->owner == owner && set->type == type)
            return set;
    }
    return NULL;
}

unsigned update_state_cnt(const struct update_state *state, const struct update_owner *owner, uint16_t type)
{
    const struct update_set *set = find_set(state, owner, type);
    const struct zone_rrset *rrset = set || !owner->node ? NULL : zone_node_rrset(owner->node, type);
    return set ? set->cnt : rrset ? rrset->rr_cnt : 0;
}

/* The records of an image as they come out of it. */
struct collected {
    struct arena *arena;
    struct image_rdata *records;
    unsigned cnt;
};

static void collect(void *arg, const struct rr *rr)
{
    struct collected *c = arg;
    const uint8_t *rdata = arena_dup(c->arena, rr->rdata, rr->rdata_len, 1);
    c->records[c->cnt++] = (struct image_rdata){rdata, rr->ttl, rr->rdata_len};
}

static void read_base(struct update_state *state, struct update_set *set)
{
    const struct zone_node *node = set->owner->node;
    const struct zone_rrset *rrset = node ? zone_node_rrset(node, set->type) : NULL;
    if (!rrset)
        return;
    struct collected c = {.arena = &state->arena};
    c.records = arena_alloc(&state->arena, rrset->rr_cnt * sizeof(*c.records), _Alignof(struct image_rdata));
    image_each(zone_node_image(node, rrset), rrset, set->owner->name, collect, &c);
    set->base = set->records = c.records;
    set->base_cnt = set->cnt = c.cnt;
}

struct update_set *update_state_set(struct update_state *state, struct update_owner *owner, uint16_t type)
{
    struct update_set *set = find_set(state, owner, type);
    if (set)
        return set;
    set = arena_alloc(&state->arena, sizeof(*set), _Alignof(struct update_set));
    *set = (struct update_set){.next = owner->sets, .owner = owner, .type = type};
    read_base(state, set);
    owner->sets = set;
    map_add(&state->set_map, &set->link, set_hash(owner, type));
    return set;
}

unsigned update_set_place(const struct update_set *set, const uint8_t *rdata, unsigned len, bool *found)
{
    unsigned low = 0;
    *found = false;
    for (unsigned high = set->cnt; low < high;) {
        unsigned middle = low + (high - low) / 2;
        const struct image_rdata *record = &set->records[middle];
        int cmp = rdata_cmp(set->type, record->rdata, record->len, rdata, len);
        if (!cmp) {
            *found = true;
            return middle;
        }
        if (cmp < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- changing */

/* Before the step first changes the rrset: what it was is kept. */
static void open_set(struct update_state *state, struct update_set *set)
{
    if (set->step == state->step)
        return;
    if (state->undo_cnt == state->undo_cap) {
        state->undo_cap = state->undo_cap ? state->undo_cap * 2 : 16;
        state->undos = mem_realloc(state->undos, state->undo_cap, sizeof(*state->undos));
    }
    state->undos[state->undo_cnt++] =
        (struct update_undo){set, set->records, set->cnt, set->cap, set->has_ttl, set->ttl};
    unsigned cap = set->cnt + set->cnt / 4 + 4;
    struct image_rdata *records = mem_realloc(NULL, cap, sizeof(*records));
    if (set->cnt)
        memcpy(records, set->records, set->cnt * sizeof(*records));
    set->records = records;
    set->cap = cap;
    set->step = state->step;
}

/* The open rrset's records, for writing. */
static struct image_rdata *writable(struct update_set *set) { return (struct image_rdata *)(uintptr_t)set->records; }

static void put(struct update_set *set, unsigned at, const struct rr *rr)
{
    writable(set)[at] = (struct image_rdata){rr->rdata, rr->ttl, rr->rdata_len};
    set->has_ttl = true;
    set->ttl = rr->ttl;
}

void update_state_insert(struct update_state *state, struct update_set *set, unsigned at, const struct rr *rr)
{
    assert(at <= set->cnt);
    open_set(state, set);
    if (set->cnt == set->cap) {
        set->cap *= 2;
        set->records = mem_realloc(writable(set), set->cap, sizeof(*set->records));
    }
    struct image_rdata *place = writable(set) + at;
    memmove(place + 1, place, (set->cnt - at) * sizeof(*place));
    put(set, at, rr);
    if (!set->cnt++)
        count_type(set->owner, set->type, 1);
}

void update_state_replace(struct update_state *state, struct update_set *set, unsigned at, const struct rr *rr)
{
    assert(at < set->cnt);
    open_set(state, set);
    put(set, at, rr);
}

void update_state_remove(struct update_state *state, struct update_set *set, unsigned at)
{
    assert(at < set->cnt);
    open_set(state, set);
    struct image_rdata *place = writable(set) + at;
    set->cnt--;
    memmove(place, place + 1, (set->cnt - at) * sizeof(*place));
    if (!set->cnt)
        count_type(set->owner, set->type, -1);
}

void update_state_clear(struct update_state *state, struct update_set *set)
{
    if (!set->cnt)
        return;
    open_set(state, set);
    set->cnt = 0;
    count_type(set->owner, set->type, -1);
}

void update_state_clear_all(struct update_state *state, struct update_owner *owner, uint16_t spared,
                            uint16_t spared_too)
{
    if (!owner->type_cnt)
        return;
    for (unsigned i = 0; !owner->has_all && owner->node && i < owner->node->rrset_cnt; i++)
        update_state_set(state, owner, owner->node->rrsets[i].type);
    owner->has_all = true;
    for (struct update_set *set = owner->sets; set; set = set->next)
        if (set->type != spared && set->type != spared_too)
            update_state_clear(state, set);
}

/* ---- the end of a step */

static bool is_same(const struct image_rdata *a, const struct image_rdata *b)
{
    return a->len == b->len && (a->rdata == b->rdata || !memcmp(a->rdata, b->rdata, a->len));
}

static uint8_t *make_image(struct zone_rrset *rrset, const struct update_set *set, const struct image_rdata *records)
{
    struct image_rdata *rdata = mem_dup(records, set->cnt * sizeof(*rdata));
    for (unsigned i = 0; i < set->cnt; i++)
        rdata[i].ttl = 0;
    uint8_t *image = mem_zalloc(image_room(set->type, rdata, set->cnt), 1);
    if (!image_build(image, rrset, set->owner->name, set->type, rdata, set->cnt))
        rrset->image_len = 0; /* too large, and refused for that */
    free(rdata);
    return image;
}

/* The same records but for the case of names: it is gone where names are compressed against others, and would seem to
 * change each time that the record comes again. */
static bool is_same_image(const struct update_set *set, const struct image_rdata *records)
{
    struct zone_rrset old, new;
    uint8_t *old_image = make_image(&old, set, records), *new_image = make_image(&new, set, set->records);
    bool same = old.image_len == new.image_len && !memcmp(old_image, new_image, new.image_len);
    free(old_image);
    free(new_image);
    return same;
}

/* `was`: what the rrset was once. */
static bool differs(const struct update_set *set, const struct update_undo *was)
{
    bool spelled = false;
    if (was->cnt != set->cnt)
        return true;
    for (unsigned i = 0; i < set->cnt; i++) {
        const struct image_rdata *old = &was->records[i], *new = &set->records[i];
        if ((was->has_ttl ? was->ttl : old->ttl) != update_set_ttl(set, i))
            return true;
        if (is_same(old, new))
            continue;
        if (rdata_cmp(set->type, old->rdata, old->len, new->rdata, new->len))
            return true;
        spelled = true;
    }
    return spelled && !is_same_image(set, was->records);
}

bool update_undo_is_changed(const struct update_undo *undo) { return differs(undo->set, undo); }

static void next_step(struct update_state *state)
{
    state->undo_cnt = 0;
    state->step++;
}

void update_state_keep(struct update_state *state)
{
    for (size_t i = 0; i < state->undo_cnt; i++)
        free_records(state->undos[i].records, state->undos[i].cap);
    next_step(state);
}

void update_state_undo(struct update_state *state)
{
    for (size_t i = 0; i < state->undo_cnt; i++) {
        const struct update_undo *undo = &state->undos[i];
        struct update_set *set = undo->set;
        count_type(set->owner, set->type, (undo->cnt > 0) - (set->cnt > 0));
        free_records(set->records, set->cap);
        set->records = undo->records;
        set->cnt = undo->cnt;
        set->cap = undo->cap;
        set->has_ttl = undo->has_ttl;
        set->ttl = undo->ttl;
    }
    next_step(state);
}

/* ---- the difference */

static void add(struct zone_records *to, const struct update_set *set, const struct image_rdata *record, uint32_t ttl)
{
    struct rr rr = {.owner = set->owner->name, .rdata = record->rdata, .ttl = ttl, .type = set->type,
                    .rdata_len = record->len};
    zone_records_add(to, &rr, NULL, 0);
}

/* Both sides in canonical order. A record that stays goes and comes when its TTL or its spelling is another. */
static void diff_set(struct changeset *changes, const struct update_set *set)
{
    unsigned b = 0, n = 0;
    if (!differs(set, &(struct update_undo){.records = set->base, .cnt = set->base_cnt}))
        return;
    while (b < set->base_cnt || n < set->cnt) {
        const struct image_rdata *old = b < set->base_cnt ? &set->base[b] : NULL,
                                 *new = n < set->cnt ? &set->records[n] : NULL;
        int cmp = !old ? 1 : !new ? -1 : rdata_cmp(set->type, old->rdata, old->len, new->rdata, new->len);
        uint32_t ttl = new ? update_set_ttl(set, n) : 0;
        bool stays = !cmp && old->ttl == ttl && is_same(old, new);
        if (cmp <= 0 && !stays)
            add(changes->removed, set, old, old->ttl);
        if (cmp >= 0 && !stays)
            add(changes->added, set, new, ttl);
        b += cmp <= 0;
        n += cmp >= 0;
    }
}

struct changeset *update_state_diff(const struct update_state *state)
{
    const struct zone *zone = state->base->zone;
    struct changeset *changes = mem_zalloc(1, sizeof(*changes));
    assert(!state->undo_cnt);
    changes->removed = zone_records_new(zone->name, zone->key);
    changes->added = zone_records_new(zone->name, zone->key);
    for (const struct update_owner *owner = state->owners; owner; owner = owner->next)
        for (const struct update_set *set = owner->sets; set; set = set->next)
            if (set->cap)
                diff_set(changes, set);
    zone_records_sort(changes->removed);
    zone_records_sort(changes->added);
    return changes;
}
