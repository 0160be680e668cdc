#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/apply_set.h"
#include "zone/signed.h"
#include "zone/version.h"

/* First everything is looked up, merged and judged, in an arena (apply_set.h); then nothing can fail any more and the
 * new nodes go into a copy of the paths that lead to them. */
struct apply {
    struct zone *zone;
    struct apply_set set;
    struct zone_version *version;
    struct node_maker maker;
    struct trie_edit edit;
    struct zone_marking marking;
    struct zone_signed_edit signing;
};

static size_t owner_end(const struct zone_records *r, size_t from)
{
    size_t end = from + 1;
    while (end < r->cnt && r->recs[end].rr.owner == r->recs[from].rr.owner)
        end++;
    return end;
}

static enum err take_changes(struct apply *a, const struct changeset *changes)
{
    const struct zone_records *removed = changes->removed, *added = changes->added;
    for (size_t i = 0, end; i < removed->cnt; i = end) {
        end = owner_end(removed, i);
        struct apply_name *n = apply_set_get(&a->set, removed->recs[i].rr.owner, removed->recs[i].owner_hash);
        n->removed = &removed->recs[i];
        n->removed_cnt = end - i;
        if (!n->old)
            return ERR_INVALID;
    }
    for (size_t i = 0, end; i < added->cnt; i = end) {
        end = owner_end(added, i);
        if (!name_within(added->recs[i].rr.owner, a->zone->name))
            return ERR_INVALID;
        struct apply_name *n = apply_set_get(&a->set, added->recs[i].rr.owner, added->recs[i].owner_hash);
        n->added = &added->recs[i];
        n->added_cnt = end - i;
    }
    return ERR_OK;
}

static bool is_changed(const struct apply_name *n) { return n->removed_cnt || n->added_cnt; }

/* The apex has exactly one SOA. */
static bool has_soa(const struct apply_name *apex)
{
    for (unsigned i = 0; i < apex->rrset_cnt; i++)
        if (apex->rrsets[i].type == RR_SOA)
            return apex->rrsets[i].cnt == 1;
    return false;
}

static enum err merge_changes(struct apply *a)
{
    for (unsigned d = a->zone->depth; d <= NAME_MAX_LABELS; d++)
        for (struct apply_name *n = a->set.by_depth[d]; n; n = n->next) {
            enum err e = is_changed(n) ? apply_name_merge(&a->set, n) : ERR_OK;
            if (e)
                return e;
            if (d == a->zone->depth && !has_soa(n))
                return ERR_INVALID;
        }
    return ERR_OK;
}

static bool stays(const struct apply *a, const struct apply_name *n)
{
    return n->rrset_cnt || n->child_cnt || n->depth == a->zone->depth;
}

static struct node_spec spec_of(const struct apply_name *n)
{
    return (struct node_spec){.name = n->name, .rrsets = n->rrsets, .rrset_cnt = n->rrset_cnt,
                              .child_cnt = n->child_cnt, .wildcard_below = n->wildcard_below};
}

/* Its parent counts it: it will be a name, and not for NSEC3 alone. */
static bool will_count(const struct apply *a, const struct apply_name *n)
{
    struct node_spec spec = spec_of(n);
    return stays(a, n) && (n->child_cnt || !node_spec_is_nsec3(&spec));
}

/* Names that appear or go are told to their parents, from the longest names up, so that a parent knows all its children
 * before it is looked at itself: empty non-terminals come and go by that. */
static void tell_parents(struct apply *a)
{
    for (unsigned d = NAME_MAX_LABELS; d > a->zone->depth; d--)
        for (struct apply_name *n = a->set.by_depth[d]; n; n = n->next) {
            bool before = n->old && !(n->old->flags & NODE_NSEC3), after = will_count(a, n);
            if (after == before)
                continue;
            const uint8_t *above = n->name + 1 + n->name[0];
            struct apply_name *parent = apply_set_get(&a->set, above, name_hash(above, a->zone->key));
            assert(after || parent->child_cnt);
            parent->child_cnt += after ? 1u : UINT32_MAX; /* or minus one */
            if (n->name[0] == 1 && n->name[1] == '*')
                parent->wildcard_below = after;
        }
}

/* A cut above a name that changed may have other glue now. Cuts that are new are in the set already. */
static void find_cuts_above(struct apply *a, const struct apply_name *n)
{
    const struct zone_version *base = a->set.base;
    const uint8_t *name = n->name;
    for (unsigned d = n->depth; d > a->zone->depth + 1u; d--) {
        name += 1 + name[0];
        if (!zone_depth_has(base->cut_depths, d - 1))
            continue;
        uint64_t hash = name_hash(name, a->zone->key);
        const struct zone_node *cut = trie_find(base->root, hash, name, name_len(name));
        if (cut && (cut->flags & NODE_CUT))
            apply_set_get(&a->set, name, hash);
    }
}

static void find_all_cuts(struct apply *a)
{
    for (unsigned d = NAME_MAX_LABELS; d > a->zone->depth; d--)
        for (const struct apply_name *n = a->set.by_depth[d]; n; n = n->next)
            if (is_changed(n))
                find_cuts_above(a, n);
}

static void glue_add(void *arg, const struct rr *rr) { node_maker_glue(arg, rr); }

