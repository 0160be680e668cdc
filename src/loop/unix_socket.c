#include "loop/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { BACKLOG = 128, LOCK_TRIES = 50, LOCK_PAUSE_MS = 10 };

static enum err refuse(struct diag *diag, const char *path, const char *cause, enum err err)
{
    diag_error(diag, NULL, 0, "cannot listen on \"%s\": %s", path, cause);
    return err;
}

/* The folder of `path`, as a new string. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/* Two servers that start at once must not both find the path dead and one remove the other's new socket: a lock on the
 * folder, held while one looks and binds. It leaves no file behind. Somebody else's lock on that folder must not keep
 * us from starting, hence the limit of half a second. Gives the folder's descriptor, -1 when it can't be opened (bind
 * will then say why). */
static int folder_lock(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct timespec pause = {0, LOCK_PAUSE_MS * 1000000L};
    for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK; i++)
        nanosleep(&pause, NULL);
    return fd;
}

static int socket_make(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Knocks at what stands there. 0: nothing, or a socket that nobody listens on any more (removed); else an errno. */
static int path_clear(const struct sockaddr_un *sa)
{
    struct stat st;
    if (lstat(sa->sun_path, &st))
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(st.st_mode))
        return ENOTSOCK;
    int fd = socket_make();
    if (fd < 0)
        return errno;
    int problem = connect(fd, (const struct sockaddr *)sa, sizeof *sa) ? errno : EADDRINUSE;
    close(fd);
    if (problem == ECONNREFUSED)
        return unlink(sa->sun_path) && errno != ENOENT ? errno : 0;
    return problem == EAGAIN ? EADDRINUSE : problem; /* EAGAIN: its backlog is full, so it lives */
}

static int bind_and_listen(int fd, const struct sockaddr_un *sa, mode_t mode)
{
    /* Linux makes the file with the socket's own mode less the umask; chmod then gives back what the umask took. */
    if (fchmod(fd, mode) || bind(fd, (const struct sockaddr *)sa, sizeof *sa))
        return errno;
    if (chmod(sa->sun_path, mode) || listen(fd, BACKLOG)) {
        int problem = errno;
        unlink(sa->sun_path);
        return problem;
    }
    return 0;
}

static int open_at(struct unix_socket *sock, const struct sockaddr_un *sa, mode_t mode)
{
    int problem = path_clear(sa);
    if (problem)
        return problem;
    sock->fd = socket_make();
    if (sock->fd < 0)
        return errno;
    problem = bind_and_listen(sock->fd, sa, mode);
    struct stat st;
    if (!problem && lstat(sa->sun_path, &st))
        problem = errno;
    if (problem) {
        close(sock->fd);
        sock->fd = -1;
        return problem;
    }
    sock->dev = st.st_dev;
    sock->ino = st.st_ino;
    return 0;
}

static enum err explain(struct diag *diag, const char *path, int problem)
{
    switch (problem) {
    case 0:
        return ERR_OK;
    case EADDRINUSE:
        return refuse(diag, path, "another process listens there", ERR_EXISTS);
    case ENOTSOCK:
        return refuse(diag, path, "a file that is no socket stands there", ERR_INVALID);
    default:
        return refuse(diag, path, strerror(problem), ERR_IO);
    }
}

enum err unix_socket_open(struct unix_socket *sock, const char *path, mode_t mode, struct diag *diag)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    *sock = (struct unix_socket){.fd = -1};
    if (!*path || strlen(path) >= sizeof sa.sun_path)
        return refuse(diag, path, "a socket's path has 1 to 107 bytes", ERR_INVALID);
    memcpy(sa.sun_path, path, strlen(path) + 1);
    char *folder = folder_of(path);
    sock->made_dir = mkdir(folder, 0755) == 0;
    int lock = folder_lock(folder);
    enum err err = explain(diag, path, open_at(sock, &sa, mode));
    if (lock >= 0)
        close(lock);
    if (!err)
        sock->path = mem_strdup(path);
    else if (sock->made_dir)
        (void)rmdir(folder);
    free(folder);
    return err;
}

enum err unix_socket_give_to(const struct unix_socket *sock, uid_t uid, gid_t gid, struct diag *diag)
{
    char *folder = folder_of(sock->path);
    const char *failed = NULL;
    if (sock->made_dir && chown(folder, uid, gid))
        failed = folder;
    else if (lchown(sock->path, uid, gid))
        failed = sock->path;
    if (failed)
        diag_error(diag, NULL, 0, "cannot change the owner of \"%s\": %s", failed, strerror(errno));
    free(folder);
    return failed ? ERR_IO : ERR_OK;
}

void unix_socket_close(struct unix_socket *sock)
{
    struct stat st;
    if (sock->fd < 0)
        return;
    if (!lstat(sock->path, &st) && st.st_dev == sock->dev && st.st_ino == sock->ino && unlink(sock->path))
        log_warning("cannot remove \"%s\": %s", sock->path, strerror(errno));
    close(sock->fd);
    free(sock->path);
    *sock = (struct unix_socket){.fd = -1};
}
