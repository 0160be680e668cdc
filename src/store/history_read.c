#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/history.h"
#include "store/history_database.h"

void history_list_fini(struct history_list *list)
{
    for (size_t i = 0; i < list->cnt; i++)
        changeset_free(list->changes[i]);
    free(list->changes);
    *list = (struct history_list){0};
}

/* ---- copies of values, which are decoded once LMDB is left alone again */

struct copy {
    uint8_t *bytes;
    size_t len;
};

struct reading {
    const uint8_t *apex;
    uint64_t at, to;   /* numbers: the next one, the last one */
    size_t most_bytes, bytes;
    struct copy *copies;
    size_t cnt, cap;
    bool is_missing; /* one was not there */
    /* For a walk back. */
    uint32_t serial, next_serial; /* that is looked for; that the next one must lead to */
    bool any, is_found, is_full;
};

static void free_copies(struct reading *reading)
{
    for (size_t i = 0; i < reading->cnt; i++)
        free(reading->copies[i].bytes);
    free(reading->copies);
}

static bool copy_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct reading *reading = arg;
    uint64_t seq;
    if (!history_key_seq(&seq, reading->apex, key, key_len) || seq != reading->at) {
        reading->is_missing = true;
        return false;
    }
    size_t room = reading->most_bytes - reading->bytes;
    if (reading->cnt && value_len > room)
        return false;
    if (reading->cnt == reading->cap) {
        reading->cap = reading->cap ? reading->cap * 2 : 16;
        reading->copies = mem_realloc(reading->copies, reading->cap, sizeof *reading->copies);
    }
    reading->copies[reading->cnt++] = (struct copy){mem_dup(value, value_len), value_len};
    reading->bytes += value_len < room ? value_len : room;
    return reading->at++ != reading->to;
}

static enum err missing(char why[HISTORY_WHY_MAX], uint64_t seq)
{
    snprintf(why, HISTORY_WHY_MAX, "changeset %" PRIu64 " is not in the journal", seq);
    return ERR_INVALID;
}

static enum err copy_values(struct reading *reading, struct lmdb_read *read, uint64_t from, char why[HISTORY_WHY_MAX])
{
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, reading->apex, from);
    reading->at = from;
    enum err err = lmdb_read_up(read, history_changes_database, key, key_len, copy_one, reading, why);
    if (!err && (reading->is_missing || !reading->cnt))
        err = missing(why, reading->at);
    return err;
}

/* ---- decoding */

static enum err decode_one(struct changeset **changes, const struct reading *reading, size_t i, uint64_t seq,
                           const struct hash_key *key)
{
    uint8_t own[HISTORY_KEY_MAX];
    size_t own_len = history_key(own, reading->apex, seq);
    return history_changes_read(changes, own, own_len, reading->copies[i].bytes, reading->copies[i].len, key);
}

