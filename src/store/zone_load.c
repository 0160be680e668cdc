#include "store/zone_load.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "dns/name.h"
#include "dns/serial.h"
#include "store/zone_merge.h"
#include "store/zone_text.h"
#include "zone/changeset.h"
#include "zone/check_chain.h"
#include "zone/records.h"

const struct zone_marks *zone_load_marks(struct zone_marks *room, const struct zone_marks *marks, struct diag *diag)
{
    if (!marks)
        return NULL;
    *room = *marks;
    room->diag = diag;
    return room;
}

static const struct zone_marks *fill_marks(struct zone_marks *room, const struct zone_load *load)
{
    return zone_load_marks(room, load->marks, load->diag);
}

/* ---- what was kept */

/* Nothing of it may be trusted: it goes out of the way, where people can look at it. */
static void set_aside(struct zone_load *load, const char *damage)
{
    char name[NAME_TEXT_MAX], why[HISTORY_WHY_MAX] = "";
    char *file = NULL;
    struct keeping *k = &load->keeping;
    load->is_damaged = true;
    load->lost_serial = k->entry.serial;
    k->is_replaced = true;
    struct journal_batch *batch = journal_batch_new();
    enum err err = history_set_aside(batch, &file, k->place->dir, load->zone->name, why);
    diag_warning(load->diag, NULL, 0, "zone \"%s\": what state_dir has of it cannot be used%s%s%s%s%s: %s",
                 name_to_text_bare(name, load->zone->name), file ? ", its snapshot is now \"" : "", file ? file : "",
                 file ? "\"" : "", err ? ", and could not be set aside: " : "", why, damage);
    if (k->entry.flags & HISTORY_HAS_UPDATES)
        diag_warning(load->diag, NULL, 0,
                     "zone \"%s\": updates since serial %u, which its file does not have, are lost", name,
                     k->entry.source_serial);
    free(file);
    if (err) {
        journal_batch_free(batch);
        k->needs_snapshot = true;
    } else {
        k->batch = batch;
        k->entry = (struct history_zone){0};
    }
}

/* It may be there, whole, for the next process or the next load: nothing of it is touched. */
static void leave_alone(struct zone_load *load, const char *why)
{
    char name[NAME_TEXT_MAX];
    struct keeping *k = &load->keeping;
    bool has_updates = k->entry.flags & HISTORY_HAS_UPDATES;
    load->is_damaged = load->is_unread = true;
    load->lost_serial = k->entry.serial;
    k->needs_snapshot = true;
    name_to_text_bare(name, load->zone->name);
    if (has_updates && !load->is_secondary)
        diag_error(load->diag, NULL, 0,
                   "zone \"%s\": it has updates that its file lacks, and what state_dir has of it cannot be read: %s",
                   name, why);
    else
        diag_warning(load->diag, NULL, 0, "zone \"%s\": what state_dir has of it cannot be read: %s", name, why);
}

/* The version of the last process, which is not published; NULL: there is none that could be used. */
static struct zone_version *restore(struct zone_load *load)
{
    struct zone_version *version = NULL;
    struct zone_marks marks;
    struct keeping *k = &load->keeping;
    uint64_t seq;
    char why[HISTORY_WHY_MAX];
    if (!k->entry.seq || !keeping_is_possible(k))
        return NULL;
    enum err err = history_restore(&version, &seq, load->zone, &k->entry, k->place->lmdb, k->place->dir,
                                   fill_marks(&marks, load), why);
    if (err == ERR_IO)
        leave_alone(load, why);
    else if (err)
        set_aside(load, why);
    if (err)
        return NULL;
    k->needs_snapshot = false; /* whatever there was before: it fits */
    if (seq == k->entry.seq)
        return version;
    /* A replacement whose entry was not written any more: the snapshot is whole, and newer than the entry. */
    k->entry.seq = seq - 1;
    k->is_replaced = true;
    k->batch = journal_batch_new();
    history_replace(k->batch, load->zone->name, &k->entry, version->serial, clock_wall_ms());
    return version;
}

/* ---- the text against what there was */

static void refuse(struct zone_load *load, const struct zone_records *records, const char *why)
{
    char name[NAME_TEXT_MAX];
    const struct zone_record *soa = zone_text_soa(records);
    diag_error(load->diag, zone_records_file(records, soa), soa->line, "zone \"%s\": refused: %s",
               name_to_text_bare(name, load->zone->name), why);
}

