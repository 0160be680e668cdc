#include "answer/refusals.h"

#include <string.h>

#include "answer/answer.h"
#include "answer/query.h"

/* Each side writes its own count, behind what it says: an entry is the worker's until `put` is above it, and again once
 * `taken` is. */
void refusals_put(struct refusals *r, const struct refusal *refusal)
{
    uint32_t taken = __atomic_load_n(&r->taken, __ATOMIC_ACQUIRE);
    if (r->put - taken == REFUSALS_KEPT)
        return;
    r->kept[r->put % REFUSALS_KEPT] = *refusal;
    __atomic_store_n(&r->put, r->put + 1, __ATOMIC_RELEASE);
}

static const char *what_of(const struct query *q, const struct answer_packet *packet)
{
    switch (msg_opcode(packet->in)) {
    case OPCODE_NOTIFY:
        return "NOTIFY";
    case OPCODE_UPDATE:
        return "UPDATE";
    default:
        return q->qtype == RR_AXFR ? "AXFR" : q->qtype == RR_IXFR ? "IXFR" : "query";
    }
}

void refusals_note(const struct query *q, const struct answer_packet *packet, enum refusal_why why)
{
    struct refusal refusal = {.client = packet->client,
                              .what = what_of(q, packet),
                              .why = why,
                              .is_signed = q->tsig_len > 0,
                              .tsig_error = q->tsig_error};
    if (!q->context->refusals)
        return;
    if (refusal.is_signed) {
        refusal.fudge_sec = q->tsig.fudge_sec;
        memcpy(refusal.key, q->tsig.name, q->tsig.name_len);
    }
    if (q->qdcount)
        memcpy(refusal.zone, q->name.lower, q->name.len);
    refusals_put(q->context->refusals, &refusal);
}

bool refusals_take(struct refusals *r, struct refusal *refusal)
{
    uint32_t put = __atomic_load_n(&r->put, __ATOMIC_ACQUIRE);
    if (put == r->taken)
        return false;
    *refusal = r->kept[r->taken % REFUSALS_KEPT];
    __atomic_store_n(&r->taken, r->taken + 1, __ATOMIC_RELEASE);
    return true;
}
