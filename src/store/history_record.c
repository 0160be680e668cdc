#include "store/history_record.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/checksum.h"
#include "base/mem.h"
#include "store/packed.h"

enum { CHANGES_VERSION = 1, ZONE_VERSION = 1 };
enum { CHANGES_HEAD_LEN = 1 + 4 * 4 };

/* ---- keys */

size_t history_zone_key(uint8_t key[HISTORY_ZONE_KEY_MAX], const uint8_t *apex) { return name_to_lower(key, apex); }

size_t history_key(uint8_t key[HISTORY_KEY_MAX], const uint8_t *apex, uint64_t seq)
{
    unsigned len = name_to_lower(key, apex);
    struct writer w = writer_over(key + len, sizeof seq);
    writer_u64(&w, seq);
    return len + sizeof seq;
}

bool history_key_seq(uint64_t *seq, const uint8_t *apex, const uint8_t *key, size_t key_len)
{
    uint8_t own[HISTORY_KEY_MAX];
    size_t own_len = history_key(own, apex, 0), name_length = own_len - sizeof *seq;
    if (key_len != own_len || memcmp(key, own, name_length) != 0)
        return false;
    struct reader r = reader_over(key + name_length, sizeof *seq);
    *seq = reader_u64(&r);
    return true;
}

/* ---- checksums */

static void put_sum(struct writer *w, const uint8_t *key, size_t key_len)
{
    writer_u64(w, checksum_add(checksum_add(CHECKSUM_START, key, key_len), w->begin, writer_len(w)));
}

/* Reads checksum and version; then `r` holds what is between them. */
static enum err open_record(struct reader *r, const uint8_t *key, size_t key_len, const uint8_t *value,
                            size_t value_len, uint8_t version)
{
    if (value_len < 1 + CHECKSUM_LEN)
        return ERR_SYNTAX;
    size_t len = value_len - CHECKSUM_LEN;
    struct reader sum = reader_over(value + len, CHECKSUM_LEN);
    if (reader_u64(&sum) != checksum_add(checksum_add(CHECKSUM_START, key, key_len), value, len))
        return ERR_SYNTAX;
    *r = reader_over(value, len);
    return reader_u8(r) == version ? ERR_OK : ERR_UNSUPPORTED;
}

/* ---- changesets */

/* Owners and rdata lie anywhere; those some way ahead are on their way when they are wanted. */
static void fetch(const struct zone_records *records, size_t i)
{
    enum { AHEAD = 12 };
    if (i + AHEAD >= records->cnt)
        return;
    __builtin_prefetch(records->recs[i + AHEAD].rr.owner);
    __builtin_prefetch(records->recs[i + AHEAD].rr.rdata);
}

static size_t row_len(const struct zone_records *records)
{
    struct packed packed;
    size_t len = 0;
    packed_init(&packed, records->apex);
    for (size_t i = 0; i < records->cnt; i++) {
        fetch(records, i);
        len += packed_len(&packed, &records->recs[i].rr);
    }
    return len;
}

static void put_row(struct writer *w, const struct zone_records *records)
{
    struct packed packed;
    packed_init(&packed, records->apex);
    for (size_t i = 0; i < records->cnt; i++) {
        fetch(records, i);
        packed_put(&packed, w, &records->recs[i].rr);
    }
}

size_t history_changes_len(const struct changeset *changes)
{
    return CHANGES_HEAD_LEN + row_len(changes->removed) + row_len(changes->added) + CHECKSUM_LEN;
}

void history_changes_put(uint8_t *value, size_t len, const struct changeset *changes, const uint8_t *key,
                         size_t key_len)
{
    struct writer w = writer_over(value, len);
    writer_u8(&w, CHANGES_VERSION);
    writer_u32(&w, changes->serial_from);
    writer_u32(&w, changes->serial_to);
    writer_u32(&w, (uint32_t)changes->removed->cnt);
    writer_u32(&w, (uint32_t)changes->added->cnt);
    put_row(&w, changes->removed);
    put_row(&w, changes->added);
    put_sum(&w, key, key_len);
    assert(!w.failed && !writer_left(&w));
}

