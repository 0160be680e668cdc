#include "answer/chain.h"

#include <assert.h>
#include <string.h>

#include "answer/lookup.h"
#include "answer/section.h"
#include "answer/signed.h"

/* A pointer reaches 16,383; an image put below this can have all its names moved (zone/image.h). Only many links of
 * long names with large signatures get here, nothing that anybody means does. */
enum { CHAIN_END_MAX = 0x4000 - IMAGE_TARGET_MAX };

/* Whether the current name may have another link; notes it then. Equal hashes are taken for equal names: they are
 * keyed, 64 bits, and the worst is a chain that ends early. */
static bool add_link(struct query *q)
{
    uint64_t hash = q->name.suffix_hash[q->name.depth];
    if (q->link_cnt == QUERY_LINKS_MAX)
        return false;
    for (unsigned i = 0; i < q->link_cnt; i++)
        if (q->link_hashes[i] == hash)
            return false;
    q->link_hashes[q->link_cnt++] = hash;
    return true;
}

static bool put_cname(struct query *q, const struct zone_node *node, const struct zone_rrset *cname, bool wildcard)
{
    if (unlikely(q->is_signed))
        return signed_put_answer(q, node, cname, wildcard);
    if (wildcard)
        return section_put_wildcard(q, node, cname);
    return section_put(q, QUERY_ANSWER, node, cname);
}

/* The name at `offset` of the answer becomes the current one. */
static bool follow(struct query *q, size_t offset)
{
    if (unlikely(writer_len(&q->out) > CHAIN_END_MAX))
        return false;
    q->name_at = (uint16_t)offset;
    name_split_valid(&q->name, q->out.begin + offset, q->context->key);
    lookup_zone(q);
    /* A zone that is not loaded ends the chain like one that is not ours: others may serve it. */
    return q->version != NULL;
}

bool chain_cname(struct query *q, const struct zone_node *node, const struct zone_rrset *cname, bool wildcard)
{
    size_t at = writer_len(&q->out);
    return add_link(q) && put_cname(q, node, cname, wildcard) && follow(q, at + IMAGE_RR_FIXED_LEN);
}

/* The DNAME itself, once an answer: a DNAME to below itself would come again with every link. */
static bool put_dname(struct query *q, const struct zone_node *node, const struct zone_rrset *dname)
{
    for (unsigned i = 0; i < q->dname_cnt; i++)
        if (q->dnames[i] == node)
            return true;
    q->dnames[q->dname_cnt++] = node;
    return q->is_signed ? signed_put_answer(q, node, dname, false) : section_put(q, QUERY_ANSWER, node, dname);
}

/* RFC 6672 3.1: the name's labels above the DNAME's owner, then its target; the DNAME's class and TTL. */
static bool put_synthesised(struct query *q, const uint8_t *dname_rr, unsigned prefix_len)
{
    const uint8_t *target = dname_rr + IMAGE_RR_FIXED_LEN;
    unsigned target_len = be16_get(dname_rr + 10);
    uint8_t *rr = writer_room(&q->out, IMAGE_RR_FIXED_LEN + prefix_len + target_len);
    if (!rr)
        return false;
    be16_put(rr, (uint16_t)(0xc000 | q->name_at));
    be16_put(rr + 2, RR_CNAME);
    memcpy(rr + 4, dname_rr + 4, 6);
    be16_put(rr + 10, (uint16_t)(prefix_len + target_len));
    memcpy(rr + IMAGE_RR_FIXED_LEN, q->out.begin + q->name_at, prefix_len);
    memcpy(rr + IMAGE_RR_FIXED_LEN + prefix_len, target, target_len);
    q->counts[QUERY_ANSWER]++;
    return true;
}

bool chain_dname(struct query *q, const struct zone_node *node)
{
    const struct zone_rrset *dname = zone_node_rrset(node, RR_DNAME);
    assert(dname); /* NODE_DNAME says so */
    const uint8_t *dname_rr = zone_node_image(node, dname);
    unsigned prefix_len = (unsigned)q->name.len - node->name_len;
    bool too_long = prefix_len + be16_get(dname_rr + 10) > NAME_MAX_LEN;
    if (!add_link(q))
        return false;
    if (too_long) {
        q->rcode = RCODE_YXDOMAIN; /* RFC 6672 2.2 */
        q->limit_what = 0;
    }
    if (!put_dname(q, node, dname) || too_long)
        return false;
    size_t at = writer_len(&q->out);
    if (!put_synthesised(q, dname_rr, prefix_len))
        return false;
    /* The CNAME is what was asked for, or enough of it (RFC 8482). */
    if (q->qtype == RR_CNAME || q->qtype == RR_ANY)
        return false;
    return follow(q, at + IMAGE_RR_FIXED_LEN);
}
