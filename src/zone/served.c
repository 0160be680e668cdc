#include "zone/served.h"

#include <string.h>

#include "base/buf.h"

static const struct zone_node *find_suffix(const struct zone_version *v, const struct name_split *name, unsigned d)
{
    unsigned len = name->len - name->label_at[name->depth - d];
    const struct zone_node *n = trie_find(v->root, name->suffix_hash[d], name_split_suffix(name, d), len);
    return n && !(n->flags & NODE_NSEC3) ? n : NULL;
}

/* RFC 4592 3.3.1: of the closest encloser, which has `d` labels. */
static const struct zone_node *find_wildcard(const struct zone_version *v, const struct name_split *name, unsigned d,
                                             const struct hash_key *key)
{
    uint8_t wildcard[NAME_MAX_LEN]; /* the name has a label of its own below the encloser, so this one is no longer */
    unsigned len = name->len - name->label_at[name->depth - d];
    memcpy(wildcard, "\1*", 2);
    memcpy(wildcard + 2, name_split_suffix(name, d), len);
    return trie_find(v->root, name_split_wildcard_hash(name, d, key), wildcard, len + 2);
}

/* The node that speaks for the name: a cut or a DNAME above it, itself, its wildcard; NULL: there is none. */
static const struct zone_node *find_node(const struct zone_version *v, const struct name_split *name,
                                         const struct hash_key *key)
{
    for (unsigned d = v->zone->depth; d < name->depth; d++) {
        const struct zone_node *n = find_suffix(v, name, d);
        if (!n)
            return find_wildcard(v, name, d - 1, key);
        if (n->flags & (NODE_CUT | NODE_DNAME))
            return n;
    }
    const struct zone_node *n = find_suffix(v, name, name->depth);
    return n || name->depth == v->zone->depth ? n : find_wildcard(v, name, name->depth - 1u, key);
}

/* The first record's target stands uncompressed (zone/image.h). */
static const uint8_t *target_of(struct zone_served *s, const struct zone_node *node, uint16_t type)
{
    const uint8_t *rr = zone_node_image(node, zone_node_rrset(node, type));
    uint32_t ttl = image_rr_ttl(rr);
    s->ttl_sec = ttl < s->ttl_sec ? ttl : s->ttl_sec;
    return rr + IMAGE_RR_FIXED_LEN;
}

/* RFC 6672 2.2: the target in place of the DNAME's owner. False: it would be too long to be a name. */
static bool substitute(struct zone_served *s, const struct name_split *name, const struct zone_node *node)
{
    const uint8_t *target = target_of(s, node, RR_DNAME);
    unsigned prefix_len = name->len - node->name_len, target_len = name_len(target);
    if (prefix_len + target_len > NAME_MAX_LEN)
        return false;
    memcpy(s->name, name->lower, prefix_len);
    memcpy(s->name + prefix_len, target, target_len);
    return true;
}

/* One name. True: it is an alias, and the next is in s->name. */
static bool step(struct zone_served *s, const struct catalogue *catalogue, const struct hash_key *key)
{
    struct name_split name;
    name_split_valid(&name, s->name, key);
    memcpy(s->name, name.lower, name.len);
    s->kind = ZONE_SERVED_ELSEWHERE;
    s->zone = catalogue_find(catalogue, &name, name.depth);
    if (!s->zone)
        return false;
    const struct zone_version *version = s->zone->current;
    const struct zone_node *node = version ? find_node(version, &name, key) : NULL;
    s->kind = !version ? ZONE_SERVED_UNLOADED : ZONE_SERVED_NONE;
    if (!node)
        return false;
    if (node->flags & NODE_CUT) {
        s->kind = ZONE_SERVED_ELSEWHERE;
        return false;
    }
    if (node->flags & NODE_DNAME && node->depth < name.depth)
        return substitute(s, &name, node);
    if (node->flags & NODE_CNAME) {
        const uint8_t *target = target_of(s, node, RR_CNAME);
        memcpy(s->name, target, name_len(target));
        return true;
    }
    s->kind = ZONE_SERVED_NODE;
    s->node = node;
    return false;
}

void zone_served_find(struct zone_served *served, const struct catalogue *catalogue, const struct hash_key *key,
                      const uint8_t *name)
{
    served->link_cnt = 0;
    served->ttl_sec = UINT32_MAX;
    served->node = NULL;
    memcpy(served->name, name, name_len(name));
    while (step(served, catalogue, key)) {
        if (++served->link_cnt <= ZONE_SERVED_LINKS_MAX)
            continue;
        served->kind = ZONE_SERVED_ENDLESS;
        return;
    }
}
