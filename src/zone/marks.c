#include "zone/marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/version.h"

/* ---- targets */

void zone_targets_put(struct zone_targets *targets)
{
    if (targets && !--targets->ref_cnt)
        free(targets);
}

static int cmp_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct collecting {
    const struct zone *zone;
    struct zone_targets *targets;
    size_t cap;
};

static void add_target(struct collecting *c, const uint8_t *target)
{
    uint8_t lower[NAME_MAX_LEN];
    if (!name_within(target, c->zone->name))
        return;
    if (c->targets->cnt == c->cap) {
        c->cap *= 2;
        c->targets = mem_realloc(c->targets, 1, sizeof(*c->targets) + c->cap * sizeof(uint64_t));
    }
    name_to_lower(lower, target);
    c->targets->hashes[c->targets->cnt++] = name_hash(lower, c->zone->key);
}

/* The names that stand `skip` bytes into each record's rdata. */
static void collect_rrset(struct collecting *c, const struct zone_node *node, uint16_t type, unsigned skip)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, type);
    for (unsigned i = 0, at = 0; rrset && i < rrset->rr_cnt; i++) {
        uint8_t target[NAME_MAX_LEN];
        const uint8_t *image = zone_node_image(node, rrset);
        unsigned name_at = at + IMAGE_RR_FIXED_LEN + skip, taken;
        at += IMAGE_RR_FIXED_LEN + be16_get(image + at + 10);
        if (image_name(target, &taken, image, zone_node_name(node), name_at, at))
            add_target(c, target);
    }
}

static void collect_node(void *arg, const struct zone_node *node)
{
    collect_rrset(arg, node, RR_NS, 0);
    collect_rrset(arg, node, RR_MX, 2);
}

static struct zone_targets *collect(const struct zone_marking *m)
{
    struct collecting c = {.zone = m->version->zone, .cap = 16};
    c.targets = mem_realloc(NULL, 1, sizeof(*c.targets) + c.cap * sizeof(uint64_t));
    *c.targets = (struct zone_targets){.ref_cnt = 1};
    trie_each(m->edit->root, collect_node, &c);
    struct zone_targets *t = c.targets;
    qsort(t->hashes, t->cnt, sizeof(uint64_t), cmp_hashes);
    size_t kept = 0;
    for (size_t i = 0; i < t->cnt; i++)
        if (!kept || t->hashes[i] != t->hashes[kept - 1])
            t->hashes[kept++] = t->hashes[i];
    t->cnt = kept;
    return mem_realloc(t, 1, sizeof(*t) + kept * sizeof(uint64_t));
}

static bool is_target(struct zone_marking *m, const uint8_t *lower)
{
    struct zone_version *v = m->version;
    if (!v->targets)
        v->targets = collect(m);
    uint64_t hash = name_hash(lower, v->zone->key);
    return bsearch(&hash, v->targets->hashes, v->targets->cnt, sizeof(hash), cmp_hashes) != NULL;
}

/* The set that the version begins with: the base's, or a new one where records that make it changed. A base without one has no marks that could depend
 * on it. */
static void take_targets(struct zone_marking *m)
{
    struct zone_targets *before = m->before;
    if (!before || !m->marks)
        return;
    if (!m->targets) {
        before->ref_cnt++;
        m->version->targets = before;
        return;
    }
    struct zone_targets *now = m->version->targets = collect(m);
    m->all |= now->cnt != before->cnt || memcmp(now->hashes, before->hashes, now->cnt * sizeof(uint64_t)) != 0;
}

/* ---- what a node is to be */

static bool has_address(const struct zone_node *node)
{
    return zone_node_rrset(node, RR_A) || zone_node_rrset(node, RR_AAAA);
}

/* At or below a cut, or below a DNAME: its addresses are not ours to choose from. */
static bool is_covered(const struct zone_marking *m, const struct zone_node *node)
{
    const struct zone_version *v = m->version;
    const uint8_t *name = zone_node_name(node);
    if (node->flags & NODE_CUT)
        return true;
    for (unsigned d = node->depth; d > v->zone->depth; d--) {
        name += 1 + name[0];
        if (!zone_depth_has(v->cut_depths, d - 1) && !zone_depth_has(v->dname_depths, d - 1))
            continue;
        const struct zone_node *above = trie_find(m->edit->root, name_hash(name, v->zone->key), name, name_len(name));
        if (above && (above->flags & (NODE_CUT | NODE_DNAME)))
            return true;
    }
    return false;
}

static void warn(const struct zone_marking *m, const uint8_t *name)
{
    char text[NAME_TEXT_MAX];
    if (m->marks->diag)
        diag_warning(m->marks->diag, NULL, 0, "\"%s\" is balanced although NS or MX records point to it", name_to_text(text, name));
}

static bool wanted(struct zone_marking *m, const struct zone_node *node)
{
    const uint8_t *name = zone_node_name(node);
    if (!m->marks || !has_address(node))
        return false;
    enum zone_mark mark = m->marks->match(m->marks->arg, m->version->zone, name);
    if (mark == ZONE_MARK_NONE || is_covered(m, node))
        return false;
    if (!is_target(m, name))
        return true;
    if (mark == ZONE_MARK_BY_NAME)
        warn(m, name);
    return mark == ZONE_MARK_BY_NAME;
}

/* ---- marking */

