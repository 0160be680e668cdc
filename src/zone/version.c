#include "zone/version.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/access.h"

void zone_version_forget_pools(struct zone_version *version)
{
    free(version->fresh_pools);
    free(version->lost_pools);
    version->fresh_pools = NULL;
    version->lost_pools = NULL;
    version->fresh_pool_cnt = version->lost_pool_cnt = 0;
    free(version->fresh_foreign.bytes);
    free(version->lost_foreign.bytes);
    version->fresh_foreign = version->lost_foreign = (struct zone_names){NULL, 0};
}

static void version_free(struct zone_version *v)
{
    zone_version_forget_pools(v);
    zone_targets_put(v->targets);
    zone_foreign_put(v->foreign);
    free(v->depth_cnt);
    free(v->replaced.items);
    free((void *)v->nsec3_params);
    free(v);
}

/* ---- pools */

/* Thousands of versions may be held by an old one, which is read; pools are few. */
struct zone_pool {
    struct zone_pool *older;
    struct chunk_pool *chunks;
};

void zone_renew_pool(struct zone *zone)
{
    struct zone_pool *pool = mem_zalloc(1, sizeof *pool);
    *pool = (struct zone_pool){zone->older_pools, zone->pool};
    zone->older_pools = pool;
    zone->pool = chunk_pool_new();
}

/* Takes it off the list and returns what was in it. */
static struct chunk_pool *take_pool(struct zone_pool **at)
{
    struct zone_pool *pool = *at;
    struct chunk_pool *chunks = pool->chunks;
    *at = pool->older;
    free(pool);
    return chunks;
}

static void free_older_pool(struct zone *zone, const struct chunk_pool *chunks)
{
    struct zone_pool **at = &zone->older_pools;
    while ((*at)->chunks != chunks)
        at = &(*at)->older;
    chunk_pool_free(take_pool(at));
}

/* ---- */

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    for (struct zone_version *v = zone->oldest, *newer; v; v = newer) {
        newer = v->newer;
        version_free(v);
    }
    while (zone->older_pools)
        chunk_pool_free(take_pool(&zone->older_pools));
    chunk_pool_free(zone->pool); /* nodes, branches and garbage at once */
    zone_access_free(zone->access);
    free((void *)zone->name);
    free(zone);
}

struct zone *zone_new(const uint8_t *apex, const struct hash_key *key)
{
    struct zone *zone = mem_zalloc(1, sizeof(*zone));
    uint8_t lower[NAME_MAX_LEN];
    zone->name_len = (uint8_t)name_to_lower(lower, apex);
    zone->name = mem_dup(lower, zone->name_len);
    zone->depth = (uint8_t)name_depth(lower);
    zone->name_hash = name_hash(lower, key);
    zone->key = key;
    zone->pool = chunk_pool_new();
    return zone;
}

struct zone_version *zone_newest(const struct zone *zone) { return zone->newest; }

struct zone_version *zone_version_new(struct zone *zone)
{
    struct zone_version *v = mem_zalloc(1, sizeof(*v)), *newest = zone->newest;
    v->zone = zone;
    v->pool = zone->pool;
    v->ref_cnt = 1;
    if (newest)
        newest->newer = v;
    else
        zone->oldest = v;
    zone->newest = v;
    return v;
}

enum { CUT_COLUMN, DNAME_COLUMN };

static void count_depth(struct zone_version *v, unsigned depth, unsigned column, int by)
{
    uint64_t *depths = column == CUT_COLUMN ? v->cut_depths : v->dname_depths, bit = UINT64_C(1) << (depth & 63);
    if (!v->depth_cnt)
        v->depth_cnt = mem_zalloc(NAME_MAX_LABELS + 1, sizeof(*v->depth_cnt));
    uint32_t *cnt = &v->depth_cnt[depth][column];
    assert(by > 0 || *cnt);
    *cnt += (uint32_t)by;
    if (*cnt)
        depths[depth >> 6] |= bit;
    else
        depths[depth >> 6] &= ~bit;
}

