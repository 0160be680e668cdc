#include "zone/image.h"

#include <assert.h>
#include <string.h>

#include "dns/msg.h"
#include "dns/name.h"

enum {
    POINTER = 0xc000,
    /* names that later ones may point to; when three quarters are full no more are taken in */
    SUFFIX_SLOTS_MOST = 2048,
    PROBES_MOST = 8,          /* so that suffixes chosen to collide cost no more than that */
    POINTERS_MOST = MSG_MAX_LEN / 8 + 2, /* MINFO has the most: two in 16 bytes; and the record that proves too much */
};

/* A suffix that stands in the virtual message. */
struct suffix {
    uint16_t at; /* its offset there; 0: free */
    uint16_t check;
};

/* The virtual message while its image is written: the question's name X, a gap of type and class, the image. */
struct image_writer {
    const uint8_t *owner;
    unsigned owner_end; /* 12 + len(X) */
    unsigned begin;     /* of the image */
    uint8_t *image, *at;
    struct suffix slots[SUFFIX_SLOTS_MOST];
    unsigned mask, used;
    uint16_t pointers[POINTERS_MOST];
    unsigned pointer_cnt;
};

static bool compresses(uint16_t type, unsigned *skip, unsigned *names)
{
    return rr_type_compressible(type, skip, names) && type != RR_CNAME;
}

static size_t align_up(size_t n, size_t to) { return (n + to - 1) & ~(to - 1); }

static bool is_doubled(const struct zone_rrset *rrset)
{
    return (rrset->type == RR_A || rrset->type == RR_AAAA) && rrset->rr_cnt > 1;
}

size_t image_room(uint16_t type, const struct image_rdata *rdata, unsigned cnt)
{
    unsigned skip, names = 0;
    size_t len = 0;
    for (unsigned i = 0; i < cnt; i++)
        len += (size_t)IMAGE_RR_FIXED_LEN + rdata[i].len;
    if (type == RR_A || type == RR_AAAA)
        return 2 * len;
    return rr_type_compressible(type, &skip, &names) ? align_up(len, 2) + 2 + (size_t)2 * names * cnt : len;
}

size_t image_bytes(const uint8_t *image, const struct zone_rrset *rrset)
{
    unsigned cnt, skip, names;
    if (is_doubled(rrset))
        return (size_t)rrset->image_len / rrset->rr_cnt * (2u * rrset->rr_cnt - 1);
    if (!rr_type_compressible(rrset->type, &skip, &names))
        return rrset->image_len;
    image_pointers(image, rrset, &cnt);
    return align_up(rrset->image_len, 2) + 2 + (size_t)2 * cnt;
}

/* What stands at `at` in the virtual message. */
static const uint8_t *virtual_at(const uint8_t *image, const uint8_t *owner, unsigned begin, unsigned at)
{
    return at < begin ? owner + (at - IMAGE_OWNER_AT) : image + (at - begin);
}

/* The name at `at` in the virtual message equals the plain `name`. Pointers lead only backwards, so this ends. */
static bool name_stands_at(const struct image_writer *w, unsigned at, const uint8_t *name)
{
    for (;;) {
        const uint8_t *p = virtual_at(w->image, w->owner, w->begin, at);
        if ((p[0] & 0xc0) == 0xc0) {
            at = be16_get(p) & 0x3fffu;
            continue;
        }
        for (unsigned i = 0; i <= p[0]; i++)
            if (name_lower_byte(p[i]) != name_lower_byte(name[i]))
                return false;
        if (!p[0])
            return true;
        at += 1u + p[0];
        name += 1 + name[0];
    }
}

/* Where each label of a name begins, and a hash of each suffix (FNV-1a, label by label from the right). */
struct labels {
    unsigned cnt;
    uint8_t at[NAME_MAX_LABELS];
    uint32_t hash[NAME_MAX_LABELS];
};

