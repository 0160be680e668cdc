#include "zone/node_make.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/msg.h"
#include "dns/name.h"

void node_maker_fini(struct node_maker *maker)
{
    free(maker->block);
    maker->block = NULL;
    maker->cap = 0;
}

/* Makes sure that `more` bytes fit behind what is written. */
static uint8_t *room(struct node_maker *m, size_t more)
{
    if (m->cap - m->len < more) {
        m->cap = (m->len + more) * 2;
        m->block = mem_realloc(m->block, m->cap, 1);
    }
    return m->block + m->len;
}

/* The next image begins 4-aligned; its offset. */
static uint32_t align_image(struct node_maker *m)
{
    room(m, 3);
    while (m->len & 3)
        m->block[m->len++] = 0;
    return (uint32_t)m->len;
}

static struct zone_node *node_at(const struct node_maker *m) { return (struct zone_node *)(void *)m->block; }

static uint16_t flags_of(const struct node_spec *spec, bool apex)
{
    unsigned flags = (apex ? NODE_APEX : 0u) | (spec->wildcard_below ? NODE_WILDCARD_BELOW : 0u);
    if (!apex && !spec->child_cnt && node_spec_is_nsec3(spec))
        flags |= NODE_NSEC3;
    for (unsigned i = 0; i < spec->rrset_cnt; i++) {
        uint16_t type = spec->rrsets[i].type;
        if (type == RR_NS && !apex)
            flags |= NODE_CUT;
        else if (type == RR_DNAME)
            flags |= NODE_DNAME;
        else if (type == RR_CNAME)
            flags |= NODE_CNAME;
        else if (type == RR_SOA && apex)
            flags |= NODE_EXTRA;
    }
    return (uint16_t)flags;
}

/* Head and name; the entries follow when their images are written. */
static void start(struct node_maker *m, const struct node_spec *spec, uint16_t flags, unsigned name_length)
{
    size_t entries = spec->rrset_cnt + ((flags & NODE_EXTRA) ? 1u : 0u);
    m->len = 0;
    room(m, sizeof(struct zone_node) + entries * sizeof(struct zone_rrset) + name_length);
    struct zone_node *n = node_at(m);
    *n = (struct zone_node){.child_cnt = spec->child_cnt, .flags = flags, .name_len = (uint8_t)name_length,
                            .depth = (uint8_t)name_depth(spec->name), .rrset_cnt = (uint16_t)spec->rrset_cnt};
    memcpy(n->rrsets + entries, spec->name, name_length);
    m->len = sizeof(*n) + entries * sizeof(struct zone_rrset) + name_length;
}

/* Writes one image and its entry; false: too large. */
static bool add_rrset(struct node_maker *m, const struct node_spec *spec, unsigned i)
{
    const struct node_rrset *from = &spec->rrsets[i];
    struct zone_rrset entry;
    uint32_t at = align_image(m);
    size_t len;
    if (from->rdata) {
        uint8_t *out = room(m, image_room(from->type, from->rdata, from->cnt));
        len = image_build(out, &entry, spec->name, from->type, from->rdata, from->cnt);
        if (!len)
            return false;
    } else {
        entry = *from->old;
        len = image_bytes(from->old_image, from->old);
        memcpy(room(m, len), from->old_image, len);
    }
    entry.image_off = at;
    node_at(m)->rrsets[i] = entry;
    m->len += len;
    return true;
}

/* The apex's extra entry: its SOA once more, with the TTL of negative answers (RFC 2308 3). */
static void add_negative_soa(struct node_maker *m)
{
    struct zone_rrset entry = *zone_node_rrset(node_at(m), RR_SOA);
    uint32_t at = align_image(m), from = entry.image_off;
    size_t len = image_bytes(m->block + from, &entry);
    uint8_t *image = room(m, len);
    memcpy(image, m->block + from, len);
    m->len += len;
    uint32_t minimum = be32_get(image + entry.image_len - 4);
    if (minimum < be32_get(image + 6))
        be32_put(image + 6, minimum);
    entry.image_off = at;
    node_at(m)->rrsets[node_at(m)->rrset_cnt] = entry;
}

