#include "sync/soa.h"

#include <assert.h>
#include <string.h>

#include "dns/msg.h"
#include "zone/image.h"

/* The numbers behind the names, up to the end. */
static bool read_numbers(struct soa *soa, struct reader *r)
{
    soa->serial = reader_u32(r);
    soa->refresh_sec = reader_u32(r);
    soa->retry_sec = reader_u32(r);
    soa->expire_sec = reader_u32(r);
    soa->minimum_sec = reader_u32(r);
    return !r->failed && !reader_left(r);
}

enum err soa_read(struct soa *soa, const uint8_t *rdata, unsigned len)
{
    struct reader r = reader_over(rdata, len);
    for (unsigned i = 0; i < 2; i++) {
        unsigned name = name_check(r.at, reader_left(&r));
        if (!name || !reader_take(&r, name))
            return ERR_SYNTAX;
    }
    return read_numbers(soa, &r) ? ERR_OK : ERR_SYNTAX;
}

bool soa_read_msg(struct soa *soa, struct reader *r)
{
    uint8_t name[NAME_MAX_LEN];
    return msg_read_name(name, r) && msg_read_name(name, r) && read_numbers(soa, r);
}

static void take(void *arg, const struct rr *rr)
{
    struct soa_record *record = arg;
    assert(rr->rdata_len <= sizeof record->rdata);
    record->rr = *rr;
    memcpy(record->owner, rr->owner, name_len(rr->owner));
    memcpy(record->rdata, rr->rdata, rr->rdata_len);
    record->rr.owner = record->owner;
    record->rr.rdata = record->rdata;
}

void soa_of_version(struct soa_record *record, const struct zone_version *version)
{
    const struct zone_node *apex = version->apex;
    const struct zone_rrset *rrset = zone_node_rrset(apex, RR_SOA);
    assert(rrset); /* no version is without */
    image_each(zone_node_image(apex, rrset), rrset, zone_node_name(apex), take, record);
}
