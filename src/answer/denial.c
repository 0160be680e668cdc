#include "answer/denial.h"

#include <assert.h>
#include <string.h>

#include "answer/signed.h"
#include "dns/nsec3.h"
#include "zone/order.h"

static void add(struct query *q, const struct zone_node *node, uint16_t type)
{
    for (unsigned i = 0; i < q->proof_cnt; i++)
        if (q->proofs[i].node == node && q->proofs[i].type == type)
            return;
    assert(q->proof_cnt < QUERY_PROOFS_MAX);
    q->proofs[q->proof_cnt++] = (struct query_proof){node, type, q->name_at};
}

/* The name "*" below the closest encloser, or the ancestor of depth `d` that stands for it: no longer than the name
 * itself, which has a label of its own there. */
static void wildcard_name(uint8_t out[NAME_MAX_LEN], const struct query *q, unsigned d)
{
    const uint8_t *suffix = name_split_suffix(&q->name, d);
    memcpy(out, "\1*", 2);
    memcpy(out + 2, suffix, (size_t)(q->name.lower + q->name.len - suffix));
}

/* ---- NSEC: the record at or before a name */

static void add_nsec(struct query *q, const uint8_t *lower)
{
    bool exact;
    add(q, zone_order_find(q->version->nsec, lower, &exact), RR_NSEC);
}

/* An empty non-terminal has none: the one before it says that names below come next (RFC 4035 3.1.3.1). */
static void add_nsec_of(struct query *q, const struct zone_node *node)
{
    if (zone_node_rrset(node, RR_NSEC))
        add(q, node, RR_NSEC);
    else
        add_nsec(q, zone_node_name(node));
}

/* ---- NSEC3: the record that matches the hash of a name, or the one that covers it */

static const struct zone_node *find_name(const struct query *q, const uint8_t *lower, bool *exact)
{
    uint8_t hash[NSEC3_HASH_LEN], owner[NAME_MAX_LEN];
    nsec3_hash(hash, q->context->hasher, lower, name_len(lower), q->version->nsec3_params);
    unsigned len = nsec3_owner(owner, hash, q->zone->name, q->zone->name_len);
    assert(len); /* or the zone could have no NSEC3 */
    (void)len;
    return zone_order_find(q->version->nsec3, owner, exact);
}

static const struct zone_node *find_depth(const struct query *q, unsigned d, bool *exact)
{
    return find_name(q, name_split_suffix(&q->name, d), exact);
}

static void add_nsec3(struct query *q, const uint8_t *lower)
{
    bool exact;
    add(q, find_name(q, lower, &exact), RR_NSEC3);
}

/* RFC 5155 7.2.1: the closest encloser that has an NSEC3 and, one label longer, what covers the next closer name.
 * `missing` is a depth of which there is no NSEC3, `cover` what covers that name, NULL where it has not been looked
 * for. Names of the chain have all their ancestors in it, so what lies above `missing` and has none (an opt-out span's)
 * is passed over by halves. Returns the encloser's depth. */
static unsigned add_encloser(struct query *q, unsigned missing, const struct zone_node *cover)
{
    unsigned found = q->zone->depth;
    const struct zone_node *match = NULL;
    bool exact;
    for (unsigned d = missing - 1;; d = (found + missing) / 2) {
        const struct zone_node *node = find_depth(q, d, &exact);
        if (exact) {
            match = node;
            found = d;
        } else {
            cover = node;
            missing = d;
        }
        if (missing <= found + 1)
            break;
    }
    add(q, match ? match : find_depth(q, found, &exact), RR_NSEC3);
    add(q, cover ? cover : find_depth(q, missing, &exact), RR_NSEC3);
    return found;
}

/* RFC 5155 7.2.3, 7.2.4, 7.2.7: the one that matches; a name without was opted out, be it a cut or an empty
 * non-terminal above cuts. */
static void add_nsec3_of_depth(struct query *q, unsigned d)
{
    bool exact;
    const struct zone_node *node = find_depth(q, d, &exact);
    if (exact || d == q->zone->depth)
        add(q, node, RR_NSEC3);
    else
        add_encloser(q, d, node);
}

/* ---- what each kind of answer needs */

/* No proofs, rather than no service, where the zone's NSEC3 chain is not used because it asks for too many iterations
 * (zone/signed.h), or a libcrypto without SHA-1 leaves a worker without a hasher. */
static bool can_prove(const struct query *q)
{
    return q->version->nsec || (q->version->nsec3 && q->context->hasher);
}

void denial_name_error(struct query *q)
{
    uint8_t wildcard[NAME_MAX_LEN];
    if (!can_prove(q))
        return;
    if (q->version->nsec) {
        add_nsec(q, q->name.lower);
        wildcard_name(wildcard, q, q->encloser_depth);
        add_nsec(q, wildcard);
    } else {
        unsigned depth = add_encloser(q, q->encloser_depth + 1u, NULL);
        wildcard_name(wildcard, q, depth);
        add_nsec3(q, wildcard);
    }
}

void denial_nodata(struct query *q, const struct zone_node *node, bool wildcard)
{
    if (!can_prove(q))
        return;
    if (q->version->nsec) {
        add_nsec_of(q, node);
        if (wildcard)
            add_nsec(q, q->name.lower);
    } else if (wildcard) {
        add_encloser(q, q->encloser_depth + 1u, NULL);
        add_nsec3(q, zone_node_name(node));
    } else {
        add_nsec3_of_depth(q, q->name.depth);
    }
}

void denial_wildcard(struct query *q)
{
    bool exact;
    if (!can_prove(q))
        return;
    if (q->version->nsec)
        add_nsec(q, q->name.lower);
    else
        add(q, find_depth(q, q->encloser_depth + 1u, &exact), RR_NSEC3);
}

void denial_delegation(struct query *q, const struct zone_node *cut)
{
    if (!can_prove(q))
        return;
    if (q->version->nsec)
        add_nsec_of(q, cut);
    else
        add_nsec3_of_depth(q, cut->depth);
}

void denial_put(struct query *q)
{
    for (unsigned i = 0; i < q->proof_cnt; i++)
        signed_put_proof(q, q->proofs[i].node, q->proofs[i].type, q->proofs[i].name_at);
    q->proof_cnt = 0;
}
