#include "zone/marks.h"

#include <assert.h>
#include <stdio.h>
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

/* The names that stand `skip` bytes into the rdata of each record, lower-cased. */
static void each_name(const struct zone_node *node, uint16_t type, unsigned skip,
                      void (*fn)(void *arg, const uint8_t *lower), void *arg)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, type);
    for (unsigned i = 0, at = 0; rrset && i < rrset->rr_cnt; i++) {
        uint8_t target[NAME_MAX_LEN], lower[NAME_MAX_LEN];
        const uint8_t *image = zone_node_image(node, rrset);
        unsigned name_at = at + IMAGE_RR_FIXED_LEN + skip, taken;
        at += image_rr_len(image + at);
        if (!image_name(target, &taken, image, zone_node_name(node), name_at, at))
            continue;
        name_to_lower(lower, target);
        fn(arg, lower);
    }
}

static void each_ns(const struct zone_node *node, void (*fn)(void *arg, const uint8_t *lower), void *arg)
{
    each_name(node, RR_NS, 0, fn, arg);
}

static void each_mx(const struct zone_node *node, void (*fn)(void *arg, const uint8_t *lower), void *arg)
{
    each_name(node, RR_MX, 2, fn, arg);
}

struct collecting {
    const struct zone *zone;
    struct zone_targets *targets;
    size_t cap;
};

static void add_target(void *arg, const uint8_t *lower)
{
    struct collecting *c = arg;
    if (!name_within(lower, c->zone->name))
        return;
    if (c->targets->cnt == c->cap) {
        c->cap *= 2;
        c->targets = mem_realloc(c->targets, 1, sizeof(*c->targets) + c->cap * sizeof(uint64_t));
    }
    c->targets->hashes[c->targets->cnt++] = name_hash(lower, c->zone->key);
}

