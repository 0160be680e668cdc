#include "store/zone_merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/history.h"
#include "store/zone_text.h"
#include "zone/changeset_join.h"

/* Updates that are brought together with a text. More would be a zone of their own. */
enum { UPDATES_MOST_BYTES = 64 << 20 };

struct merge {
    struct zone_load *load;
    struct zone_version *base;
    struct zone_records *records; /* the text's; then the result */
    struct changeset *updates;    /* from the text as it was to the base */
    struct changeset *to_text;    /* from the base to the text */
    struct changeset *text;       /* from the text as it was to what it is */
    struct changeset *again;      /* the updates that are still to be done when one begins with the text */
    struct changeset *to_result;  /* from the text to the result; NULL: the text is the result */
};

static bool fail(const struct merge *m, const char *why)
{
    char name[NAME_TEXT_MAX];
    diag_error(m->load->diag, m->load->path, 0, "zone \"%s\": not merged: %s",
               name_to_text_bare(name, m->load->zone->name), why);
    return false;
}

/* ---- what the updates were */

static bool read_updates(struct merge *m)
{
    const struct keeping *k = &m->load->keeping;
    const struct history_zone *entry = &k->entry;
    struct history_list list;
    char why[HISTORY_WHY_MAX];
    if (!(entry->flags & HISTORY_HAS_SOURCE) || entry->source_seq < entry->dropped_seq ||
        entry->source_seq == entry->seq)
        return fail(m, "the journal no longer has all updates since the file was taken; where that is moved away, "
                       "\"rondoctl sync\" writes another one with all of them");
    if (history_read(&list, k->place->lmdb, m->load->zone->name, m->load->zone->key, entry->source_seq + 1, entry->seq,
                     UPDATES_MOST_BYTES, why))
        return fail(m, why);
    bool is_all = list.cnt == entry->seq - entry->source_seq;
    if (is_all)
        m->updates = changeset_join((const struct changeset *const *)list.changes, list.cnt);
    history_list_fini(&list);
    return is_all || fail(m, "there are too many updates");
}

/* ---- the result */

static const struct zone_record *find_record(const struct zone_records *in, const struct zone_record *rec)
{
    size_t cnt;
    const struct zone_record *at = zone_records_find(in, rec->rr.owner, &cnt);
    for (size_t i = 0; at && i < cnt; i++)
        if (!zone_record_cmp(&at[i], rec))
            return &at[i];
    return NULL;
}

static bool is_soa(const struct zone_record *rec) { return rec->rr.type == RR_SOA; }

/* A record that goes and comes has got another TTL, or other case: nothing to do where the text no longer has it. */
static void choose(struct merge *m)
{
    m->again = mem_zalloc(1, sizeof *m->again);
    m->again->removed = zone_records_new(m->load->zone->name, m->load->zone->key);
    m->again->added = zone_records_new(m->load->zone->name, m->load->zone->key);
    for (size_t i = 0; i < m->updates->removed->cnt; i++) {
        const struct zone_record *rec = &m->updates->removed->recs[i];
        const struct zone_record *here = is_soa(rec) ? NULL : find_record(m->records, rec);
        if (here)
            zone_records_add(m->again->removed, &here->rr, NULL, 0);
    }
    zone_records_sort(m->again->removed);
    for (size_t i = 0; i < m->updates->added->cnt; i++) {
        const struct zone_record *rec = &m->updates->added->recs[i];
        bool is_in_text = find_record(m->records, rec), is_again = find_record(m->updates->removed, rec);
        if (!is_soa(rec) && is_in_text == is_again)
            zone_records_add(m->again->added, &rec->rr, NULL, 0);
    }
    zone_records_sort(m->again->added);
}

static void remove_from(struct zone_records *records, const struct zone_records *removed)
{
    size_t kept = 0;
    for (size_t i = 0; i < records->cnt; i++)
        if (!find_record(removed, &records->recs[i]))
            records->recs[kept++] = records->recs[i];
    records->cnt = kept;
}

static bool has_rrset(const struct zone_records *records, const struct rr *rr)
{
    size_t cnt;
    const struct zone_record *at = zone_records_find(records, rr->owner, &cnt);
    for (size_t i = 0; at && i < cnt; i++)
        if (at[i].rr.type == rr->type)
            return true;
    return false;
}

static void set_ttl(struct zone_records *records, const struct rr *rr)
{
    size_t cnt;
    const struct zone_record *at = zone_records_find(records, rr->owner, &cnt);
    for (size_t first = at ? (size_t)(at - records->recs) : 0, i = first; at && i < first + cnt; i++)
        if (records->recs[i].rr.type == rr->type)
            records->recs[i].rr.ttl = rr->ttl;
}

/* An rrset has one TTL (RFC 2181 5.2): the updates' where they made the rrset another one, else, as they only added to
 * it, the text's. */
