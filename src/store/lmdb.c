#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
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

struct lmdb {
    MDB_env *env; /* NULL: to be opened again, for LMDB refuses to go on after a failed write of its head */
    char *path;
    size_t map_len;
};

struct lmdb_write {
    MDB_txn *txn;
    int error; /* of MDB or errno; the first there was */
};

enum err lmdb_tell(char why[LMDB_WHY_MAX], enum err err, const char *text)
{
    snprintf(why, LMDB_WHY_MAX, "%s", text);
    return err;
}

static enum err tell_error(char why[LMDB_WHY_MAX], int error)
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

static int reopen(struct lmdb *lmdb)
{
    if (lmdb->env)
        return 0;
    int error = reserve_lock_file(lmdb->path);
    if (!error)
        error = lmdb_open_env(&lmdb->env, lmdb->path, lmdb->map_len, 0);
    if (!error)
        lmdb->map_len = map_len_of(lmdb->env);
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
        return tell_error(why, error);
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
    if (lmdb->env)
        mdb_env_close(lmdb->env);
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
    int error = reopen(made);
    err = error ? tell_error(why, error) : settle_format(made, why);
    if (!err)
        lmdb_sync_folder(path);
    if (err)
        lmdb_close(made);
    else
        *lmdb = made;
    return err;
}

/* ==== writing ==== */

static bool find_database(struct lmdb_write *write, const char *name, unsigned flags, MDB_dbi *dbi)
{
    if (write->error)
        return false;
    int error = mdb_dbi_open(write->txn, name, flags, dbi);
    if (error && (error != MDB_NOTFOUND || flags))
        write->error = error;
    return !error;
}

void lmdb_put(struct lmdb_write *write, const char *database, const void *key, size_t key_len, const void *value,
              size_t value_len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key}, v = {value_len, (void *)(uintptr_t)value};
    MDB_dbi dbi;
    assert(key_len && key_len <= LMDB_KEY_MAX);
    if (find_database(write, database, MDB_CREATE, &dbi))
        write->error = mdb_put(write->txn, dbi, &k, &v, 0);
}

void lmdb_delete(struct lmdb_write *write, const char *database, const void *key, size_t key_len)
{
    MDB_val k = {key_len, (void *)(uintptr_t)key};
    MDB_dbi dbi;
    assert(key_len && key_len <= LMDB_KEY_MAX);
    if (!find_database(write, database, 0, &dbi))
        return;
    int error = mdb_del(write->txn, dbi, &k, NULL);
    if (error != MDB_NOTFOUND)
        write->error = error;
}

static int try_write(struct lmdb *lmdb, lmdb_fill_fn *fill, void *arg)
{
    struct lmdb_write write = {NULL, 0};
    write.error = mdb_txn_begin(lmdb->env, NULL, 0, &write.txn);
    if (write.error)
        return write.error;
    fill(arg, &write);
    if (!write.error)
        return mdb_txn_commit(write.txn);
    mdb_txn_abort(write.txn);
    return write.error;
}

static int grow(struct lmdb *lmdb)
{
    if (lmdb->map_len >= map_most)
        return MDB_MAP_FULL;
    int error = mdb_env_set_mapsize(lmdb->env, lmdb->map_len * 2);
    if (!error)
        lmdb->map_len *= 2;
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
    int error = reopen(lmdb);
    if (!error)
        error = write_growing(lmdb, fill, arg);
    if (!error)
        return ERR_OK;
    if (lmdb->env)
        mdb_env_close(lmdb->env);
    lmdb->env = NULL;
    tell_error(why, explain(lmdb, error));
    return ERR_IO;
}

/* ==== reading ==== */

enum err lmdb_each(struct lmdb *lmdb, const char *database,
                   void (*fn)(void *arg, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len),
                   void *arg, char why[LMDB_WHY_MAX])
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    MDB_dbi dbi;
    int error = reopen(lmdb);
    if (!error)
        error = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (!error)
        error = mdb_dbi_open(txn, database, 0, &dbi);
    if (!error)
        error = mdb_cursor_open(txn, dbi, &cursor);
    while (!error && !(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
        fn(arg, key.mv_data, key.mv_size, value.mv_data, value.mv_size);
    if (cursor)
        mdb_cursor_close(cursor);
    if (txn)
        mdb_txn_abort(txn);
    if (!error || error == MDB_NOTFOUND)
        return ERR_OK;
    tell_error(why, error);
    return ERR_IO;
}
