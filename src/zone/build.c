#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/node_make.h"
#include "zone/signed.h"
#include "zone/version.h"

enum {
    PREFETCH_AHEAD = 8,
    WALKS = 32, /* in step */
};

/* The making of a version from records: first the node of each owner, then the trie, then what nodes know of their
 * children, with the empty non-terminals that turn out to be missing. */
struct builder {
    struct zone_version *version;
    struct zone *zone;
    const struct zone_records *records;
    const struct zone_record *ns; /* of the owner at hand, the first */
    struct node_maker maker;
    struct node_rrset *rrsets; /* of the owner at hand */
    struct image_rdata *rdata;
    size_t cap;
    struct zone_node **nodes; /* in order of hash */
    uint64_t *hashes;
    size_t cnt;
    struct zone_node *apex;
    struct trie_edit edit;
};

static void glue_of(void *arg, struct node_maker *maker, const uint8_t *target, unsigned nth)
{
    (void)target;
    const struct builder *b = arg;
    size_t cnt;
    const struct zone_record *recs = zone_records_find_target(b->records, b->ns + nth, &cnt);
    for (size_t i = 0; i < cnt; i++) /* sorted by type: A comes before AAAA */
        if (recs[i].rr.type == RR_A || recs[i].rr.type == RR_AAAA)
            node_maker_glue(maker, &recs[i].rr);
}

static struct zone_node *node_keep(struct zone *zone, const struct zone_node *made)
{
    struct zone_node *n = chunk_alloc(zone->pool, made->size);
    memcpy(n, made, made->size);
    return n;
}

/* The node of the owner whose `cnt` records begin at `recs`. */
static struct zone_node *make_owner(struct builder *b, const struct zone_record *recs, size_t cnt)
{
    struct node_spec spec = {.name = recs->rr.owner};
    if (cnt > b->cap) {
        b->cap = cnt * 2;
        b->rrsets = mem_realloc(b->rrsets, b->cap, sizeof(*b->rrsets));
        b->rdata = mem_realloc(b->rdata, b->cap, sizeof(*b->rdata));
    }
    for (size_t i = 0; i < cnt; i++) {
        b->rdata[i] = (struct image_rdata){recs[i].rr.rdata, recs[i].rr.ttl, recs[i].rr.rdata_len};
        bool is_first = !i || recs[i].rr.type != recs[i - 1].rr.type;
        if (is_first && recs[i].rr.type == RR_NS)
            b->ns = &recs[i];
        if (is_first)
            b->rrsets[spec.rrset_cnt++] = (struct node_rrset){.type = recs[i].rr.type, .rdata = &b->rdata[i]};
        b->rrsets[spec.rrset_cnt - 1].cnt++;
    }
    spec.rrsets = b->rrsets;
    const struct zone_node *made = node_make(&b->maker, &spec);
    assert(made); /* the check lets no such rrset pass */
    zone_version_count(b->version, made, 1);
    return node_keep(b->zone, made);
}

static void make_owners(struct builder *b)
{
    const struct zone_records *r = b->records;
    b->nodes = mem_realloc(NULL, r->cnt, sizeof(*b->nodes));
    b->hashes = mem_realloc(NULL, r->cnt, sizeof(*b->hashes));
    size_t ahead = 0;
    for (size_t i = 0, end; i < r->cnt; i = end) {
        if (i >= ahead)
            ahead = zone_records_look_ahead(r, i, false);
        if (i + PREFETCH_AHEAD < r->cnt) {
            __builtin_prefetch(r->recs[i + PREFETCH_AHEAD].rr.owner);
            __builtin_prefetch(r->recs[i + PREFETCH_AHEAD].rr.rdata);
        }
        for (end = i + 1; end < r->cnt && r->recs[end].rr.owner == r->recs[i].rr.owner; end++)
            continue;
        struct zone_node *n = make_owner(b, &r->recs[i], end - i);
        if (n->flags & NODE_APEX)
            b->apex = n;
        b->nodes[b->cnt] = n;
        b->hashes[b->cnt++] = r->recs[i].owner_hash;
    }
}

/* The node called `name`, an empty non-terminal if there was none yet (*made then). */
static struct zone_node *parent_of(struct builder *b, const uint8_t *name, bool *made)
{
    unsigned len = name_len(name);
    uint64_t hash = name_hash(name, b->zone->key);
    /* not published: still ours to write */
    struct zone_node *n = (struct zone_node *)trie_find(b->edit.root, hash, name, len);
    *made = !n;
    if (!n) {
        struct node_spec spec = {.name = name};
        n = node_keep(b->zone, node_make(&b->maker, &spec));
        trie_edit_put(&b->edit, hash, n);
        zone_version_count(b->version, n, 1);
    }
    return n;
}

/* The parents of the `cnt` ≤ WALKS nodes from `from` on, found by walks in step: a look-up misses every cache twice or
 * thrice, and so the misses overlap. NULL: there is none yet, or it is the apex. */