/* The records changed, and secondaries would not hear of it. */
static void refuse_serial(struct zone_load *load, const struct zone_records *records)
{
    char name[NAME_TEXT_MAX], why[NAME_TEXT_MAX + 256];
    snprintf(why, sizeof why,
             "the records changed, but serial %u is not above the last one, %u: raise it, or set serial = "
             "\"increment\" for the zone; \"rondoctl reload %s --force\" takes the file as it is",
             load->serial, load->source_serial, name_to_text_bare(name, load->zone->name));
    refuse(load, records, why);
}

static void refuse_updates(struct zone_load *load, const struct zone_records *records, uint32_t published)
{
    char name[NAME_TEXT_MAX], why[NAME_TEXT_MAX + 256];
    name_to_text_bare(name, load->zone->name);
    snprintf(why, sizeof why,
             "the file, serial %u, has changed, and lacks updates that the zone, serial %u, has got since: \"rondoctl "
             "reload %s --merge\" brings both together, \"--force\" takes the file and drops the updates",
             load->serial, published, name);
    refuse(load, records, why);
}

/* May these records, with that serial in the text, be taken? `serial` is what they get. */
static bool choose_serial(uint32_t *serial, const struct zone_load *load, uint32_t published)
{
    bool is_later = serial_is_later(load->serial, load->source_serial);
    *serial = serial_after(load->serial_mode, published, &load->serial, clock_wall_ms() / 1000);
    if (load->how != STORE_LOAD_CAREFULLY || load->serial_mode != STORE_SERIAL_FILE || is_later)
        return true;
    *serial = published; /* then nothing else may have changed either */
    return load->serial == load->source_serial;
}

/* Under "file" a text that has just what is published may have been written out, or updates been brought into it. */
static bool is_same(const struct zone_load *load, const struct changeset *changes, uint32_t published)
{
    if (!changes->removed->cnt && !changes->added->cnt)
        return true;
    bool is_no_news = load->serial_mode == STORE_SERIAL_FILE ? load->serial == published
                                                             : !serial_is_later(load->serial, published);
    return is_no_news && zone_text_changes_serial_alone(changes);
}

static bool keep(struct zone_load *load, const struct zone_version *base, struct changeset *changes)
{
    struct keeping *k = &load->keeping;
    char why[HISTORY_WHY_MAX];
    if (!load->keeps && !k->entry.seq)
        return true;
    if (!keeping_changes(k, base, load->version, &changes, 1, why))
        return true;
    diag_error(load->diag, load->path, 0, "the change cannot be kept, so it is not made: %s", why);
    zone_discard(load->version);
    load->version = NULL;
    return false;
}

static enum zone_load_outcome apply(struct zone_load *load, struct zone_version *base, struct changeset *changes)
{
    struct zone_marks marks;
    if (zone_apply(&load->version, base, changes, fill_marks(&marks, load))) {
        diag_error(load->diag, NULL, 0, "the changes do not fit the served version");
        return ZONE_LOAD_FAILED;
    }
    return keep(load, base, changes) ? ZONE_LOAD_BUILT : ZONE_LOAD_FAILED;
}

static enum zone_load_outcome change(struct zone_load *load, struct zone_version *base, struct zone_records *records)
{
    uint32_t serial;
    bool is_allowed = choose_serial(&serial, load, base->serial);
    zone_text_set_serial(records, serial);
    struct changeset *changes = changeset_diff(base, records);
    enum zone_load_outcome outcome = ZONE_LOAD_FAILED;
    if (is_allowed && is_same(load, changes, base->serial))
        outcome = ZONE_LOAD_SAME;
    else if (load->keeping.entry.flags & HISTORY_HAS_UPDATES && load->how == STORE_LOAD_CAREFULLY)
        refuse_updates(load, records, base->serial);
    else if (!is_allowed || serial == base->serial)
        refuse_serial(load, records);
    else
        outcome = apply(load, base, changes);
    changeset_free(changes);
    return outcome;
}

/* ---- the text alone */

static uint32_t serial_of_built(const struct zone_load *load)
{
    const struct history_zone *entry = &load->keeping.entry;
    uint64_t now_sec = clock_wall_ms() / 1000;
    if (load->is_damaged && load->serial_mode != STORE_SERIAL_FILE)
        return serial_after(load->serial_mode, load->lost_serial, &load->serial, now_sec);
    return entry->seq && !load->is_damaged ? entry->serial : serial_first(load->serial_mode, load->serial, now_sec);
}

