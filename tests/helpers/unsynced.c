/* Preloaded into a program it is a disk that loses, when the power fails, all that was not synced. Of the files below
 * a folder it keeps in another folder, the shadow, what would still be there: of a file its bytes as of the last fsync
 * or fdatasync, and what was written through a descriptor with O_SYNC or O_DSYNC; of a folder its names as of its last
 * fsync, so that a file made, renamed or removed since is not, or is still, found under its name. The shadow is whole
 * at every moment, for each change of it is one rename: the program may be killed whenever one likes. Nothing is synced
 * for real.
 *
 *   UNSYNCED_DIR     the folder, as realpath(3) has it; not set: nothing is done
 *   UNSYNCED_SHADOW  the shadow, which exists, on the same file system and not below that folder
 *   UNSYNCED_FULL    while there is a file of this name, every write below the folder fails with ENOSPC, and so does
 *                    posix_fallocate beyond a file's end
 *   UNSYNCED_CUT     the program, and every child that took part, is killed before its n-th write or sync there
 *
 * The shadow holds, by number of inode: data.N, the bytes of a file; names.N, a folder as lines "f INODE NAME" (d: a
 * folder; f: a file); pin.N, a link to the file itself, so that no other file gets its number, and what it held at the
 * end can be told. tests/functional/powercut.py makes a folder of that again.
 *
 * What it does not see is not synced: msync, sync, syncfs, and what stdio writes. A folder that was removed must not be
 * followed by another one. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* The function that would have been called without us. */
#define NEXT(name)                                                                                                     \
    (__extension__({                                                                                                   \
        static __typeof__(&name) kept;                                                                                 \
        if (!kept)                                                                                                     \
            kept = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                                         \
        kept;                                                                                                          \
    }))

enum { PATH_LEN = PATH_MAX + 64 };

/* Of the program and its children. */
struct steps {
    pid_t first; /* the program */
    atomic_ulong taken;
};

static const char *dir, *shadow, *full; /* NULL: not set */
static unsigned long cut;               /* 0: never */
static struct steps *steps;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the shadow, within a process */

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    dprintf(STDERR_FILENO, "unsynced: ");
    vdprintf(STDERR_FILENO, format, args);
    dprintf(STDERR_FILENO, ": %s\n", strerror(errno));
    va_end(args);
    abort();
}

static __attribute__((constructor)) void begin(void)
{
    const char *text = getenv("UNSYNCED_CUT");
    cut = text ? strtoul(text, NULL, 10) : 0;
    shadow = getenv("UNSYNCED_SHADOW");
    full = getenv("UNSYNCED_FULL");
    steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (steps == MAP_FAILED)
        fail("mmap");
    steps->first = getpid();
    if (shadow)
        dir = getenv("UNSYNCED_DIR");
}

/* ---- what concerns us */

static void path_of(char path[PATH_LEN], int fd)
{
    snprintf(path, PATH_LEN, "/proc/self/fd/%d", fd);
}

/* True when the descriptor is of that type and of something in the folder, or of the folder. */
static bool is_ours(int fd, mode_t type)
{
    char link[PATH_LEN], path[PATH_LEN];
    struct stat st;
    if (!dir || fstat(fd, &st) || (st.st_mode & S_IFMT) != type)
        return false;
    path_of(link, fd);
    ssize_t len = readlink(link, path, sizeof path);
    size_t dir_len = strlen(dir);
    return len >= (ssize_t)dir_len && !memcmp(path, dir, dir_len) && (len == (ssize_t)dir_len || path[dir_len] == '/');
}

static void step(void)
{
    if (!cut || atomic_fetch_add(&steps->taken, 1) + 1 < cut)
        return;
    kill(steps->first, SIGKILL);
    kill(getpid(), SIGKILL);
}

/* ---- the shadow */

static void shadow_path(char path[PATH_LEN], const char *what, uint64_t number)
{
    snprintf(path, PATH_LEN, "%s/%s.%llu", shadow, what, (unsigned long long)number);
}

