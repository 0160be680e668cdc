#include "store/keeping.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/snapshot.h"

_Static_assert((int)HISTORY_DIGEST_LEN == (int)ZONEFILE_DIGEST_LEN, "an entry keeps a text's digest");

/* A value of the journal is written in one piece, and holds up all others: what takes longer than some hundredths of a
 * second is a snapshot. */
enum { CHANGES_MOST = 8 << 20 };

void keeping_init(struct keeping *k, const struct keeping_place *place, const struct history_zone *entry)
{
    *k = (struct keeping){.place = place, .entry = *entry, .most_bytes = SIZE_MAX};
}

void keeping_fini(struct keeping *k)
{
    journal_batch_free(k->batch);
    k->batch = NULL;
}

bool keeping_is_possible(const struct keeping *k) { return k->place->lmdb != NULL; }

static struct journal_batch *batch_of(struct keeping *k)
{
    if (!k->batch)
        k->batch = journal_batch_new();
    return k->batch;
}

void keeping_look_at_snapshot(struct keeping *k, const uint8_t *apex)
{
    if (!k->entry.seq || !keeping_is_possible(k))
        return;
    uint64_t seq = snapshot_seq(k->place->dir, apex);
    k->needs_snapshot |= seq < k->entry.checkpoint_seq || seq > k->entry.seq;
}

static enum err begin_anew(struct keeping *k, const struct zone_version *version, char why[HISTORY_WHY_MAX])
{
    char reason[SNAPSHOT_WHY_MAX];
    if (snapshot_write(k->place->dir, version, k->entry.seq + 1, reason)) {
        snprintf(why, HISTORY_WHY_MAX, "%s", reason);
        keeping_look_at_snapshot(k, version->zone->name); /* it may stand there, though maybe not durable */
        return ERR_IO;
    }
    history_replace(batch_of(k), version->zone->name, &k->entry, version->serial, clock_wall_ms());
    k->is_replaced = true;
    k->needs_snapshot = false;
    return ERR_OK;
}

enum err keeping_whole(struct keeping *k, const struct zone_version *version, char why[HISTORY_WHY_MAX])
{
    return keeping_is_possible(k) ? begin_anew(k, version, why) : ERR_OK;
}

static size_t bytes_of(struct changeset *const *changes, size_t cnt)
{
    size_t bytes = 0;
    for (size_t i = 0; i < cnt; i++)
        bytes += history_changes_len(changes[i]);
    return bytes;
}

static bool is_too_much(const struct keeping *k, size_t bytes)
{
    return bytes > CHANGES_MOST || bytes > k->most_bytes;
}

enum err keeping_changes(struct keeping *k, const struct zone_version *base, const struct zone_version *version,
                         struct changeset *const *changes, size_t cnt, char why[HISTORY_WHY_MAX])
{
    if (!keeping_is_possible(k))
        return ERR_OK;
    size_t bytes = bytes_of(changes, cnt);
    if (is_too_much(k, bytes))
        return begin_anew(k, version, why);
    if (!k->entry.seq || k->needs_snapshot) {
        bool is_first = !k->entry.seq;
        enum err err = begin_anew(k, base, why);
        if (err)
            return err;
        if (is_first && k->sources)
            keeping_source(k, base->zone->name, k->sources, k->source_serial, k->entry.seq);
    }
    for (size_t i = 0; i < cnt; i++)
        history_append(batch_of(k), base->zone->name, &k->entry, changes[i], clock_wall_ms());
    k->bytes += bytes;
    return ERR_OK;
}

/* Otherwise it tells of a version that another one has followed, or the text of that would be taken for its. */
static bool is_entry_served(const struct keeping *k) { return k->entry.seq && !k->needs_snapshot; }

bool keeping_knows(const struct keeping *k, const struct zonefile_sources *sources)
{
    uint8_t digest[HISTORY_DIGEST_LEN];
    uint64_t len;
    return k->entry.flags & HISTORY_HAS_SOURCE && zonefile_digest(sources, digest, &len) &&
           len == k->entry.source_len && !memcmp(digest, k->entry.source_digest, sizeof digest);
}

void keeping_source(struct keeping *k, const uint8_t *apex, const struct zonefile_sources *sources, uint32_t serial,
                    uint64_t seq)
{
    if (!is_entry_served(k) ||
        (keeping_knows(k, sources) && serial == k->entry.source_serial && seq == k->entry.source_seq))
        return;
    if (!zonefile_digest(sources, k->entry.source_digest, &k->entry.source_len))
        return;
    k->entry.source_serial = serial;
    k->entry.source_seq = seq;
    k->entry.flags |= HISTORY_HAS_SOURCE;
    history_put(batch_of(k), apex, &k->entry);
}

void keeping_set_flags(struct keeping *k, const uint8_t *apex, uint32_t flags)
{
    if (k->entry.flags == flags || !is_entry_served(k))
        return;
    k->entry.flags = flags;
    history_put(batch_of(k), apex, &k->entry);
}