/* A serial that is made here must be known to the next process; the text's own is in the text. */
static enum zone_load_outcome build(struct zone_load *load, struct zone_records *records)
{
    struct zone_marks marks;
    struct keeping *k = &load->keeping;
    char why[HISTORY_WHY_MAX];
    zone_text_set_serial(records, serial_of_built(load));
    load->version = zone_build(load->zone, records, fill_marks(&marks, load));
    bool has_none = !k->entry.seq || load->is_damaged;
    if (has_none && load->keeps && load->serial_mode != STORE_SERIAL_FILE && keeping_whole(k, load->version, why))
        diag_warning(load->diag, load->path, 0, "the zone's serial cannot be kept: %s", why);
    return ZONE_LOAD_BUILT;
}

static void note_source(struct zone_load *load, const struct zone_version *base)
{
    const struct history_zone *entry = &load->keeping.entry;
    if (!load->has_source)
        load->source_serial = entry->flags & HISTORY_HAS_SOURCE ? entry->source_serial : base->serial;
}

static enum zone_load_outcome compare(struct zone_load *load, struct zone_version *base, struct zone_records *records)
{
    struct keeping *k = &load->keeping;
    const uint8_t *apex = load->zone->name;
    if (base && load->how == STORE_LOAD_MERGE && k->entry.flags & HISTORY_HAS_UPDATES)
        return zone_merge(load, base, records);
    enum zone_load_outcome outcome = base ? change(load, base, records) : build(load, records);
    if (outcome != ZONE_LOAD_FAILED) {
        keeping_set_flags(k, apex, k->entry.flags & ~(uint32_t)HISTORY_HAS_UPDATES);
        keeping_source(k, apex, load->sources_new, load->serial, k->entry.seq);
    }
    return outcome;
}

static enum zone_load_outcome take(struct zone_load *load, struct zone_version *base, struct zone_records *records)
{
    struct keeping *k = &load->keeping;
    bool is_known = k->entry.seq && keeping_knows(k, load->sources_new);
    /* A text that is known, with nothing besides, says all; to build from it is quicker than to restore. */
    if (!base && k->entry.seq && (!is_known || k->entry.flags & HISTORY_HAS_UPDATES))
        base = restore(load);
    else if (!base)
        keeping_look_at_snapshot(k, load->zone->name);
    if (base)
        note_source(load, base);
    enum zone_load_outcome outcome = ZONE_LOAD_SAME;
    if (load->is_unread && k->entry.flags & HISTORY_HAS_UPDATES && load->how != STORE_LOAD_FORCE)
        return ZONE_LOAD_FAILED; /* to serve the text would drop them for good */
    if (!base || !is_known || load->how == STORE_LOAD_FORCE)
        outcome = compare(load, base, records);
    if (!base || base == load->zone->latest)
        return outcome;
    /* It was restored, and never published: what follows it is, or itself. */
    if (load->version)
        zone_version_put(base);
    else
        load->version = base;
    load->is_restored = load->version == base;
    return outcome == ZONE_LOAD_SAME ? ZONE_LOAD_BUILT : outcome;
}

/* A text that is refused keeps nobody from what there was. */
static enum zone_load_outcome fail(struct zone_load *load)
{
    if (!load->zone->latest)
        load->version = restore(load);
    return ZONE_LOAD_FAILED;
}

static enum zone_load_outcome read_zone(struct zone_load *load)
{
    struct zone_records *records;
    if (zone_text_read(&records, &load->sources_new, load->zone, load->path, load->diag))
        return fail(load);
    load->serial = zone_text_serial(records);
    enum zone_load_outcome outcome = take(load, load->zone->latest, records);
    if (outcome == ZONE_LOAD_BUILT)
        zone_check_chain(load->version, load->diag);
    zone_records_free(records);
    return outcome;
}

static enum zone_load_outcome take_secondary(struct zone_load *load)
{
    if (load->zone->latest)
        return ZONE_LOAD_UNCHANGED;
    load->version = restore(load);
    load->is_restored = load->version != NULL;
    return load->version ? ZONE_LOAD_BUILT : ZONE_LOAD_EMPTY;
}

/* Whatever became of the text, what is served follows the annotations. */
static void remark(struct zone_load *load)
{
    struct zone_marks marks;
    if (load->remark && !load->version && load->zone->latest)
        load->version = zone_remark(load->zone->latest, fill_marks(&marks, load));
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
    if (load->is_secondary) {
        load->outcome = take_secondary(load);
    } else if (load->sources && load->how == STORE_LOAD_CAREFULLY && zonefile_unchanged(load->sources)) {
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