static void collect_node(void *arg, const struct zone_node *node)
{
    each_ns(node, add_target, arg);
    each_mx(node, add_target, arg);
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

/* The set that the version begins with: the base's, or a new one where records that make it changed. A base without one
 * has no marks that could depend on it. */
static void take_targets(struct zone_marking *m)
{
    struct zone_targets *before = m->shares ? m->before->targets : NULL;
    if (!before || !m->annotated)
        return;
    if (!m->targets) {
        before->ref_cnt++;
        m->version->targets = before;
        return;
    }
    struct zone_targets *now = m->version->targets = collect(m);
    m->all |= now->cnt != before->cnt || memcmp(now->hashes, before->hashes, now->cnt * sizeof(uint64_t)) != 0;
}

/* ---- names of other zones */

static bool is_foreign(const struct zone_marking *m, const uint8_t *lower)
{
    const struct zone_marks *marks = m->marks;
    return marks->match_foreign && marks->match_foreign(marks->arg, m->version->zone, lower) != ZONE_MARK_NONE;
}

static void one_more(void *arg, const uint8_t *lower)
{
    struct zone_marking *m = arg;
    if (is_foreign(m, lower))
        zone_foreign_edit_note(&m->foreign, lower, 1);
}

static void one_less(void *arg, const uint8_t *lower)
{
    struct zone_marking *m = arg;
    if (is_foreign(m, lower))
        zone_foreign_edit_note(&m->foreign, lower, -1);
}

static void point_anew(void *arg, const struct zone_node *node)
{
    each_ns(node, one_more, arg);
    each_mx(node, one_more, arg);
}

static void warn_foreign(const struct zone_marking *m, const uint8_t *name)
{
    const struct zone_marks *marks = m->marks;
    char text[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];
    if (marks->match_foreign(marks->arg, m->version->zone, name) == ZONE_MARK_BY_NAME)
        diag_warning(marks->diag, NULL, 0, "\"%s\" is balanced although NS or MX records of zone \"%s\" point to it",
                     name_to_text(text, name), name_to_text_bare(zone, m->version->zone->name));
}

/* True when the zone points to other names than before. */
static bool end_foreign(struct zone_marking *m)
{
    struct zone_version *v = m->version;
    struct zone_foreign *before = m->before ? m->before->foreign : NULL;
    if (m->foreign_all)
        trie_each(m->edit->root, point_anew, m);
    if (m->marks)
        v->foreign = zone_foreign_edit_end(&m->foreign, m->shares && !m->foreign_all ? before : NULL);
    zone_foreign_edit_fini(&m->foreign);
    zone_foreign_diff(&v->fresh_foreign, &v->lost_foreign, before, v->foreign);
    const struct zone_names none = {NULL, 0}, *names = v->foreign && m->marks->diag ? &v->foreign->names : &none;
    for (size_t at = 0; at < names->len; at += name_len(names->bytes + at))
        warn_foreign(m, names->bytes + at);
    return v->fresh_foreign.len || v->lost_foreign.len;
}

/* ---- what a node is to be */

static bool has_address(const struct zone_node *node)
{
    return zone_node_rrset(node, RR_A) || zone_node_rrset(node, RR_AAAA);
}

/* Without addresses, but they come from elsewhere. No empty non-terminal: who sees the zone file is to see a name. */
static bool is_bare(const struct zone_marking *m, const struct zone_node *node)
{
    return m->marks->match_bare && node->rrset_cnt && !(node->flags & NODE_NSEC3) &&
           m->marks->match_bare(m->marks->arg, m->version->zone, zone_node_name(node));
}

static bool may_be_pool(const struct zone_marking *m, const struct zone_node *node)
{
    return has_address(node) || is_bare(m, node);
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
        diag_warning(m->marks->diag, NULL, 0, "\"%s\" is balanced although NS or MX records point to it",
                     name_to_text(text, name));
}

/* RFC 1034 3.6.2: beside a CNAME there is nothing, addresses from elsewhere neither. */
static void warn_alias(const struct zone_marking *m, const uint8_t *name)
{
    char text[NAME_TEXT_MAX];
    if (m->marks->diag)
        diag_warning(m->marks->diag, NULL, 0, "\"%s\" is not balanced: it has a CNAME record, which leaves no room for "
                     "the addresses of hosts", name_to_text(text, name));
}

/* An annotated name of a signed zone; those that stand first are kept for the warning. */
static void note_whole(struct zone_marking *m, const struct zone_node *node)
{
    size_t kept = m->whole_cnt < ZONE_MARKING_WHOLE_NAMED ? m->whole_cnt : ZONE_MARKING_WHOLE_NAMED, at = 0;
    m->whole_cnt++;
    while (at < kept && name_cmp(zone_node_name(m->whole[at]), zone_node_name(node)) < 0)
        at++;
    if (at == ZONE_MARKING_WHOLE_NAMED)
        return;
    kept -= kept == ZONE_MARKING_WHOLE_NAMED;
    memmove(m->whole + at + 1, m->whole + at, (kept - at) * sizeof(m->whole[0]));
    m->whole[at] = node;
}

static void warn_whole(const struct zone_marking *m)
{
    enum { EACH = NAME_TEXT_MAX + sizeof ", \"\"" };
    char zone[NAME_TEXT_MAX], name[NAME_TEXT_MAX], names[ZONE_MARKING_WHOLE_NAMED * EACH] = "";
    size_t named = m->whole_cnt < ZONE_MARKING_WHOLE_NAMED ? m->whole_cnt : ZONE_MARKING_WHOLE_NAMED, len = 0;
    for (size_t i = 0; i < named; i++)
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s\"%s\"", i ? ", " : "",
                                name_to_text_bare(name, zone_node_name(m->whole[i])));
    diag_warning(m->marks->diag, NULL, 0,
                 "zone \"%s\" is signed: its %zu annotated name%s (%s%s) %s served whole, not balanced: what balancing "
                 "leaves out or changes fails validation, and to sign what is balanced is not possible yet",
                 name_to_text_bare(zone, m->version->zone->name), m->whole_cnt, m->whole_cnt == 1 ? "" : "s", names,
                 m->whole_cnt > named ? ", ..." : "", m->whole_cnt == 1 ? "is" : "are");
}

static bool wanted(struct zone_marking *m, const struct zone_node *node)
{
    const uint8_t *name = zone_node_name(node);
    if (!m->annotated || !may_be_pool(m, node) || is_covered(m, node))
        return false;
    enum zone_mark mark = m->marks->match(m->marks->arg, m->version->zone, name);
    if (mark == ZONE_MARK_NONE)
        return false;
    if (node->flags & NODE_CNAME) {
        warn_alias(m, name);
        return false;
    }
    bool pointed = is_target(m, name);
    if (pointed && mark != ZONE_MARK_BY_NAME)
        return false;
    if (m->version->is_signed) {
        note_whole(m, node);
        return false;
    }
    if (pointed)
        warn(m, name);
    return true;
}

