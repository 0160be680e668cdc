#include "zone/trie.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

static unsigned entry_cnt(const struct trie_branch *b) { return trie_ones(b->bitmap); }
static size_t branch_size(unsigned cnt) { return sizeof(struct trie_branch) + cnt * sizeof(uint64_t); }
static uint64_t first_bits(unsigned cnt) { return cnt == 64 ? ~UINT64_C(0) : (UINT64_C(1) << cnt) - 1; }

const struct zone_node *trie_walk_list(const struct trie_walk *w, const uint8_t *lower, unsigned len)
{
    const struct trie_branch *b = trie_branch(w->ref);
    if (w->shift >= 4) /* a walk that was not carried through */
        return NULL;
    for (unsigned i = 0; i < entry_cnt(b); i++) {
        const struct zone_node *n = trie_node(b->refs[i]);
        if (!((b->refs[i] ^ w->hash << 48) >> 48) && n->name_len == len && !memcmp(zone_node_name(n), lower, len))
            return n;
    }
    return NULL;
}

void trie_each(uint64_t root, void (*fn)(void *arg, const struct zone_node *node), void *arg)
{
    if (!root)
        return;
    if (trie_is_node(root)) {
        fn(arg, trie_node(root));
        return;
    }
    const struct trie_branch *b = trie_branch(root);
    for (unsigned i = 0; i < entry_cnt(b); i++)
        trie_each(b->refs[i], fn, arg);
}

static uint64_t build_list(struct chunk_pool *pool, const struct zone_node *const *nodes, const uint64_t *hashes,
                           size_t cnt)
{
    assert(cnt <= TRIE_LIST_MAX);
    struct trie_branch *b = chunk_alloc(pool, branch_size((unsigned)cnt));
    b->bitmap = first_bits((unsigned)cnt);
    for (size_t i = 0; i < cnt; i++)
        b->refs[i] = trie_ref_node(nodes[i], hashes[i]);
    return (uint64_t)(uintptr_t)b;
}

static uint64_t build(struct chunk_pool *pool, const struct zone_node *const *nodes, const uint64_t *hashes, size_t cnt,
                      int shift)
{
    if (cnt == 1)
        return trie_ref_node(nodes[0], hashes[0]);
    if (shift < 4)
        return build_list(pool, nodes, hashes, cnt);
    uint64_t bitmap = 0, refs[64];
    unsigned entries = 0;
    for (size_t i = 0, end; i < cnt; i = end) {
        uint64_t chunk = hashes[i] >> shift & 63;
        for (end = i + 1; end < cnt && (hashes[end] >> shift & 63) == chunk; end++)
            continue;
        bitmap |= UINT64_C(1) << chunk;
        refs[entries++] = build(pool, nodes + i, hashes + i, end - i, shift - TRIE_BITS);
    }
    struct trie_branch *b = chunk_alloc(pool, branch_size(entries));
    b->bitmap = bitmap;
    memcpy(b->refs, refs, entries * sizeof(refs[0]));
    return (uint64_t)(uintptr_t)b;
}

uint64_t trie_build(struct chunk_pool *pool, const struct zone_node *const *nodes, const uint64_t *hashes, size_t cnt)
{
    return cnt ? build(pool, nodes, hashes, cnt, 58) : 0;
}

void trie_garbage_free(struct trie_garbage *garbage, struct chunk_pool *pool)
{
    for (size_t i = 0; i < garbage->cnt; i++)
        chunk_free(pool, garbage->items[i].p, garbage->items[i].size);
    free(garbage->items);
    *garbage = (struct trie_garbage){0};
}

void trie_garbage_add(struct trie_garbage *garbage, const void *p, size_t size)
{
    if (garbage->cnt == garbage->cap) {
        garbage->cap = garbage->cap ? garbage->cap * 2 : 16;
        garbage->items = mem_realloc(garbage->items, garbage->cap, sizeof(*garbage->items));
    }
    garbage->items[garbage->cnt++] = (struct trie_garbage_item){(void *)p, size};
    garbage->bytes += chunk_size(size);
}

