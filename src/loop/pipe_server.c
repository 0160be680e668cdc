/* By uv_poll over plain descriptors instead of uv_pipe: full control of when to accept, and send(2) with MSG_NOSIGNAL,
 * so that a client that leaves raises no SIGPIPE whatever the program does about it. */
#include "loop/pipe_server.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "loop/job.h"

/* A piece of an answer is some 10 microseconds' work: without a bound a reader as quick as we are would get all of it
 * in one turn. */
enum { TICK_MS = 100, READ_SIZE = 16 * 1024, PIECE_SIZE = 32 * 1024 };

enum state { READING, HELD, WRITING, ENDED };

struct pipe_client {
    uv_poll_t poll;
    struct pipe_server *server;
    struct pipe_client *next;
    void *conn;
    enum state state;
    int fd;
    uint64_t opened_ms, deadline_ms; /* loop time; the deadline holds in READING and WRITING */
    char *out;                       /* owned */
    size_t out_len, out_at;
    int attached; /* goes with the first byte; -1: nothing, or it has gone */
};

struct pipe_server {
    uv_poll_t poll;
    uv_timer_t tick; /* runs while there are clients, or accepting is paused */
    uv_prepare_t turn; /* runs from a read to the end of that turn of the loop */
    struct unix_socket sock;
    struct pipe_server_limits limits;
    struct pipe_server_events events;
    struct pipe_client *clients;
    unsigned client_cnt;
    unsigned handle_cnt; /* of ours on the loop, closing ones too */
    bool closing, ticking;
    bool has_read; /* in this turn */
    struct log_rate accept_rate;
};

static void listen_start(struct pipe_server *server);

/* ==== ends ==== */

static void handle_gone(struct pipe_server *server)
{
    if (--server->handle_cnt)
        return;
    server->events.closed(server->events.arg);
    free(server);
}

static void detach(struct pipe_client *client)
{
    if (client->attached >= 0)
        close(client->attached);
    client->attached = -1;
}

static void client_closed(uv_handle_t *handle)
{
    struct pipe_client *client = handle->data;
    struct pipe_server *server = client->server;
    job_free(handle->loop, client->out, client->out_len);
    detach(client);
    free(client);
    handle_gone(server);
}

static void server_handle_closed(uv_handle_t *handle)
{
    handle_gone(handle->data);
}

static void client_end(struct pipe_client *client, enum pipe_end why)
{
    struct pipe_server *server = client->server;
    if (client->state == ENDED)
        return;
    client->state = ENDED;
    struct pipe_client **at = &server->clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    server->client_cnt--;
    uv_close((uv_handle_t *)&client->poll, client_closed);
    close(client->fd);
    server->events.end(client->conn, why);
    if (!server->closing)
        listen_start(server);
}

/* ==== reading and writing ==== */

static void client_event(uv_poll_t *poll, int status, int events);

static void client_watch(struct pipe_client *client, int events)
{
    uv_poll_start(&client->poll, events, client_event);
}

static void next_turn(uv_prepare_t *turn)
{
    struct pipe_server *server = turn->data;
    server->has_read = false;
    uv_prepare_stop(turn);
}

/* One client in a turn, as what it asks for may take a while; the others are still readable in the next one. */
static void client_read(struct pipe_client *client)
{
    struct pipe_server *server = client->server;
    char bytes[READ_SIZE];
    if (server->has_read)
        return;
    server->has_read = true;
    uv_prepare_start(&server->turn, next_turn);
    ssize_t len = recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (len > 0)
        server->events.read(client->conn, bytes, (size_t)len);
    else if (len == 0 || (errno != EAGAIN && errno != EINTR))
        client_end(client, PIPE_END_GONE);
}

/* One that has only shut down its writing side still waits for its answer; one that closed does not. */
static void client_left(struct pipe_client *client)
{
    struct pollfd probe = {.fd = client->fd};
    if (poll(&probe, 1, 0) == 1 && probe.revents & (POLLHUP | POLLERR))
        client_end(client, PIPE_END_GONE);
    else
        uv_poll_stop(&client->poll);
}

