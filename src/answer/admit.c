#include "answer/admit.h"

#include <string.h>

#include "answer/handoff.h"
#include "answer/lookup.h"
#include "answer/refusals.h"
#include "base/acl.h"
#include "zone/access.h"

static enum frame_verdict say(struct query *q, enum rcode rcode, unsigned ede)
{
    q->rcode = (uint16_t)rcode;
    q->opt.ede = (uint16_t)ede;
    return FRAME_DONE;
}

/* ---- the SOA that the request may have */

enum { TYPE_AND_CLASS_LEN = 4, SOA_NUMBERS_LEN = 20 };

static bool read_soa(uint32_t *serial, struct reader *rdata)
{
    uint8_t name[NAME_MAX_LEN];
    if (!msg_read_name(name, rdata) || !msg_read_name(name, rdata))
        return false;
    *serial = reader_u32(rdata);
    return reader_take(rdata, SOA_NUMBERS_LEN - sizeof *serial) && !reader_left(rdata);
}

/* Passes over a record; true when it is the zone's SOA. */
static bool take_soa(uint32_t *serial, struct reader *r, const struct query *q)
{
    uint8_t owner[NAME_MAX_LEN];
    if (!msg_read_name(owner, r))
        return false;
    uint16_t type = reader_u16(r), class = reader_u16(r);
    reader_u32(r); /* TTL */
    uint16_t len = reader_u16(r);
    struct reader rdata = *r; /* names in it point into all of the message */
    if (!reader_take(r, len) || type != RR_SOA || class != RR_CLASS_IN || !name_equal(owner, q->name.lower))
        return false;
    rdata.end = r->at;
    return read_soa(serial, &rdata);
}

/* In the section of `cnt` records that has `before` of them before it. The message has few records, and they are
 * well-formed (msg_read_edns). */
static bool find_soa(uint32_t *serial, const struct query *q, const struct answer_packet *packet, unsigned before,
                     unsigned cnt)
{
    struct reader r = reader_over(packet->in, packet->in_len);
    uint32_t passed;
    reader_take(&r, q->begun_len);
    while (before--)
        (void)take_soa(&passed, &r, q);
    while (cnt-- && !r.failed)
        if (take_soa(serial, &r, q))
            return true;
    return false;
}

/* ---- who may */

/* The class ends the question. */
static const struct zone *find_zone(const struct query *q, const struct answer_packet *packet)
{
    if (be16_get(packet->in + q->begun_len - 2) != RR_CLASS_IN)
        return NULL;
    const struct zone *zone = catalogue_find(q->context->catalogue, &q->name, q->name.depth);
    return zone && zone->depth == q->name.depth ? zone : NULL;
}

static struct acl_match match(const struct query *q, const struct answer_packet *packet, const struct acl *list)
{
    bool is_signed = q->tsig_len > 0; /* and good: frame_read's judge has seen to it */
    return acl_find(list, &packet->client, is_signed ? q->tsig.name : NULL, is_signed ? q->tsig.name_len : 0);
}

/* RFC 5936 2.2.1, RFC 2136 3.1.2. */
static enum frame_verdict say_no_zone(struct query *q, const struct answer_packet *packet)
{
    refusals_note(q, packet, REFUSAL_NO_ZONE);
    return say(q, RCODE_NOTAUTH, EDNS_EDE_NOT_AUTHORITATIVE);
}

static enum frame_verdict say_denied(struct query *q, const struct answer_packet *packet)
{
    refusals_note(q, packet, REFUSAL_DENIED);
    return say(q, RCODE_REFUSED, EDNS_EDE_PROHIBITED);
}

static enum frame_verdict hand_off(struct query *q, const struct answer_packet *packet, enum answer_hand_off_kind kind,
                                   unsigned view, const uint32_t *serial)
{
    answer_hand_off_free(q->hand_off); /* one that nobody took */
    q->hand_off = answer_hand_off_new(q, packet, kind, view, serial);
    answer_count(q->context->counters, handed_off);
    return FRAME_HAND_OFF;
}

enum frame_verdict admit_transfer(struct query *q, const struct answer_packet *packet)
{
    bool is_axfr = q->qtype == RR_AXFR;
    uint32_t serial = 0;
    if (is_axfr ? packet->proto == ANSWER_UDP
                : !find_soa(&serial, q, packet, msg_ancount(packet->in), msg_nscount(packet->in)))
        return say(q, RCODE_FORMERR, QUERY_NO_EDE);
    const struct zone *zone = find_zone(q, packet);
    if (!zone)
        return say_no_zone(q, packet);
    const struct zone_access *access = rcu_read(zone->access);
    struct acl_match found = match(q, packet, access ? access->transfer : NULL);
    if (!found.is_allowed) {
        answer_count(q->context->counters, transfer_refused);
        return say_denied(q, packet);
    }
    if (!rcu_read(zone->current))
        return say(q, RCODE_SERVFAIL, lookup_unserved_ede(zone));
    return hand_off(q, packet, is_axfr ? ANSWER_AXFR : ANSWER_IXFR, found.view, is_axfr ? NULL : &serial);
}

/* A secondary that has nothing yet is glad of a NOTIFY: no version is needed. */
enum frame_verdict admit_notify(struct query *q, const struct answer_packet *packet)
{
    uint32_t serial;
    if (q->qdcount != 1 || q->qtype != RR_SOA)
        return say(q, RCODE_FORMERR, QUERY_NO_EDE);
    const struct zone *zone = find_zone(q, packet);
    if (!zone)
        return say_no_zone(q, packet);
    const struct zone_access *access = rcu_read(zone->access);
    struct acl_match found = match(q, packet, access ? access->notify : NULL);
    if (!found.is_allowed) {
        answer_count(q->context->counters, notify_refused);
        return say_denied(q, packet);
    }
    bool has_serial = find_soa(&serial, q, packet, 0, msg_ancount(packet->in));
    return hand_off(q, packet, ANSWER_NOTIFY, found.view, has_serial ? &serial : NULL);
}

enum frame_verdict admit_update(struct query *q, const struct answer_packet *packet)
{
    if (q->qdcount != 1 || q->qtype != RR_SOA)
        return say(q, RCODE_FORMERR, QUERY_NO_EDE); /* RFC 2136 3.1.1 */
    const struct zone *zone = find_zone(q, packet);
    if (!zone)
        return say_no_zone(q, packet);
    const struct zone_access *access = rcu_read(zone->access);
    struct acl_match found = match(q, packet, access ? access->update : NULL);
    if (!found.is_allowed) {
        answer_count(q->context->counters, update_refused);
        return say_denied(q, packet);
    }
    if (!rcu_read(zone->current))
        return say(q, RCODE_SERVFAIL, lookup_unserved_ede(zone));
    return hand_off(q, packet, ANSWER_UPDATE, found.view, NULL);
}
