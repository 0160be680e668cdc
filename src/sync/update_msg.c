#include "sync/update_msg.h"

#include <stdbool.h>

#include "dns/msg.h"
#include "dns/name.h"
#include "ldnsx/rdata.h"
#include "sync/record_in.h"

enum { RECORD_LEAST = 11 }; /* bytes: an owner that is the root, and no rdata */

/* RFC 2136 3.2.5, as far as it does not ask the zone. */
static enum rcode judge_prerequisite(const struct update_record *record, const uint8_t *zone)
{
    bool by_value = record->class == RR_CLASS_IN;
    if (record->rr.ttl)
        return RCODE_FORMERR;
    if (!name_within(record->rr.owner, zone))
        return RCODE_NOTZONE;
    if (!by_value && record->class != RR_CLASS_ANY && record->class != RR_CLASS_NONE)
        return RCODE_FORMERR;
    return !by_value && record->rr.rdata_len ? RCODE_FORMERR : RCODE_NOERROR;
}

/* RFC 2136 3.4.1.3. Names below a cut are in the zone, or no glue could be changed. Types that nobody knows are data
 * (RFC 3597), unlike what 3.4.1.2 says. */
static enum rcode judge_update(const struct update_record *record, const uint8_t *zone)
{
    const struct rr *rr = &record->rr;
    bool meta = rdata_type_meta(rr->type), good = false;
    if (!name_within(rr->owner, zone))
        return RCODE_NOTZONE;
    if (record->class == RR_CLASS_IN)
        good = !meta;
    else if (record->class == RR_CLASS_ANY)
        good = !rr->ttl && !rr->rdata_len && (!meta || rr->type == RR_ANY);
    else if (record->class == RR_CLASS_NONE)
        good = !rr->ttl && !meta;
    return good ? RCODE_NOERROR : RCODE_FORMERR;
}

static const uint8_t *keep_owner(struct update_msg *msg, const uint8_t *last, const uint8_t *owner)
{
    uint8_t lower[NAME_MAX_LEN];
    unsigned len = name_to_lower(lower, owner);
    if (last && name_equal(last, lower))
        return last;
    return arena_dup(&msg->arena, lower, len, 1);
}

typedef enum rcode judge_fn(const struct update_record *record, const uint8_t *zone);

/* A section of `cnt` records. Rdata counts where the class says that it has a meaning. */
static bool read_section(struct update_record **records, struct update_msg *msg, struct reader *r, unsigned cnt,
                         judge_fn *judge)
{
    struct record_in in;
    const uint8_t *owner = NULL;
    struct update_record *out = arena_alloc(&msg->arena, cnt * sizeof(*out), _Alignof(struct update_record));
    *records = out;
    for (unsigned i = 0; i < cnt; i++, out++) {
        enum record_in_verdict verdict = record_in_read(&in, r);
        bool has_rdata = in.class == RR_CLASS_IN || (in.class == RR_CLASS_NONE && judge == judge_update);
        if (verdict == RECORD_IN_CUT || (verdict == RECORD_IN_MALFORMED && has_rdata && !rdata_type_meta(in.rr.type)))
            return false;
        owner = keep_owner(msg, owner, in.owner);
        *out = (struct update_record){.rr = in.rr, .class = in.class};
        out->rr.owner = owner;
        out->rr.rdata = arena_dup(&msg->arena, in.rr.rdata, in.rr.rdata_len, 1);
        out->rcode = (uint8_t)judge(out, msg->zone);
    }
    return true;
}

/* RFC 2136 3.1.1 */
static enum rcode read_zone(struct update_msg *msg, struct reader *r)
{
    uint8_t name[NAME_MAX_LEN], lower[NAME_MAX_LEN];
    unsigned len = msg_read_name(name, r);
    uint16_t type = reader_u16(r), class = reader_u16(r);
    if (r->failed || type != RR_SOA)
        return RCODE_FORMERR;
    name_to_lower(lower, name);
    msg->zone = arena_dup(&msg->arena, lower, len, 1);
    return class == RR_CLASS_IN ? RCODE_NOERROR : RCODE_NOTAUTH;
}

enum rcode update_msg_read(struct update_msg *msg, const uint8_t *bytes, size_t len)
{
    struct reader r = reader_over(bytes, len);
    *msg = (struct update_msg){0};
    arena_init(&msg->arena);
    if (!reader_take(&r, MSG_HEADER_LEN) || msg_opcode(bytes) != OPCODE_UPDATE || msg_qdcount(bytes) != 1)
        return RCODE_FORMERR;
    unsigned prerequisite_cnt = msg_ancount(bytes), update_cnt = msg_nscount(bytes);
    if (prerequisite_cnt + update_cnt > len / RECORD_LEAST)
        return RCODE_FORMERR;
    enum rcode rcode = read_zone(msg, &r);
    if (rcode)
        return rcode;
    if (!read_section(&msg->prerequisites, msg, &r, prerequisite_cnt, judge_prerequisite) ||
        !read_section(&msg->updates, msg, &r, update_cnt, judge_update))
        return RCODE_FORMERR;
    msg->prerequisite_cnt = prerequisite_cnt;
    msg->update_cnt = update_cnt;
    return RCODE_NOERROR;
}

void update_msg_fini(struct update_msg *msg) { arena_fini(&msg->arena); }
