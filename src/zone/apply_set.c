#include "zone/apply_set.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/msg.h"
#include "zone/rdata.h"

void apply_set_init(struct apply_set *set, const struct zone_version *base)
{
    *set = (struct apply_set){.base = base, .mask = 63};
    arena_init(&set->arena);
    set->slots = mem_zalloc(set->mask + 1, sizeof(*set->slots));
}

void apply_set_fini(struct apply_set *set)
{
    arena_fini(&set->arena);
    free(set->slots);
}

struct apply_name *apply_set_find(const struct apply_set *set, const uint8_t *lower, uint64_t hash)
{
    for (size_t at = hash & set->mask; set->slots[at]; at = (at + 1) & set->mask)
        if (set->slots[at]->hash == hash && name_equal(set->slots[at]->name, lower))
            return set->slots[at];
    return NULL;
}

static void slot_put(struct apply_set *set, struct apply_name *name)
{
    size_t at = name->hash & set->mask;
    while (set->slots[at])
        at = (at + 1) & set->mask;
    set->slots[at] = name;
}

static void grow(struct apply_set *set)
{
    struct apply_name **old = set->slots;
    size_t old_cnt = set->mask + 1;
    set->mask = old_cnt * 2 - 1;
    set->slots = mem_zalloc(set->mask + 1, sizeof(*set->slots));
    for (size_t i = 0; i < old_cnt; i++)
        if (old[i])
            slot_put(set, old[i]);
    free(old);
}

/* The rrsets stay as they are. */
static void keep_rrsets(struct apply_set *set, struct apply_name *name)
{
    const struct zone_node *n = name->old;
    name->rrsets = arena_alloc(&set->arena, n->rrset_cnt * sizeof(*name->rrsets), _Alignof(struct node_rrset));
    name->rrset_cnt = n->rrset_cnt;
    for (unsigned i = 0; i < n->rrset_cnt; i++)
        name->rrsets[i] = (struct node_rrset){.type = n->rrsets[i].type,
                                              .cnt = n->rrsets[i].rr_cnt,
                                              .old = &n->rrsets[i],
                                              .old_image = zone_node_image(n, &n->rrsets[i])};
}

static const struct zone_record no_records[1];

struct apply_name *apply_set_get(struct apply_set *set, const uint8_t *lower, uint64_t hash)
{
    struct apply_name *name = apply_set_find(set, lower, hash);
    if (name)
        return name;
    name = arena_alloc(&set->arena, sizeof(*name), _Alignof(struct apply_name));
    *name = (struct apply_name){.name = lower, .hash = hash, .len = name_len(lower), .depth = name_depth(lower),
                                 .removed = no_records, .added = no_records};
    name->old = trie_find(set->base->root, hash, lower, name->len);
    if (name->old) {
        keep_rrsets(set, name);
        name->child_cnt = name->old->child_cnt;
        name->wildcard_below = name->old->flags & NODE_WILDCARD_BELOW;
    }
    name->next = set->by_depth[name->depth];
    set->by_depth[name->depth] = name;
    if (++set->cnt > set->mask / 2)
        grow(set);
    slot_put(set, name);
    return name;
}

/* An rrset's records, in canonical order. */
struct rdata_list {
    struct arena *arena;
    struct image_rdata *rdata;
    unsigned cnt;
};

static void collect(void *arg, const struct rr *rr)
{
    struct rdata_list *list = arg;
    list->rdata[list->cnt++] =
        (struct image_rdata){arena_dup(list->arena, rr->rdata, rr->rdata_len, 1), rr->ttl, rr->rdata_len};
}

static int compare(const struct image_rdata *a, const struct zone_record *b)
{
    return rdata_cmp(b->rr.type, a->rdata, a->len, b->rr.rdata, b->rr.rdata_len);
}

/* Takes `cnt` records out of the list; all must be there. */
static enum err subtract(struct rdata_list *list, const struct zone_record *recs, size_t cnt)
{
    unsigned kept = 0;
    size_t at = 0;
    for (unsigned i = 0; i < list->cnt; i++) {
        if (at < cnt && !compare(&list->rdata[i], &recs[at]))
            at++;
        else
            list->rdata[kept++] = list->rdata[i];
    }
    list->cnt = kept;
    return at == cnt ? ERR_OK : ERR_INVALID;
}

/* Merges `cnt` records into the list; none may be there. */
static enum err merge(struct rdata_list *list, const struct zone_record *recs, size_t cnt)
{
    struct image_rdata *out = arena_alloc(list->arena, (list->cnt + cnt) * sizeof(*out), _Alignof(struct image_rdata));
    unsigned n = 0, i = 0;
    for (size_t at = 0; at < cnt; at++) {
        int d = 1;
        while (i < list->cnt && (d = compare(&list->rdata[i], &recs[at])) < 0)
            out[n++] = list->rdata[i++];
        if (!d && i < list->cnt)
            return ERR_INVALID;
        out[n++] = (struct image_rdata){recs[at].rr.rdata, recs[at].rr.ttl, recs[at].rr.rdata_len};
    }
    while (i < list->cnt)
        out[n++] = list->rdata[i++];
    list->rdata = out;
    list->cnt = n;
    return ERR_OK;
}

