#include "zone/signed.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "zone/version.h"

const char *zone_signed_kind(const struct zone_version *version)
{
    return !version->is_signed ? "no" : version->nsec ? "nsec" : "nsec3";
}

/* ---- NSEC3 */

/* The record at `at` of the image: its rdata. NSEC3 and NSEC3PARAM have no names that could be compressed. */
static const uint8_t *rdata_at(unsigned *len, const uint8_t *image, unsigned at)
{
    *len = be16_get(image + at + IMAGE_RR_FIXED_LEN - 2);
    return image + at + IMAGE_RR_FIXED_LEN;
}

/* The rdata of the node's NSEC3 record of the chain, `*behind` bytes of which are parameters; NULL: it has none. */
static const uint8_t *find_nsec3(unsigned *len, unsigned *behind, const struct zone_node *node,
                                 const struct nsec3_params *params)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, RR_NSEC3);
    for (unsigned i = 0, at = 0; rrset && i < rrset->rr_cnt; i++, at += IMAGE_RR_FIXED_LEN + *len) {
        struct nsec3_params own;
        uint8_t flags;
        const uint8_t *rdata = rdata_at(len, zone_node_image(node, rrset), at);
        *behind = nsec3_params_read(&own, &flags, rdata, *len);
        if (*behind && nsec3_params_equal(&own, params))
            return rdata;
    }
    return NULL;
}

/* It is in the list of the chain: names that are no hash right below the apex would not stand where they should. */
static bool is_in_nsec3(const struct zone *zone, const struct zone_node *node, const struct nsec3_params *params)
{
    uint8_t hash[NSEC3_HASH_LEN];
    unsigned len, behind;
    return node->depth == zone->depth + 1u && find_nsec3(&len, &behind, node, params) &&
           nsec3_label_read(hash, zone_node_name(node));
}

static bool has_apex_record(const struct zone *zone, uint64_t root, const struct nsec3_params *params,
                            struct nsec3_hasher *hasher)
{
    uint8_t hash[NSEC3_HASH_LEN], name[NAME_MAX_LEN];
    nsec3_hash(hash, hasher, zone->name, zone->name_len, params);
    unsigned len = nsec3_owner(name, hash, zone->name, zone->name_len);
    if (!len)
        return false;
    const struct zone_node *node = trie_find(root, name_hash(name, zone->key), name, len);
    return node && is_in_nsec3(zone, node, params);
}

/* Goes through the NSEC3PARAM records; false: none speaks of a chain. */
static bool choose_nsec3(struct zone_version *v, uint64_t root, const struct zone_rrset *rrset,
                         struct nsec3_hasher *hasher)
{
    bool is_too_costly = false;
    unsigned len;
    for (unsigned i = 0, at = 0; i < rrset->rr_cnt; i++, at += IMAGE_RR_FIXED_LEN + len) {
        struct nsec3_params params;
        uint8_t flags;
        const uint8_t *rdata = rdata_at(&len, zone_node_image(v->apex, rrset), at);
        if (!nsec3_params_read(&params, &flags, rdata, len) || flags || params.algorithm != NSEC3_SHA1)
            continue;
        if (params.iterations > ZONE_NSEC3_ITERATIONS_MAX || !hasher) {
            is_too_costly = true;
        } else if (has_apex_record(v->zone, root, &params, hasher)) {
            v->nsec3_params = mem_dup(&params, sizeof(params));
            return true;
        }
    }
    return is_too_costly;
}

bool zone_signed_next(uint8_t out[NAME_MAX_LEN], const struct zone_version *version, const struct zone_node *node)
{
    unsigned len, at;
    if (version->nsec3_params) {
        const uint8_t *rdata = find_nsec3(&len, &at, node, version->nsec3_params);
        return rdata && len - at > NSEC3_HASH_LEN && rdata[at] == NSEC3_HASH_LEN &&
               nsec3_owner(out, rdata + at + 1, version->zone->name, version->zone->name_len);
    }
    const struct zone_rrset *rrset = zone_node_rrset(node, RR_NSEC);
    const uint8_t *rdata = rdata_at(&len, zone_node_image(node, rrset), 0);
    unsigned taken = name_check(rdata, len);
    memcpy(out, rdata, taken);
    return taken;
}

