#include "tools/client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/human.h"

enum { READ_SIZE = 64 * 1024, WHY_MAX = 300 };

/* Milliseconds left, at least 1 so that the kernel does not take it for "no limit"; -1: no limit. */
static int64_t left_ms(const struct client *client)
{
    if (!client->deadline_ms)
        return -1;
    uint64_t now_ms = clock_mono_ms();
    return now_ms < client->deadline_ms ? (int64_t)(client->deadline_ms - now_ms) : 1;
}

static void socket_limit(const struct client *client, int fd, int option)
{
    int64_t ms = left_ms(client);
    if (ms < 0)
        return;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    (void)setsockopt(fd, SOL_SOCKET, option, &tv, sizeof tv);
}

static char *late_why(const struct client *client)
{
    char text[HUMAN_MAX];
    if (client->timeout_ms % 1000)
        return mem_printf("no answer from rondod at \"%s\" within %llu ms", client->path,
                          (unsigned long long)client->timeout_ms);
    return mem_printf("no answer from rondod at \"%s\" within %s", client->path,
                      human_duration(text, client->timeout_ms / 1000));
}

static enum err unreachable(const struct client *client, int problem, char **why)
{
    const char *cause = strerror(problem), *hint = "";
    if (problem == EAGAIN) { /* SO_SNDTIMEO ran out: its backlog stayed full */
        *why = late_why(client);
        return ERR_TIMEOUT;
    }
    if (problem == ECONNREFUSED)
        cause = "connection refused", hint = "; is it running?";
    else if (problem == ENOENT)
        cause = "no such socket", hint = "; is it running?";
    else if (problem == EACCES)
        cause = "permission denied";
    *why = mem_printf("cannot reach rondod at \"%s\": %s%s", client->path, cause, hint);
    return ERR_IO;
}

static enum err reach(const struct client *client, int *fd, char **why)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!*client->path || strlen(client->path) >= sizeof sa.sun_path) {
        *why = mem_printf("\"%s\" is no path of a socket: it has 1 to 107 bytes", client->path);
        return ERR_IO;
    }
    memcpy(sa.sun_path, client->path, strlen(client->path) + 1);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return unreachable(client, errno, why);
    socket_limit(client, *fd, SO_SNDTIMEO);
    if (!connect(*fd, (const struct sockaddr *)&sa, sizeof sa))
        return ERR_OK;
    int problem = errno;
    close(*fd);
    return unreachable(client, problem, why);
}

static int peer_pidfd(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) || who.pid <= 0)
        return -1;
    return (int)syscall(SYS_pidfd_open, who.pid, 0U);
}

static enum err trouble(const struct client *client, char **why)
{
    if (errno == EAGAIN) {
        *why = late_why(client);
        return ERR_TIMEOUT;
    }
    *why = mem_printf("connection to rondod at \"%s\" lost: %s", client->path, strerror(errno));
    return ERR_CLOSED;
}

/* A server that refuses early closes while we still send: what it answered is then there to read, so a broken pipe is
 * no end yet. */
static enum err request_send(const struct client *client, int fd, const char *bytes, size_t len, char **why)
{
    while (len) {
        socket_limit(client, fd, SO_SNDTIMEO);
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return ERR_OK;
        if (sent < 0 && errno != EINTR)
            return trouble(client, why);
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
        }
    }
    return ERR_OK;
}

/* There is room for one at a time; the last one counts. */
static void take_attached(struct client *client, struct msghdr *message)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof(int)))
        return;
    if (client->attached >= 0)
        close(client->attached);
    memcpy(&client->attached, CMSG_DATA(head), sizeof(int));
}

static ssize_t receive(struct client *client, int fd, char *bytes)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {bytes, READ_SIZE};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t len = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (len > 0)
        take_attached(client, &message);
    return len;
}

static enum err answer_read(struct client *client, int fd, struct ctl_frame *frame, char **why)
{
    char *bytes = mem_zalloc(1, READ_SIZE);
    enum err err = ERR_OK;
    for (bool complete = false; !err && !complete;) {
        socket_limit(client, fd, SO_RCVTIMEO);
        ssize_t len = receive(client, fd, bytes);
        if (len > 0) {
            err = ctl_frame_feed(frame, bytes, (size_t)len, &complete);
            if (err)
                *why = mem_printf("what answers at \"%s\" is not rondod", client->path);
        } else if (len == 0) {
            *why = mem_printf("rondod at \"%s\" closed the connection without a whole answer", client->path);
            err = ERR_CLOSED;
        } else if (errno != EINTR) {
            err = trouble(client, why);
        }
    }
    free(bytes);
    return err;
}

static enum err answer_take(struct client *client, int fd, struct ctl_answer *answer, char **why)
{
    struct ctl_frame frame;
    char text[WHY_MAX];
    ctl_frame_init(&frame, CTL_ANSWER_MAX);
    enum err err = answer_read(client, fd, &frame, why);
    if (!err) {
        err = ctl_answer_parse(answer, &frame, text, sizeof text);
        if (err)
            *why = mem_printf("cannot read the answer of rondod at \"%s\": %s", client->path, text);
    }
    ctl_frame_fini(&frame);
    return err;
}

enum err client_ask(struct client *client, const char *command, const char *const *args, size_t arg_cnt,
                    struct ctl_answer *answer, int *pidfd, char **why)
{
    int fd;
    *pidfd = -1;
    client->attached = -1;
    client->deadline_ms = client->timeout_ms ? clock_mono_ms() + client->timeout_ms : 0;
    enum err err = reach(client, &fd, why);
    if (err)
        return err;
    *pidfd = peer_pidfd(fd);
    size_t len;
    char *request = ctl_request_format(&len, command, args, arg_cnt);
    err = request_send(client, fd, request, len, why);
    free(request);
    if (!err)
        err = answer_take(client, fd, answer, why);
    close(fd);
    return err;
}

enum err client_wait_end(const struct client *client, int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int64_t ms = left_ms(client);
        int ready = poll(&wait, 1, ms > 60000 ? 60000 : (int)ms);
        if (ready > 0)
            return ERR_OK;
        if (client->deadline_ms && clock_mono_ms() >= client->deadline_ms)
            return ERR_TIMEOUT;
    }
}