static void add_fresh(struct zone_version *v, struct zone_node *node)
{
    if (!(v->fresh_pool_cnt & (v->fresh_pool_cnt - 1))) /* full at each power of two */
        v->fresh_pools = mem_realloc(v->fresh_pools, v->fresh_pool_cnt ? v->fresh_pool_cnt * 2 : 1, sizeof(*v->fresh_pools));
    v->fresh_pools[v->fresh_pool_cnt++] = node;
    v->pool_cnt++;
    node->flags |= NODE_POOL;
}

static void add_lost(struct zone_version *v, uint32_t handle)
{
    if (!handle)
        return;
    if (!(v->lost_pool_cnt & (v->lost_pool_cnt - 1)))
        v->lost_pools = mem_realloc(v->lost_pools, v->lost_pool_cnt ? v->lost_pool_cnt * 2 : 1, sizeof(*v->lost_pools));
    v->lost_pools[v->lost_pool_cnt++] = handle;
}

/* A node of the base is gone. */
static void lose(struct zone_version *v, const struct zone_node *old)
{
    if (!(old->flags & NODE_POOL))
        return;
    v->pool_cnt--;
    add_lost(v, old->pool);
}

static void lose_node(void *arg, const struct zone_node *node) { add_lost(arg, node->pool); }

void zone_marking_lose_all(struct zone_version *version, const struct zone_version *before)
{
    if (before->pool_cnt)
        trie_each(before->root, lose_node, version);
}

void zone_marking_init(struct zone_marking *marking, struct zone_version *version, const struct zone_version *base,
                       const struct zone_marks *marks, struct trie_edit *edit)
{
    *marking = (struct zone_marking){.marks = marks, .version = version, .edit = edit};
    size_t base_pools = base ? base->pool_cnt : 0;
    marking->on = marks || base_pools;
    marking->all = base_pools && !marks;
    if (!base)
        return;
    marking->all |= marks && marks->anew;
    marking->before = base->targets;
    version->pool_cnt = base_pools;
}

static bool same_rrset(const struct zone_node *a, const struct zone_node *b, uint16_t type)
{
    const struct zone_rrset *x = a ? zone_node_rrset(a, type) : NULL, *y = b ? zone_node_rrset(b, type) : NULL;
    if (!x || !y)
        return x == y;
    return x->image_len == y->image_len && !memcmp(zone_node_image(a, x), zone_node_image(b, y), x->image_len);
}

void zone_marking_replaced(struct zone_marking *marking, const struct zone_node *old, struct zone_node *made)
{
    if (!marking->on)
        return;
    if (old)
        lose(marking->version, old);
    marking->targets |= !same_rrset(old, made, RR_NS) || !same_rrset(old, made, RR_MX);
    if (!made)
        return;
    /* Names below that are new themselves are looked at anyway. */
    marking->all |= made->child_cnt && (((old ? old->flags : 0) ^ made->flags) & (NODE_CUT | NODE_DNAME));
    if (!has_address(made))
        return;
    if (marking->made_cnt == marking->made_cap) {
        marking->made_cap = marking->made_cap ? marking->made_cap * 2 : 16;
        marking->made = mem_realloc(marking->made, marking->made_cap, sizeof(*marking->made));
    }
    made->flags |= NODE_NEW;
    marking->made[marking->made_cnt++] = made;
}

/* Shared nodes that are to be others: found first, because the trie can't change while it is walked. */
struct changing {
    struct zone_marking *marking;
    struct changing_node {
        const struct zone_node *node;
        bool want;
    } *nodes;
    size_t cnt, cap;
};

static void find_changing(void *arg, const struct zone_node *node)
{
    struct changing *c = arg;
    if (node->flags & NODE_NEW)
        return;
    bool is = node->flags & NODE_POOL, want = wanted(c->marking, node);
    /* What has a mark but got no handle is offered again: perhaps the annotations were why. */
    if (want == is && !(want && !node->pool))
        return;
    if (c->cnt == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->nodes = mem_realloc(c->nodes, c->cap, sizeof(*c->nodes));
    }
    c->nodes[c->cnt++] = (struct changing_node){node, want};
}

static void change(struct zone_marking *m, const struct zone_node *old, bool want)
{
    struct zone_version *v = m->version;
    struct zone_node *node = chunk_alloc(v->zone->pool, old->size);
    memcpy(node, old, old->size);
    node->pool = 0;
    node->flags &= (uint16_t)~NODE_POOL;
    lose(v, old);
    if (want)
        add_fresh(v, node);
    if (node->flags & NODE_APEX)
        v->apex = node;
    trie_edit_put(m->edit, name_hash(zone_node_name(node), v->zone->key), node);
}

static size_t change_all(struct zone_marking *m)
{
    struct changing c = {.marking = m};
    trie_each(m->edit->root, find_changing, &c);
    for (size_t i = 0; i < c.cnt; i++)
        change(m, c.nodes[i].node, c.nodes[i].want);
    free(c.nodes);
    return c.cnt;
}

bool zone_marking_end(struct zone_marking *marking)
{
    struct zone_version *v = marking->version;
    size_t changed = 0;
    if (!marking->on)
        return false;
    take_targets(marking);
    for (size_t i = 0; i < marking->made_cnt; i++)
        if (wanted(marking, marking->made[i]))
            add_fresh(v, marking->made[i]);
    if (marking->all)
        changed = change_all(marking);
    for (size_t i = 0; i < marking->made_cnt; i++)
        marking->made[i]->flags &= (uint16_t)~NODE_NEW;
    free(marking->made);
    return changed || v->fresh_pool_cnt || v->lost_pool_cnt;
}