static void labels_of(struct labels *l, const uint8_t *name)
{
    unsigned at = 0;
    for (l->cnt = 0; name[at]; at += 1u + name[at])
        l->at[l->cnt++] = (uint8_t)at;
    uint32_t h = 2166136261u;
    for (unsigned i = l->cnt; i--;) {
        const uint8_t *p = name + l->at[i];
        for (unsigned j = 0; j <= p[0]; j++)
            h = (h ^ name_lower_byte(p[j])) * 16777619u;
        h ^= h >> 15;
        l->hash[i] = h;
    }
}

static unsigned suffix_find(const struct image_writer *w, uint32_t hash, const uint8_t *name)
{
    for (unsigned i = 0; i < PROBES_MOST; i++) {
        const struct suffix *s = &w->slots[(hash + i) & w->mask];
        if (!s->at)
            return 0;
        if (s->check == hash >> 16 && name_stands_at(w, s->at, name))
            return s->at;
    }
    return 0;
}

static void suffix_add(struct image_writer *w, uint32_t hash, size_t at)
{
    if (at >= IMAGE_TARGET_MAX || w->used > w->mask / 4 * 3)
        return;
    for (unsigned i = 0; i < PROBES_MOST; i++) {
        struct suffix *s = &w->slots[(hash + i) & w->mask];
        if (!s->at) {
            *s = (struct suffix){(uint16_t)at, (uint16_t)(hash >> 16)};
            w->used++;
            return;
        }
    }
}

static void copy(struct image_writer *w, const uint8_t *p, size_t len)
{
    memcpy(w->at, p, len);
    w->at += len;
}

/* Labels up to the first suffix that stands somewhere already, then a pointer to that. Its own suffixes become known
 * only when the name is complete: a comparison reads a name to its end. */
static void put_name(struct image_writer *w, const uint8_t *name)
{
    struct labels l;
    labels_of(&l, name);
    size_t from = w->begin + (size_t)(w->at - w->image);
    unsigned i = 0, target = 0;
    while (i < l.cnt && (target = suffix_find(w, l.hash[i], name + l.at[i])) == 0)
        i++;
    copy(w, name, i < l.cnt ? l.at[i] : name_len(name));
    if (target) {
        w->pointers[w->pointer_cnt++] = (uint16_t)(w->at - w->image);
        be16_put(w->at, (uint16_t)(POINTER | target));
        w->at += 2;
    }
    for (unsigned j = 0; j < i; j++)
        suffix_add(w, l.hash[j], from + l.at[j]);
}

static void start_compression(struct image_writer *w, unsigned names)
{
    unsigned slots = 64;
    while (slots < SUFFIX_SLOTS_MOST && slots < names * 8)
        slots *= 2;
    memset(w->slots, 0, slots * sizeof(w->slots[0]));
    w->mask = slots - 1;
    w->used = 0;
    w->pointer_cnt = 0;
    struct labels l;
    labels_of(&l, w->owner);
    /* A wildcard's own name does not stand in the message that its image is
     * copied to: there it is the name asked for. */
    bool is_wildcard = w->owner[0] == 1 && w->owner[1] == '*';
    for (unsigned i = is_wildcard; i < l.cnt; i++)
        suffix_add(w, l.hash[i], (size_t)IMAGE_OWNER_AT + l.at[i]);
}

/* The rdata with its names compressed; malformed names are copied as they are. */
static void put_rdata(struct image_writer *w, const struct image_rdata *rdata, unsigned skip, unsigned names)
{
    const uint8_t *p = rdata->rdata, *end = p + rdata->len;
    if (names && rdata->len > skip) {
        copy(w, p, skip);
        p += skip;
        unsigned len;
        for (; names && (len = name_check(p, (size_t)(end - p))) != 0; names--, p += len)
            put_name(w, p);
    }
    if (p < end)
        copy(w, p, (size_t)(end - p));
}

static void put_fixed(uint8_t *p, uint16_t type, uint32_t ttl, uint16_t rdata_len)
{
    be16_put(p, POINTER | IMAGE_OWNER_AT);
    be16_put(p + 2, type);
    be16_put(p + 4, RR_CLASS_IN);
    be32_put(p + 6, ttl);
    be16_put(p + 10, rdata_len);
}

