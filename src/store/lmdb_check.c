#include "store/lmdb_check.h"

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
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/lmdb_env.h"

/* A larger file is not copied when it is opened, a matter of half a second. */
enum { COPY_MOST = 64 << 20 };

enum { SOUND_AND_COPIED, SOUND, UNSOUND, UNKNOWN };
enum { CHECK_SEC_MOST = 60 };

/* All records, read one by one and put into a fresh file: what the old one says of its free pages, which LMDB follows
 * when it writes, is not in that. */
struct copying {
    const char *path;
    MDB_env *env; /* NULL: there will be no copy */
    MDB_txn *txn;
    MDB_dbi dbi;
    int error; /* of the copy; the first there was */
};

static int copy_record(struct copying *c, MDB_val *key, MDB_val *value)
{
    unsigned sum = 0;
    for (size_t i = 0; i < value->mv_size; i++)
        sum += ((const uint8_t *)value->mv_data)[i];
    __asm__ volatile("" : : "r"(sum)); /* every byte has been read */
    return c->error ? c->error : mdb_put(c->txn, c->dbi, key, value, MDB_APPEND);
}

static int copy_database(struct copying *c, MDB_txn *txn, const char *name)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_dbi dbi;
    int error = mdb_dbi_open(txn, name, 0, &dbi);
    if (!error)
        error = mdb_cursor_open(txn, dbi, &cursor);
    if (error)
        return error;
    if (!c->error)
        c->error = mdb_dbi_open(c->txn, name, MDB_CREATE, &c->dbi);
    while (!(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)))
        c->error = copy_record(c, &key, &value);
    mdb_cursor_close(cursor);
    return error == MDB_NOTFOUND ? 0 : error;
}

static int copy_all(struct copying *c, MDB_txn *txn)
{
    enum { DATABASE_OF_NAMES = 1 };
    MDB_cursor *cursor;
    MDB_val key, value;
    int error = mdb_cursor_open(txn, DATABASE_OF_NAMES, &cursor);
    while (!error && !(error = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
        char *name = mem_strndup(key.mv_data, key.mv_size);
        error = copy_database(c, txn, name);
        free(name);
    }
    return error == MDB_NOTFOUND ? 0 : error;
}

/* What says nothing of the file. Want of address space does, unless there is too little for any: for LMDB maps as much
 * as the file says it needs. */
static bool is_ours(int error)
{
    if (error == ENOMEM)
        return mmap(NULL, MAP_FIRST, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
    return error == EIO || error == EACCES || error == EPERM || error == EMFILE || error == ENFILE || error == EAGAIN;
}

/* Only of a file of ours: nothing is changed of another's. */
static bool may_be_copied(MDB_txn *txn, size_t len)
{
    return len <= COPY_MOST && lmdb_format_of(txn) == LMDB_FORMAT;
}

/* As large as the old one and more, for pages are filled otherwise. */
static void begin_copy(struct copying *c, MDB_txn *txn)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(mdb_txn_env(txn), &info);
    mdb_env_stat(mdb_txn_env(txn), &stat);
    size_t len = (info.me_last_pgno + 1) * stat.ms_psize;
    (void)unlink(c->path);
    c->error = may_be_copied(txn, len) ? 0 : EFBIG;
    if (!c->error)
        c->error = lmdb_open_env(&c->env, c->path, MAP_FIRST + 2 * len, MDB_NOLOCK | MDB_NOSYNC);
    if (!c->error)
        c->error = mdb_txn_begin(c->env, NULL, 0, &c->txn);
}

static void end_copy(struct copying *c)
{
    if (!c->error)
        c->error = mdb_txn_commit(c->txn);
    if (!c->error)
        c->error = mdb_env_sync(c->env, 1);
}

/* Errors of the copy are in `c`, not the result. */
static int copy_file(struct copying *c, const char *path)
{
    MDB_env *env;
    MDB_txn *txn;
    int error = lmdb_open_env(&env, path, MAP_FIRST, MDB_RDONLY | MDB_NOLOCK);
    if (!error)
        error = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
    if (error)
        return error;
    begin_copy(c, txn);
    error = copy_all(c, txn);
    end_copy(c);
    return error;
}

/* In a process of its own, which a damaged file may kill. Only its end tells. */
static void ATTR_NORETURN check_and_exit(const char *path, const char *copy_path)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    const struct rlimit no_core = {0, 0};
    struct copying copying = {.path = copy_path};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        signal(deadly[i], SIG_DFL);
    alarm(CHECK_SEC_MOST);
    int error = copy_file(&copying, path);
    if (error)
        _exit(is_ours(error) ? UNKNOWN : UNSOUND);
    _exit(copying.error ? SOUND : SOUND_AND_COPIED);
}

static int end_of(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return UNKNOWN;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGALRM ? UNKNOWN : UNSOUND;
}

/* Signals for us are not for the other process, which shares what our handlers write to. */
static int check(const char *path, const char *copy_path)
{
    static const int let_through[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof let_through / sizeof *let_through; i++)
        sigdelset(&blocked, let_through[i]);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    pid_t child = fork();
    if (child == 0)
        check_and_exit(path, copy_path);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return child < 0 ? UNKNOWN : end_of(child);
}

/* The copy takes the place of what it is a copy of. Where it can't, there is no room for it, or the file is too large
 * to be copied at every start, that serves as well as it did. */
static int check_and_replace(const char *path)
{
    char *copy_path = mem_printf("%s-copy", path);
    int found = check(path, copy_path);
    if (found == SOUND_AND_COPIED && !rename(copy_path, path))
        lmdb_sync_folder(path);
    else
        (void)unlink(copy_path);
    free(copy_path);
    return found;
}

enum err lmdb_check(const char *path, char why[LMDB_WHY_MAX])
{
    struct stat st;
    if (stat(path, &st))
        return errno == ENOENT ? ERR_OK : lmdb_tell(why, ERR_IO, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return lmdb_tell(why, ERR_INVALID, "it is no regular file");
    if (!st.st_size)
        return ERR_OK;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return lmdb_tell(why, ERR_IO, strerror(errno));
    close(fd);
    switch (check_and_replace(path)) {
    case SOUND_AND_COPIED:
    case SOUND:
        return ERR_OK;
    case UNSOUND:
        return lmdb_tell(why, ERR_INVALID, "it is damaged, or no file of rondo");
    default:
        return lmdb_tell(why, ERR_IO, "it could not be checked");
    }
}
