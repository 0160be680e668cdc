#include "store/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/change.h"
#include "store/private.h"
#include "store/snapshot.h"

/* Its age is looked at so many times an age, but not more than once a minute. */
enum { LOOKS_AN_AGE = 8, LOOK_LEAST_MS = 60 * 1000 };

struct attempt {
    struct store_change change;
    struct store *store;
    uint8_t apex[NAME_MAX_LEN];
    size_t bytes; /* that are left */
    uint32_t oldest_serial;
};

void checkpoint_note(struct store_zone *zone, const struct keeping *keeping)
{
    if (keeping->is_replaced) {
        zone->checkpoint.bytes = 0;
        zone->checkpoint.oldest_serial = keeping->entry.checkpoint_serial;
        zone->checkpoint.is_measured = true;
    }
    zone->checkpoint.bytes += keeping->bytes;
}

/* ---- the change [job] */

/* When the snapshot was written; 0: that can't be seen. */
static uint64_t snapshot_wall_ms(const struct keeping *k, const uint8_t *apex)
{
    char *path = snapshot_path(k->place->dir, apex);
    struct stat st;
    uint64_t wall_ms = stat(path, &st) ? 0 : (uint64_t)st.st_mtim.tv_sec * 1000;
    free(path);
    return wall_ms;
}

static bool is_old(const struct store_making *making, const uint8_t *apex)
{
    uint64_t written_ms = snapshot_wall_ms(&making->keeping, apex), now_ms = clock_wall_ms();
    return written_ms && now_ms > written_ms && now_ms - written_ms > making->journal_most_ms;
}

/* Changes up to this one are dropped. */
static enum err choose_drop(uint64_t *seq, const struct store_making *making, bool by_age, bool by_size,
                            char why[HISTORY_WHY_MAX])
{
    const struct keeping *k = &making->keeping;
    uint64_t first = 0;
    *seq = by_age ? k->entry.checkpoint_seq : 0;
    enum err err = by_size ? history_first_within(&first, k->place->lmdb, making->zone->name, k->entry.seq,
                                                  k->most_bytes / 2, why) : ERR_OK;
    if (!err && first && first - 1 > *seq)
        *seq = first - 1;
    return err;
}

static enum err write_all(struct store_making *making, bool by_age, bool by_size)
{
    struct keeping *k = &making->keeping;
    const uint8_t *apex = making->zone->name;
    char reason[SNAPSHOT_WHY_MAX];
    uint64_t drop_seq;
    enum err err = choose_drop(&drop_seq, making, by_age, by_size, making->why);
    if (!err && snapshot_write(k->place->dir, making->base, k->entry.seq, reason)) {
        snprintf(making->why, sizeof making->why, "%s", reason);
        err = ERR_IO;
    }
    if (err)
        return err;
    k->batch = journal_batch_new();
    history_checkpoint(k->batch, apex, &k->entry, making->base->serial, k->entry.seq);
    history_drop(k->batch, apex, &k->entry, drop_seq);
    return ERR_OK;
}

static enum err find_oldest(struct attempt *attempt, struct store_making *making)
{
    const struct history_zone *entry = &making->keeping.entry;
    attempt->oldest_serial = entry->serial;
    if (entry->dropped_seq == entry->seq)
        return ERR_OK;
    return history_serial_before(&attempt->oldest_serial, making->keeping.place->lmdb, making->zone->name,
                                 entry->dropped_seq + 1, making->why);
}

static enum err make(struct store_change *change, struct store_making *making)
{
    struct attempt *attempt = container_of(change, struct attempt, change);
    struct keeping *k = &making->keeping;
    size_t cnt;
    if (!making->base || making->base->serial != k->entry.serial || k->needs_snapshot)
        return ERR_OK;
    enum err err = history_measure(&cnt, &attempt->bytes, k->place->lmdb, making->zone->name, k->entry.dropped_seq + 1,
                                   making->why);
    if (err)
        return err;
    bool by_size = attempt->bytes > k->most_bytes, by_age = is_old(making, making->zone->name);
    if (by_size || by_age)
        err = write_all(making, by_age, by_size);
    if (!err && by_size)
        attempt->bytes = k->most_bytes / 2;
    return err ? err : find_oldest(attempt, making);
}

/* ---- [control] */

static void done(struct store_change *change, enum err err, const char *why)
{
    struct attempt *attempt = container_of(change, struct attempt, change);
    struct store_zone *zone = store_find(attempt->store, attempt->apex);
    char name[NAME_TEXT_MAX];
    if (zone) {
        zone->checkpoint.is_running = false;
        zone->checkpoint.is_measured = !err;
        zone->checkpoint.bytes = attempt->bytes;
        zone->checkpoint.oldest_serial = attempt->oldest_serial;
        zone->checkpoint.look_wall_ms = clock_wall_ms() + (zone->journal_most_ms / LOOKS_AN_AGE > LOOK_LEAST_MS
                                                               ? zone->journal_most_ms / LOOKS_AN_AGE
                                                               : LOOK_LEAST_MS);
    }
    if (err && err != ERR_NOT_FOUND)
        log_warning("zone \"%s\": its history could not be shortened: %s", name_to_text_bare(name, attempt->apex), why);
    free(attempt);
}

static bool is_due(const struct store_zone *zone)
{
    const struct checkpoint *checkpoint = &zone->checkpoint;
    if (checkpoint->is_running || zone->is_leaving || !zone->history.seq ||
        zone->history.seq == zone->history.dropped_seq)
        return false;
    uint64_t now_ms = clock_wall_ms();
    bool may_look = now_ms >= checkpoint->look_wall_ms;
    return checkpoint->is_measured ? checkpoint->bytes > zone->journal_most_bytes || may_look : may_look;
}

void checkpoint_try(struct store *store, struct store_zone *zone)
{
    if (!store->journal || !is_due(zone))
        return;
    struct attempt *attempt = mem_zalloc(1, sizeof *attempt);
    attempt->change.make = make;
    attempt->change.done = done;
    attempt->store = store;
    name_to_lower(attempt->apex, zone->zone->name);
    zone->checkpoint.is_running = true;
    store_change(store, attempt->apex, &attempt->change);
}
