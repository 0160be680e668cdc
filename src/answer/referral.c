/* Referrals: section_put_referral and what it needs to know of glue (RFC 9471). */
#include "answer/section.h"

#include <string.h>

#include "answer/denial.h"
#include "answer/lookup.h"
#include "answer/signed.h"

/* Targets that are looked up for sibling glue; who has more name servers than this does without the rest. */
enum { SIBLINGS_MAX = 64 };

/* The glue run's owners are names of the NS image, so it moves as that does. */
static bool put_glue(struct query *q, const struct zone_node *cut, size_t ns_at)
{
    const struct zone_rrset *glue = zone_node_extra(cut);
    if (!glue)
        return true;
    uint8_t *at = writer_room(&q->out, glue->image_len);
    if (!at)
        return false;
    memcpy(at, zone_node_image(cut, glue), glue->image_len);
    q->counts[QUERY_ADDITIONAL] = (uint16_t)(q->counts[QUERY_ADDITIONAL] + glue->rr_cnt);
    struct image_move move = section_move(q, cut, ns_at, false);
    image_patch(at, zone_node_image(cut, glue), glue, cut->name_len, &move);
    return true;
}

/* The name at `offset` of our own answer, uncompressed. Every pointer in it leads backwards, so this ends. */
static void read_name(uint8_t out[NAME_MAX_LEN], const uint8_t *message, unsigned offset)
{
    unsigned len = 0;
    for (uint8_t c = message[offset]; c; c = message[offset]) {
        if (c >= 0xc0) {
            offset = be16_get(message + offset) & 0x3fffu;
            continue;
        }
        memcpy(out + len, message + offset, c + 1u);
        len += c + 1u;
        offset += c + 1u;
    }
    out[len] = 0;
}

/* A pointer to the name at `offset`, but none to a pointer: that is legal, yet some parsers refuse it. */
static uint16_t pointer_to(const uint8_t *message, unsigned offset)
{
    return message[offset] >= 0xc0 ? be16_get(message + offset) : (uint16_t)(0xc000 | offset);
}

/* One rrset of another name; an address's image needs no more than that owner. */
static void put_sibling(struct query *q, const struct zone_node *node, uint16_t type, uint16_t owner)
{
    const struct zone_rrset *rrset = zone_node_rrset(node, type);
    if (!rrset || rrset->image_len > writer_left(&q->out))
        return;
    uint8_t *at = writer_room(&q->out, rrset->image_len);
    memcpy(at, zone_node_image(node, rrset), rrset->image_len);
    q->counts[QUERY_ADDITIONAL] = (uint16_t)(q->counts[QUERY_ADDITIONAL] + rrset->rr_cnt);
    for (const uint8_t *end = at + rrset->image_len; at < end; at += image_rr_len(at))
        be16_put(at, owner);
    if (q->is_signed)
        signed_offer_signatures(q, node, rrset, owner);
}

/* The name servers' addresses that this zone has, but not below the cut (those are in the glue). */
static void put_siblings(struct query *q, const struct zone_node *cut, size_t ns_at, unsigned ns_cnt)
{
    const uint8_t *message = q->out.begin;
    for (unsigned i = 0; i < ns_cnt && i < SIBLINGS_MAX && ns_at + IMAGE_RR_FIXED_LEN <= 0x3fff; i++) {
        unsigned target_at = (unsigned)ns_at + IMAGE_RR_FIXED_LEN;
        uint8_t target[NAME_MAX_LEN];
        read_name(target, message, target_at);
        ns_at += image_rr_len(message + ns_at);
        if (!name_within(target, q->zone->name) || name_within(target, zone_node_name(cut)))
            continue;
        /* The current name is done with; its place serves for the target. */
        name_split_valid(&q->name, target, q->context->key);
        const struct zone_node *node = lookup_glue(q, &q->name);
        if (node) {
            put_sibling(q, node, RR_A, pointer_to(message, target_at));
            put_sibling(q, node, RR_AAAA, pointer_to(message, target_at));
        }
    }
}

/* Whether the child is signed: its DS, or the proof that it has none (RFC 4035 3.1.4); and what the aliases before have
 * to prove, since authority ends here. */
static bool put_signed(struct query *q, const struct zone_node *cut)
{
    const struct zone_rrset *ds = zone_node_rrset(cut, RR_DS);
    if (q->is_signed && !ds)
        denial_delegation(q, cut);
    if (q->is_signed && ds)
        signed_put(q, QUERY_AUTHORITY, cut, ds);
    denial_put(q);
    return !q->out.failed;
}

void section_put_referral(struct query *q, const struct zone_node *cut)
{
    const struct zone_rrset *ns = zone_node_rrset(cut, RR_NS);
    size_t ns_at = writer_len(&q->out);
    if (!section_put(q, QUERY_AUTHORITY, cut, ns))
        return;
    if (unlikely(q->is_signed || q->proof_cnt) && !put_signed(q, cut))
        return;
    if (!put_glue(q, cut, ns_at))
        return;
    if (cut->flags & NODE_SIBLING_GLUE)
        put_siblings(q, cut, ns_at, ns->rr_cnt);
}
