#include "store/histories.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "dns/name.h"
#include "store/history.h"
#include "store/lmdb.h"
#include "store/state_record.h"

/* Before a zone's name in the database of times. */
static const char *const time_prefixes[HISTORIES_TIMES] = {"good:", "expired:"};
enum { TIME_KEY_MAX = sizeof "expired:" + NAME_MAX_LEN };

struct known {
    struct map_link link;
    struct history_zone entry; /* seq 0: there is none */
    uint64_t wall_ms[HISTORIES_TIMES];
    uint8_t apex[];
};

struct histories {
    struct map map;
    const struct hash_key *key;
    size_t cnt; /* with an entry */
};

static struct known *find(const struct histories *histories, const uint8_t *apex)
{
    struct map_link *link = map_first(&histories->map, name_hash(apex, histories->key));
    for (; link; link = map_next(link)) {
        struct known *known = container_of(link, struct known, link);
        if (name_equal(known->apex, apex))
            return known;
    }
    return NULL;
}

static struct known *find_or_add(struct histories *histories, const uint8_t *apex)
{
    struct known *known = find(histories, apex);
    if (known)
        return known;
    size_t len = name_len(apex);
    known = mem_zalloc(1, sizeof *known + len);
    name_to_lower(known->apex, apex);
    map_add(&histories->map, &known->link, name_hash(known->apex, histories->key));
    return known;
}

bool histories_get(const struct histories *histories, const uint8_t *apex, struct history_zone *entry)
{
    const struct known *known = find(histories, apex);
    if (known)
        *entry = known->entry;
    return known && known->entry.seq;
}

void histories_set(struct histories *histories, const uint8_t *apex, const struct history_zone *entry)
{
    struct known *known = find_or_add(histories, apex);
    histories->cnt += (entry->seq != 0) - (known->entry.seq != 0);
    known->entry = *entry;
}

size_t histories_cnt(const struct histories *histories) { return histories->cnt; }

/* ---- times */

static size_t time_key(uint8_t key[TIME_KEY_MAX], enum histories_time time, const uint8_t *apex)
{
    size_t len = strlen(time_prefixes[time]);
    memcpy(key, time_prefixes[time], len);
    return len + name_to_lower(key + len, apex);
}

uint64_t histories_wall_ms(const struct histories *histories, enum histories_time time, const uint8_t *apex)
{
    const struct known *known = find(histories, apex);
    return known ? known->wall_ms[time] : 0;
}

void histories_set_wall_ms(struct histories *histories, struct journal *journal, enum histories_time time,
                           const uint8_t *apex, uint64_t wall_ms)
{
    uint8_t key[TIME_KEY_MAX], value[STATE_TIME_VALUE_LEN];
    size_t key_len = time_key(key, time, apex);
    struct journal_batch *batch = journal_batch_new();
    find_or_add(histories, apex)->wall_ms[time] = wall_ms;
    state_time_value(value, key, key_len, wall_ms);
    if (wall_ms)
        journal_batch_put(batch, STATE_TIMES_DATABASE, key, key_len, value, sizeof value);
    else
        journal_batch_delete(batch, STATE_TIMES_DATABASE, key, key_len);
    journal_write(journal, &batch, NULL, NULL);
}

/* The zone's name in a key of such a time; NULL: it is none. */
static const uint8_t *name_of_key(enum histories_time time, const uint8_t *key, size_t key_len)
{
    size_t len = strlen(time_prefixes[time]);
    if (key_len <= len || memcmp(key, time_prefixes[time], len) ||
        name_check(key + len, key_len - len) != key_len - len)
        return NULL;
    return key + len;
}

static void read_time(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct histories *histories = arg;
    for (int time = 0; time < HISTORIES_TIMES; time++) {
        const uint8_t *apex = name_of_key((enum histories_time)time, key, key_len);
        uint64_t wall_ms;
        if (apex && !state_time_read(&wall_ms, key, key_len, value, value_len))
            find_or_add(histories, apex)->wall_ms[time] = wall_ms;
    }
}

/* ---- reading */

struct reading {
    struct histories *histories;
    struct journal *journal;
    const char *dir;
    struct diag *diag;
    uint8_t (*damaged)[NAME_MAX_LEN];
    size_t damaged_cnt;
};

static void read_entry(void *arg, const uint8_t *apex, const struct history_zone *entry)
{
    struct reading *r = arg;
    if (entry) {
        histories_set(r->histories, apex, entry);
        return;
    }
    r->damaged = mem_realloc(r->damaged, r->damaged_cnt + 1, sizeof *r->damaged);
    name_to_lower(r->damaged[r->damaged_cnt++], apex);
}

static void set_aside(const struct reading *r, const uint8_t *apex)
{
    char name[NAME_TEXT_MAX], why[HISTORY_WHY_MAX] = "";
    char *file = NULL;
    struct journal_batch *batch = journal_batch_new();
    enum err err = history_set_aside(batch, &file, r->dir, apex, why);
    diag_warning(r->diag, NULL, 0, "state_dir: what it has of zone \"%s\" is damaged%s%s%s%s%s",
                 name_to_text_bare(name, apex), file ? ", its snapshot is now \"" : "", file ? file : "",
                 file ? "\"" : "", err ? ", and could not be set aside: " : "", why);
    free(file);
    if (err)
        journal_batch_free(batch);
    else
        journal_write(r->journal, &batch, NULL, NULL);
}

struct histories *histories_read(struct journal *journal, const char *dir, const struct hash_key *key,
                                 struct diag *diag)
{
    struct histories *histories = mem_zalloc(1, sizeof *histories);
    struct reading r = {.histories = histories, .journal = journal, .dir = dir, .diag = diag};
    struct lmdb *lmdb = journal_lmdb(journal);
    size_t bad_cnt;
    char why[LMDB_WHY_MAX];
    histories->key = key;
    if (history_each(lmdb, read_entry, &r, &bad_cnt, why))
        diag_warning(diag, NULL, 0, "state_dir: histories of zones cannot be read: %s", why);
    else if (bad_cnt)
        diag_warning(diag, NULL, 0, "state_dir: records of zones that are none, passed over: %zu", bad_cnt);
    if (lmdb_each(lmdb, STATE_TIMES_DATABASE, read_time, histories, why))
        diag_warning(diag, NULL, 0, "state_dir: times cannot be read: %s", why);
    for (size_t i = 0; i < r.damaged_cnt; i++)
        set_aside(&r, r.damaged[i]);
    free(r.damaged);
    return histories;
}

void histories_free(struct histories *histories)
{
    if (!histories)
        return;
    map_settle(&histories->map);
    for (size_t i = 0; i < histories->map.bucket_cnt; i++)
        for (struct map_link *link = histories->map.buckets[i], *next; link; link = next) {
            next = link->next;
            free(container_of(link, struct known, link));
        }
    map_fini(&histories->map);
    free(histories);
}
