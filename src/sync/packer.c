#include "sync/packer.h"

#include <assert.h>

#include "dns/msg.h"
#include "dns/name.h"

enum {
    POINTER = 0xc000,
    TARGETS_END = 0x4000, /* no pointer leads there or behind */
    FIXED_LEN = 10,       /* type, class, TTL, length of the rdata */
};

void packer_init(struct packer *packer, uint8_t *message, size_t cap, size_t used, const uint8_t *apex,
                 unsigned apex_at)
{
    assert(cap <= MSG_MAX_LEN && used <= cap);
    *packer = (struct packer){.w = writer_over(message, cap), .apex = apex, .apex_at = apex_at};
    packer->apex_len = name_len(apex);
    packer->w.at += used;
}

static unsigned prefix_len(const struct packer *p)
{
    return p->owner_len - p->apex_len;
}

static void put_pointer(struct packer *p, unsigned target) { writer_u16(&p->w, (uint16_t)(POINTER | target)); }

/* Its labels before the zone's name, then that; nothing when there is no room for it and `more`. From here on it is the
 * owner at hand. */
static bool put_new_owner(struct packer *p, const uint8_t *owner, unsigned len, size_t more)
{
    assert(len >= p->apex_len);
    unsigned prefix = len - p->apex_len, here = (unsigned)writer_len(&p->w);
    bool whole = !p->apex_at;
    size_t bytes = whole ? len : prefix + 2u;
    if (writer_left(&p->w) < bytes + more)
        return false;
    memcpy(p->w.at, owner, whole ? len : prefix);
    p->w.at += bytes;
    if (whole)
        p->apex_at = here + prefix;
    else
        be16_put(p->w.at - 2, (uint16_t)(POINTER | p->apex_at));
    p->owner = owner;
    p->owner_len = len;
    p->owner_at = prefix ? here : p->apex_at;
    if (p->owner_at >= TARGETS_END)
        p->owner_at = 0;
    return true;
}

static inline bool put_owner(struct packer *p, const uint8_t *owner, unsigned len, size_t more)
{
    if (owner != p->owner || !p->owner_at)
        return put_new_owner(p, owner, len, more);
    if (writer_left(&p->w) < 2 + more)
        return false;
    be16_put(p->w.at, (uint16_t)(POINTER | p->owner_at));
    p->w.at += 2;
    return true;
}

/* Where the owner's bytes from `skip` on stand; 0: where no pointer leads to. */
static unsigned owner_target(const struct packer *p, unsigned skip)
{
    if (skip >= prefix_len(p))
        return p->apex_at + skip - prefix_len(p);
    return p->owner_at && p->owner_at + skip < TARGETS_END ? p->owner_at + skip : 0;
}

/* ---- names in rdata */

/* How many bytes of the name stand before the longest suffix that a pointer can be put for; *target where that leads
 * to, 0 when there is none. */
static unsigned find_suffix(unsigned *target, const struct packer *p, const uint8_t *name, unsigned len)
{
    unsigned name_at = 0, owner_at = 0;
    while (len - name_at >= p->apex_len) {
        unsigned name_left = len - name_at, owner_left = p->owner_len - owner_at;
        if (name_left == owner_left && !memcmp(name + name_at, p->owner + owner_at, name_left) &&
            (*target = owner_target(p, owner_at)) != 0)
            return name_at;
        if (name_left >= owner_left)
            name_at += name[name_at] + 1u;
        if (owner_left >= name_left)
            owner_at += p->owner[owner_at] + 1u;
    }
    *target = 0;
    return len;
}

static void put_name(struct packer *p, const uint8_t *name, unsigned len)
{
    unsigned target, labels_len = find_suffix(&target, p, name, len);
    writer_put(&p->w, name, labels_len);
    if (target)
        put_pointer(p, target);
}

/* Names that are malformed stand as they came: the record is one of RFC 3597's bytes then. */
static void put_rdata(struct packer *p, uint16_t type, const uint8_t *rdata, size_t len)
{
    unsigned skip, names, n;
    if (rr_type_compressible(type, &skip, &names) && len > skip) {
        writer_put(&p->w, rdata, skip);
        rdata += skip;
        len -= skip;
        for (; names && (n = name_check(rdata, len)) != 0; names--) {
            put_name(p, rdata, n);
            rdata += n;
            len -= n;
        }
    }
    writer_put(&p->w, rdata, len);
}

/* The record whose rdata begins at `rdata_at` is complete, unless there was no room: then the message is what it was
 * `before`. */
static bool finish_record(struct packer *p, const uint8_t *rdata_at, const struct packer *before)
{
    if (p->w.failed) {
        *p = *before;
        return false;
    }
    be16_put((uint8_t *)rdata_at - 2, (uint16_t)(p->w.at - rdata_at));
    p->rr_cnt++;
    return true;
}

