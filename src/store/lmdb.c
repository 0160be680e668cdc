#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/buf.h"
#include "base/mem.h"
#include "store/lmdb_check.h"
#include "store/lmdb_env.h"

static const size_t map_most = (size_t)1 << 40;

/* Beyond the size of LMDB's own table of readers (126 of 64 bytes, and a head of 192). */
enum { LOCK_FILE_LEN = 16 * 1024 };

static const char format_database[] = "rondo";
static const char format_key[] = "format";

struct lmdb_write {
    struct lmdb *lmdb;
    MDB_txn *txn;
    int error; /* of MDB or errno; the first there was */
    bool is_alone;
};

enum err lmdb_tell(char why[LMDB_WHY_MAX], enum err err, const char *text)
{
    snprintf(why, LMDB_WHY_MAX, "%s", text);
    return err;
}

enum err lmdb_tell_error(char why[LMDB_WHY_MAX], int error)
{
    bool is_invalid = error == MDB_INVALID || error == MDB_VERSION_MISMATCH || error == MDB_CORRUPTED ||
                      error == MDB_PAGE_NOTFOUND || error == MDB_BAD_TXN || error == MDB_INCOMPATIBLE;
    return lmdb_tell(why, is_invalid ? ERR_INVALID : ERR_IO, mdb_strerror(error));
}

/* ==== opening ==== */

int lmdb_open_env(MDB_env **env, const char *path, size_t map_len, unsigned flags)
{
    int error = mdb_env_create(env);
    if (error)
        return error;
    error = mdb_env_set_maxdbs(*env, LMDB_DATABASES_MAX);
    if (!error)
        error = mdb_env_set_mapsize(*env, map_len);
    if (!error)
        error = mdb_env_open(*env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0600);
    if (error) {
        mdb_env_close(*env);
        *env = NULL;
    }
    return error;
}