static void find_parents(struct zone_node *parents[WALKS], const struct builder *b, size_t from, size_t cnt)
{
    struct trie_walk walks[WALKS];
    const uint8_t *names[WALKS];
    for (size_t i = 0; i < cnt; i++) {
        const struct zone_node *n = b->nodes[from + i];
        names[i] = zone_node_name(n);
        names[i] += *names[i] ? 1 + *names[i] : 0;
        bool below = n->depth > b->zone->depth + 1u;
        walks[i] = trie_walk_start(below ? b->edit.root : 0, below ? name_hash(names[i], b->zone->key) : 0);
    }
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < cnt; i++)
            if (trie_walk_more(&walks[i])) {
                trie_walk_step(&walks[i]);
                more = true;
            }
    }
    for (size_t i = 0; i < cnt; i++)
        if (trie_is_node(walks[i].ref)) /* where the name of one with an rrset or two is */
            __builtin_prefetch((const char *)trie_node(walks[i].ref) + sizeof(struct zone_node) +
                               3 * sizeof(struct zone_rrset));
    for (size_t i = 0; i < cnt; i++)
        /* Not published: ours to write. */
        parents[i] = (struct zone_node *)trie_walk_end(&walks[i], names[i], name_len(names[i]));
}

/* Tells the parent of a node about it (`known`, unless that is NULL); a parent that had to be made, or was no name but
 * for NSEC3 until now, is told to its own parent, and so on. */
static void link_up(struct builder *b, const struct zone_node *child, struct zone_node *known)
{
    unsigned apex_depth = b->zone->depth;
    for (bool is_news = true; is_news && child->depth > apex_depth; known = NULL) {
        const uint8_t *name = zone_node_name(child);
        struct zone_node *parent = known ? known : b->apex;
        is_news = false;
        if (!known && child->depth - 1u > apex_depth)
            parent = parent_of(b, name + 1 + name[0], &is_news);
        is_news |= (parent->flags & NODE_NSEC3) != 0;
        parent->flags &= (uint16_t)~NODE_NSEC3;
        parent->child_cnt++;
        if (name[0] == 1 && name[1] == '*')
            parent->flags |= NODE_WILDCARD_BELOW;
        child = parent;
    }
}

/* Its parent does not count it, or counts it already because of a child. */
static bool has_only_nsec3(const struct zone_node *n)
{
    unsigned cnt = n->rrset_cnt;
    return cnt && cnt <= 2 && n->rrsets[cnt - 1].type == RR_NSEC3 && (cnt == 1 || n->rrsets[0].type == RR_RRSIG);
}

static void link_all(struct builder *b)
{
    struct zone_node *parents[WALKS];
    for (size_t from = 0, cnt; from < b->cnt; from += cnt) {
        cnt = b->cnt - from < WALKS ? b->cnt - from : WALKS;
        find_parents(parents, b, from, cnt);
        for (size_t i = 0; i < cnt; i++)
            if (!has_only_nsec3(b->nodes[from + i]))
                link_up(b, b->nodes[from + i], parents[i]);
    }
}

static void mark(struct builder *b, const struct zone_version *before, const struct zone_marks *marks)
{
    struct zone_marking marking;
    zone_marking_init(&marking, b->version, before, false, marks, &b->edit);
    for (size_t i = 0; marking.on && i < b->cnt; i++)
        zone_marking_replaced(&marking, NULL, b->nodes[i]);
    marking.all = false; /* there are no others */
    (void)zone_marking_end(&marking);
}

struct zone_version *zone_build(struct zone *zone, const struct zone_records *records, const struct zone_marks *marks)
{
    assert(records->sorted && records->cnt && records->key == zone->key);
    struct zone_version *base = zone_newest(zone);
    if (base)
        zone_renew_pool(zone);
    struct builder b = {.version = zone_version_new(zone), .zone = zone, .records = records};
    b.maker = (struct node_maker){.apex = zone->name, .glue_fn = glue_of, .glue_arg = &b};
    make_owners(&b);
    assert(b.apex && zone_node_rrset(b.apex, RR_SOA));
    uint64_t root = trie_build(zone->pool, (const struct zone_node *const *)b.nodes, b.hashes, b.cnt);
    b.edit = (struct trie_edit){.root = root,
                                .pool = zone->pool,
                                .garbage = &b.version->replaced,
                                .hash_fn = zone_node_hash,
                                .hash_arg = zone->key,
                                .owns_all = true};
    link_all(&b);
    b.version->apex = b.apex;
    struct zone_signed_edit signing;
    zone_signed_begin(&signing, b.version, NULL);
    zone_signed_choose(&signing, b.edit.root);
    mark(&b, base, marks);
    b.version->root = trie_edit_root(&b.edit);
    zone_signed_end(&signing);
    b.version->serial = zone_node_serial(b.apex);
    free(b.nodes);
    free(b.hashes);
    free(b.rrsets);
    free(b.rdata);
    node_maker_fini(&b.maker);
    return b.version;
}
