#include "store/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static const char consequence[] = "zones cannot be updated, members cannot be drained or forced, and neither "
                                  "transferred zones nor verdicts will survive a restart";

void state_dir_make(const char *path, uid_t uid, gid_t gid)
{
    if (mkdir(path, 0700) || geteuid() != 0)
        return;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fchown(fd, uid, gid))
        (void)rmdir(path); /* the user may be able to make one */
    if (fd >= 0)
        close(fd);
}

char *state_dir_zones(const char *path) { return mem_printf("%s/zones", path); }

static enum err unusable(struct diag *diag, const char *path, const char *why)
{
    diag_warning(diag, NULL, 0, "state_dir \"%s\" cannot be used, so %s: %s", path, consequence, why);
    return ERR_IO;
}

/* Its parent, when it is not there yet: it is made at the start, perhaps by root, who may do so. */
void state_dir_check(const char *path, struct diag *diag)
{
    struct stat info;
    bool is_there = !lstat(path, &info) || errno != ENOENT;
    char *parent = mem_strdup(path), *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    const char *at = is_there ? path : slash ? parent : ".";
    if (stat(at, &info) || (is_there && faccessat(AT_FDCWD, at, W_OK | X_OK, AT_EACCESS)))
        unusable(diag, path, strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        unusable(diag, path, strerror(ENOTDIR));
    free(parent);
}

/* ---- the lock */

static enum err taken(int fd, const char *path, struct diag *diag)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    bool known = !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK && lock.l_pid > 0;
    if (known)
        diag_error(diag, NULL, 0, "state_dir \"%s\" is in use by another rondod, process %ld; each needs its own", path,
                   (long)lock.l_pid);
    else
        diag_error(diag, NULL, 0, "state_dir \"%s\" is in use by another rondod; each needs its own", path);
    return ERR_BUSY;
}

static enum err lock_dir(struct state_dir *dir, const char *path, struct diag *diag)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *name = mem_printf("%s/lock", path);
    dir->lock_fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    free(name);
    if (dir->lock_fd < 0)
        return unusable(diag, path, strerror(errno));
    if (!fcntl(dir->lock_fd, F_SETLK, &lock))
        return ERR_OK;
    if (errno == EACCES || errno == EAGAIN)
        return taken(dir->lock_fd, path, diag);
    return unusable(diag, path, strerror(errno));
}

/* ---- the file */

/* Nobody else may put one there, as the folder is locked. */
char *state_dir_name_aside(const char *file)
{
    time_t now = time(NULL);
    struct tm utc;
    char stamp[32];
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    char *name = mem_printf("%s.aside-%s", file, stamp);
    for (unsigned i = 2; !access(name, F_OK) || errno != ENOENT; i++) {
        free(name);
        name = mem_printf("%s.aside-%s-%u", file, stamp, i);
    }
    return name;
}

/* Changes of zones that the file has lead on from the snapshots, which the next ones would replace: nobody could make
 * anything of one without the other. What is not there, or can't be renamed, stays where it is. */
static void set_snapshots_aside(const char *path, struct diag *diag)
{
    char *zones = state_dir_zones(path), *name = state_dir_name_aside(zones);
    if (!rename(zones, name))
        diag_warning(diag, zones, 0, "the zones' snapshots go with it, to \"%s\"", name);
    free(name);
    free(zones);
}

static enum err set_aside(struct state_dir *dir, const char *path, const char *file, const char *found,
                          struct diag *diag)
{
    char *name = state_dir_name_aside(file), why[LMDB_WHY_MAX];
    enum err err = rename(file, name) ? ERR_IO : ERR_OK;
    if (err) {
        unusable(diag, path, strerror(errno));
    } else {
        diag_warning(diag, file, 0, "%s; it was renamed to \"%s\", and rondo begins without updates that zone files "
                     "lack, transferred zones, drains, forced states and verdicts", found, name);
        set_snapshots_aside(path, diag);
    }
    free(name);
    if (!err && lmdb_open(&dir->lmdb, file, why))
        err = unusable(diag, path, why);
    return err;
}

static enum err open_file(struct state_dir *dir, const char *path, struct diag *diag)
{
    char *file = mem_printf("%s/rondo.mdb", path), why[LMDB_WHY_MAX];
    enum err err = lmdb_open(&dir->lmdb, file, why);
    if (err == ERR_INVALID)
        err = set_aside(dir, path, file, why, diag);
    else if (err)
        err = unusable(diag, path, why);
    free(file);
    return err;
}

void state_dir_close(struct state_dir *dir)
{
    lmdb_close(dir->lmdb);
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    *dir = (struct state_dir){.lock_fd = -1};
}

enum err state_dir_open(struct state_dir *dir, const char *path, struct diag *diag)
{
    *dir = (struct state_dir){.lock_fd = -1};
    if (mkdir(path, 0700) && errno != EEXIST)
        return unusable(diag, path, strerror(errno));
    enum err err = lock_dir(dir, path, diag);
    if (!err)
        err = open_file(dir, path, diag);
    if (err)
        state_dir_close(dir);
    return err;
}