static size_t ref_size(uint64_t ref)
{
    return trie_is_node(ref) ? trie_node(ref)->size : branch_size(entry_cnt(trie_branch(ref)));
}

uint64_t trie_copy(uint64_t root, struct chunk_pool *pool)
{
    if (!root)
        return 0;
    size_t size = ref_size(root);
    if (trie_is_node(root)) {
        struct zone_node *n = chunk_alloc(pool, size);
        memcpy(n, trie_node(root), size);
        return (root & ~TRIE_ADDRESS_MASK) | (uint64_t)(uintptr_t)n;
    }
    struct trie_branch *b = chunk_alloc(pool, size);
    memcpy(b, trie_branch(root), size);
    for (unsigned i = 0; i < entry_cnt(b); i++)
        b->refs[i] = trie_copy(b->refs[i], pool);
    return (uint64_t)(uintptr_t)b;
}

/* The node is somewhere in the old trie's part at the same place. That part is
 * small, or the change took most of it out. */
static bool has_node(uint64_t ref, const struct zone_node *node)
{
    if (!ref || trie_is_node(ref))
        return ref && trie_node(ref) == node;
    for (unsigned i = 0; i < entry_cnt(trie_branch(ref)); i++)
        if (has_node(trie_branch(ref)->refs[i], node))
            return true;
    return false;
}

/* What stands in `older` where the branch that it is compared with has its
 * entry `bit`. A node there may have sunk a level. */
static uint64_t older_at(uint64_t older, uint64_t bit, int shift)
{
    if (!older || trie_is_node(older) || shift < 4)
        return older;
    const struct trie_branch *b = trie_branch(older);
    return b->bitmap & bit ? b->refs[trie_ones(b->bitmap & (bit - 1))] : 0;
}

