#include "store/zone_text.h"

#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/room.h"
#include "dns/name.h"
#include "dns/rr.h"

/* Records on their way from the text, and how much memory they took when there was last looked for more. */
struct filling {
    struct zone_records *records;
    struct diag *diag;
    const struct zone *zone;
    size_t looked_bytes;
};

/* To sort the records and to make a version of them takes up to twice what they take themselves. */
enum { LOOK_EVERY = 32 << 20, BUILD_FACTOR = 2 };

/* A zone too large for this machine is refused while there is memory to say so: its neighbours go on. */
static bool has_room(struct filling *f, const char *file, unsigned line)
{
    char name[NAME_TEXT_MAX];
    uint64_t room = room_bytes();
    f->looked_bytes = zone_records_bytes(f->records);
    if (room / BUILD_FACTOR > f->looked_bytes + LOOK_EVERY)
        return true;
    diag_error(f->diag, file, line,
               "zone \"%s\" does not fit in memory: the %zu records so far take %zu MiB, and %llu are left",
               name_to_text_bare(name, f->zone->name), f->records->cnt, f->looked_bytes >> 20,
               (unsigned long long)room >> 20);
    return false;
}

static bool add_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    struct filling *f = arg;
    zone_records_add(f->records, rr, file, line);
    return zone_records_bytes(f->records) < f->looked_bytes + LOOK_EVERY || has_room(f, file, line);
}

enum err zone_text_read(struct zone_records **records, struct zonefile_sources **sources, const struct zone *zone,
                        const char *path, struct diag *diag)
{
    struct filling filling = {.records = zone_records_new(zone->name, zone->key), .diag = diag, .zone = zone};
    enum err e = zonefile_read(path, zone->name, add_record, &filling, diag, sources);
    if (!e)
        e = zone_records_check(filling.records, diag);
    *records = filling.records;
    if (!e)
        return ERR_OK;
    zone_records_free(filling.records);
    zonefile_sources_free(*sources);
    *records = NULL;
    *sources = NULL;
    return ERR_INVALID;
}

struct zone_record *zone_text_soa(const struct zone_records *records)
{
    size_t cnt;
    const struct zone_record *rec = zone_records_find(records, records->apex, &cnt);
    while (rec->rr.type != RR_SOA)
        rec++;
    return &records->recs[rec - records->recs];
}

/* It stands behind two names (RFC 1035 3.3.13). */
static size_t serial_at(const struct zone_record *soa)
{
    size_t first = name_len(soa->rr.rdata);
    return first + name_len(soa->rr.rdata + first);
}

uint32_t zone_text_serial(const struct zone_records *records)
{
    const struct zone_record *soa = zone_text_soa(records);
    return be32_get(soa->rr.rdata + serial_at(soa));
}

void zone_text_set_serial(struct zone_records *records, uint32_t serial)
{
    struct zone_record *soa = zone_text_soa(records);
    uint8_t *rdata = arena_dup(&records->arena, soa->rr.rdata, soa->rr.rdata_len, 1);
    be32_put(rdata + serial_at(soa), serial);
    soa->rr.rdata = rdata;
}

bool zone_text_changes_serial_alone(const struct changeset *changes)
{
    const struct zone_records *removed = changes->removed, *added = changes->added;
    if (removed->cnt != 1 || added->cnt != 1)
        return false;
    const struct rr *a = &removed->recs[0].rr, *b = &added->recs[0].rr;
    if (a->type != RR_SOA || b->type != RR_SOA || a->ttl != b->ttl || a->rdata_len != b->rdata_len)
        return false;
    size_t at = serial_at(&removed->recs[0]), behind = at + sizeof(uint32_t);
    return !memcmp(a->rdata, b->rdata, at) && !memcmp(a->rdata + behind, b->rdata + behind, a->rdata_len - behind);
}