/* ---- the lists */

/* The node is in the list of the signed version's chain. */
static bool is_listed(const struct zone_version *v, const struct zone_node *node)
{
    return v->nsec3_params ? is_in_nsec3(v->zone, node, v->nsec3_params) : zone_node_rrset(node, RR_NSEC) != NULL;
}

void zone_signed_begin(struct zone_signed_edit *edit, struct zone_version *version, const struct zone_version *base)
{
    *edit = (struct zone_signed_edit){.version = version, .base = base};
}

void zone_signed_replaced(struct zone_signed_edit *edit, const struct zone_node *old, const struct zone_node *made)
{
    if (!edit->base || (!edit->base->nsec && !edit->base->nsec3))
        return;
    const struct zone_node *from = old && is_listed(edit->base, old) ? old : NULL;
    const struct zone_node *to = made && is_listed(edit->base, made) ? made : NULL;
    if (!from && !to)
        return;
    if (edit->cnt == edit->cap) {
        edit->cap = edit->cap ? edit->cap * 2 : 16;
        edit->changes = mem_realloc(edit->changes, edit->cap, sizeof(*edit->changes));
    }
    edit->changes[edit->cnt++] = (struct zone_order_change){from, to};
}

void zone_signed_choose(struct zone_signed_edit *edit, uint64_t root)
{
    struct zone_version *v = edit->version;
    if (!zone_node_rrset(v->apex, RR_DNSKEY) || !zone_node_rrset(v->apex, RR_RRSIG))
        return;
    const struct zone_rrset *params = zone_node_rrset(v->apex, RR_NSEC3PARAM);
    if (params) {
        struct nsec3_hasher *hasher = nsec3_hasher_new();
        v->is_signed = choose_nsec3(v, root, params, hasher);
        nsec3_hasher_free(hasher);
    }
    edit->has_nsec3 = v->nsec3_params != NULL;
    edit->has_nsec = !edit->has_nsec3 && zone_node_rrset(v->apex, RR_NSEC);
    v->is_signed |= edit->has_nsec;
}

struct collecting {
    const struct zone_version *version;
    const struct zone_node **nodes;
    size_t cnt, cap;
};

static void collect(void *arg, const struct zone_node *node)
{
    struct collecting *c = arg;
    if (!is_listed(c->version, node))
        return;
    if (c->cnt == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 64;
        c->nodes = mem_realloc(c->nodes, c->cap, sizeof(*c->nodes));
    }
    c->nodes[c->cnt++] = node;
}

static const struct zone_order *list_anew(const struct zone_version *v)
{
    struct collecting c = {.version = v};
    trie_each(v->root, collect, &c);
    const struct zone_order *order = zone_order_build(v->pool, v->zone->depth, c.nodes, c.cnt);
    free(c.nodes);
    return order;
}

/* The list that comes after `before` (NULL: none), which has the changes when it `goes_on`. */
static const struct zone_order *next_list(struct zone_signed_edit *edit, const struct zone_order *before, bool goes_on,
                                          bool is_wanted)
{
    struct zone_version *v = edit->version;
    if (before && goes_on && is_wanted)
        return zone_order_edit(before, edit->changes, edit->cnt, v->pool, &v->replaced);
    zone_order_retire(before, &v->replaced);
    return is_wanted ? list_anew(v) : NULL;
}

void zone_signed_end(struct zone_signed_edit *edit)
{
    struct zone_version *v = edit->version;
    const struct zone_version *base = edit->base;
    bool same_chain = base && base->nsec3_params && v->nsec3_params &&
                      nsec3_params_equal(base->nsec3_params, v->nsec3_params);
    v->nsec = next_list(edit, base ? base->nsec : NULL, true, edit->has_nsec);
    v->nsec3 = next_list(edit, base ? base->nsec3 : NULL, same_chain, edit->has_nsec3);
    free(edit->changes);
    edit->changes = NULL;
}