static void discard(uint64_t ref, uint64_t older, struct chunk_pool *pool, int shift)
{
    if (!ref || ref == older)
        return;
    if (trie_is_node(ref)) {
        if (!has_node(older, trie_node(ref)))
            chunk_free(pool, (void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK), ref_size(ref));
        return;
    }
    struct trie_branch *b = (void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
    uint64_t left = b->bitmap;
    for (unsigned i = 0; left; i++, left &= left - 1)
        discard(b->refs[i], older_at(older, left & -left, shift), pool, shift - TRIE_BITS);
    chunk_free(pool, b, branch_size(entry_cnt(b)));
}

void trie_discard(uint64_t root, uint64_t older, struct chunk_pool *pool) { discard(root, older, pool, 58); }

/* Bit 1 of a reference: made within the running edit. */
#define MADE UINT64_C(2)

static bool is_made(const struct trie_edit *e, uint64_t ref) { return e->owns_all || (ref & MADE); }

/* Nobody needs what `ref` names any more, once no older version is left. */
static void retire(struct trie_edit *e, uint64_t ref, size_t size)
{
    void *p = (void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
    if (is_made(e, ref))
        chunk_free(e->pool, p, size);
    else
        trie_garbage_add(e->garbage, p, size);
}

static uint64_t branch_new(struct trie_edit *e, struct trie_branch **b, uint64_t bitmap)
{
    *b = chunk_alloc(e->pool, branch_size(trie_ones(bitmap)));
    (*b)->bitmap = bitmap;
    return (uint64_t)(uintptr_t)*b | MADE;
}

/* The branch with its entry `i` replaced. */
static uint64_t with_entry(struct trie_edit *e, uint64_t ref, unsigned i, uint64_t entry)
{
    const struct trie_branch *old = trie_branch(ref);
    if (old->refs[i] == entry)
        return ref;
    struct trie_branch *b;
    if (is_made(e, ref)) {
        b = (struct trie_branch *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
        ref |= MADE; /* so that the seal finds the way down to `entry` */
    } else {
        size_t size = branch_size(entry_cnt(old));
        uint64_t made = branch_new(e, &b, old->bitmap);
        memcpy(b->refs, old->refs, size - sizeof(*b));
        retire(e, ref, size);
        ref = made;
    }
    b->refs[i] = entry;
    return ref;
}

/* The branch with one entry more, at `i`. */
static uint64_t with_more(struct trie_edit *e, uint64_t ref, uint64_t bitmap, unsigned i, uint64_t entry)
{
    const struct trie_branch *old = trie_branch(ref);
    unsigned cnt = entry_cnt(old);
    struct trie_branch *b;
    uint64_t made = branch_new(e, &b, bitmap);
    memcpy(b->refs, old->refs, i * sizeof(uint64_t));
    b->refs[i] = entry;
    memcpy(b->refs + i + 1, old->refs + i, (cnt - i) * sizeof(uint64_t));
    retire(e, ref, branch_size(cnt));
    return made;
}

/* The branch without its entry `i`; what is left of one with two entries is the other, when that is a node. */
static uint64_t with_less(struct trie_edit *e, uint64_t ref, uint64_t bitmap, unsigned i)
{
    const struct trie_branch *old = trie_branch(ref);
    unsigned cnt = entry_cnt(old);
    uint64_t left = 0;
    struct trie_branch *b;
    if (cnt == 2 && trie_is_node(old->refs[1 - i])) {
        left = old->refs[1 - i];
    } else if (cnt > 1) {
        left = branch_new(e, &b, bitmap);
        memcpy(b->refs, old->refs, i * sizeof(uint64_t));
        memcpy(b->refs + i, old->refs + i + 1, (cnt - 1 - i) * sizeof(uint64_t));
    }
    retire(e, ref, branch_size(cnt));
    return left;
}

static bool has_name(uint64_t ref, const uint8_t *lower, unsigned len)
{
    const struct zone_node *n = trie_node(ref);
    return n->name_len == len && !memcmp(zone_node_name(n), lower, len);
}

/* A new branch at this level with two names, as deep as their hashes agree. */
static uint64_t pair(struct trie_edit *e, uint64_t a, uint64_t a_hash, uint64_t b_ref, uint64_t b_hash, int shift)
{
    struct trie_branch *b;
    uint64_t made;
    if (shift < 4) {
        made = branch_new(e, &b, 3);
        b->refs[0] = a;
        b->refs[1] = b_ref;
        return made;
    }
    unsigned a_at = a_hash >> shift & 63, b_at = b_hash >> shift & 63;
    if (a_at == b_at) {
        uint64_t below = pair(e, a, a_hash, b_ref, b_hash, shift - TRIE_BITS);
        made = branch_new(e, &b, UINT64_C(1) << a_at);
        b->refs[0] = below;
        return made;
    }
    made = branch_new(e, &b, UINT64_C(1) << a_at | UINT64_C(1) << b_at);
    b->refs[a_at > b_at] = a;
    b->refs[a_at < b_at] = b_ref;
    return made;
}

struct put {
    const struct zone_node *node;
    uint64_t hash;
    uint64_t ref; /* to the node, made */
};

static uint64_t put_in_list(struct trie_edit *e, uint64_t ref, const struct put *p)
{
    const struct trie_branch *b = trie_branch(ref);
    unsigned cnt = entry_cnt(b);
    for (unsigned i = 0; i < cnt; i++)
        if (has_name(b->refs[i], zone_node_name(p->node), p->node->name_len)) {
            retire(e, b->refs[i], ref_size(b->refs[i]));
            return with_entry(e, ref, i, p->ref);
        }
    assert(cnt < TRIE_LIST_MAX);
    return with_more(e, ref, first_bits(cnt + 1), cnt, p->ref);
}

static uint64_t put(struct trie_edit *e, uint64_t ref, const struct put *p, int shift)
{
    if (!ref)
        return p->ref;
    if (trie_is_node(ref)) {
        if (!has_name(ref, zone_node_name(p->node), p->node->name_len))
            return pair(e, ref, e->hash_fn(e->hash_arg, trie_node(ref)), p->ref, p->hash, shift);
        retire(e, ref, ref_size(ref));
        return p->ref;
    }
    if (shift < 4)
        return put_in_list(e, ref, p);
    const struct trie_branch *b = trie_branch(ref);
    uint64_t bit = UINT64_C(1) << (p->hash >> shift & 63);
    unsigned i = trie_ones(b->bitmap & (bit - 1));
    if (!(b->bitmap & bit))
        return with_more(e, ref, b->bitmap | bit, i, p->ref);
    return with_entry(e, ref, i, put(e, b->refs[i], p, shift - TRIE_BITS));
}

void trie_edit_put(struct trie_edit *edit, uint64_t hash, const struct zone_node *node)
{
    struct put p = {node, hash, trie_ref_node(node, hash) | MADE};
    edit->root = put(edit, edit->root, &p, 58);
}

struct removal {
    uint64_t hash;
    const uint8_t *lower;
    unsigned len;
};

static uint64_t take(struct trie_edit *e, uint64_t ref, const struct removal *r, int shift);

static uint64_t take_from_list(struct trie_edit *e, uint64_t ref, const struct removal *r)
{
    const struct trie_branch *b = trie_branch(ref);
    unsigned cnt = entry_cnt(b);
    for (unsigned i = 0; i < cnt; i++)
        if (has_name(b->refs[i], r->lower, r->len)) {
            retire(e, b->refs[i], ref_size(b->refs[i]));
            return with_less(e, ref, first_bits(cnt - 1), i);
        }
    return ref;
}

static uint64_t take_from_branch(struct trie_edit *e, uint64_t ref, const struct removal *r, int shift)
{
    const struct trie_branch *b = trie_branch(ref);
    uint64_t bit = UINT64_C(1) << (r->hash >> shift & 63);
    unsigned i = trie_ones(b->bitmap & (bit - 1));
    if (!(b->bitmap & bit))
        return ref;
    uint64_t below = take(e, b->refs[i], r, shift - TRIE_BITS);
    if (!below)
        return with_less(e, ref, b->bitmap & ~bit, i);
    if (trie_is_node(below) && entry_cnt(b) == 1) {
        retire(e, ref, branch_size(1));
        return below;
    }
    return with_entry(e, ref, i, below);
}

static uint64_t take(struct trie_edit *e, uint64_t ref, const struct removal *r, int shift)
{
    if (!ref)
        return 0;
    if (trie_is_node(ref)) {
        if (!has_name(ref, r->lower, r->len))
            return ref;
        retire(e, ref, ref_size(ref));
        return 0;
    }
    return shift < 4 ? take_from_list(e, ref, r) : take_from_branch(e, ref, r, shift);
}

void trie_edit_remove(struct trie_edit *edit, uint64_t hash, const uint8_t *lower, unsigned len)
{
    struct removal r = {hash, lower, len};
    edit->root = take(edit, edit->root, &r, 58);
}

/* Takes the mark of the edit off all that it made; what it made hangs together from the root. */
static uint64_t seal(uint64_t ref)
{
    if (!(ref & MADE))
        return ref;
    if (!trie_is_node(ref)) {
        struct trie_branch *b = (void *)(uintptr_t)(ref & TRIE_ADDRESS_MASK);
        for (unsigned i = 0; i < entry_cnt(b); i++)
            b->refs[i] = seal(b->refs[i]);
    }
    return ref & ~MADE;
}

uint64_t trie_edit_root(struct trie_edit *edit)
{
    edit->root = seal(edit->root);
    return edit->root;
}
