#include "store/history.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/name.h"
#include "store/history_database.h"
#include "store/snapshot.h"

const char history_changes_database[] = "changes", history_zones_database[] = "zones";

/* ---- filling */

void history_put(struct journal_batch *batch, const uint8_t *apex, const struct history_zone *zone)
{
    uint8_t key[HISTORY_ZONE_KEY_MAX], value[HISTORY_ZONE_VALUE_LEN];
    size_t key_len = history_zone_key(key, apex);
    history_zone_value(value, key, key_len, zone);
    journal_batch_put(batch, history_zones_database, key, key_len, value, sizeof value);
}

void history_append(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone,
                    const struct changeset *changes, uint64_t now_wall_ms)
{
    uint8_t key[HISTORY_KEY_MAX];
    assert(changes->serial_from == zone->serial);
    zone->serial = changes->serial_to;
    zone->seq++;
    zone->changed_wall_ms = now_wall_ms;
    size_t key_len = history_key(key, apex, zone->seq), len = history_changes_len(changes);
    uint8_t *value = journal_batch_room(batch, history_changes_database, key, key_len, len);
    history_changes_put(value, len, changes, key, key_len);
    history_put(batch, apex, zone);
}

void history_checkpoint(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint32_t serial,
                        uint64_t seq)
{
    assert(seq >= zone->checkpoint_seq && seq <= zone->seq);
    zone->checkpoint_serial = serial;
    zone->checkpoint_seq = seq;
    history_put(batch, apex, zone);
}

static void delete_changes(struct journal_batch *batch, const uint8_t *apex, uint64_t from, uint64_t to)
{
    uint8_t first[HISTORY_KEY_MAX], last[HISTORY_KEY_MAX];
    size_t len = history_key(first, apex, from);
    history_key(last, apex, to);
    journal_batch_delete_range(batch, history_changes_database, first, last, len);
}

void history_replace(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint32_t serial,
                     uint64_t now_wall_ms)
{
    zone->seq++;
    zone->serial = serial;
    zone->changed_wall_ms = now_wall_ms;
    zone->dropped_seq = zone->seq;
    delete_changes(batch, apex, 0, UINT64_MAX); /* also what a lost entry left behind */
    history_checkpoint(batch, apex, zone, serial, zone->seq);
}

void history_drop(struct journal_batch *batch, const uint8_t *apex, struct history_zone *zone, uint64_t seq)
{
    uint64_t up_to = seq < zone->checkpoint_seq ? seq : zone->checkpoint_seq;
    if (up_to <= zone->dropped_seq)
        return;
    zone->dropped_seq = up_to;
    delete_changes(batch, apex, 0, up_to);
    history_put(batch, apex, zone);
}

void history_forget(struct journal_batch *batch, const uint8_t *apex)
{
    uint8_t key[HISTORY_ZONE_KEY_MAX];
    delete_changes(batch, apex, 0, UINT64_MAX);
    journal_batch_delete(batch, history_zones_database, key, history_zone_key(key, apex));
}

enum err history_set_aside(struct journal_batch *batch, char **name, const char *dir, const uint8_t *apex,
                           char why[HISTORY_WHY_MAX])
{
    char reason[SNAPSHOT_WHY_MAX];
    enum err err = snapshot_set_aside(name, dir, apex, reason);
    if (err && err != ERR_NOT_FOUND) {
        snprintf(why, HISTORY_WHY_MAX, "%s", reason);
        return ERR_IO;
    }
    history_forget(batch, apex);
    return ERR_OK;
}

/* ---- entries */

struct each {
    history_each_fn *fn;
    void *arg;
    size_t bad_cnt;
};

static void tell_entry(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct each *each = arg;
    struct history_zone zone;
    if (name_check(key, key_len) != key_len) {
        each->bad_cnt++;
        return;
    }
    enum err err = history_zone_read(&zone, key, key_len, value, value_len);
    each->fn(each->arg, key, err ? NULL : &zone);
}

enum err history_each(struct lmdb *lmdb, history_each_fn *fn, void *arg, size_t *bad_cnt, char why[LMDB_WHY_MAX])
{
    struct each each = {fn, arg, 0};
    enum err err = lmdb_each(lmdb, history_zones_database, tell_entry, &each, why);
    *bad_cnt = each.bad_cnt;
    return err;
}