/* Behind the records: what their type asks for (see the header). Returns the bytes of all. */
static size_t finish(const struct image_writer *w, const struct zone_rrset *rrset, bool has_list)
{
    size_t len = rrset->image_len;
    if (is_doubled(rrset)) {
        size_t more = len - len / rrset->rr_cnt;
        memcpy(w->image + len, w->image, more);
        return len + more;
    }
    if (!has_list)
        return len;
    if (len & 1)
        w->image[len++] = 0;
    uint16_t cnt = (uint16_t)w->pointer_cnt;
    memcpy(w->image + len, &cnt, 2);
    memcpy(w->image + len + 2, w->pointers, (size_t)2 * cnt);
    return len + 2 + (size_t)2 * cnt;
}

_Static_assert(IMAGE_SURE_TO_FIT == MSG_MAX_LEN - MSG_OPT_LEN - MSG_HEADER_LEN - NAME_MAX_LEN - 4,
               "as image_most has it");

size_t image_most(const uint8_t *owner, uint16_t type)
{
    bool any_question = type == RR_NS || (owner[0] == 1 && owner[1] == '*');
    return IMAGE_SURE_TO_FIT + (any_question ? 0 : NAME_MAX_LEN - name_len(owner));
}

size_t image_build(uint8_t *out, struct zone_rrset *rrset, const uint8_t *owner, uint16_t type,
                   const struct image_rdata *rdata, unsigned cnt)
{
    unsigned skip = 0, names = 0;
    bool has_list = rr_type_compressible(type, &skip, &names);
    if (!compresses(type, &skip, &names))
        skip = names = 0;
    struct image_writer w;
    unsigned owner_len = name_len(owner);
    size_t most = image_most(owner, type);
    w.owner = owner;
    w.owner_end = IMAGE_OWNER_AT + owner_len;
    w.begin = w.owner_end + 4;
    w.image = w.at = out;
    w.pointer_cnt = 0;
    if (names)
        start_compression(&w, names * cnt);
    for (unsigned i = 0; i < cnt; i++) {
        uint8_t *rr = w.at;
        w.at += IMAGE_RR_FIXED_LEN;
        put_rdata(&w, &rdata[i], skip, names);
        put_fixed(rr, type, rdata[i].ttl, (uint16_t)(w.at - rr - IMAGE_RR_FIXED_LEN));
        if ((size_t)(w.at - out) > most)
            return 0;
    }
    *rrset = (struct zone_rrset){.type = type, .rr_cnt = (uint16_t)cnt, .image_len = (uint32_t)(w.at - out)};
    return finish(&w, rrset, has_list);
}

/* Where a pointer at `pos` leads to, 0: nowhere that a name can be. *limit is then where that part of the message ends:
 * a target lies before what points to it. */
static unsigned follow(const uint8_t *p, unsigned pos, unsigned *limit, unsigned owner_end)
{
    unsigned target = be16_get(p) & 0x3fffu;
    bool in_owner = target >= IMAGE_OWNER_AT && target < owner_end, in_image = target >= owner_end + 4 && target < pos;
    *limit = in_owner ? owner_end : pos;
    return in_owner || in_image ? target : 0;
}

unsigned image_name(uint8_t out[NAME_MAX_LEN], unsigned *taken, const uint8_t *image, const uint8_t *owner, unsigned at,
                    unsigned end)
{
    unsigned owner_end = IMAGE_OWNER_AT + name_len(owner), begin = owner_end + 4, pos = begin + at, limit = begin + end,
             len = 0;
    *taken = 0;
    while (pos < limit) {
        const uint8_t *p = virtual_at(image, owner, begin, pos);
        bool is_pointer = (p[0] & 0xc0) == 0xc0;
        unsigned step = is_pointer ? 2 : 1u + p[0];
        if (step > limit - pos || (!is_pointer && (p[0] > NAME_LABEL_MAX || len + step > NAME_MAX_LEN)))
            return 0;
        if (!*taken && (is_pointer || step == 1))
            *taken = pos + step - begin - at;
        if (is_pointer) {
            pos = follow(p, pos, &limit, owner_end);
            if (!pos)
                return 0;
            continue;
        }
        memcpy(out + len, p, step);
        len += step;
        pos += step;
        if (step == 1)
            return len;
    }
    return 0;
}

