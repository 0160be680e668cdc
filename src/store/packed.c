#include "store/packed.h"

#include <assert.h>
#include <string.h>

#include "ldnsx/rdata.h"

enum { SAME_OWNER = 1, SAME_TYPE = 2, SAME_TTL = 4, ALL_FLAGS = 7 };

void packed_init(struct packed *packed, const uint8_t *apex)
{
    packed->apex = apex;
    packed->apex_len = name_len(apex);
    packed->any = false;
}

/* What `rr` has in common with the last record; it is the last one then. */
static unsigned pass(struct packed *p, const struct rr *rr)
{
    unsigned len = name_len(rr->owner), flags = 0;
    if (p->any) {
        flags |= len == p->owner_len && !memcmp(rr->owner, p->owner, len) ? SAME_OWNER : 0;
        flags |= rr->type == p->type ? SAME_TYPE : 0;
        flags |= rr->ttl == p->ttl ? SAME_TTL : 0;
    }
    if (!(flags & SAME_OWNER)) {
        assert(name_within(rr->owner, p->apex));
        memcpy(p->owner, rr->owner, len);
        p->owner_len = len;
    }
    p->type = rr->type;
    p->ttl = rr->ttl;
    p->any = true;
    return flags;
}

size_t packed_len(struct packed *packed, const struct rr *rr)
{
    unsigned flags = pass(packed, rr);
    return 1 + (flags & SAME_OWNER ? 0u : 1 + packed->owner_len - packed->apex_len) + (flags & SAME_TYPE ? 0 : 2) +
           (flags & SAME_TTL ? 0 : 4) + 2 + rr->rdata_len;
}

void packed_put(struct packed *packed, struct writer *w, const struct rr *rr)
{
    unsigned flags = pass(packed, rr), labels_len = packed->owner_len - packed->apex_len;
    writer_u8(w, (uint8_t)flags);
    if (!(flags & SAME_OWNER)) {
        writer_u8(w, (uint8_t)labels_len);
        writer_put(w, rr->owner, labels_len);
    }
    if (!(flags & SAME_TYPE))
        writer_u16(w, rr->type);
    if (!(flags & SAME_TTL))
        writer_u32(w, rr->ttl);
    writer_u16(w, rr->rdata_len);
    writer_put(w, rr->rdata, rr->rdata_len);
}

/* The bytes are whole labels, to which the apex can be added. */
static bool are_labels(const struct packed *p, const uint8_t *labels, unsigned len)
{
    unsigned at = 0;
    while (at < len && labels[at] && labels[at] <= NAME_LABEL_MAX)
        at += 1u + labels[at];
    return at == len && len + p->apex_len <= NAME_MAX_LEN;
}

static void get_owner(struct packed *p, struct reader *r)
{
    unsigned len = reader_u8(r);
    const uint8_t *labels = reader_take(r, len);
    if (!labels || !are_labels(p, labels, len)) {
        r->failed = true;
        return;
    }
    memcpy(p->owner, labels, len);
    memcpy(p->owner + len, p->apex, p->apex_len);
    p->owner_len = len + p->apex_len;
}

enum err packed_get(struct packed *packed, struct reader *r, struct rr *rr)
{
    unsigned flags = reader_u8(r);
    if (flags & ~(unsigned)ALL_FLAGS || (flags && !packed->any))
        return ERR_SYNTAX;
    if (!(flags & SAME_OWNER))
        get_owner(packed, r);
    if (!(flags & SAME_TYPE))
        packed->type = reader_u16(r);
    if (!(flags & SAME_TTL))
        packed->ttl = reader_u32(r);
    rr->rdata_len = reader_u16(r);
    rr->rdata = reader_take(r, rr->rdata_len);
    rr->owner = packed->owner;
    rr->type = packed->type;
    rr->ttl = packed->ttl;
    packed->any = !r->failed;
    if (r->failed || rdata_type_meta(rr->type) || !rdata_valid(rr->type, rr->rdata, rr->rdata_len))
        return ERR_SYNTAX;
    return ERR_OK;
}