/* So that a name which was given is there after the machine has failed, too. */
void lmdb_sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? mem_strndup(path, (size_t)(slash - path) + 1) : mem_strdup(".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* LMDB maps it and writes to it; on a full disk that would be a SIGBUS. */
static int reserve_lock_file(const char *path)
{
    char *lock_path = mem_printf("%s-lock", path);
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(lock_path);
    if (fd < 0)
        return errno;
    int error = posix_fallocate(fd, 0, LOCK_FILE_LEN);
    close(fd);
    return error;
}

/* That of a large file is more than was asked for. */
static size_t map_len_of(MDB_env *env)
{
    MDB_envinfo info;
    mdb_env_info(env, &info);
    return info.me_mapsize;
}

const struct lmdb_database *lmdb_find_database(const struct lmdb *lmdb, const char *name)
{
    for (unsigned i = 0; i < lmdb->database_cnt; i++)
        if (!strcmp(lmdb->databases[i].name, name))
            return &lmdb->databases[i];
    return NULL;
}

/* A handle of the database, which is the caller's when the transaction is committed. `flags` of mdb_dbi_open. */
static int add_database(struct lmdb *lmdb, MDB_txn *txn, const char *name, unsigned flags)
{
    struct lmdb_database *database = &lmdb->databases[lmdb->database_cnt];
    if (lmdb->database_cnt == LMDB_DATABASES_MAX)
        return MDB_DBS_FULL;
    int error = mdb_dbi_open(txn, name, flags, &database->dbi);
    if (error)
        return error;
    database->name = mem_strdup(name);
    lmdb->database_cnt++;
    return 0;
}

/* The handles of all but the first `cnt` are no more. */
static void forget_databases(struct lmdb *lmdb, unsigned cnt)
{
    while (lmdb->database_cnt > cnt)
        free(lmdb->databases[--lmdb->database_cnt].name);
}

static int add_databases(struct lmdb *lmdb, MDB_txn *txn)
{
    enum { DATABASE_OF_NAMES = 1 };
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(txn, DATABASE_OF_NAMES, &cursor);
    if (error)
        return error;
    while (!error && !(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        char *name = mem_strndup(key.mv_data, key.mv_size);
        error = add_database(lmdb, txn, name, 0);
        free(name);
    }
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int open_databases(struct lmdb *lmdb)
{
    MDB_txn *txn;
    int error = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    error = add_databases(lmdb, txn);
    if (!error)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return error;
}

/* Nobody reads. */
static void close_env(struct lmdb *lmdb)
{
    forget_databases(lmdb, 0);
    if (lmdb->env)
        mdb_env_close(lmdb->env);
    lmdb->env = NULL;
}

int lmdb_reopen(struct lmdb *lmdb)
{
    if (lmdb->env)
        return 0;
    int error = reserve_lock_file(lmdb->path);
    if (!error)
        error = lmdb_open_env(&lmdb->env, lmdb->path, lmdb->map_len, 0);
    if (error)
        return error;
    lmdb->map_len = map_len_of(lmdb->env);
    error = open_databases(lmdb);
    if (error)
        close_env(lmdb);
    return error;
}

uint32_t lmdb_format_of(MDB_txn *txn)
{
    MDB_val key = {sizeof format_key - 1, (void *)(uintptr_t)format_key}, value;
    MDB_dbi dbi;
    bool has_one = !mdb_dbi_open(txn, format_database, 0, &dbi) && !mdb_get(txn, dbi, &key, &value);
    return has_one && value.mv_size == 4 ? be32_get(value.mv_data) : 0;
}

/* The format of the file; 0: it has none. `is_empty`: nor anything else. */
static int look_at_format(struct lmdb *lmdb, uint32_t *format, bool *is_empty)
{
    MDB_txn *txn;
    MDB_stat stat;
    int error = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    error = mdb_stat(txn, 1, &stat);
    *is_empty = !error && !stat.ms_entries;
    *format = lmdb_format_of(txn);
    mdb_txn_abort(txn);
    return error;
}

static void fill_format(void *arg, struct lmdb_write *write)
{
    uint8_t value[4];
    (void)arg;
    be32_put(value, LMDB_FORMAT);
    lmdb_put(write, format_database, format_key, sizeof format_key - 1, value, sizeof value);
}

static enum err settle_format(struct lmdb *lmdb, char why[LMDB_WHY_MAX])
{
    uint32_t format;
    bool is_empty;
    int error = look_at_format(lmdb, &format, &is_empty);
    if (error)
        return lmdb_tell_error(why, error);
    if (is_empty)
        return lmdb_write(lmdb, fill_format, NULL, why);
    if (format == LMDB_FORMAT)
        return ERR_OK;
    return lmdb_tell(why, ERR_INVALID, format ? "it is of another version of rondo" : "it is another program's");
}

void lmdb_close(struct lmdb *lmdb)
{
    if (!lmdb)
        return;
    assert(!lmdb->reader_cnt);
    close_env(lmdb);
    pthread_cond_destroy(&lmdb->wake);
    pthread_mutex_destroy(&lmdb->lock);
    free(lmdb->path);
    free(lmdb);
}

enum err lmdb_open(struct lmdb **lmdb, const char *path, char why[LMDB_WHY_MAX])
{
    *lmdb = NULL;
    enum err err = lmdb_check(path, why);
    if (err)
        return err;
    struct lmdb *made = mem_zalloc(1, sizeof *made);
    made->path = mem_strdup(path);
    made->map_len = MAP_FIRST;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->wake, NULL);
    int error = lmdb_reopen(made);
    err = error ? lmdb_tell_error(why, error) : settle_format(made, why);
    if (!err)
        lmdb_sync_folder(path);
    if (err)
        lmdb_close(made);
    else
        *lmdb = made;
    return err;
}

/* ==== writing ==== */

/* From now on only who writes does anything. */
static void begin_alone(struct lmdb *lmdb)
{
    pthread_mutex_lock(&lmdb->lock);
    lmdb->is_alone = true;
    while (lmdb->reader_cnt)
        pthread_cond_wait(&lmdb->wake, &lmdb->lock);
    pthread_mutex_unlock(&lmdb->lock);
}

static void end_alone(struct lmdb *lmdb)
{
    pthread_mutex_lock(&lmdb->lock);
    lmdb->is_alone = false;
    pthread_cond_broadcast(&lmdb->wake);
    pthread_mutex_unlock(&lmdb->lock);
}

/* The database, made when there is none. */
static const struct lmdb_database *need_database(struct lmdb_write *write, const char *name)
{
    struct lmdb *lmdb = write->lmdb;
    const struct lmdb_database *found = lmdb_find_database(lmdb, name);
    if (found || write->error)
        return write->error ? NULL : found;
    if (!write->is_alone)
        begin_alone(lmdb);
    write->is_alone = true;
    write->error = add_database(lmdb, write->txn, name, MDB_CREATE);
    return write->error ? NULL : lmdb_find_database(lmdb, name);
}

void lmdb_put(struct lmdb_write *write, const char *database, const void *key, size_t key_len, const void *value,
              size_t value_len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {value_len, (void *)(uintptr_t)value};
    assert(key_len && key_len <= LMDB_KEY_MAX);
    const struct lmdb_database *found = need_database(write, database);
    if (found)
        write->error = mdb_put(write->txn, found->dbi, &k, &v, 0);
}

void lmdb_delete(struct lmdb_write *write, const char *database, const void *key, size_t key_len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    assert(key_len && key_len <= LMDB_KEY_MAX);
    const struct lmdb_database *found = lmdb_find_database(write->lmdb, database);
    if (!found || write->error)
        return;
    int error = mdb_del(write->txn, found->dbi, &k, NULL);
    if (error != MDB_NOTFOUND)
        write->error = error;
}

static bool is_behind(const MDB_val *key, const void *last, size_t last_len)
{
    int d = memcmp(key->mv_data, last, key->mv_size < last_len ? key->mv_size : last_len);
    return d ? d > 0 : key->mv_size > last_len;
}

void lmdb_delete_range(struct lmdb_write *write, const char *database, const void *first, size_t first_len,
                       const void *last, size_t last_len)
{
    MDB_cursor *cursor;
    assert(first_len && first_len <= LMDB_KEY_MAX && last_len);
    const struct lmdb_database *found = lmdb_find_database(write->lmdb, database);
    if (!found || write->error)
        return;
    int error = mdb_cursor_open(write->txn, found->dbi, &cursor);
    for (bool is_opened = !error; is_opened;) {
        MDB_val key = {first_len, (void *)(uintptr_t)first}, value;
        error = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (error || is_behind(&key, last, last_len) || (error = mdb_cursor_del(cursor, 0)) != 0) {
            mdb_cursor_close(cursor);
            is_opened = false;
        }
    }
    if (error != MDB_NOTFOUND)
        write->error = error;
}

static int try_write(struct lmdb *lmdb, lmdb_fill_fn *fill, void *arg)
{
    struct lmdb_write write = {.lmdb = lmdb};
    unsigned database_cnt = lmdb->database_cnt;
    int error = mdb_txn_begin(lmdb->env, NULL, 0, &write.txn);
    if (error)
        return error;
    fill(arg, &write);
    error = write.error;
    if (error)
        mdb_txn_abort(write.txn);
    else
        error = mdb_txn_commit(write.txn);
    if (error)
        forget_databases(lmdb, database_cnt);
    if (write.is_alone)
        end_alone(lmdb);
    return error;
}

static int grow(struct lmdb *lmdb)
{
    if (lmdb->map_len >= map_most)
        return MDB_MAP_FULL;
    begin_alone(lmdb);
    int error = mdb_env_set_mapsize(lmdb->env, lmdb->map_len * 2);
    if (!error)
        lmdb->map_len *= 2;
    end_alone(lmdb);
    return error;
}

static int write_growing(struct lmdb *lmdb, lmdb_fill_fn *fill, void *arg)
{
    int error;
    while ((error = try_write(lmdb, fill, arg)) == MDB_MAP_FULL) {
        error = grow(lmdb);
        if (error)
            break;
    }
    return error;
}

/* LMDB says EIO when the system took less than all, as on a disk that is about to be full. */
static int explain(const struct lmdb *lmdb, int error)
{
    enum { FULL_BELOW = 64 * 1024 };
    struct statvfs disk;
    if (error == EIO && !statvfs(lmdb->path, &disk) && disk.f_bavail * disk.f_frsize < FULL_BELOW)
        return ENOSPC;
    return error;
}

/* What failed may have failed in the middle of a write of LMDB's head: what is on the disk decides. */
enum err lmdb_write(struct lmdb *lmdb, lmdb_fill_fn *fill, void *arg, char why[LMDB_WHY_MAX])
{
    pthread_mutex_lock(&lmdb->lock);
    int error = lmdb_reopen(lmdb);
    pthread_mutex_unlock(&lmdb->lock);
    if (!error)
        error = write_growing(lmdb, fill, arg);
    if (!error)
        return ERR_OK;
    begin_alone(lmdb);
    close_env(lmdb);
    end_alone(lmdb);
    lmdb_tell_error(why, explain(lmdb, error));
    return ERR_IO;
}
