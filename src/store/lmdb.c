#include "store/lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lmdb.h>

#include "base/buf.h"
#include "base/mem.h"

/* Address space, not memory: the file grows with what is in it. Doubled when it is used up. */
enum { MAP_FIRST = 16 << 20 };
static const size_t map_most = (size_t)1 << 40;

/* Beyond the size of LMDB's own table of readers (126 of 64 bytes, and a head of 192). */
enum { LOCK_FILE_LEN = 16 * 1024 };

/* In every file of ours, which is so told from other programs' LMDB files. */
static const char format_database[] = "rondo";
static const char format_key[] = "format";
enum { FORMAT = 1 };

struct lmdb {
    MDB_env *env; /* NULL: to be opened again, for LMDB refuses to go on after a failed write of its head */
    char *path;
    size_t map_len;
};

struct lmdb_write {
    MDB_txn *txn;
    int error; /* of MDB or errno; the first there was */
};

static enum err tell(char why[LMDB_WHY_MAX], enum err err, const char *text)
{
    snprintf(why, LMDB_WHY_MAX, "%s", text);
    return err;
}

static enum err tell_error(char why[LMDB_WHY_MAX], int error)
{
    bool is_invalid = error == MDB_INVALID || error == MDB_VERSION_MISMATCH || error == MDB_CORRUPTED ||
                      error == MDB_PAGE_NOTFOUND || error == MDB_BAD_TXN || error == MDB_INCOMPATIBLE;
    return tell(why, is_invalid ? ERR_INVALID : ERR_IO, mdb_strerror(error));
}

/* ==== is the file sound ==== */

enum { SOUND, UNSOUND, UNKNOWN };
enum { CHECK_SEC_MOST = 60 };

static int walk_database(MDB_txn *txn, MDB_dbi dbi)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    unsigned sum = 0;
    int error = mdb_cursor_open(txn, dbi, &cursor);
    if (error)
        return error;
    while (!(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
        for (size_t i = 0; i < value.mv_size; i++)
            sum += ((const uint8_t *)value.mv_data)[i];
    mdb_cursor_close(cursor);
    __asm__ volatile("" : : "r"(sum)); /* every byte has been read */
    return error == MDB_NOTFOUND ? 0 : error;
}

/* The database of free pages (0), that of names (1), and each that is named there. */
static int walk_all(MDB_txn *txn)
{
    enum { DATABASE_OF_FREE = 0, DATABASE_OF_NAMES = 1 };
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = walk_database(txn, DATABASE_OF_FREE);
    if (!error)
        error = mdb_cursor_open(txn, DATABASE_OF_NAMES, &cursor);
    if (error)
        return error;
    while (!error && !(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        char *name = mem_strndup(key.mv_data, key.mv_size);
        MDB_dbi dbi;
        error = mdb_dbi_open(txn, name, 0, &dbi);
        free(name);
        if (!error)
            error = walk_database(txn, dbi);
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

static int open_env(MDB_env **env, const char *path, size_t map_len, unsigned flags)
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

/* What says nothing of the file. Want of address space does, unless there is too little for any: for LMDB maps as much
 * as the file says it needs. */
static bool is_ours(int error)
{
    if (error == ENOMEM)
        return mmap(NULL, MAP_FIRST, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
    return error == EIO || error == EACCES || error == EPERM || error == EMFILE || error == ENFILE || error == EAGAIN;
}

/* In a process of its own, which a damaged file may kill. Only its end tells. */
static void ATTR_NORETURN check_and_exit(const char *path)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    const struct rlimit no_core = {0, 0};
    MDB_env *env;
    MDB_txn *txn;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL);
    alarm(CHECK_SEC_MOST);
    int error = open_env(&env, path, MAP_FIRST, MDB_RDONLY | MDB_NOLOCK);
    if (!error)
        error = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (!error)
        error = walk_all(txn);
    _exit(error == 0 ? SOUND : is_ours(error) ? UNKNOWN : UNSOUND);
}

static int end_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return UNKNOWN;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return WTERMSIG(status) == SIGKILL ? UNKNOWN : UNSOUND;
}

/* Signals for us are not for the other process, which shares what our handlers write to. */
static int check(const char *path)
{
    static const int let_through[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof let_through / sizeof *let_through; i++)
        sigdelset(&blocked, let_through[i]);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    pid_t child = fork();
    if (child == 0)
        check_and_exit(path);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child < 0 ? UNKNOWN : end_of(child);
}

static enum err check_file(const char *path, char why[LMDB_WHY_MAX])
{
    struct stat st;
    if (stat(path, &st))
        return errno == ENOENT ? ERR_OK : tell(why, ERR_IO, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return tell(why, ERR_INVALID, "it is no regular file");
    if (!st.st_size)
        return ERR_OK;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return tell(why, ERR_IO, strerror(errno));
    close(fd);
    switch (check(path)) {
    case SOUND:
        return ERR_OK;
    case UNSOUND:
        return tell(why, ERR_INVALID, "it is damaged, or no file of rondo");
    default:
        return tell(why, ERR_IO, "it could not be checked");
    }
}

/* ==== opening ==== */

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
        error = open_env(&lmdb->env, lmdb->path, lmdb->map_len, 0);
    if (!error)
        lmdb->map_len = map_len_of(lmdb->env);
    return error;
}

static void read_format(MDB_txn *txn, uint32_t *format)
{
    MDB_val key = {sizeof format_key - 1, (void *)(uintptr_t)format_key}, value;
    MDB_dbi dbi;
    if (!mdb_dbi_open(txn, format_database, 0, &dbi) && !mdb_get(txn, dbi, &key, &value) && value.mv_size == 4)
        *format = be32_get(value.mv_data);
}

/* The format of the file; 0: it has none. `is_empty`: nor anything else. */
static int look_at_format(struct lmdb *lmdb, uint32_t *format, bool *is_empty)
{
    MDB_txn *txn;
    MDB_stat stat;
    *format = 0;
    int error = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    error = mdb_stat(txn, 1, &stat);
    *is_empty = !error && !stat.ms_entries;
    read_format(txn, format);
    mdb_txn_abort(txn);
    return error;
}

static void fill_format(void *arg, struct lmdb_write *write)
{
    uint8_t value[4];
    (void)arg;
    be32_put(value, FORMAT);
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
    if (format == FORMAT)
        return ERR_OK;
    return tell(why, ERR_INVALID, format ? "it is of another version of rondo" : "it is another program's");
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
    enum err err = check_file(path, why);
    if (err)
        return err;
    struct lmdb *made = mem_zalloc(1, sizeof *made);
    made->path = mem_strdup(path);
    made->map_len = MAP_FIRST;
    int error = reopen(made);
    err = error ? tell_error(why, error) : settle_format(made, why);
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