void zone_version_count(struct zone_version *version, const struct zone_node *node, int by)
{
    version->node_cnt += (size_t)by;
    for (unsigned i = 0; i < node->rrset_cnt; i++)
        version->rr_cnt += (size_t)by * node->rrsets[i].rr_cnt;
    if (node->flags & NODE_CUT)
        count_depth(version, node->depth, CUT_COLUMN, by);
    if (node->flags & NODE_DNAME)
        count_depth(version, node->depth, DNAME_COLUMN, by);
}

uint64_t zone_node_hash(const void *arg, const struct zone_node *node) { return name_hash(zone_node_name(node), arg); }

uint32_t zone_node_serial(const struct zone_node *apex)
{
    const struct zone_rrset *soa = zone_node_rrset(apex, RR_SOA);
    return be32_get(zone_node_image(apex, soa) + soa->image_len - 20);
}

struct zone_version *zone_publish(struct zone *zone, struct zone_version *version)
{
    struct zone_version *predecessor = zone->latest;
    assert(version->zone == zone && version != predecessor);
    zone->latest = version;
    zone_revive(zone);
    return predecessor;
}

void zone_expire(struct zone *zone)
{
    __atomic_store_n(&zone->is_expired, true, __ATOMIC_RELAXED);
    rcu_publish(zone->current, NULL);
}

void zone_revive(struct zone *zone)
{
    rcu_publish(zone->current, zone->latest);
    __atomic_store_n(&zone->is_expired, false, __ATOMIC_RELAXED);
}

static struct zone_version *older_of(const struct zone_version *version)
{
    struct zone_version *v = version->zone->oldest;
    if (v == version)
        return NULL;
    while (v->newer != version)
        v = v->newer;
    return v;
}

/* Frees what is in the version's pool for it alone; `older` (may be NULL) is the one before it in the same pool. */
static void discard_shared(const struct zone_version *v, const struct zone_version *older)
{
    zone_order_discard(v->nsec, older ? older->nsec : NULL, v->pool);
    zone_order_discard(v->nsec3, older ? older->nsec3 : NULL, v->pool);
    trie_discard(v->root, older ? older->root : 0, v->pool);
}

void zone_discard(struct zone_version *version)
{
    struct zone *zone = version->zone;
    struct zone_version *older = older_of(version);
    assert(!version->newer && zone->latest != version && version->ref_cnt == 1);
    if (older && older->pool != version->pool) {
        chunk_pool_free(zone->pool);
        zone->pool = take_pool(&zone->older_pools);
    } else {
        discard_shared(version, older);
    }
    if (older)
        older->newer = NULL;
    else
        zone->oldest = NULL;
    zone->newest = older;
    version_free(version);
}

/* Smaller zones than this leave alone what they waste: each has a kilobyte or two anyway. */
enum { WASTE_LEAST = 4096 };

/* Of what the pool has in use, older versions have what the later ones of the pool replaced. */
bool zone_wastes_memory(const struct zone_version *version)
{
    size_t needed = chunk_used_bytes(version->pool);
    for (const struct zone_version *v = version->zone->oldest; v; v = v->newer)
        if (v->pool == version->pool)
            needed -= v->replaced.bytes;
    return chunk_total_bytes(version->pool) > 2 * needed + WASTE_LEAST;
}

/* A version's new trie. */
struct packing {
    const struct zone *zone;
    uint64_t root;
};

static const struct zone_node *same_name(void *arg, const struct zone_node *node)
{
    const struct packing *p = arg;
    const uint8_t *name = zone_node_name(node);
    return trie_find(p->root, name_hash(name, p->zone->key), name, node->name_len);
}

