#include "zone/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"

enum {
    LEAF_MOST = 128,
    LEAF_FILL = 96,  /* when more than LEAF_MOST are cut into leaves: room for some to come */
    LEAF_LEAST = 32, /* fewer are put together with those of the next leaf */
    LONG_KEY = 3,    /* words of a key for sorting: of a million names many begin alike */
};

struct item {
    uint64_t key;
    const struct zone_node *node;
};

struct leaf {
    size_t cnt; /* at least 1 */
    struct item items[];
};

struct entry {
    struct item first;
    const struct leaf *leaf;
};

struct zone_order {
    size_t cnt; /* nodes; at least 1 */
    uint32_t leaf_cnt;
    uint32_t apex_depth;
    struct entry entries[];
};

static size_t leaf_size(size_t cnt) { return sizeof(struct leaf) + cnt * sizeof(struct item); }
static size_t order_size(size_t leaf_cnt) { return sizeof(struct zone_order) + leaf_cnt * sizeof(struct entry); }

/* ---- names */

/* A name whose labels below the apex are known: the order compares them from the right. */
struct split {
    const uint8_t *name;
    unsigned cnt;
    uint8_t at[NAME_MAX_LABELS];
};

static void split(struct split *s, const uint8_t *name, unsigned cnt)
{
    s->name = name;
    s->cnt = cnt;
    for (unsigned i = 0, at = 0; i < cnt; i++) {
        s->at[i] = (uint8_t)at;
        at += 1u + name[at];
    }
}

static void split_node(struct split *s, const struct zone_node *node, unsigned apex_depth)
{
    split(s, zone_node_name(node), node->depth - apex_depth);
}

static int split_cmp(const struct split *a, const struct split *b)
{
    unsigned i = a->cnt, k = b->cnt;
    while (i > 0 && k > 0) {
        const uint8_t *x = a->name + a->at[--i], *y = b->name + b->at[--k];
        int diff = memcmp(x + 1, y + 1, *x < *y ? *x : *y);
        if (diff || *x != *y)
            return diff ? diff : *x - *y;
    }
    return (i > 0) - (k > 0);
}

/* The first bytes of a name as the order sees it, `words` × 8 of them: numbers that compare as the names do, or are
 * equal. Labels from the right, each with a 0 behind it, which is less than any byte of a label because 0 and 1 there
 * are written as two bytes, 1 1 and 1 2. */
static void key_write(uint64_t *key, unsigned words, const struct split *s)
{
    uint8_t bytes[LONG_KEY * 8 + 1] = {0};
    unsigned len = 0, most = words * 8;
    for (unsigned i = s->cnt; i-- > 0 && len < most; len++) {
        const uint8_t *label = s->name + s->at[i];
        for (unsigned k = 1; k <= label[0] && len < most; k++) {
            if (label[k] < 2)
                bytes[len++] = 1;
            bytes[len++] = (uint8_t)(label[k] < 2 ? label[k] + 1 : label[k]);
        }
    }
    for (unsigned i = 0; i < words; i++)
        key[i] = (uint64_t)be32_get(bytes + 8 * i) << 32 | be32_get(bytes + 8 * i + 4);
}

static uint64_t key_of(const struct split *s)
{
    uint64_t key;
    key_write(&key, 1, s);
    return key;
}

static struct item item_of(const struct zone_node *node, unsigned apex_depth)
{
    struct split s;
    split_node(&s, node, apex_depth);
    return (struct item){key_of(&s), node};
}

static int item_cmp(const struct item *a, const struct item *b, unsigned apex_depth)
{
    struct split x, y;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (a->node == b->node)
        return 0;
    split_node(&x, a->node, apex_depth);
    split_node(&y, b->node, apex_depth);
    return split_cmp(&x, &y);
}

/* ---- finding */

/* What is looked for. */
struct search {
    uint64_t key;
    unsigned apex_depth;
    struct split name;
};

static int search_cmp(const struct search *s, const struct item *item)
{
    struct split other;
    if (s->key != item->key)
        return s->key < item->key ? -1 : 1;
    split_node(&other, item->node, s->apex_depth);
    return split_cmp(&s->name, &other);
}

/* How many of the `cnt` items, `step` bytes from one to the next, are at most what is looked for. *exact: the last of
 * these is it. */
