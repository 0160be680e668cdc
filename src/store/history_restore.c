#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/history.h"
#include "store/snapshot.h"
#include "zone/sound.h"

/* Of changesets that are in memory at a time, as they stand in the journal. */
enum { READ_BYTES = 16 * 1024 * 1024 };

struct restoring {
    struct zone *into;
    const struct history_zone *zone;
    struct lmdb *lmdb;
    const char *dir;
    const struct zone_marks *marks;
    struct zone_version *version;
    uint64_t seq; /* of the last changeset that is in it */
};

/* ---- the snapshot */

static enum err blame_snapshot(const struct restoring *r, char why[HISTORY_WHY_MAX], const char *reason)
{
    char *path = snapshot_path(r->dir, r->into->name);
    snprintf(why, HISTORY_WHY_MAX, "its snapshot \"%s\" cannot be used: %s", path, reason);
    free(path);
    return ERR_INVALID;
}

/* Without marks when changes follow: only the last version's nodes that are pools are asked for. */
static enum err build(struct restoring *r, const struct zone_records *records, const struct snapshot_head *head,
                      char why[HISTORY_WHY_MAX])
{
    const char *reason;
    if (zone_records_sound(records, &reason))
        return blame_snapshot(r, why, reason);
    r->version = zone_build(r->into, records, head->seq < r->zone->seq ? NULL : r->marks);
    r->seq = head->seq;
    return r->version->serial == head->serial ? ERR_OK : blame_snapshot(r, why, "its SOA has another serial");
}

static enum err take_snapshot(struct restoring *r, char why[HISTORY_WHY_MAX])
{
    struct zone_records *records;
    struct snapshot_head head;
    char reason[SNAPSHOT_WHY_MAX];
    enum err err = snapshot_read(&records, &head, r->dir, r->into->name, r->into->key, reason);
    if (err) {
        blame_snapshot(r, why, reason);
        return err == ERR_IO ? ERR_IO : ERR_INVALID;
    }
    err = build(r, records, &head, why);
    zone_records_free(records);
    return err;
}

/* ---- the changesets behind it */

/* `next` stands in the version's place. */
static void replace(struct restoring *r, struct zone_version *next)
{
    if (zone_wastes_memory(next))
        zone_pack(next);
    zone_version_put(r->version);
    r->version = next;
}

static enum err apply(struct restoring *r, const struct changeset *changes, char why[HISTORY_WHY_MAX])
{
    struct zone_version *next;
    uint32_t serial = r->version->serial;
    if (changes->serial_from != serial || zone_apply(&next, r->version, changes, NULL)) {
        snprintf(why, HISTORY_WHY_MAX, "changeset %" PRIu64 " does not fit the version with serial %u", r->seq + 1,
                 serial);
        return ERR_INVALID;
    }
    replace(r, next);
    r->seq++;
    if (r->version->serial == changes->serial_to)
        return ERR_OK;
    snprintf(why, HISTORY_WHY_MAX, "changeset %" PRIu64 " leads to serial %u, and not to %u as it says", r->seq,
             r->version->serial, changes->serial_to);
    return ERR_INVALID;
}

static enum err take_changes(struct restoring *r, char why[HISTORY_WHY_MAX])
{
    enum err err = ERR_OK;
    while (!err && r->seq < r->zone->seq) {
        struct history_list list;
        err = history_read(&list, r->lmdb, r->into->name, r->into->key, r->seq + 1, r->zone->seq, READ_BYTES, why);
        for (size_t i = 0; !err && i < list.cnt; i++)
            err = apply(r, list.changes[i], why);
        history_list_fini(&list);
    }
    return err;
}

/* All that the version was made without. */
static void mark(struct restoring *r)
{
    struct zone_version *marked = r->marks ? zone_remark(r->version, r->marks) : NULL;
    if (marked)
        replace(r, marked);
}

static enum err replay(struct restoring *r, char why[HISTORY_WHY_MAX])
{
    enum err err = take_snapshot(r, why);
    if (err || r->seq > r->zone->seq)
        return err;
    bool has_changes = r->seq < r->zone->seq;
    err = take_changes(r, why);
    if (!err && r->version->serial != r->zone->serial) {
        snprintf(why, HISTORY_WHY_MAX, "its last version has serial %u instead of %u", r->version->serial,
                 r->zone->serial);
        err = ERR_INVALID;
    }
    if (!err && has_changes)
        mark(r);
    return err;
}

enum err history_restore(struct zone_version **version, uint64_t *seq, struct zone *into,
                         const struct history_zone *zone, struct lmdb *lmdb, const char *dir,
                         const struct zone_marks *marks, char why[HISTORY_WHY_MAX])
{
    struct restoring r = {.into = into, .zone = zone, .lmdb = lmdb, .dir = dir, .marks = marks};
    enum err err = replay(&r, why);
    if (err && r.version)
        zone_discard(r.version);
    *version = err ? NULL : r.version;
    *seq = r.seq;
    return err;
}