static ssize_t send_piece(const struct pipe_client *client)
{
    size_t len = client->out_len - client->out_at;
    struct iovec piece = {client->out + client->out_at, len < PIECE_SIZE ? len : PIECE_SIZE};
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (client->attached >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        memcpy(CMSG_DATA(&control.head), &client->attached, sizeof(int));
    }
    return sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The next piece, or what the kernel takes of it. */
static void client_send(struct pipe_client *client)
{
    ssize_t sent = send_piece(client);
    if (sent < 0 && errno != EINTR && errno != EAGAIN) {
        client_end(client, PIPE_END_GONE);
        return;
    }
    if (sent > 0) {
        client->out_at += (size_t)sent;
        detach(client);
    }
    if (client->out_at == client->out_len)
        client_end(client, PIPE_END_DONE);
}

static void client_event(uv_poll_t *poll, int status, int events)
{
    struct pipe_client *client = poll->data;
    if (status < 0)
        client_end(client, PIPE_END_GONE);
    else if (client->state == READING)
        client_read(client);
    else if (client->state == HELD && events & UV_DISCONNECT)
        client_left(client);
    else if (client->state == WRITING)
        client_send(client);
}

void pipe_client_hold(struct pipe_client *client)
{
    if (client->state != READING)
        return;
    client->state = HELD;
    client_watch(client, UV_DISCONNECT);
}

void pipe_client_write(struct pipe_client *client, char **bytes, size_t len)
{
    if (client->state != READING && client->state != HELD) {
        job_free(client->poll.loop, *bytes, len);
        *bytes = NULL;
        return;
    }
    client->out = *bytes;
    client->out_len = len;
    *bytes = NULL;
    client->state = WRITING;
    client->deadline_ms = uv_now(client->poll.loop) + client->server->limits.answer_ms;
    client_watch(client, UV_WRITABLE);
    client_send(client);
}

void pipe_client_attach(struct pipe_client *client, int *fd)
{
    client->attached = *fd;
    *fd = -1;
}

void pipe_client_close(struct pipe_client *client)
{
    client_end(client, PIPE_END_CLOSED);
}

pid_t pipe_client_pid(const struct pipe_client *client, uid_t *uid)
{
    struct ucred who = {.pid = -1, .uid = (uid_t)-1};
    socklen_t len = sizeof who;
    if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
        who.pid = -1;
    *uid = who.uid;
    return who.pid;
}

/* ==== accepting, and the clock ==== */

static void crowd_out(struct pipe_server *server)
{
    for (struct pipe_client *client = server->clients; client; client = client->next) {
        uint64_t deadline_ms = client->opened_ms + server->limits.crowded_ms;
        if (client->state == READING && deadline_ms < client->deadline_ms)
            client->deadline_ms = deadline_ms;
    }
}

static void tick(uv_timer_t *timer)
{
    struct pipe_server *server = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    for (struct pipe_client *client = server->clients, *next; client; client = next) {
        next = client->next;
        if (client->state != HELD && now_ms >= client->deadline_ms)
            client_end(client, PIPE_END_LATE);
    }
    if (server->client_cnt < server->limits.clients_max)
        listen_start(server); /* also when accept failed for want of descriptors */
    if (!server->client_cnt) {
        uv_timer_stop(timer);
        server->ticking = false;
    }
}

static void tick_start(struct pipe_server *server)
{
    if (!server->ticking)
        uv_timer_start(&server->tick, tick, TICK_MS, TICK_MS);
    server->ticking = true;
}

static bool client_open(struct pipe_server *server, int fd)
{
    struct pipe_client *client = mem_zalloc(1, sizeof *client);
    if (uv_poll_init(server->poll.loop, &client->poll, fd)) {
        close(fd);
        free(client);
        return false;
    }
    server->handle_cnt++;
    client->poll.data = client;
    client->server = server;
    client->fd = fd;
    client->attached = -1;
    client->opened_ms = uv_now(server->poll.loop);
    client->deadline_ms = client->opened_ms + server->limits.request_ms;
    client->next = server->clients;
    server->clients = client;
    server->client_cnt++;
    client->conn = server->events.open(server->events.arg, client);
    client_watch(client, UV_READABLE);
    tick_start(server);
    return true;
}

/* Waits for the next tick before it accepts again. */
static void listen_pause(struct pipe_server *server)
{
    uv_poll_stop(&server->poll);
    tick_start(server);
}

static void listen_event(uv_poll_t *poll, int status, int events)
{
    struct pipe_server *server = poll->data;
    (void)events;
    while (status == 0 && server->client_cnt < server->limits.clients_max) {
        int fd = accept4(server->sock.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0 && client_open(server, fd))
            continue;
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (log_rate_ok(&server->accept_rate, 1))
            log_warning("cannot accept a client on \"%s\": %s", server->sock.path, strerror(errno));
        listen_pause(server);
        return;
    }
    if (status == 0)
        crowd_out(server);
    listen_pause(server);
}

static void listen_start(struct pipe_server *server)
{
    uv_poll_start(&server->poll, UV_READABLE, listen_event);
}

struct pipe_server *pipe_server_new(uv_loop_t *loop, struct unix_socket *sock, const struct pipe_server_limits *limits,
                                    const struct pipe_server_events *events)
{
    struct pipe_server *server = mem_zalloc(1, sizeof *server);
    server->limits = *limits;
    server->events = *events;
    server->sock = *sock;
    *sock = (struct unix_socket){.fd = -1};
    server->poll.data = server->tick.data = server->turn.data = server;
    uv_timer_init(loop, &server->tick);
    uv_prepare_init(loop, &server->turn);
    server->handle_cnt = 3;
    if (uv_poll_init(loop, &server->poll, server->sock.fd))
        abort(); /* only for a descriptor that epoll does not know; a socket is none */
    listen_start(server);
    return server;
}

const struct unix_socket *pipe_server_socket(const struct pipe_server *server)
{
    return &server->sock;
}

void pipe_server_close(struct pipe_server *server)
{
    server->closing = true;
    while (server->clients)
        client_end(server->clients, PIPE_END_CLOSED);
    uv_close((uv_handle_t *)&server->poll, server_handle_closed);
    uv_close((uv_handle_t *)&server->tick, server_handle_closed);
    uv_close((uv_handle_t *)&server->turn, server_handle_closed);
    unix_socket_close(&server->sock);
}