bool packer_record(struct packer *packer, const struct rr *rr)
{
    struct packer before = *packer;
    if (!put_owner(packer, rr->owner, name_len(rr->owner), FIXED_LEN))
        return false;
    writer_u16(&packer->w, rr->type);
    writer_u16(&packer->w, RR_CLASS_IN);
    writer_u32(&packer->w, rr->ttl);
    writer_u16(&packer->w, 0);
    const uint8_t *rdata_at = packer->w.at;
    put_rdata(packer, rr->type, rr->rdata, rr->rdata_len);
    return finish_record(packer, rdata_at, &before);
}

/* ---- images */

/* All of a record but its owner is as it stands. */
static bool copy_plain(struct packer *p, struct packer_place *place, const uint8_t *image,
                       const struct zone_rrset *rrset, const uint8_t *owner, unsigned owner_len)
{
    while (place->at < rrset->image_len) {
        const uint8_t *rr = image + place->at;
        size_t len = image_rr_len(rr) - 2;
        if (!put_owner(p, owner, owner_len, len))
            return false;
        memcpy(p->w.at, rr + 2, len);
        p->w.at += len;
        p->rr_cnt++;
        place->at += (unsigned)len + 2;
    }
    return true;
}

/* The owner's bytes from `skip` on. */
static void put_owner_suffix(struct packer *p, unsigned skip)
{
    unsigned target = owner_target(p, skip);
    if (!target) {
        writer_put(&p->w, p->owner + skip, prefix_len(p) - skip);
        target = p->apex_at;
    }
    put_pointer(p, target);
}

/* For a pointer within the image's rdata: one to the same name, or as much of the name as no pointer can be put for. */
static void put_target(struct packer *p, const uint8_t *image, const struct zone_rrset *rrset, unsigned target)
{
    unsigned owner_end = IMAGE_OWNER_AT + p->owner_len, taken;
    if (target < owner_end) {
        put_owner_suffix(p, target - IMAGE_OWNER_AT);
        return;
    }
    unsigned at = target - owner_end - 4;
    int stands_at = (int)at + p->image_delta;
    if (at >= p->image_from && stands_at < TARGETS_END) {
        put_pointer(p, (unsigned)stands_at);
        return;
    }
    uint8_t name[NAME_MAX_LEN];
    unsigned len = image_name(name, &taken, image, p->owner, at, rrset->image_len);
    assert(len);
    put_name(p, name, len);
}

/* Where the rdata that comes next, at `at` in the image, is put: pointers may lead to what has stood at that distance
 * without a break. Whatever grows or shrinks on the way ends that, for the distance is another then. */
static void note_distance(struct packer *p, const uint8_t *image, unsigned at)
{
    int delta = (int)writer_len(&p->w) - (int)at;
    if (p->image == image && p->image_delta == delta)
        return;
    p->image = image;
    p->image_from = at;
    p->image_delta = delta;
}

static void move_rdata(struct packer *p, struct packer_place *place, const uint8_t *image,
                       const struct zone_rrset *rrset, unsigned end)
{
    unsigned cnt, at = place->at + IMAGE_RR_FIXED_LEN;
    const uint16_t *pointers = image_pointers(image, rrset, &cnt);
    note_distance(p, image, at);
    for (; place->pointer < cnt && pointers[place->pointer] < end; place->pointer++) {
        unsigned pointer_at = pointers[place->pointer];
        writer_put(&p->w, image + at, pointer_at - at);
        put_target(p, image, rrset, be16_get(image + pointer_at) & (TARGETS_END - 1));
        at = pointer_at + 2;
    }
    writer_put(&p->w, image + at, end - at);
}

static bool copy_compressed(struct packer *p, struct packer_place *place, const uint8_t *image,
                            const struct zone_rrset *rrset, const uint8_t *owner, unsigned owner_len)
{
    while (place->at < rrset->image_len) {
        struct packer before = *p;
        struct packer_place from = *place;
        const uint8_t *rr = image + place->at;
        unsigned end = place->at + image_rr_len(rr);
        if (!put_owner(p, owner, owner_len, FIXED_LEN))
            return false;
        writer_put(&p->w, rr + 2, FIXED_LEN);
        const uint8_t *rdata_at = p->w.at;
        if (rrset->type == RR_CNAME) /* uncompressed in images */
            put_rdata(p, RR_CNAME, rr + IMAGE_RR_FIXED_LEN, end - place->at - IMAGE_RR_FIXED_LEN);
        else
            move_rdata(p, place, image, rrset, end);
        place->at = end;
        if (!finish_record(p, rdata_at, &before)) {
            *place = from;
            return false;
        }
    }
    return true;
}

bool packer_image(struct packer *packer, struct packer_place *place, const struct zone_node *node,
                  const struct zone_rrset *rrset)
{
    unsigned skip, names;
    const uint8_t *image = zone_node_image(node, rrset), *owner = zone_node_name(node);
    if (rr_type_compressible(rrset->type, &skip, &names))
        return copy_compressed(packer, place, image, rrset, owner, node->name_len);
    return copy_plain(packer, place, image, rrset, owner, node->name_len);
}