static void settle_ttl(struct merge *m, struct zone_record *added)
{
    size_t cnt;
    const struct zone_record *at = zone_records_find(m->records, added->rr.owner, &cnt);
    if (has_rrset(m->updates->removed, &added->rr)) {
        set_ttl(m->records, &added->rr);
        return;
    }
    for (size_t i = 0; at && i < cnt; i++)
        if (at[i].rr.type == added->rr.type)
            added->rr.ttl = at[i].rr.ttl;
}

static void make_result(struct merge *m)
{
    remove_from(m->records, m->again->removed);
    for (size_t i = 0; i < m->again->added->cnt; i++)
        settle_ttl(m, &m->again->added->recs[i]);
    for (size_t i = 0; i < m->again->added->cnt; i++)
        zone_records_add(m->records, &m->again->added->recs[i].rr, NULL, 0);
    zone_records_sort(m->records);
}

/* ---- what both have touched */

/* What `told` has has been told of already. */
static void warn_side(const struct merge *m, const struct zone_records *side, const struct zone_records *told)
{
    char name[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
    const struct rr *last = NULL;
    for (size_t i = 0; i < side->cnt; i++) {
        const struct rr *rr = &side->recs[i].rr;
        bool is_again = last && last->type == rr->type && name_equal(last->owner, rr->owner);
        last = rr;
        if (is_again || rr->type == RR_SOA || (told && has_rrset(told, rr)) ||
            (!has_rrset(m->updates->removed, rr) && !has_rrset(m->updates->added, rr)))
            continue;
        diag_warning(m->load->diag, m->load->path, 0,
                     "conflict: \"%s\" %s was changed in the file and by updates; a merge has both changes",
                     name_to_text_bare(name, rr->owner), rr_type_to_text(type, rr->type));
    }
}

static void warn_conflicts(struct merge *m)
{
    const struct changeset *const both[] = {m->updates, m->to_text};
    m->text = changeset_join(both, 2);
    warn_side(m, m->text->removed, NULL);
    warn_side(m, m->text->added, m->text->removed);
}

/* ---- the way there */

static bool keep(struct merge *m)
{
    struct zone_load *load = m->load;
    struct keeping *k = &load->keeping;
    const uint8_t *apex = load->zone->name;
    char why[HISTORY_WHY_MAX];
    struct changeset *steps[] = {m->to_text, m->to_result};
    if (keeping_changes(k, m->base, load->version, steps, m->to_result ? 2 : 1, why))
        return fail(m, why);
    if (!m->to_result)
        keeping_set_flags(k, apex, k->entry.flags & ~(uint32_t)HISTORY_HAS_UPDATES);
    keeping_source(k, apex, load->sources_new, load->serial, k->entry.seq - (m->to_result ? 1 : 0));
    return true;
}

static bool build(struct merge *m)
{
    struct zone_load *load = m->load;
    struct zone_marks marks;
    struct changeset *changes = changeset_diff(m->base, m->records);
    bool is_made = !zone_apply(&load->version, m->base, changes, zone_load_marks(&marks, load->marks, load->diag));
    changeset_free(changes);
    return is_made || fail(m, "the result does not fit the served version");
}

/* What the history gets as the second step is taken from the result itself, which the check may have settled. */
static bool find_second_step(struct merge *m, uint32_t text_serial, uint32_t serial)
{
    struct zone_version *text;
    if (zone_apply(&text, m->base, m->to_text, NULL))
        return fail(m, "the text does not fit the served version");
    zone_text_set_serial(m->records, serial);
    m->to_result = changeset_diff(text, m->records);
    zone_discard(text);
    if (zone_text_changes_serial_alone(m->to_result)) {
        changeset_free(m->to_result);
        m->to_result = NULL;
        zone_text_set_serial(m->records, text_serial);
    }
    return true;
}

static bool run(struct merge *m)
{
    struct zone_load *load = m->load;
    uint64_t now_sec = clock_wall_ms() / 1000;
    if (!read_updates(m))
        return false;
    uint32_t text_serial = serial_after(load->serial_mode, m->base->serial, &load->serial, now_sec);
    zone_text_set_serial(m->records, text_serial);
    m->to_text = changeset_diff(m->base, m->records);
    choose(m);
    warn_conflicts(m);
    make_result(m);
    if (zone_records_check(m->records, load->diag))
        return fail(m, "the result is no valid zone");
    uint32_t serial = serial_after(load->serial_mode, text_serial, NULL, now_sec);
    if (!find_second_step(m, text_serial, serial) || !build(m))
        return false;
    if (keep(m))
        return true;
    zone_discard(load->version);
    load->version = NULL;
    return false;
}

enum zone_load_outcome zone_merge(struct zone_load *load, struct zone_version *base, struct zone_records *records)
{
    struct merge m = {.load = load, .base = base, .records = records};
    bool is_good = run(&m);
    changeset_free(m.updates);
    changeset_free(m.to_text);
    changeset_free(m.text);
    changeset_free(m.again);
    changeset_free(m.to_result);
    return is_good ? ZONE_LOAD_BUILT : ZONE_LOAD_FAILED;
}