static size_t count_to(const struct search *s, const void *items, size_t step, size_t cnt, bool *exact)
{
    size_t low = 0;
    *exact = false;
    for (size_t high = cnt; low < high;) {
        size_t middle = low + (high - low) / 2;
        int diff = search_cmp(s, (const void *)((const char *)items + middle * step));
        *exact |= !diff;
        if (diff < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

const struct zone_node *zone_order_find(const struct zone_order *order, const uint8_t *lower, bool *exact)
{
    struct search s = {.apex_depth = order->apex_depth};
    unsigned depth = name_depth(lower);
    assert(depth >= order->apex_depth);
    split(&s.name, lower, depth - order->apex_depth);
    s.key = key_of(&s.name);
    size_t nth = count_to(&s, order->entries, sizeof(struct entry), order->leaf_cnt, exact);
    const struct leaf *leaf = order->entries[nth ? nth - 1 : order->leaf_cnt - 1].leaf;
    if (!nth)
        return leaf->items[leaf->cnt - 1].node;
    return leaf->items[count_to(&s, leaf->items, sizeof(struct item), leaf->cnt, exact) - 1].node;
}

size_t zone_order_cnt(const struct zone_order *order) { return order->cnt; }

void zone_order_each(const struct zone_order *order, void (*fn)(void *arg, const struct zone_node *node), void *arg)
{
    for (size_t i = 0; i < order->leaf_cnt; i++)
        for (size_t k = 0; k < order->entries[i].leaf->cnt; k++)
            fn(arg, order->entries[i].leaf->items[k].node);
}

/* ---- making */

/* A list to be: leaves that are done, and items that are to be leaves. */
struct making {
    struct chunk_pool *pool;
    struct entry *entries;
    struct item *items;
    size_t cnt; /* nodes in the leaves, when all are there */
    size_t leaf_cnt, leaf_cap;
    size_t item_cnt, item_cap;
};

/* Leaves as they stand in another list; of their nodes the caller keeps count. */
static void add_entries(struct making *m, const struct entry *entries, size_t cnt)
{
    if (m->leaf_cap - m->leaf_cnt < cnt) {
        m->leaf_cap = (m->leaf_cnt + cnt) * 5 / 4 + 16; /* mostly an array goes on with a leaf or two more */
        m->entries = mem_realloc(m->entries, m->leaf_cap, sizeof(*m->entries));
    }
    memcpy(m->entries + m->leaf_cnt, entries, cnt * sizeof(*entries));
    m->leaf_cnt += cnt;
}

static void add_leaf(struct making *m, const struct leaf *leaf)
{
    struct entry entry = {leaf->items[0], leaf};
    add_entries(m, &entry, 1);
    m->cnt += leaf->cnt;
}

static void add_item(struct making *m, const struct item *item)
{
    if (m->item_cnt == m->item_cap) {
        m->item_cap = m->item_cap ? m->item_cap * 2 : 2 * LEAF_MOST;
        m->items = mem_realloc(m->items, m->item_cap, sizeof(*m->items));
    }
    m->items[m->item_cnt++] = *item;
}

/* Makes leaves of the items, about the same number in each. */
static void cut_leaves(struct making *m)
{
    size_t leaves = m->item_cnt <= LEAF_MOST ? m->item_cnt > 0 : (m->item_cnt + LEAF_FILL - 1) / LEAF_FILL;
    for (size_t i = 0, at = 0, cnt; i < leaves; i++, at += cnt) {
        cnt = (m->item_cnt - at) / (leaves - i);
        struct leaf *leaf = chunk_alloc(m->pool, leaf_size(cnt));
        leaf->cnt = cnt;
        memcpy(leaf->items, m->items + at, cnt * sizeof(struct item));
        add_leaf(m, leaf);
    }
    m->item_cnt = 0;
}

static const struct zone_order *finish(struct making *m, unsigned apex_depth)
{
    struct zone_order *order = NULL;
    if (m->leaf_cnt) {
        order = chunk_alloc(m->pool, order_size(m->leaf_cnt));
        *order = (struct zone_order){.cnt = m->cnt, .leaf_cnt = (uint32_t)m->leaf_cnt, .apex_depth = apex_depth};
        memcpy(order->entries, m->entries, m->leaf_cnt * sizeof(struct entry));
    }
    free(m->entries);
    free(m->items);
    return order;
}

struct sorting {
    uint64_t key[LONG_KEY];
    const struct zone_node *node;
};

static int cmp_sorting(const void *a, const void *b, void *apex_depth)
{
    const struct sorting *x = a, *y = b;
    struct split x_name, y_name;
    for (unsigned i = 0; i < LONG_KEY; i++)
        if (x->key[i] != y->key[i])
            return x->key[i] < y->key[i] ? -1 : 1;
    split_node(&x_name, x->node, *(const unsigned *)apex_depth);
    split_node(&y_name, y->node, *(const unsigned *)apex_depth);
    return split_cmp(&x_name, &y_name);
}

enum { PREFETCH_AHEAD = 8 };

static struct sorting *sort(const struct zone_node *const *nodes, size_t cnt, unsigned apex_depth)
{
    struct sorting *sorted = mem_realloc(NULL, cnt, sizeof(*sorted));
    for (size_t i = 0; i < cnt; i++) {
        struct split s;
        if (i + PREFETCH_AHEAD < cnt)
            __builtin_prefetch(nodes[i + PREFETCH_AHEAD]);
        split_node(&s, nodes[i], apex_depth);
        key_write(sorted[i].key, LONG_KEY, &s);
        sorted[i].node = nodes[i];
    }
    qsort_r(sorted, cnt, sizeof(*sorted), cmp_sorting, &apex_depth);
    return sorted;
}

const struct zone_order *zone_order_build(struct chunk_pool *pool, unsigned apex_depth,
                                          const struct zone_node *const *nodes, size_t cnt)
{
    struct sorting *sorted = sort(nodes, cnt, apex_depth);
    struct making m = {.pool = pool, .item_cnt = cnt, .item_cap = cnt};
    m.items = mem_realloc(NULL, cnt, sizeof(*m.items));
    for (size_t i = 0; i < cnt; i++)
        m.items[i] = (struct item){sorted[i].key[0], sorted[i].node};
    free(sorted);
    cut_leaves(&m);
    return finish(&m, apex_depth);
}

/* ---- changing */

/* The change of a name; `item` has its key and the new node or, when it goes, the old one. */
struct edit_item {
    struct item item;
    bool goes;
};

static int cmp_edits(const void *a, const void *b, void *apex_depth)
{
    const struct edit_item *x = a, *y = b;
    return item_cmp(&x->item, &y->item, *(const unsigned *)apex_depth);
}

static struct edit_item *sort_changes(const struct zone_order_change *changes, size_t cnt, unsigned apex_depth)
{
    struct edit_item *edits = mem_realloc(NULL, cnt, sizeof(*edits));
    for (size_t i = 0; i < cnt; i++) {
        const struct zone_order_change *c = &changes[i];
        assert(c->old || c->node);
        edits[i] = (struct edit_item){item_of(c->node ? c->node : c->old, apex_depth), !c->node};
    }
    qsort_r(edits, cnt, sizeof(*edits), cmp_edits, &apex_depth);
    return edits;
}

/* The leaf where the item is or belongs. */
static size_t leaf_of(const struct zone_order *order, const struct item *item)
{
    struct search s = {.key = item->key, .apex_depth = order->apex_depth};
    bool exact;
    split_node(&s.name, item->node, order->apex_depth);
    size_t nth = count_to(&s, order->entries, sizeof(struct entry), order->leaf_cnt, &exact);
    return nth ? nth - 1 : 0;
}

/* Adds the items of a leaf, changed by those of the edits that come before `end`, the next leaf's first (NULL: there is
 * none). Returns how many edits that took. */
static size_t merge_leaf(struct making *m, const struct leaf *leaf, const struct item *end,
                         const struct edit_item *edits, size_t cnt, unsigned apex_depth)
{
    size_t at = 0, taken = 0;
    for (; taken < cnt && (!end || item_cmp(&edits[taken].item, end, apex_depth) < 0); taken++) {
        int diff = 1;
        while (at < leaf->cnt && (diff = item_cmp(&leaf->items[at], &edits[taken].item, apex_depth)) < 0)
            add_item(m, &leaf->items[at++]);
        assert(!edits[taken].goes || !diff);
        at += !diff;
        if (!edits[taken].goes)
            add_item(m, &edits[taken].item);
    }
    for (; at < leaf->cnt; at++)
        add_item(m, &leaf->items[at]);
    return taken;
}

const struct zone_order *zone_order_edit(const struct zone_order *order, struct zone_order_change *changes, size_t cnt,
                                         struct chunk_pool *pool, struct trie_garbage *garbage)
{
    if (!cnt)
        return order;
    unsigned apex_depth = order->apex_depth;
    struct edit_item *edits = sort_changes(changes, cnt, apex_depth);
    struct making m = {.pool = pool, .cnt = order->cnt};
    for (size_t i = 0, at = 0; i < order->leaf_cnt; i++) {
        /* Leaves before that of the next change stay, unless few items wait for company. */
        size_t next = at < cnt ? leaf_of(order, &edits[at].item) : order->leaf_cnt;
        if (!m.item_cnt && i < next) {
            add_entries(&m, order->entries + i, next - i);
            i = next;
        }
        if (i == order->leaf_cnt)
            break;
        const struct leaf *leaf = order->entries[i].leaf;
        const struct item *end = i + 1 < order->leaf_cnt ? &order->entries[i + 1].first : NULL;
        at += merge_leaf(&m, leaf, end, edits + at, cnt - at, apex_depth);
        trie_garbage_add(garbage, leaf, leaf_size(leaf->cnt));
        m.cnt -= leaf->cnt;
        if (m.item_cnt >= LEAF_LEAST || !end)
            cut_leaves(&m);
    }
    trie_garbage_add(garbage, order, order_size(order->leaf_cnt));
    free(edits);
    return finish(&m, apex_depth);
}

void zone_order_retire(const struct zone_order *order, struct trie_garbage *garbage)
{
    if (!order)
        return;
    for (size_t i = 0; i < order->leaf_cnt; i++)
        trie_garbage_add(garbage, order->entries[i].leaf, leaf_size(order->entries[i].leaf->cnt));
    trie_garbage_add(garbage, order, order_size(order->leaf_cnt));
}

const struct zone_order *zone_order_copy(const struct zone_order *order, struct chunk_pool *pool,
                                         const struct zone_node *(*same_fn)(void *arg, const struct zone_node *node),
                                         void *arg)
{
    struct making m = {.pool = pool};
    for (size_t i = 0; order && i < order->leaf_cnt; i++) {
        const struct leaf *from = order->entries[i].leaf;
        struct leaf *leaf = chunk_alloc(pool, leaf_size(from->cnt));
        leaf->cnt = from->cnt;
        for (size_t k = 0; k < from->cnt; k++)
            leaf->items[k] = (struct item){from->items[k].key, same_fn(arg, from->items[k].node)};
        add_leaf(&m, leaf);
    }
    return finish(&m, order ? order->apex_depth : 0);
}

/* ---- freeing */

static int cmp_pointers(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)*(const void *const *)a, y = (uintptr_t)*(const void *const *)b;
    return (x > y) - (x < y);
}

/* The addresses of the list's leaves, ascending. */
static const void **leaves_of(const struct zone_order *order)
{
    size_t cnt = order ? order->leaf_cnt : 0;
    const void **leaves = mem_realloc(NULL, cnt, sizeof(*leaves));
    for (size_t i = 0; i < cnt; i++)
        leaves[i] = order->entries[i].leaf;
    qsort(leaves, cnt, sizeof(*leaves), cmp_pointers);
    return leaves;
}

void zone_order_discard(const struct zone_order *order, const struct zone_order *older, struct chunk_pool *pool)
{
    if (!order || order == older)
        return;
    const void **shared = leaves_of(older);
    for (size_t i = 0; i < order->leaf_cnt; i++) {
        const struct leaf *leaf = order->entries[i].leaf;
        if (!older || !bsearch(&leaf, shared, older->leaf_cnt, sizeof(*shared), cmp_pointers))
            chunk_free(pool, (void *)leaf, leaf_size(leaf->cnt));
    }
    chunk_free(pool, (void *)order, order_size(order->leaf_cnt));
    free(shared);
}
