#include "answer/lookup.h"

#include <string.h>

#include "base/rcu.h"

/* The smallest depth ≥ `from` and < `below` where the zone has a cut or a DNAME; QUERY_NO_DEPTH: none. */
static unsigned next_cover_depth(const struct zone_version *v, unsigned from, unsigned below)
{
    for (unsigned word = from >> 6; word < 2; word++, from = word << 6) {
        uint64_t bits = (v->cut_depths[word] | v->dname_depths[word]) & ~UINT64_C(0) << (from & 63);
        if (bits) {
            unsigned d = (word << 6) + (unsigned)__builtin_ctzll(bits);
            return d < below ? d : QUERY_NO_DEPTH;
        }
    }
    return QUERY_NO_DEPTH;
}

static unsigned suffix_len(const struct name_split *name, unsigned d)
{
    return (unsigned)name->len - name->label_at[name->depth - d];
}

static const struct zone_node *find_suffix(const struct zone_version *v, const struct name_split *name, unsigned d)
{
    const struct zone_node *n =
        trie_find(v->root, name->suffix_hash[d], name_split_suffix(name, d), suffix_len(name, d));
    return n && !(n->flags & NODE_NSEC3) ? n : NULL;
}

static void start_walk(struct trie_walk *walk, const struct query *q, unsigned d)
{
    *walk = trie_walk_start(q->version->root, q->name.suffix_hash[d]);
}

static const struct zone_node *end_walk(const struct trie_walk *walk, const struct name_split *name, unsigned d)
{
    return trie_walk_end(walk, name_split_suffix(name, d), suffix_len(name, d));
}

void lookup_zone(struct query *q)
{
    const struct zone *zone = catalogue_find(q->context->catalogue, &q->name, q->name.depth);
    if (unlikely(q->qtype == RR_DS && zone && zone->depth == q->name.depth && zone->depth > 0)) {
        /* RFC 4035 3.1.4.1: the DS at a cut is the parent's; where we don't have that, the child says NODATA. */
        const struct zone *parent = catalogue_find(q->context->catalogue, &q->name, q->name.depth - 1u);
        zone = parent ? parent : zone;
    }
    q->zone = zone;
    q->version = zone ? rcu_read(zone->current) : NULL;
}

uint16_t lookup_unserved_ede(const struct zone *zone)
{
    return __atomic_load_n(&zone->is_expired, __ATOMIC_RELAXED) ? EDNS_EDE_INVALID_DATA : EDNS_EDE_NOT_READY;
}

void lookup_start(struct query *q)
{
    unsigned apex = q->zone->depth;
    start_walk(&q->walk, q, q->name.depth);
    q->is_signed = q->dnssec_ok & q->version->is_signed;
    q->cover_depth = (uint8_t)next_cover_depth(q->version, apex, q->name.depth);
    if (q->cover_depth != QUERY_NO_DEPTH)
        start_walk(&q->cover, q, q->cover_depth);
}

/* What the search for cuts and DNAMEs learned besides: the deepest ancestor seen, and a depth where there is none
 * any more. */
struct bounds {
    const struct zone_node *node;
    unsigned depth, missing;
};

/* The topmost cut or DNAME above the name. Every ancestor of a name that exists is a node, so the first that is
 * missing ends it. */
static struct lookup find_cover(const struct query *q, struct bounds *b)
{
    unsigned depth = q->name.depth;
    for (unsigned d = q->cover_depth; d < depth; d = next_cover_depth(q->version, d + 1, depth)) {
        const struct zone_node *n =
            d == q->cover_depth ? end_walk(&q->cover, &q->name, d) : find_suffix(q->version, &q->name, d);
        if (!n || n->flags & NODE_NSEC3) {
            b->missing = d;
            break;
        }
        b->node = n;
        b->depth = d;
        /* At a node with both, the DNAME lies below the cut. */
        if (n->flags & NODE_CUT)
            return (struct lookup){LOOKUP_REFERRAL, n};
        if (n->flags & NODE_DNAME)
            return (struct lookup){LOOKUP_DNAME, n};
    }
    return (struct lookup){LOOKUP_NONE, NULL};
}

/* The closest encloser by binary search (RFC 4592 3.3.1): names exist down to it and not below. */
static void find_encloser(const struct query *q, struct bounds *b)
{
    while (b->missing - b->depth > 1) {
        unsigned middle = (b->missing + b->depth) / 2;
        const struct zone_node *n = find_suffix(q->version, &q->name, middle);
        if (n) {
            b->node = n;
            b->depth = middle;
        } else {
            b->missing = middle;
        }
    }
}

static struct lookup find_wildcard(const struct query *q, const struct bounds *b)
{
    if (!(b->node->flags & NODE_WILDCARD_BELOW))
        return (struct lookup){LOOKUP_NONE, NULL};
    uint8_t name[NAME_MAX_LEN]; /* the name has a label of its own below the encloser, so this one is no longer */
    unsigned len = suffix_len(&q->name, b->depth);
    memcpy(name, "\1*", 2);
    memcpy(name + 2, name_split_suffix(&q->name, b->depth), len);
    uint64_t hash = name_split_wildcard_hash(&q->name, b->depth, q->context->key);
    const struct zone_node *n = trie_find(q->version->root, hash, name, len + 2);
    return (struct lookup){n ? LOOKUP_WILDCARD : LOOKUP_NONE, n};
}

/* RFC 4035 3.1.4.1: the DS alone is the parent's own at a cut. */
static bool is_referral(const struct query *q, const struct zone_node *n)
{
    return n->flags & NODE_CUT && q->qtype != RR_DS;
}

struct lookup lookup_end(struct query *q)
{
    struct bounds b = {q->version->apex, q->zone->depth, q->name.depth};
    if (q->cover_depth != QUERY_NO_DEPTH) {
        struct lookup cover = find_cover(q, &b);
        if (cover.node)
            return cover;
    }
    const struct zone_node *n = end_walk(&q->walk, &q->name, q->name.depth);
    if (likely(n && !(n->flags & NODE_NSEC3)))
        return (struct lookup){is_referral(q, n) ? LOOKUP_REFERRAL : LOOKUP_EXACT, n};
    find_encloser(q, &b);
    q->encloser_depth = (uint8_t)b.depth;
    return find_wildcard(q, &b);
}

static void walk_down(struct trie_walk *walk)
{
    while (trie_walk_more(walk))
        trie_walk_step(walk);
}

struct lookup lookup_now(struct query *q)
{
    lookup_start(q);
    walk_down(&q->walk);
    if (q->cover_depth != QUERY_NO_DEPTH)
        walk_down(&q->cover);
    return lookup_end(q);
}

const struct zone_node *lookup_glue(const struct query *q, const struct name_split *name)
{
    const struct zone_version *v = q->version;
    unsigned depth = name->depth;
    for (unsigned d = next_cover_depth(v, q->zone->depth, depth); d < depth; d = next_cover_depth(v, d + 1, depth)) {
        const struct zone_node *n = find_suffix(v, name, d);
        if (!n)
            return NULL;
        if (n->flags & NODE_CUT)
            break; /* of both, the DNAME lies below the cut */
        if (n->flags & NODE_DNAME)
            return NULL;
    }
    return find_suffix(v, name, depth);
}