/* The copy is freed as soon as it is not needed. */
static enum err decode(struct history_list *list, struct reading *reading, uint64_t from, const struct hash_key *key,
                       char why[HISTORY_WHY_MAX])
{
    list->changes = mem_zalloc(reading->cnt, sizeof(struct changeset *));
    for (size_t i = 0; i < reading->cnt; i++) {
        enum err err = decode_one(&list->changes[i], reading, i, from + i, key);
        if (err) {
            snprintf(why, HISTORY_WHY_MAX, "changeset %" PRIu64 " is %s", from + i,
                     err == ERR_UNSUPPORTED ? "of another version of rondo" : "damaged");
            return ERR_INVALID;
        }
        list->cnt++;
        list->bytes += reading->copies[i].len;
        free(reading->copies[i].bytes);
        reading->copies[i].bytes = NULL;
        if (i && list->changes[i]->serial_from != list->changes[i - 1]->serial_to) {
            snprintf(why, HISTORY_WHY_MAX, "changeset %" PRIu64 " does not lead on from serial %u", from + i,
                     list->changes[i - 1]->serial_to);
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

/* Takes what `err` there is so far. */
static enum err finish(struct history_list *list, struct reading *reading, uint64_t from, const struct hash_key *key,
                       enum err err, char why[HISTORY_WHY_MAX])
{
    if (!err)
        err = decode(list, reading, from, key, why);
    if (err)
        history_list_fini(list);
    free_copies(reading);
    return err;
}

enum err history_read(struct history_list *list, struct lmdb *lmdb, const uint8_t *apex, const struct hash_key *key,
                      uint64_t from, uint64_t to, size_t most_bytes, char why[HISTORY_WHY_MAX])
{
    struct reading reading = {.apex = apex, .to = to, .most_bytes = most_bytes};
    struct lmdb_read *read;
    assert(from <= to);
    *list = (struct history_list){0};
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = copy_values(&reading, read, from, why);
    lmdb_read_end(read);
    return finish(list, &reading, from, key, err, why);
}

/* ---- those since a serial */

/* Steps back from `to` while each leads to where the one behind it begins. */
static bool step_back(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct reading *reading = arg;
    uint32_t from, to;
    uint64_t seq;
    if (!history_key_seq(&seq, reading->apex, key, key_len) || seq != reading->at ||
        !history_changes_peek(&from, &to, value, value_len) || (reading->any && to != reading->next_serial))
        return false;
    reading->is_full = value_len > reading->most_bytes - reading->bytes;
    if (reading->is_full)
        return false;
    reading->bytes += value_len;
    reading->any = true;
    reading->next_serial = from;
    reading->is_found = from == reading->serial;
    reading->at -= !reading->is_found;
    return !reading->is_found && reading->at;
}

/* On success reading->at is the first one. */
static enum err find_serial(struct reading *reading, struct lmdb_read *read, char why[HISTORY_WHY_MAX])
{
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, reading->apex, reading->to);
    reading->at = reading->to;
    enum err err = lmdb_read_down(read, history_changes_database, key, key_len, step_back, reading, why);
    if (err || reading->is_found)
        return err;
    snprintf(why, HISTORY_WHY_MAX, reading->is_full ? "the changes since serial %u are too large"
                                                    : "there are no changes since serial %u", reading->serial);
    return reading->is_full ? ERR_LIMIT : ERR_NOT_FOUND;
}

enum err history_read_since(struct history_list *list, struct lmdb *lmdb, const uint8_t *apex,
                            const struct hash_key *key, uint32_t serial, uint64_t to, size_t most_bytes,
                            char why[HISTORY_WHY_MAX])
{
    struct reading reading = {.apex = apex, .to = to, .most_bytes = most_bytes, .serial = serial};
    struct lmdb_read *read;
    *list = (struct history_list){0};
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = find_serial(&reading, read, why);
    uint64_t from = reading.at;
    reading.bytes = 0;
    if (!err)
        err = copy_values(&reading, read, from, why);
    lmdb_read_end(read);
    return finish(list, &reading, from, key, err, why);
}

/* ---- measuring */

struct measuring {
    const uint8_t *apex;
    size_t cnt, bytes;
};

static bool measure_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct measuring *measuring = arg;
    uint64_t seq;
    (void)value;
    if (!history_key_seq(&seq, measuring->apex, key, key_len))
        return false;
    measuring->cnt++;
    measuring->bytes += value_len;
    return true;
}

enum err history_measure(size_t *cnt, size_t *bytes, struct lmdb *lmdb, const uint8_t *apex, uint64_t from,
                         char why[HISTORY_WHY_MAX])
{
    struct measuring measuring = {.apex = apex};
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, apex, from);
    struct lmdb_read *read;
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = lmdb_read_up(read, history_changes_database, key, key_len, measure_one, &measuring, why);
    lmdb_read_end(read);
    *cnt = measuring.cnt;
    *bytes = measuring.bytes;
    return err;
}

struct peeking {
    const uint8_t *apex;
    uint64_t seq;
    uint32_t *serial;
};

static bool peek_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    const struct peeking *peeking = arg;
    uint64_t seq;
    uint32_t from, to;
    if (history_key_seq(&seq, peeking->apex, key, key_len) && seq == peeking->seq &&
        history_changes_peek(&from, &to, value, value_len))
        *peeking->serial = from;
    return false;
}

enum err history_serial_before(uint32_t *serial, struct lmdb *lmdb, const uint8_t *apex, uint64_t seq,
                               char why[HISTORY_WHY_MAX])
{
    struct peeking peeking = {apex, seq, serial};
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, apex, seq);
    struct lmdb_read *read;
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = lmdb_read_up(read, history_changes_database, key, key_len, peek_one, &peeking, why);
    lmdb_read_end(read);
    return err;
}

struct fitting {
    const uint8_t *apex;
    uint64_t first;
    size_t most_bytes;
};

static bool fit_one(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct fitting *fitting = arg;
    uint64_t seq;
    (void)value;
    if (!history_key_seq(&seq, fitting->apex, key, key_len) || value_len > fitting->most_bytes)
        return false;
    fitting->most_bytes -= value_len;
    fitting->first = seq;
    return true;
}

enum err history_first_within(uint64_t *first, struct lmdb *lmdb, const uint8_t *apex, uint64_t to, size_t most_bytes,
                              char why[HISTORY_WHY_MAX])
{
    struct fitting fitting = {apex, to + 1, most_bytes};
    uint8_t key[HISTORY_KEY_MAX];
    size_t key_len = history_key(key, apex, to);
    struct lmdb_read *read;
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = lmdb_read_down(read, history_changes_database, key, key_len, fit_one, &fitting, why);
    lmdb_read_end(read);
    *first = fitting.first;
    return err;
}