/* Two names at most and what stands around them; RFC 1035's types have no more. */
enum { PLAIN_ROOM = 2 * NAME_MAX_LEN + 64 };

/* The rdata of `len` bytes at `at` without compression, into `out`; 0 when it is not of that form (then it was
 * malformed and stands as it came). */
static unsigned plain_rdata(uint8_t out[PLAIN_ROOM], const uint8_t *image, const uint8_t *owner, unsigned at,
                            unsigned len, unsigned skip, unsigned names)
{
    unsigned end = at + len, out_len = skip, taken;
    if (len < skip)
        return 0;
    memcpy(out, image + at, skip);
    for (at += skip; names; names--, at += taken) {
        unsigned n = image_name(out + out_len, &taken, image, owner, at, end);
        if (!n || at + taken > end)
            return 0;
        out_len += n;
    }
    if (out_len + (end - at) > PLAIN_ROOM)
        return 0;
    memcpy(out + out_len, image + at, end - at);
    return out_len + (end - at);
}

void image_each(const uint8_t *image, const struct zone_rrset *rrset, const uint8_t *owner,
                void (*fn)(void *arg, const struct rr *rr), void *arg)
{
    uint8_t plain[PLAIN_ROOM];
    unsigned skip, names;
    bool compressed = compresses(rrset->type, &skip, &names);
    unsigned at = 0;
    for (unsigned i = 0; i < rrset->rr_cnt; i++) {
        const uint8_t *p = image + at;
        struct rr rr = {.owner = owner,
                        .rdata = p + IMAGE_RR_FIXED_LEN,
                        .ttl = be32_get(p + 6),
                        .type = be16_get(p + 2),
                        .rdata_len = be16_get(p + 10)};
        at += IMAGE_RR_FIXED_LEN + rr.rdata_len;
        assert(at <= rrset->image_len);
        unsigned len = compressed ? plain_rdata(plain, image, owner, at - rr.rdata_len, rr.rdata_len, skip, names) : 0;
        if (len) {
            rr.rdata = plain;
            rr.rdata_len = (uint16_t)len;
        }
        fn(arg, &rr);
    }
}

static uint16_t moved(uint16_t pointer, unsigned owner_end, const struct image_move *move)
{
    int target = pointer & 0x3fff;
    target += target < (int)owner_end ? move->owner_delta : move->image_delta;
    return (uint16_t)(POINTER | target);
}

/* Owners are labels and a pointer; most are the pointer alone. */
static void patch_glue(uint8_t *at, const struct zone_rrset *rrset, unsigned owner_end, const struct image_move *move)
{
    for (unsigned i = 0; i < rrset->rr_cnt; i++) {
        while (*at && *at < 0xc0)
            at += 1 + *at;
        if (*at)
            be16_put(at, moved(be16_get(at), owner_end, move));
        else
            at--; /* a root label is a byte shorter than a pointer */
        at += image_rr_len(at);
    }
}

void image_patch(uint8_t *at, const uint8_t *image, const struct zone_rrset *rrset, unsigned owner_len,
                 const struct image_move *move)
{
    unsigned owner_end = IMAGE_OWNER_AT + owner_len, cnt;
    if (rrset->type == 0) {
        patch_glue(at, rrset, owner_end, move);
        return;
    }
    if (move->owner != (POINTER | IMAGE_OWNER_AT)) {
        uint8_t *rr = at;
        for (unsigned i = 0; i < rrset->rr_cnt; i++, rr += image_rr_len(rr))
            be16_put(rr, move->owner);
    }
    if (!move->owner_delta && !move->image_delta)
        return;
    const uint16_t *pointers = image_pointers(image, rrset, &cnt);
    for (unsigned i = 0; i < cnt; i++)
        be16_put(at + pointers[i], moved(be16_get(at + pointers[i]), owner_end, move));
}
