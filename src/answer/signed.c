#include "answer/signed.h"

#include <string.h>

#include "answer/denial.h"
#include "answer/section.h"

/* Records of one image, next to each other; no name in their rdata is compressed. */
struct run {
    const uint8_t *records;
    unsigned len;
    uint16_t cnt;
};

/* How an owner is written: labels, then a pointer; 0: the labels end in the root. */
struct owner {
    const uint8_t *labels;
    unsigned len;
    uint16_t pointer;
};

/* The type that a signature covers, which its rdata begins with; 0: what a transfer brought is shorter than that. */
static uint16_t covered_by(const uint8_t *rrsig)
{
    return be16_get(rrsig + 10) < 2 ? 0 : be16_get(rrsig + IMAGE_RR_FIXED_LEN);
}

/* The signatures of `type`: canonical order has them together, since the type covered comes first (RFC 4034 3.1.1).
 * Those of signatures, which nobody should have made (RFC 4035 2.2), stand among what they cover already. */
static struct run signatures_of(const struct zone_node *node, uint16_t type)
{
    struct run run = {0};
    const struct zone_rrset *all = zone_node_rrset(node, RR_RRSIG);
    if (!all || type == RR_RRSIG)
        return run;
    const uint8_t *rr = zone_node_image(node, all), *end = rr + all->image_len;
    while (rr < end && covered_by(rr) < type)
        rr += image_rr_len(rr);
    run.records = rr;
    for (; rr < end && covered_by(rr) == type; rr += image_rr_len(rr))
        run.cnt++;
    run.len = (unsigned)(rr - run.records);
    return run;
}

/* All at once, where every owner is a pointer as in the image. */
static bool put_run(struct query *q, enum query_section section, const struct run *run, uint16_t owner, uint32_t ttl)
{
    if (!run->cnt)
        return true;
    uint8_t *rr = writer_room(&q->out, run->len);
    if (!rr)
        return false;
    memcpy(rr, run->records, run->len);
    for (unsigned i = 0; i < run->cnt; i++, rr += image_rr_len(rr)) {
        be16_put(rr, owner);
        be32_put(rr + 6, ttl);
    }
    q->counts[section] = (uint16_t)(q->counts[section] + run->cnt);
    return true;
}

static uint32_t ttl_of(const struct zone_node *node, const struct zone_rrset *rrset)
{
    return be32_get(zone_node_image(node, rrset) + 6);
}

static bool put_signatures(struct query *q, enum query_section section, const struct zone_node *node,
                           const struct zone_rrset *rrset, bool wildcard)
{
    struct run run = signatures_of(node, rrset->type);
    return put_run(q, section, &run, section_move(q, node, 0, wildcard).owner, ttl_of(node, rrset));
}

bool signed_put(struct query *q, enum query_section section, const struct zone_node *node,
                const struct zone_rrset *rrset)
{
    return section_put(q, section, node, rrset) && put_signatures(q, section, node, rrset, false);
}

bool signed_put_answer(struct query *q, const struct zone_node *node, const struct zone_rrset *rrset, bool wildcard)
{
    if (!wildcard)
        return signed_put(q, QUERY_ANSWER, node, rrset);
    if (!section_put_wildcard(q, node, rrset) || !put_signatures(q, QUERY_ANSWER, node, rrset, true))
        return false;
    denial_wildcard(q);
    return true;
}

void signed_offer_signatures(struct query *q, const struct zone_node *node, const struct zone_rrset *rrset,
                             uint16_t owner)
{
    struct run run = signatures_of(node, rrset->type);
    if (run.len <= writer_left(&q->out))
        put_run(q, QUERY_ADDITIONAL, &run, owner, ttl_of(node, rrset));
}

static bool same_label(const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i <= a[0]; i++) /* a length is no letter */
        if (name_lower_byte(a[i]) != name_lower_byte(b[i]))
            return false;
    return true;
}

/* `node`'s name over what the name at `name_at` of the answer ends in as well. */
static struct owner owner_over(const struct query *q, const struct zone_node *node, uint16_t name_at)
{
    const uint8_t *name = zone_node_name(node), *a = name, *b = q->out.begin + name_at;
    unsigned a_depth = node->depth, b_depth = name_depth(b);
    for (; a_depth > b_depth; a_depth--)
        a += 1 + *a;
    for (; b_depth > a_depth; b_depth--)
        b += 1 + *b;
    const uint8_t *same_a = a, *same_b = b;
    while (*a) {
        bool same = same_label(a, b);
        a += 1 + *a;
        b += 1 + *b;
        if (!same) {
            same_a = a;
            same_b = b;
        }
    }
    if (!*same_a)
        return (struct owner){name, node->name_len, 0};
    return (struct owner){name, (unsigned)(same_a - name), (uint16_t)(0xc000 | (same_b - q->out.begin))};
}

/* One record; its owner may be shorter from the next on: that points to this one's. */
static bool put_record(struct query *q, const uint8_t *rr, struct owner *owner, uint32_t ttl)
{
    unsigned behind_owner = image_rr_len(rr) - 2;
    size_t at = writer_len(&q->out);
    uint8_t *out = writer_room(&q->out, owner->len + (owner->pointer ? 2 : 0) + behind_owner);
    if (!out)
        return false;
    memcpy(out, owner->labels, owner->len);
    out += owner->len;
    if (owner->pointer) {
        be16_put(out, owner->pointer);
        out += 2;
    }
    memcpy(out, rr + 2, behind_owner);
    be32_put(out + 4, ttl);
    if (owner->len > 1 && at <= 0x3fff)
        *owner = (struct owner){owner->labels, 0, (uint16_t)(0xc000 | at)};
    return true;
}

static bool put_records(struct query *q, const struct run *run, struct owner *owner, uint32_t ttl)
{
    uint8_t *begin = q->out.at;
    const uint8_t *rr = run->records;
    for (unsigned i = 0; i < run->cnt; i++, rr += image_rr_len(rr))
        if (!put_record(q, rr, owner, ttl)) {
            q->out.at = begin; /* whole or not at all */
            return false;
        }
    q->counts[QUERY_AUTHORITY] = (uint16_t)(q->counts[QUERY_AUTHORITY] + run->cnt);
    return true;
}

void signed_put_proof(struct query *q, const struct zone_node *node, uint16_t type, uint16_t name_at)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, type);
    if (!rrset)
        return;
    struct run proof = {zone_node_image(node, rrset), rrset->image_len, rrset->rr_cnt},
               signatures = signatures_of(node, type);
    struct owner owner = owner_over(q, node, name_at);
    uint32_t ttl = ttl_of(node, rrset);
    if (put_records(q, &proof, &owner, ttl))
        put_records(q, &signatures, &owner, ttl);
}
