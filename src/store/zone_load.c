#include "store/zone_load.h"

#include "base/clock.h"
#include "base/room.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "dns/serial.h"
#include "zone/changeset.h"
#include "zone/check_chain.h"
#include "zone/records.h"

/* Records on their way from the text, and how much memory they took when there was last looked for more. */
struct filling {
    struct zone_records *records;
    struct zone_load *load;
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
    diag_error(f->load->diag, file, line,
               "zone \"%s\" does not fit in memory: the %zu records so far take %zu MiB, and %llu are left",
               name_to_text_bare(name, f->load->zone->name), f->records->cnt, f->looked_bytes >> 20,
               (unsigned long long)room >> 20);
    return false;
}

static bool add_record(void *arg, const struct rr *rr, const char *file, unsigned line)
{
    struct filling *f = arg;
    zone_records_add(f->records, rr, file, line);
    return zone_records_bytes(f->records) < f->looked_bytes + LOOK_EVERY || has_room(f, file, line);
}

/* zone_records_check has seen that there is one. */
static const struct zone_record *find_soa(const struct zone_records *records)
{
    size_t cnt;
    const struct zone_record *rec = zone_records_find(records, records->apex, &cnt);
    while (rec->rr.type != RR_SOA)
        rec++;
    return rec;
}

/* It stands behind two names (RFC 1035 3.3.13). */
static uint32_t soa_serial(const struct zone_record *soa)
{
    struct reader r = reader_over(soa->rr.rdata, soa->rr.rdata_len);
    reader_take(&r, name_len(r.at));
    reader_take(&r, r.failed ? 0 : name_len(r.at));
    return reader_u32(&r);
}

/* The records changed, and secondaries would not hear of it. */
static void refuse_serial(struct zone_load *load, const struct zone_records *records)
{
    char name[NAME_TEXT_MAX];
    const struct zone_record *soa = find_soa(records);
    diag_error(load->diag, zone_records_file(records, soa), soa->line,
               "zone \"%s\": refused: the records changed, but serial %u is not above the last one, %u",
               name_to_text_bare(name, load->zone->name), load->serial, load->source_serial);
}

static const struct zone_marks *fill_marks(struct zone_marks *marks, const struct zone_load *load)
{
    if (!load->marks)
        return NULL;
    *marks = *load->marks;
    marks->diag = load->diag;
    return marks;
}

static enum zone_load_outcome change(struct zone_load *load, const struct zone_records *records,
                                     const struct changeset *changes)
{
    struct zone_marks marks;
    struct zone_version *current = load->zone->current;
    if (!changes->removed->cnt && !changes->added->cnt)
        return ZONE_LOAD_SAME;
    if (!serial_is_later(load->serial, load->source_serial)) {
        refuse_serial(load, records);
        return ZONE_LOAD_FAILED;
    }
    enum err e = zone_apply(&load->version, current, changes, fill_marks(&marks, load));
    if (e) {
        diag_error(load->diag, NULL, 0, "the changes do not fit the served version");
        return ZONE_LOAD_FAILED;
    }
    return ZONE_LOAD_BUILT;
}

static enum zone_load_outcome take(struct zone_load *load, const struct zone_records *records)
{
    struct zone_marks marks;
    load->serial = soa_serial(find_soa(records));
    if (!load->zone->current) {
        load->version = zone_build(load->zone, records, fill_marks(&marks, load));
        return ZONE_LOAD_BUILT;
    }
    struct changeset *changes = changeset_diff(load->zone->current, records);
    enum zone_load_outcome outcome = change(load, records, changes);
    changeset_free(changes);
    return outcome;
}

static enum zone_load_outcome read_zone(struct zone_load *load)
{
    enum zone_load_outcome outcome = ZONE_LOAD_FAILED;
    struct zone_records *records = zone_records_new(load->zone->name, load->zone->key);
    struct filling filling = {.records = records, .load = load};
    enum err e = zonefile_read(load->path, load->zone->name, add_record, &filling, load->diag, &load->sources_new);
    if (!e)
        e = zone_records_check(records, load->diag);
    if (!e)
        outcome = take(load, records);
    if (outcome == ZONE_LOAD_BUILT)
        zone_check_chain(load->version, load->diag);
    zone_records_free(records);
    return outcome;
}

/* Whatever became of the text, what is served follows the annotations. */
static void remark(struct zone_load *load)
{
    struct zone_marks marks;
    if (load->remark && !load->version && load->zone->current)
        load->version = zone_remark(load->zone->current, fill_marks(&marks, load));
}

static void drop_empty_diag(struct zone_load *load)
{
    if (diag_cnt(load->diag, DIAG_ERROR) || diag_cnt(load->diag, DIAG_WARNING))
        return;
    diag_free(load->diag);
    load->diag = NULL;
}

void zone_load_run(struct zone_load *load)
{
    uint64_t start_us = clock_mono_us();
    load->version = NULL;
    load->sources_new = NULL;
    load->diag = diag_new(ZONE_LOAD_DIAG_MOST);
    diag_set_file(load->diag, load->path); /* of what a zone lacks, and in no line */
    if (load->sources && zonefile_unchanged(load->sources)) {
        load->outcome = ZONE_LOAD_UNCHANGED;
    } else {
        load->outcome = read_zone(load);
        if (load->outcome == ZONE_LOAD_FAILED) {
            zonefile_sources_free(load->sources_new);
            load->sources_new = NULL;
        }
    }
    remark(load);
    if (load->version && zone_wastes_memory(load->version))
        zone_pack(load->version);
    drop_empty_diag(load);
    load->took_us = clock_mono_us() - start_us;
}