static unsigned rrset_end(const struct rdata_list *list, uint16_t type, unsigned from)
{
    const struct image_rdata *first = &list->rdata[from], *other = first + 1;
    while (other < list->rdata + list->cnt &&
           rdata_same_rrset(type, first->rdata, first->len, other->rdata, other->len))
        other++;
    return (unsigned)(other - list->rdata);
}

/* An rrset that got a record takes its TTL, that of the first one when there are
 * more. All of `recs` were merged into the list. */
static void settle_ttls(struct rdata_list *list, const struct zone_record *recs, size_t cnt)
{
    size_t at = 0;
    for (unsigned from = 0, end; at < cnt; from = end) {
        size_t first = at;
        end = rrset_end(list, recs->rr.type, from);
        for (unsigned i = from; i < end; i++)
            at += at < cnt && list->rdata[i].rdata == recs[at].rr.rdata;
        for (unsigned i = from; at > first && i < end; i++)
            list->rdata[i].ttl = recs[first].rr.ttl;
    }
}

/* The rrset fits in a message; tried out when its uncompressed length leaves a doubt. */
static bool fits(const struct node_rrset *rrset, const uint8_t *owner)
{
    size_t len = 0;
    for (unsigned i = 0; i < rrset->cnt; i++)
        len += (size_t)IMAGE_RR_FIXED_LEN + rrset->rdata[i].len;
    if (len <= IMAGE_SURE_TO_FIT)
        return true;
    struct zone_rrset made;
    uint8_t *image = mem_realloc(NULL, image_room(rrset->type, rrset->rdata, rrset->cnt), 1);
    bool fit = image_build(image, &made, owner, rrset->type, rrset->rdata, rrset->cnt) > 0;
    free(image);
    return fit;
}

/* Records of one type that come and go, and the rrset that was there. */
struct type_change {
    const struct node_rrset *old;
    const struct zone_record *removed, *added;
    size_t removed_cnt, added_cnt;
};

static enum err merge_type(struct apply_set *set, struct apply_name *name, const struct type_change *c,
                           struct node_rrset *out)
{
    struct rdata_list list = {.arena = &set->arena};
    if (c->old) {
        list.rdata = arena_alloc(&set->arena, c->old->cnt * sizeof(*list.rdata), _Alignof(struct image_rdata));
        image_each(c->old->old_image, c->old->old, name->name, collect, &list);
    }
    enum err e = subtract(&list, c->removed, c->removed_cnt);
    if (!e && c->added_cnt)
        e = merge(&list, c->added, c->added_cnt);
    if (!e)
        settle_ttls(&list, c->added, c->added_cnt);
    *out = (struct node_rrset){
        .type = c->removed_cnt ? c->removed->rr.type : c->added->rr.type, .cnt = list.cnt, .rdata = list.rdata};
    return e || !list.cnt || fits(out, name->name) ? e : ERR_INVALID;
}

/* How many of the records at the start have the type. */
static size_t of_type(const struct zone_record *recs, size_t cnt, unsigned type)
{
    size_t n = 0;
    while (n < cnt && recs[n].rr.type == type)
        n++;
    return n;
}

static unsigned type_at(const struct zone_record *recs, size_t at, size_t cnt)
{
    return at < cnt ? recs[at].rr.type : UINT16_MAX + 1u;
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

enum err apply_name_merge(struct apply_set *set, struct apply_name *name)
{
    const struct node_rrset *old = name->rrsets;
    unsigned old_cnt = name->rrset_cnt, o = 0, out = 0;
    size_t r = 0, a = 0, most = old_cnt + name->added_cnt;
    struct node_rrset *rrsets = arena_alloc(&set->arena, (most + 1) * sizeof(*rrsets), _Alignof(struct node_rrset));
    while (o < old_cnt || r < name->removed_cnt || a < name->added_cnt) {
        unsigned old_type = o < old_cnt ? old[o].type : UINT16_MAX + 1u;
        unsigned type = least(type_at(name->removed, r, name->removed_cnt), type_at(name->added, a, name->added_cnt));
        if (old_type < type) {
            rrsets[out++] = old[o++];
            continue;
        }
        struct type_change c = {
            .old = old_type == type ? &old[o++] : NULL, .removed = name->removed + r, .added = name->added + a};
        c.removed_cnt = of_type(c.removed, name->removed_cnt - r, type);
        c.added_cnt = of_type(c.added, name->added_cnt - a, type);
        r += c.removed_cnt;
        a += c.added_cnt;
        enum err e = merge_type(set, name, &c, &rrsets[out]);
        if (e)
            return e;
        out += rrsets[out].cnt > 0;
    }
    name->rrsets = rrsets;
    name->rrset_cnt = out;
    return ERR_OK;
}