static int open_next(char path[PATH_LEN])
{
    shadow_path(path, "next", (uint64_t)getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        fail("%s", path);
    return fd;
}

/* What was written to `next` is now `what`. */
static void replace(int fd, const char *next, const char *what, uint64_t number)
{
    char path[PATH_LEN];
    shadow_path(path, what, number);
    if (close(fd) || rename(next, path))
        fail("%s", path);
}

static int open_again(int fd, int flags)
{
    char path[PATH_LEN];
    path_of(path, fd);
    int again = open(path, flags | O_CLOEXEC);
    if (again < 0)
        fail("%s", path);
    return again;
}

/* Gives the file, or what is called `path` in the folder `at`, its second name. False: it is gone. */
static bool pin(int at, const char *path, int flags, uint64_t number)
{
    char second[PATH_LEN];
    shadow_path(second, "pin", number);
    if (!linkat(at, path, AT_FDCWD, second, flags) || errno == EEXIST)
        return true;
    if (errno != ENOENT)
        fail("%s", second);
    return false;
}

/* At most `len` bytes from `offset` on, to the same place. */
static void copy(int to, int from, off_t offset, uint64_t len)
{
    static char buffer[1 << 18]; /* the lock's holder's */
    while (len) {
        ssize_t got = pread(from, buffer, len < sizeof buffer ? len : sizeof buffer, offset);
        if (got < 0 || (got && NEXT(pwrite)(to, buffer, (size_t)got, offset) != got))
            fail("copy");
        if (!got)
            return;
        offset += got;
        len -= (uint64_t)got;
    }
}

/* What an earlier sync has kept. */
static void copy_kept(int to, uint64_t number)
{
    char path[PATH_LEN];
    shadow_path(path, "data", number);
    int kept = open(path, O_RDONLY | O_CLOEXEC);
    if (kept < 0)
        return;
    copy(to, kept, 0, UINT64_MAX);
    close(kept);
}

/* These bytes of the file are on the disk; `len` UINT64_MAX: all, and no others. */
static void keep_data(int fd, off_t offset, uint64_t len)
{
    char next[PATH_LEN], path[PATH_LEN];
    struct stat st;
    if (fstat(fd, &st))
        fail("fstat");
    int from = open_again(fd, O_RDONLY), to = open_next(next);
    if (len != UINT64_MAX)
        copy_kept(to, st.st_ino);
    copy(to, from, offset, len);
    path_of(path, fd);
    pin(AT_FDCWD, path, AT_SYMLINK_FOLLOW, st.st_ino);
    replace(to, next, "data", st.st_ino);
    close(from);
}

static void keep_name(int to, int folder, const char *name)
{
    struct stat st;
    if (!strcmp(name, ".") || !strcmp(name, "..") || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
        return;
    bool is_folder = S_ISDIR(st.st_mode);
    if (!is_folder && (!S_ISREG(st.st_mode) || !pin(folder, name, 0, st.st_ino)))
        return;
    dprintf(to, "%c %llu %s\n", is_folder ? 'd' : 'f', (unsigned long long)st.st_ino, name);
}

static void keep_names(int fd)
{
    char next[PATH_LEN];
    struct stat st;
    if (fstat(fd, &st))
        fail("fstat");
    DIR *folder = fdopendir(open_again(fd, O_RDONLY | O_DIRECTORY));
    int to = open_next(next);
    if (!folder)
        fail("fdopendir");
    for (const struct dirent *entry; (entry = readdir(folder));)
        keep_name(to, dirfd(folder), entry->d_name);
    replace(to, next, "names", st.st_ino);
    closedir(folder);
}

/* ---- syncing */

/* False: it is none of ours. */
static bool keep_all(int fd)
{
    int error = errno;
    bool is_file = is_ours(fd, S_IFREG), is_folder = !is_file && is_ours(fd, S_IFDIR);
    if (is_file || is_folder) {
        pthread_mutex_lock(&lock);
        step();
        if (is_file)
            keep_data(fd, 0, UINT64_MAX);
        else
            keep_names(fd);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return is_file || is_folder;
}

int fsync(int fd)
{
    return keep_all(fd) ? 0 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    return keep_all(fd) ? 0 : NEXT(fdatasync)(fd);
}

/* ---- writing */

/* True when it may be done. */
static bool begin_write(int fd)
{
    int error = errno;
    bool is_full = false;
    if (is_ours(fd, S_IFREG)) {
        step();
        is_full = full && !access(full, F_OK);
    }
    errno = is_full ? ENOSPC : error;
    return !is_full;
}

/* `offset` −1: where the descriptor was. Returns `done`. */
static ssize_t end_write(int fd, ssize_t done, off_t offset)
{
    int error = errno, flags = done > 0 ? fcntl(fd, F_GETFL) : 0;
    if (done > 0 && (flags & O_DSYNC) && is_ours(fd, S_IFREG)) { /* O_SYNC has that bit, too */
        pthread_mutex_lock(&lock);
        keep_data(fd, offset < 0 ? lseek(fd, 0, SEEK_CUR) - done : offset, (uint64_t)done);
        pthread_mutex_unlock(&lock);
    }
    errno = error;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return begin_write(fd) ? end_write(fd, NEXT(write)(fd, bytes, len), -1) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int cnt)
{
    return begin_write(fd) ? end_write(fd, NEXT(writev)(fd, parts, cnt), -1) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    return begin_write(fd) ? end_write(fd, NEXT(pwrite)(fd, bytes, len, offset), offset) : -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    return pwrite(fd, bytes, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int cnt, off_t offset)
{
    return begin_write(fd) ? end_write(fd, NEXT(pwritev)(fd, parts, cnt, offset), offset) : -1;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int cnt, off64_t offset)
{
    return pwritev(fd, parts, cnt, offset);
}

ssize_t pwritev2(int fd, const struct iovec *parts, int cnt, off_t offset, int flags)
{
    return begin_write(fd) ? end_write(fd, NEXT(pwritev2)(fd, parts, cnt, offset, flags), offset) : -1;
}

ssize_t pwritev64v2(int fd, const struct iovec *parts, int cnt, off64_t offset, int flags)
{
    return pwritev2(fd, parts, cnt, offset, flags);
}

/* What a file has it keeps. */
static bool is_beyond(int fd, off_t end)
{
    struct stat st;
    return fstat(fd, &st) || end > st.st_size;
}

int posix_fallocate(int fd, off_t offset, off_t len)
{
    return !is_beyond(fd, offset + len) || begin_write(fd) ? NEXT(posix_fallocate)(fd, offset, len) : ENOSPC;
}

int posix_fallocate64(int fd, off64_t offset, off64_t len)
{
    return posix_fallocate(fd, offset, len);
}