static void glue_of(void *arg, struct node_maker *maker, const uint8_t *as_it_stands, unsigned nth)
{
    (void)nth;
    struct apply *a = arg;
    uint8_t target[NAME_MAX_LEN];
    name_to_lower(target, as_it_stands);
    uint64_t hash = name_hash(target, a->zone->key);
    const struct apply_name *n = apply_set_find(&a->set, target, hash);
    const struct zone_node *old = n ? NULL : trie_find(a->set.base->root, hash, target, name_len(target));
    for (unsigned i = 0; n && i < n->rrset_cnt; i++) {
        const struct node_rrset *s = &n->rrsets[i];
        if (s->type != RR_A && s->type != RR_AAAA)
            continue;
        if (!s->rdata)
            image_each(s->old_image, s->old, target, glue_add, maker);
        for (unsigned j = 0; s->rdata && j < s->cnt; j++) {
            struct rr rr = {.owner = target,
                            .rdata = s->rdata[j].rdata,
                            .ttl = s->rdata[j].ttl,
                            .type = s->type,
                            .rdata_len = s->rdata[j].len};
            node_maker_glue(maker, &rr);
        }
    }
    for (unsigned i = 0; old && i < old->rrset_cnt; i++)
        if (old->rrsets[i].type == RR_A || old->rrsets[i].type == RR_AAAA)
            image_each(zone_node_image(old, &old->rrsets[i]), &old->rrsets[i], target, glue_add, maker);
}

/* But for its mark and handle. */
static bool is_same(const struct zone_node *old, struct zone_node *made)
{
    if (old->size != made->size)
        return false;
    made->pool = old->pool;
    made->flags |= old->flags & NODE_POOL;
    if (!memcmp(old, made, made->size))
        return true;
    made->pool = 0;
    made->flags &= (uint16_t)~NODE_POOL;
    return false;
}

static void write_name(struct apply *a, const struct apply_name *n)
{
    if (!stays(a, n)) {
        if (n->old) {
            zone_marking_replaced(&a->marking, n->old, NULL);
            zone_signed_replaced(&a->signing, n->old, NULL);
            zone_version_count(a->version, n->old, -1);
            trie_edit_remove(&a->edit, n->hash, n->name, n->len);
        }
        return;
    }
    struct node_spec spec = spec_of(n);
    struct zone_node *made = node_make(&a->maker, &spec);
    assert(made); /* apply_name_merge tried it */
    if (n->old && is_same(n->old, made))
        return;
    if (n->old)
        zone_version_count(a->version, n->old, -1);
    zone_version_count(a->version, made, 1);
    struct zone_node *node = chunk_alloc(a->zone->pool, made->size);
    memcpy(node, made, made->size);
    zone_marking_replaced(&a->marking, n->old, node);
    zone_signed_replaced(&a->signing, n->old, node);
    trie_edit_put(&a->edit, n->hash, node);
    if (node->flags & NODE_APEX)
        a->version->apex = node;
}

/* A version that has, so far, what `base` has. */
static struct zone_version *version_after(const struct zone_version *base)
{
    struct zone_version *v = zone_version_new(base->zone);
    v->root = base->root;
    v->apex = base->apex;
    v->node_cnt = base->node_cnt;
    v->rr_cnt = base->rr_cnt;
    memcpy(v->cut_depths, base->cut_depths, sizeof(v->cut_depths));
    memcpy(v->dname_depths, base->dname_depths, sizeof(v->dname_depths));
    if (base->depth_cnt)
        v->depth_cnt = mem_dup(base->depth_cnt, (NAME_MAX_LABELS + 1) * sizeof(*base->depth_cnt));
    return v;
}

/* Begins to edit the version after `base`. */
static void begin_version(struct apply *a, const struct zone_version *base, const struct zone_marks *marks)
{
    struct zone *zone = a->zone;
    a->version = version_after(base);
    a->edit = (struct trie_edit){.root = a->version->root, .pool = zone->pool, .garbage = &a->version->replaced,
                                 .hash_fn = zone_node_hash, .hash_arg = zone->key};
    zone_marking_init(&a->marking, a->version, base, true, marks, &a->edit);
    zone_signed_begin(&a->signing, a->version, base);
}

/* All nodes are in place. True when marks changed, or what the zone points to. */
static bool end_version(struct apply *a)
{
    zone_signed_choose(&a->signing, a->edit.root);
    bool changed = zone_marking_end(&a->marking);
    a->version->root = trie_edit_root(&a->edit);
    a->version->serial = zone_node_serial(a->version->apex);
    zone_signed_end(&a->signing);
    return changed;
}

static void write_version(struct apply *a, const struct zone_marks *marks)
{
    struct zone *zone = a->zone;
    begin_version(a, a->set.base, marks);
    a->maker = (struct node_maker){.apex = zone->name, .glue_fn = glue_of, .glue_arg = a};
    for (unsigned d = zone->depth; d <= NAME_MAX_LABELS; d++)
        for (const struct apply_name *n = a->set.by_depth[d]; n; n = n->next)
            write_name(a, n);
    (void)end_version(a);
    node_maker_fini(&a->maker);
}

enum err zone_apply(struct zone_version **version, struct zone_version *base, const struct changeset *changes,
                    const struct zone_marks *marks)
{
    struct apply a = {.zone = base->zone};
    assert(!base->newer && changes->removed->sorted && changes->added->sorted);
    assert(changes->removed->key == a.zone->key && changes->added->key == a.zone->key);
    apply_set_init(&a.set, base);
    enum err e = take_changes(&a, changes);
    if (!e)
        e = merge_changes(&a);
    if (!e) {
        tell_parents(&a);
        find_all_cuts(&a);
        write_version(&a, marks);
        *version = a.version;
    }
    apply_set_fini(&a.set);
    return e;
}

struct zone_version *zone_remark(struct zone_version *base, const struct zone_marks *marks)
{
    struct apply a = {.zone = base->zone};
    assert(!base->newer);
    begin_version(&a, base, marks);
    a.marking.all |= a.marking.annotated;
    if (end_version(&a))
        return a.version;
    zone_discard(a.version);
    return NULL;
}
