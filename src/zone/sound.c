#include "zone/sound.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dns/msg.h"
#include "dns/name.h"
#include "zone/image.h"

/* Only the image itself tells how far names compress. */
bool zone_rrset_fits(const struct zone_record *recs, size_t cnt)
{
    size_t len = 0;
    unsigned skip, names;
    for (size_t i = 0; i < cnt; i++)
        len += IMAGE_RR_FIXED_LEN + (size_t)recs[i].rr.rdata_len;
    /* Without a look at the name, most of which lie cold in memory. */
    if (len <= IMAGE_SURE_TO_FIT || len <= image_most(recs->rr.owner, recs->rr.type))
        return true;
    /* Even all names as pointers leave 12 bytes of each record. */
    if (!rr_type_compressible(recs->rr.type, &skip, &names) || cnt > MSG_MAX_LEN / IMAGE_RR_FIXED_LEN)
        return false;
    struct image_rdata *rdata = mem_zalloc(cnt, sizeof(*rdata));
    for (size_t i = 0; i < cnt; i++)
        rdata[i] = (struct image_rdata){recs[i].rr.rdata, recs[i].rr.ttl, recs[i].rr.rdata_len};
    uint8_t *image = mem_zalloc(image_room(recs->rr.type, rdata, (unsigned)cnt), 1);
    struct zone_rrset rrset;
    size_t used = image_build(image, &rrset, recs->rr.owner, recs->rr.type, rdata, (unsigned)cnt);
    free(image);
    free(rdata);
    return used;
}

static size_t rrset_end(const struct zone_records *r, size_t from)
{
    size_t end = from + 1;
    while (end < r->cnt && r->recs[end].rr.owner == r->recs[from].rr.owner &&
           r->recs[end].rr.type == r->recs[from].rr.type)
        end++;
    return end;
}

static bool has_soa(const struct zone_records *r)
{
    size_t cnt, soa_cnt = 0;
    const struct zone_record *recs = zone_records_find(r, r->apex, &cnt);
    for (size_t i = 0; i < cnt; i++)
        soa_cnt += recs[i].rr.type == RR_SOA;
    return soa_cnt == 1;
}

enum err zone_records_sound(const struct zone_records *records, const char **why)
{
    assert(records->sorted);
    *why = "the apex does not have exactly one SOA record";
    if (!records->cnt || !has_soa(records))
        return ERR_INVALID;
    for (size_t i = 0, end; i < records->cnt; i = end) {
        const struct zone_record *recs = &records->recs[i];
        end = rrset_end(records, i);
        *why = "a record is of a name outside the zone";
        if (!name_within(recs->rr.owner, records->apex))
            return ERR_INVALID;
        *why = "an rrset does not fit in a message";
        if (!zone_rrset_fits(recs, end - i))
            return ERR_INVALID;
    }
    return ERR_OK;
}
