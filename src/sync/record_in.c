#include "sync/record_in.h"

#include "dns/msg.h"
#include "ldnsx/rdata.h"

enum { TTL_END = UINT32_C(0x80000000) };

/* Behind the two numbers of a NAPTR come three character strings, then the name (RFC 3403 4.1). */
static unsigned naptr_skip(const uint8_t *rdata, unsigned len)
{
    struct reader r = reader_over(rdata, len);
    reader_take(&r, 4);
    for (unsigned i = 0; i < 3; i++)
        reader_take(&r, reader_u8(&r));
    return r.failed ? len : (unsigned)reader_pos(&r);
}

/* How many names that may be compressed the rdata has, and what stands before them: RFC 1035's types, and those of
 * which RFC 3597 4 says that they have been sent so. */
static unsigned names_of(uint16_t type, const uint8_t *rdata, unsigned len, unsigned *skip)
{
    unsigned names;
    if (rr_type_compressible(type, skip, &names))
        return names;
    switch (type) {
    case RR_RP: return 2;
    case RR_NXT: return 1;
    case RR_AFSDB:
    case RR_RT: *skip = 2; return 1;
    case RR_PX: *skip = 2; return 2;
    case RR_SRV: *skip = 6; return 1;
    case RR_SIG: *skip = 18; return 1;
    case RR_NAPTR: *skip = naptr_skip(rdata, len); return 1;
    default: return 0;
    }
}

/* The rdata with its names whole. False: it has no such form. */
static bool expand(struct record_in *record, const uint8_t *msg, unsigned skip, unsigned names)
{
    const uint8_t *rdata = record->rr.rdata;
    struct reader r = {.begin = msg, .at = rdata, .end = rdata + record->rr.rdata_len};
    struct writer w = writer_over(record->rdata, sizeof record->rdata);
    const uint8_t *head = reader_take(&r, skip);
    if (!head)
        return false;
    writer_put(&w, head, skip);
    for (; names; names--) {
        uint8_t name[NAME_MAX_LEN];
        unsigned len = msg_read_name(name, &r);
        if (!len)
            return false;
        writer_put(&w, name, len);
    }
    writer_put(&w, r.at, reader_left(&r));
    record->rr.rdata = record->rdata;
    record->rr.rdata_len = (uint16_t)writer_len(&w);
    return !w.failed;
}

enum record_in_verdict record_in_read(struct record_in *record, struct reader *r)
{
    struct rr *rr = &record->rr;
    unsigned skip;
    record->owner_len = msg_read_name(record->owner, r);
    rr->owner = record->owner;
    rr->type = reader_u16(r);
    record->class = reader_u16(r);
    rr->ttl = reader_u32(r);
    rr->rdata_len = reader_u16(r);
    rr->rdata = reader_take(r, rr->rdata_len);
    if (r->failed)
        return RECORD_IN_CUT;
    if (rr->ttl >= TTL_END)
        rr->ttl = 0;
    unsigned names = names_of(rr->type, rr->rdata, rr->rdata_len, &skip);
    if (names && !expand(record, r->begin, skip, names))
        return RECORD_IN_MALFORMED;
    return rdata_valid(rr->type, rr->rdata, rr->rdata_len) ? RECORD_IN_OK : RECORD_IN_MALFORMED;
}
