#include "answer/resolve.h"

#include "answer/balanced.h"
#include "answer/chain.h"
#include "answer/denial.h"
#include "answer/frame.h"
#include "answer/lookup.h"
#include "answer/section.h"
#include "answer/signed.h"

/* RFC 2308 2: the SOA of the zone that denies, with TTL min(its TTL, MINIMUM), as the apex keeps it ready. */
static bool put_negative(struct query *q, enum rcode rcode)
{
    const struct zone_node *apex = q->version->apex;
    const struct zone_rrset *soa = zone_node_extra(apex);
    q->rcode = (uint16_t)rcode;
    q->limit_what += QUERY_LIMIT_NODATA;
    q->flags |= MSG_AA;
    if (unlikely(q->is_signed))
        return signed_put(q, QUERY_AUTHORITY, apex, soa);
    return section_put(q, QUERY_AUTHORITY, apex, soa);
}

/* No member of a pool may be told: it is as if the name had no addresses, for a shorter time. */
static void put_pool_negative(struct query *q, uint32_t ttl_most_sec)
{
    uint8_t *ttl = q->out.at + 6; /* of the SOA: behind its owner (a pointer), type and class */
    if (put_negative(q, RCODE_NOERROR) && be32_get(ttl) > ttl_most_sec)
        be32_put(ttl, ttl_most_sec);
}

/* SERVFAIL, without the aliases that may have led here: a client that believed them would learn nothing. */
static void fail(struct query *q)
{
    q->rcode = RCODE_SERVFAIL;
    q->limit_what = 0;
    q->flags &= (uint16_t)~MSG_AA;
    frame_cut(q);
    q->out.failed = false;
    q->proof_cnt = 0;
}

/* A or AAAA of a name that is a pool, of which the zone itself has `rrset` (NULL: nothing); false: no name follows.
 * Inlined it would cost every other answer registers. */
static ATTR_NOINLINE bool answer_pool(struct query *q, const struct zone_node *node, const struct zone_rrset *rrset,
                                      bool wildcard)
{
    uint32_t negative_ttl_sec;
    switch (balanced_put(q, node->pool, rrset ? rrset->type : q->qtype, &negative_ttl_sec)) {
    case BALANCED_DONE:
        break;
    case BALANCED_WHOLE:
        if (!rrset)
            put_negative(q, RCODE_NOERROR);
        else if (wildcard)
            section_put_wildcard(q, node, rrset);
        else
            section_put(q, QUERY_ANSWER, node, rrset);
        break;
    case BALANCED_NODATA:
        put_pool_negative(q, negative_ttl_sec);
        break;
    case BALANCED_FAIL:
        fail(q);
        break;
    }
    return false;
}

static bool is_address(const struct zone_rrset *rrset) { return rrset->type == RR_A || rrset->type == RR_AAAA; }

/* What signing alone has put there, at every name. */
static bool is_of_signing(const struct zone_rrset *rrset)
{
    return rrset->type == RR_RRSIG || rrset->type == RR_NSEC || rrset->type == RR_NSEC3;
}

/* ANY gets one rrset, that of the lowest type (RFC 8482 4.1). A pool's
 * addresses come last: they may not be there now; signatures and proofs are not what is meant. */
static const struct zone_rrset *choose_any(const struct zone_node *node)
{
    for (unsigned i = 0; i < node->rrset_cnt; i++)
        if (!is_of_signing(&node->rrsets[i]) && !(node->pool && is_address(&node->rrsets[i])))
            return &node->rrsets[i];
    return node->rrset_cnt ? node->rrsets : NULL;
}

/* What the node has for QTYPE; NULL: nothing. */
static const struct zone_rrset *choose_rrset(const struct query *q, const struct zone_node *node)
{
    if (unlikely(q->qtype == RR_ANY))
        return choose_any(node);
    return zone_node_rrset(node, q->qtype);
}

/* RFC 2181 10.1, 4035 3.2: a CNAME stands for all but what may stand beside it. */
static bool may_follow(const struct query *q, const struct zone_node *node)
{
    return node->flags & NODE_CNAME && q->qtype != RR_NSEC && q->qtype != RR_RRSIG;
}

/* The node is the name's own, or the wildcard's that it is expanded from. True: there is a next name. */
static bool answer_node(struct query *q, const struct zone_node *node, bool wildcard)
{
    const struct zone_rrset *rrset = choose_rrset(q, node);
    if (likely(rrset != NULL)) {
        q->flags |= MSG_AA;
        if (unlikely(node->pool) && is_address(rrset))
            return answer_pool(q, node, rrset, wildcard);
        if (unlikely(q->is_signed))
            signed_put_answer(q, node, rrset, wildcard);
        else if (unlikely(wildcard))
            section_put_wildcard(q, node, rrset);
        else
            section_put(q, QUERY_ANSWER, node, rrset);
        return false;
    }
    if (unlikely(node->pool) && (q->qtype == RR_A || q->qtype == RR_AAAA)) {
        q->flags |= MSG_AA;
        return answer_pool(q, node, NULL, wildcard);
    }
    if (may_follow(q, node)) {
        q->flags |= MSG_AA;
        return chain_cname(q, node, zone_node_rrset(node, RR_CNAME), wildcard);
    }
    (void)put_negative(q, RCODE_NOERROR);
    if (unlikely(q->is_signed))
        denial_nodata(q, node, wildcard);
    return false;
}

/* What the rate limit counts the answer by: the name's suffix of `depth`, and how that makes the answer. Before the
 * link is answered, for that may overwrite the name. */
static void count_by(struct query *q, unsigned depth, enum lookup_kind kind)
{
    q->limit_what = q->name.suffix_hash[depth] + kind;
}

static bool answer_link(struct query *q, const struct lookup *found)
{
    switch (found->kind) {
    case LOOKUP_EXACT:
        count_by(q, q->name.depth, LOOKUP_EXACT);
        return answer_node(q, found->node, false);
    case LOOKUP_WILDCARD:
        count_by(q, q->encloser_depth, LOOKUP_WILDCARD);
        return answer_node(q, found->node, true);
    case LOOKUP_REFERRAL:
        /* AA speaks of the first owner in the answer (RFC 1034 6.2.7, 2181 5.4.1): behind an alias it stays. */
        q->referral = true;
        count_by(q, found->node->depth, LOOKUP_REFERRAL);
        section_put_referral(q, found->node);
        return false;
    case LOOKUP_DNAME:
        count_by(q, found->node->depth, LOOKUP_DNAME);
        q->flags |= MSG_AA;
        return chain_dname(q, found->node);
    case LOOKUP_NONE:
        break;
    }
    count_by(q, q->encloser_depth, LOOKUP_NONE);
    (void)put_negative(q, RCODE_NXDOMAIN); /* of the last name in a chain (RFC 6604 3) */
    if (unlikely(q->is_signed))
        denial_name_error(q);
    return false;
}

void resolve_query(struct query *q)
{
    q->proof_cnt = 0;
    struct lookup found = lookup_end(q);
    while (answer_link(q, &found))
        found = lookup_now(q);
    if (unlikely(q->proof_cnt))
        denial_put(q);
    if (unlikely(q->class_any))
        q->flags &= (uint16_t)~MSG_AA; /* RFC 1035 6.2: no server knows all classes */
}
