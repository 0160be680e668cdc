#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lmdb.h>

#include "base/mem.h"
#include "store/lmdb.h"
#include "store/lmdb_env.h"

struct lmdb_read {
    struct lmdb *lmdb;
    MDB_txn *txn;
};

/* Of the lock's holder. */
static int begin_read(struct lmdb *lmdb, MDB_txn **txn)
{
    while (lmdb->is_alone || lmdb->reader_cnt == LMDB_READERS_MOST)
        pthread_cond_wait(&lmdb->wake, &lmdb->lock);
    int error = lmdb_reopen(lmdb);
    if (!error)
        error = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, txn);
    lmdb->reader_cnt += !error;
    return error;
}

enum err lmdb_read_begin(struct lmdb_read **read, struct lmdb *lmdb, char why[LMDB_WHY_MAX])
{
    MDB_txn *txn;
    pthread_mutex_lock(&lmdb->lock);
    int error = begin_read(lmdb, &txn);
    pthread_mutex_unlock(&lmdb->lock);
    *read = NULL;
    if (error) {
        lmdb_tell_error(why, error);
        return ERR_IO;
    }
    *read = mem_zalloc(1, sizeof **read);
    **read = (struct lmdb_read){lmdb, txn};
    return ERR_OK;
}

void lmdb_read_end(struct lmdb_read *read)
{
    if (!read)
        return;
    struct lmdb *lmdb = read->lmdb;
    mdb_txn_abort(read->txn);
    free(read);
    pthread_mutex_lock(&lmdb->lock);
    lmdb->reader_cnt--;
    pthread_cond_broadcast(&lmdb->wake);
    pthread_mutex_unlock(&lmdb->lock);
}

/* The first key that is not before `key` or, backwards, the last that is not behind it. */
static int find_start(MDB_cursor *cursor, MDB_val *key, MDB_val *value, bool is_backwards)
{
    const MDB_val from = *key;
    int error = mdb_cursor_get(cursor, key, value, from.mv_size ? MDB_SET_RANGE : MDB_FIRST);
    if (!is_backwards)
        return error;
    if (error == MDB_NOTFOUND)
        return mdb_cursor_get(cursor, key, value, MDB_LAST);
    bool is_found = !error && key->mv_size == from.mv_size && !memcmp(key->mv_data, from.mv_data, from.mv_size);
    return error || is_found ? error : mdb_cursor_get(cursor, key, value, MDB_PREV);
}

static enum err walk(struct lmdb_read *read, const char *database, MDB_val key, bool is_backwards, lmdb_each_fn *fn,
                     void *arg, char why[LMDB_WHY_MAX])
{
    MDB_cursor *cursor;
    MDB_val value;
    const struct lmdb_database *found = lmdb_find_database(read->lmdb, database);
    int error = found ? mdb_cursor_open(read->txn, found->dbi, &cursor) : MDB_NOTFOUND;
    if (!error) {
        error = find_start(cursor, &key, &value, is_backwards);
        while (!error && fn(arg, key.mv_data, key.mv_size, value.mv_data, value.mv_size))
            error = mdb_cursor_get(cursor, &key, &value, is_backwards ? MDB_PREV : MDB_NEXT);
        mdb_cursor_close(cursor);
    }
    if (!error || error == MDB_NOTFOUND)
        return ERR_OK;
    lmdb_tell_error(why, error);
    return ERR_IO;
}

enum err lmdb_read_up(struct lmdb_read *read, const char *database, const void *from, size_t from_len, lmdb_each_fn *fn,
                      void *arg, char why[LMDB_WHY_MAX])
{
    return walk(read, database, (MDB_val){from_len, (void *)(uintptr_t)from}, false, fn, arg, why);
}

enum err lmdb_read_down(struct lmdb_read *read, const char *database, const void *from, size_t from_len,
                        lmdb_each_fn *fn, void *arg, char why[LMDB_WHY_MAX])
{
    assert(from_len);
    return walk(read, database, (MDB_val){from_len, (void *)(uintptr_t)from}, true, fn, arg, why);
}

/* A walk to the end. */
struct whole {
    void (*fn)(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len);
    void *arg;
};

static bool tell_each(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    const struct whole *whole = arg;
    whole->fn(whole->arg, key, key_len, value, value_len);
    return true;
}

enum err lmdb_each(struct lmdb *lmdb, const char *database,
                   void (*fn)(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
                   void *arg, char why[LMDB_WHY_MAX])
{
    struct whole whole = {fn, arg};
    struct lmdb_read *read;
    enum err err = lmdb_read_begin(&read, lmdb, why);
    if (!err)
        err = lmdb_read_up(read, database, NULL, 0, tell_each, &whole, why);
    lmdb_read_end(read);
    return err;
}