void zone_pack(struct zone_version *version)
{
    struct zone *zone = version->zone;
    const struct zone_version *older = older_of(version);
    zone_renew_pool(zone);
    struct chunk_pool *pool = zone->pool;
    struct packing packing = {zone, trie_copy(version->root, pool)};
    const struct zone_order *nsec = zone_order_copy(version->nsec, pool, same_name, &packing);
    const struct zone_order *nsec3 = zone_order_copy(version->nsec3, pool, same_name, &packing);
    assert(!version->newer && zone->latest != version);
    version->apex = same_name(&packing, version->apex);
    for (size_t i = 0; i < version->fresh_pool_cnt; i++)
        version->fresh_pools[i] = (struct zone_node *)same_name(&packing, version->fresh_pools[i]);
    if (older && older->pool == version->pool)
        discard_shared(version, older);
    else
        free_older_pool(zone, version->pool);
    free(version->replaced.items);
    version->replaced = (struct trie_garbage){0};
    version->root = packing.root;
    version->nsec = nsec;
    version->nsec3 = nsec3;
    version->pool = pool;
}

/* The control thread may get the current version while a job puts another one, and looks how far it may free. */
static uint32_t ref_cnt(const struct zone_version *version)
{
    return __atomic_load_n(&version->ref_cnt, __ATOMIC_RELAXED);
}

void zone_version_get(struct zone_version *version)
{
    uint32_t was = __atomic_fetch_add(&version->ref_cnt, 1, __ATOMIC_RELAXED);
    assert(was);
    (void)was;
}

void zone_version_put(struct zone_version *version)
{
    struct zone *zone = version->zone;
    uint32_t was = __atomic_fetch_sub(&version->ref_cnt, 1, __ATOMIC_RELAXED);
    assert(was);
    (void)was;
    for (struct zone_version *v = zone->oldest, *newer; v && !ref_cnt(v); v = newer) {
        assert(v != zone->latest);
        newer = v->newer;
        if (!newer)
            discard_shared(v, NULL);
        else if (newer->pool == v->pool)
            trie_garbage_free(&newer->replaced, v->pool);
        else
            free_older_pool(zone, v->pool);
        zone->oldest = newer;
        if (!newer)
            zone->newest = NULL;
        version_free(v);
    }
}

/* To give a page back takes the kernel about as long as four objects take here. */
static size_t cost_alone(const struct zone_version *version)
{
    const struct zone_version *newer = version->newer;
    if (!newer)
        return version->node_cnt;
    return newer->pool == version->pool ? newer->replaced.cnt : chunk_total_bytes(version->pool) / 1024;
}

size_t zone_version_put_cost(const struct zone_version *version)
{
    size_t cost = 0;
    if (ref_cnt(version) > 1 || version != version->zone->oldest)
        return 0;
    for (const struct zone_version *v = version; v && (v == version || !ref_cnt(v)); v = v->newer)
        cost += cost_alone(v);
    return cost;
}

size_t zone_memory_bytes(const struct zone *zone)
{
    size_t bytes = chunk_total_bytes(zone->pool);
    for (const struct zone_pool *pool = zone->older_pools; pool; pool = pool->older)
        bytes += chunk_total_bytes(pool->chunks);
    return bytes;
}

const struct zone_node *zone_version_find(const struct zone_version *version, const uint8_t *name)
{
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, name);
    return trie_find(version->root, name_hash(lower, version->zone->key), lower, len);
}

struct each {
    void (*fn)(void *arg, const struct rr *rr);
    void *arg;
};

static void each_of_node(void *arg, const struct zone_node *node)
{
    const struct each *each = arg;
    for (unsigned i = 0; i < node->rrset_cnt; i++)
        image_each(zone_node_image(node, &node->rrsets[i]), &node->rrsets[i], zone_node_name(node), each->fn,
                   each->arg);
}

void zone_version_each(const struct zone_version *version, void (*fn)(void *arg, const struct rr *rr), void *arg)
{
    struct each each = {fn, arg};
    trie_each(version->root, each_of_node, &each);
}