bool history_changes_peek(uint32_t *from, uint32_t *to, const uint8_t *value, size_t value_len)
{
    struct reader r = reader_over(value, value_len);
    reader_u8(&r);
    *from = reader_u32(&r);
    *to = reader_u32(&r);
    return !r.failed;
}

/* Ends at the first record that is none, whatever the count says. */
static enum err get_row(struct zone_records *records, struct reader *r, uint32_t cnt)
{
    struct packed packed;
    struct rr rr;
    packed_init(&packed, records->apex);
    for (; cnt; cnt--) {
        enum err err = packed_get(&packed, r, &rr);
        if (err)
            return err;
        zone_records_add(records, &rr, NULL, 0);
    }
    zone_records_sort(records);
    return ERR_OK;
}

static enum err get_changes(struct changeset *changes, struct reader *r)
{
    changes->serial_from = reader_u32(r);
    changes->serial_to = reader_u32(r);
    uint32_t removed_cnt = reader_u32(r), added_cnt = reader_u32(r);
    enum err err = get_row(changes->removed, r, removed_cnt);
    if (!err)
        err = get_row(changes->added, r, added_cnt);
    return err || (!r->failed && !reader_left(r)) ? err : ERR_SYNTAX;
}

enum err history_changes_read(struct changeset **changes, const uint8_t *key, size_t key_len, const uint8_t *value,
                              size_t value_len, const struct hash_key *hash_key)
{
    struct reader r;
    *changes = NULL;
    enum err err = open_record(&r, key, key_len, value, value_len, CHANGES_VERSION);
    if (err)
        return err;
    unsigned apex_len = name_check(key, key_len);
    if (!apex_len || key_len != apex_len + sizeof(uint64_t))
        return ERR_SYNTAX;
    struct changeset *read = mem_zalloc(1, sizeof *read);
    read->removed = zone_records_new(key, hash_key);
    read->added = zone_records_new(key, hash_key);
    err = get_changes(read, &r);
    if (err)
        changeset_free(read);
    else
        *changes = read;
    return err;
}

/* ---- zones */

void history_zone_value(uint8_t value[HISTORY_ZONE_VALUE_LEN], const uint8_t *key, size_t key_len,
                        const struct history_zone *zone)
{
    struct writer w = writer_over(value, HISTORY_ZONE_VALUE_LEN);
    writer_u8(&w, ZONE_VERSION);
    writer_u32(&w, zone->serial);
    writer_u64(&w, zone->seq);
    writer_u32(&w, zone->checkpoint_serial);
    writer_u64(&w, zone->checkpoint_seq);
    writer_u64(&w, zone->dropped_seq);
    writer_u32(&w, zone->source_serial);
    writer_put(&w, zone->source_digest, sizeof zone->source_digest);
    writer_u64(&w, zone->source_len);
    writer_u64(&w, zone->source_seq);
    writer_u32(&w, zone->flags);
    writer_u64(&w, zone->changed_wall_ms);
    put_sum(&w, key, key_len);
    assert(!w.failed && !writer_left(&w));
}

enum err history_zone_read(struct history_zone *zone, const uint8_t *key, size_t key_len, const uint8_t *value,
                           size_t value_len)
{
    struct reader r;
    *zone = (struct history_zone){0};
    enum err err = open_record(&r, key, key_len, value, value_len, ZONE_VERSION);
    if (err)
        return err;
    zone->serial = reader_u32(&r);
    zone->seq = reader_u64(&r);
    zone->checkpoint_serial = reader_u32(&r);
    zone->checkpoint_seq = reader_u64(&r);
    zone->dropped_seq = reader_u64(&r);
    zone->source_serial = reader_u32(&r);
    const uint8_t *digest = reader_take(&r, sizeof zone->source_digest);
    zone->source_len = reader_u64(&r);
    zone->source_seq = reader_u64(&r);
    zone->flags = reader_u32(&r);
    zone->changed_wall_ms = reader_u64(&r);
    bool is_whole = !r.failed && !reader_left(&r) && name_check(key, key_len) == key_len;
    if (!is_whole || zone->dropped_seq > zone->checkpoint_seq || zone->checkpoint_seq > zone->seq)
        return ERR_SYNTAX;
    memcpy(zone->source_digest, digest, sizeof zone->source_digest);
    return ERR_OK;
}