void node_maker_glue(struct node_maker *maker, const struct rr *rr)
{
    unsigned owner_len = maker->glue.owner_len;
    size_t len = (size_t)owner_len + 10 + rr->rdata_len;
    if (maker->glue.full || maker->glue.rrset.image_len + len > MSG_MAX_LEN) {
        maker->glue.full = true;
        return;
    }
    uint8_t *p = room(maker, len);
    memcpy(p, maker->glue.owner, owner_len);
    p += owner_len;
    be16_put(p, rr->type);
    be16_put(p + 2, RR_CLASS_IN);
    be32_put(p + 4, rr->ttl);
    be16_put(p + 8, rr->rdata_len);
    memcpy(p + 10, rr->rdata, rr->rdata_len);
    maker->len += len;
    maker->glue.rrset.image_len += (uint32_t)len;
    maker->glue.rrset.rr_cnt++;
}

/* The glue's owner for the name that takes `taken` bytes at `at` of the NS image: a pointer to that; out of a
 * pointer's reach the same bytes once more, in which at least the cut's name is a pointer. A pointer to a
 * pointer is legal, but some parsers refuse it. */
static void set_glue_owner(struct node_maker *m, const uint8_t *image, unsigned at, unsigned taken, unsigned owner_len)
{
    unsigned offset = IMAGE_OWNER_AT + owner_len + 4 + at;
    if (taken == 2 || offset >= IMAGE_TARGET_MAX) {
        memcpy(m->glue.owner, image + at, taken);
        m->glue.owner_len = taken;
        return;
    }
    be16_put(m->glue.owner, (uint16_t)(0xc000 | offset));
    m->glue.owner_len = 2;
}

/* Collects a cut's glue behind its images, and learns whether sibling glue may be wanted. */
static void collect_glue(struct node_maker *m, const uint8_t *owner, unsigned owner_len)
{
    struct zone_rrset ns = *zone_node_rrset(node_at(m), RR_NS);
    m->glue.full = false;
    m->glue.rrset = (struct zone_rrset){.image_off = align_image(m)};
    for (unsigned i = 0, at = 0; i < ns.rr_cnt; i++) {
        uint8_t target[NAME_MAX_LEN];
        const uint8_t *image = m->block + ns.image_off; /* the block may move */
        unsigned rdata_at = at + IMAGE_RR_FIXED_LEN, taken;
        at = rdata_at + be16_get(image + at + 10);
        if (!image_name(target, &taken, image, owner, rdata_at, at))
            continue;
        if (name_within(target, owner)) {
            set_glue_owner(m, image, rdata_at, taken, owner_len);
            m->glue_fn(m->glue_arg, m, target, i);
        } else if (name_within(target, m->apex)) {
            node_at(m)->flags |= NODE_SIBLING_GLUE;
        }
    }
}

/* Pushes all behind the entries back by one entry, for the glue's. Images stay 4-aligned, an entry being 12 bytes. */
static void add_glue_entry(struct node_maker *m)
{
    enum { BY = sizeof(struct zone_rrset) };
    room(m, BY);
    struct zone_node *n = node_at(m);
    unsigned cnt = n->rrset_cnt;
    size_t from = sizeof(*n) + cnt * (size_t)BY;
    memmove(m->block + from + BY, m->block + from, m->len - from);
    m->len += BY;
    n->rrsets[cnt] = m->glue.rrset;
    n->flags |= NODE_EXTRA;
    for (unsigned i = 0; i <= cnt; i++)
        n->rrsets[i].image_off += BY;
}

struct zone_node *node_make(struct node_maker *maker, const struct node_spec *spec)
{
    unsigned len = name_len(spec->name);
    bool apex = len == name_len(maker->apex) && !memcmp(spec->name, maker->apex, len);
    uint16_t flags = flags_of(spec, apex);
    start(maker, spec, flags, len);
    for (unsigned i = 0; i < spec->rrset_cnt; i++)
        if (!add_rrset(maker, spec, i))
            return NULL;
    if (flags & NODE_EXTRA)
        add_negative_soa(maker);
    if (flags & NODE_CUT) {
        collect_glue(maker, spec->name, len);
        if (maker->glue.rrset.rr_cnt)
            add_glue_entry(maker);
    }
    struct zone_node *n = node_at(maker);
    n->size = (uint32_t)maker->len;
    return n;
}