/* ---- marking */

static void add_fresh(struct zone_version *v, struct zone_node *node)
{
    if (!(v->fresh_pool_cnt & (v->fresh_pool_cnt - 1))) /* full at each power of two */
        v->fresh_pools =
            mem_realloc(v->fresh_pools, v->fresh_pool_cnt ? v->fresh_pool_cnt * 2 : 1, sizeof(*v->fresh_pools));
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

void zone_marking_init(struct zone_marking *marking, struct zone_version *version, const struct zone_version *before,
                       bool shares, const struct zone_marks *marks, struct trie_edit *edit)
{
    size_t pools_before = before ? before->pool_cnt : 0;
    *marking =
        (struct zone_marking){.marks = marks, .version = version, .before = before, .edit = edit, .shares = shares};
    marking->annotated = marks && marks->match;
    marking->on = marks || pools_before || (before && before->foreign);
    zone_foreign_edit_init(&marking->foreign, version->zone->key);
    if (!shares) {
        if (pools_before)
            trie_each(before->root, lose_node, version);
        return;
    }
    marking->all = marking->annotated ? marks->anew : pools_before;
    marking->foreign_all = marks && marks->foreign_anew;
    version->pool_cnt = pools_before;
}

static bool same_rrset(const struct zone_node *a, const struct zone_node *b, uint16_t type)
{
    const struct zone_rrset *x = a ? zone_node_rrset(a, type) : NULL, *y = b ? zone_node_rrset(b, type) : NULL;
    if (!x || !y)
        return x == y;
    return x->image_len == y->image_len && !memcmp(zone_node_image(a, x), zone_node_image(b, y), x->image_len);
}

/* Records that point somewhere are others now. */
static void point(struct zone_marking *m, const struct zone_node *old, const struct zone_node *made, uint16_t type)
{
    void (*each)(const struct zone_node *node, void (*fn)(void *arg, const uint8_t *lower), void *arg) =
        type == RR_NS ? each_ns : each_mx;
    if (same_rrset(old, made, type))
        return;
    m->targets = true;
    if (!m->marks || m->foreign_all)
        return;
    if (old)
        each(old, one_less, m);
    if (made)
        each(made, one_more, m);
}

void zone_marking_replaced(struct zone_marking *marking, const struct zone_node *old, struct zone_node *made)
{
    if (!marking->on)
        return;
    if (old)
        lose(marking->version, old);
    point(marking, old, made, RR_NS);
    point(marking, old, made, RR_MX);
    if (!made || !marking->annotated)
        return;
    /* Names below that are new themselves are looked at anyway. */
    marking->all |= made->child_cnt && (((old ? old->flags : 0) ^ made->flags) & (NODE_CUT | NODE_DNAME));
    if (!may_be_pool(marking, made))
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
    /* Lists of nodes in canonical order need not hear of it: a signed version has no pools to come or go. */
    assert(!v->is_signed || !m->before->is_signed);
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
    const struct zone_marks *marks = marking->marks;
    bool changed = end_foreign(marking);
    if (!marking->on)
        return false;
    marking->all |= marking->annotated && marking->shares && marking->before->is_signed != v->is_signed;
    take_targets(marking);
    for (size_t i = 0; i < marking->made_cnt; i++)
        if (wanted(marking, marking->made[i]))
            add_fresh(v, marking->made[i]);
    if (marking->all)
        changed |= change_all(marking) != 0;
    for (size_t i = 0; i < marking->made_cnt; i++)
        marking->made[i]->flags &= (uint16_t)~NODE_NEW;
    free(marking->made);
    bool asked_all = marking->annotated && marks->diag && (marking->all || !marking->shares);
    if (asked_all && marks->all_asked)
        marks->all_asked(marks->arg, v->zone, marks->diag);
    if (asked_all && marking->whole_cnt)
        warn_whole(marking);
    return changed || v->fresh_pool_cnt || v->lost_pool_cnt;
}
