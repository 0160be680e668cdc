#include "probe/check.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/driver.h"
#include "probe/echo_socket.h"

enum { DATAGRAMS_MOST = 64 };

/* What we lack, not the target: descriptors, memory, local ports (EADDRNOTAVAIL, as not_begun() lets it through;
 * EADDRINUSE), room in the epoll set. EAGAIN is connect's word for a full routing cache or no free port. */
static bool is_ours(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EAGAIN:
        return true;
    default:
        return false;
    }
}

static void broken(struct check *check, int error)
{
    if (is_ours(error))
        check->local_error = error;
    else
        kind_broken(&check->run, error);
}

/* ---- where from ---- */

/* 0, or -1 and errno. */
static int bind_source(const struct check *check, int fd)
{
    const struct addr *source = &check->run.target->source;
    const int on = 1;
    struct sockaddr_storage from;
    if (source->family == ADDR_NONE)
        return 0;
    /* The port is chosen with the connection, so that there are as many as targets times ports. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    socklen_t from_len = addr_to_sockaddr(&from, source);
    return bind(fd, (const struct sockaddr *)&from, from_len);
}

/* An address that was taken off this machine is nothing that its targets can help. */
static void no_source(struct check *check, int error)
{
    check->local_error = error;
    if (error == EADDRNOTAVAIL)
        check->lack = (struct reason){REASON_NO_SOURCE, 0};
}

/* ---- no way there ---- */

/* TCP says EADDRNOTAVAIL both when all local ports to that target are taken and when this machine has no address to
 * ask from (no IPv6 at all). A datagram socket knows the difference without a packet: it is routed alike and finds its
 * source address alike, but its ports are others. 0: there is a way, so it is the ports. */
static int way_error(const struct check *check, const struct sockaddr_storage *to, socklen_t to_len)
{
    int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = bind_source(check, fd) || connect(fd, (const struct sockaddr *)to, to_len) ? errno : 0;
    close(fd);
    return error;
}

/* socket() or connect() said at once that it can't be. Whoever can't reach a member from here must not send clients to
 * it before others that it knows to live, so that there is no way is a failed check, however little the target can do
 * for it; "here" in the reason says where to look. */
static void not_begun(struct check *check, int error, const struct sockaddr_storage *to, socklen_t to_len)
{
    const uint32_t family = check->run.target->address.family;
    int way = error == EADDRNOTAVAIL ? way_error(check, to, to_len) : error;
    switch (way) {
    case 0:
        check->local_error = error;
        break;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: /* a kernel without that family */
        kind_end_unreached(&check->run, (struct reason){REASON_NO_ADDRESS, family});
        break;
    case ENETUNREACH:
    case EHOSTUNREACH: /* an "unreachable" route */
    case EINVAL:       /* a "blackhole" route; a link-local address, which needs its link's name */
        kind_end_unreached(&check->run, (struct reason){REASON_NO_ROUTE, family});
        break;
    case EPERM:  /* a packet filter */
    case EACCES: /* a "prohibit" route; a security module */
        kind_end_unreached(&check->run, (struct reason){REASON_FORBIDDEN, (uint32_t)way});
        break;
    default:
        broken(check, way);
    }
}

/* ---- connecting ---- */

/* The least port that the system gives to connections by itself, when we began; 0: not known. */
static unsigned local_port_least(void)
{
    static bool is_known;
    static unsigned least;
    if (is_known)
        return least;
    is_known = true;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (!file || fscanf(file, "%u", &least) != 1)
        least = 0;
    if (file)
        (void)fclose(file);
    return least;
}

/* Whoever connects to a port of its own machine that nobody listens on may get that very port as its local one, and
 * then speaks to itself (RFC 9293 section 3.5, simultaneous open). Nobody is there. */
static bool is_self(const struct check *check)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    struct addr ours;
    if (check->run.target->address.port < local_port_least())
        return false;
    if (getsockname(check->fd, (struct sockaddr *)&name, &len))
        return false;
    addr_from_sockaddr(&ours, (const struct sockaddr *)&name);
    return addr_cmp(&ours, &check->run.target->address) == 0;
}

static void end_connecting(struct check *check, uint32_t events)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (events & (EPOLLERR | EPOLLHUP) && getsockopt(check->fd, SOL_SOCKET, SO_ERROR, &error, &len))
        error = errno;
    if (error)
        broken(check, error);
    else if (!(events & EPOLLOUT))
        return;
    else if (is_self(check))
        kind_broken(&check->run, ECONNREFUSED);
    else
        kind_connected(&check->run);
}

/* The last step of the handshake then goes with the request instead of before it: a packet less for either side, and
 * the server is woken once. Not for whoever says nothing: its connection would not stand at all before it is reset.
 * Where it fails, nothing is lost. */
static void delay_ack(const struct check *check)
{
    const int off = 0;
    if (check->run.speaks_first)
        (void)setsockopt(check->fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
}

/* ---- talking ---- */

/* A broken connection is found again, and judged, by the read that follows: what the target said before it broke
 * counts. What is wrong with a datagram is told once. */
static void send_out(struct check *check)
{
    while (check_runs(check) && check->run.want == KIND_WANT_WRITABLE) {
        ssize_t done = send(check->fd, check->run.out, check->run.out_len, MSG_NOSIGNAL);
        if (done < 0) {
            if (errno == EAGAIN)
                return;
            if (is_ours(errno))
                check->local_error = errno;
            else if (check->run.kind->transport != KIND_STREAM)
                kind_broken(&check->run, errno);
            return;
        }
        kind_sent(&check->run, (size_t)done);
    }
}

/* The way there can't be told from the socket's errors: what it says is that we may not. */
static int open_echo_socket(struct check *check, int family)
{
    int fd = echo_socket_open(family, &check->raw);
    if (fd < 0 && (errno == EACCES || errno == EPERM)) {
        check->local_error = errno;
        check->lack = (struct reason){REASON_NO_ECHO, 0};
    }
    return fd;
}

static int open_socket(struct check *check, int family)
{
    if (check->run.kind->transport == KIND_ECHO)
        return open_echo_socket(check, family);
    int type = check->run.kind->transport == KIND_STREAM ? SOCK_STREAM : SOCK_DGRAM;
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void begin_connecting(struct check *check, int epoll_fd, uint64_t tag)
{
    struct sockaddr_storage to;
    socklen_t to_len = addr_to_sockaddr(&to, &check->run.target->address);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.u64 = tag};
    check->fd = open_socket(check, to.ss_family);
    if (check->fd < 0) {
        if (!check->local_error)
            not_begun(check, errno, &to, to_len);
        return;
    }
    if (check->run.kind->transport == KIND_STREAM)
        delay_ack(check);
    if (bind_source(check, check->fd))
        no_source(check, errno);
    else if (connect(check->fd, (const struct sockaddr *)&to, to_len) && errno != EINPROGRESS)
        not_begun(check, errno, &to, to_len);
    else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, check->fd, &event))
        check->local_error = errno;
}

void check_open(struct check *check, const struct target *target, uint64_t now_us, int epoll_fd, uint64_t tag)
{
    check->start_us = now_us;
    check->local_error = 0;
    check->lack = (struct reason){REASON_NONE, 0};
    check->driver = NULL;
    check->driven = NULL;
    check->is_late = false;
    check->fd = -1;
    check->raw = false;
    kind_start(&check->run, target, now_us);
    if (check->run.kind->transport == KIND_DRIVEN)
        return;
    begin_connecting(check, epoll_fd, tag);
    if (check->run.kind->transport != KIND_STREAM && check_runs(check)) {
        kind_connected(&check->run); /* there is nothing to wait for */
        send_out(check);
    }
}

/* ---- what comes ---- */

/* A read that fills less than the buffer has emptied the socket, and what comes later is a new edge (epoll(7)); but an
 * end that was told already (`to_end`) is no new one. The machine's own bounds end it with a target that sends on and
 * on. */
static void receive(struct check *check, bool to_end, uint8_t *buffer, size_t buffer_len)
{
    ssize_t done = (ssize_t)buffer_len;
    while (check_runs(check) && (done == (ssize_t)buffer_len || (done > 0 && to_end))) {
        done = recv(check->fd, buffer, buffer_len, 0);
        if (done > 0)
            kind_received(&check->run, buffer, (size_t)done);
        else if (done == 0)
            kind_closed(&check->run);
        else if (errno == EINTR)
            done = (ssize_t)buffer_len;
        else if (errno != EAGAIN)
            broken(check, errno);
    }
}

/* Each by itself, an empty one too. More at once than any answer has are a flood, of which the deadline is the end. */
static void receive_datagrams(struct check *check, uint8_t *buffer, size_t buffer_len)
{
    for (unsigned i = 0; i < DATAGRAMS_MOST && check_runs(check); i++) {
        ssize_t len = recv(check->fd, buffer, buffer_len, 0);
        size_t header_len = len > 0 && check->raw ? echo_socket_header_len(buffer, (size_t)len) : 0;
        if (len >= 0)
            kind_received(&check->run, buffer + header_len, (size_t)len - header_len);
        else if (errno == EAGAIN)
            return;
        else if (errno != EINTR)
            broken(check, errno);
    }
}

void check_event(struct check *check, uint32_t events, uint8_t *buffer, size_t buffer_len)
{
    if (check->run.want == KIND_WANT_CONNECTED)
        end_connecting(check, events);
    if (!check_runs(check) || check->run.want == KIND_WANT_CONNECTED || check->run.kind->driver)
        return;
    send_out(check);
    bool to_end = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    if (!check_runs(check) || !(to_end || events & EPOLLIN))
        return;
    if (check->run.kind->transport != KIND_STREAM)
        receive_datagrams(check, buffer, buffer_len);
    else
        receive(check, to_end, buffer, buffer_len);
}

void check_wake(struct check *check)
{
    kind_wake(&check->run);
    send_out(check);
}

static void note_step(uint32_t *step_us, bool is_done, uint32_t now_us)
{
    if (is_done && !*step_us)
        *step_us = now_us;
}

void check_note_steps(struct check *check, uint32_t since_start_us)
{
    const struct kind_run *run = &check->run;
    struct probe_steps *steps = &check->run.steps;
    note_step(&steps->connected_us, run->was_connected && run->kind->transport == KIND_STREAM, since_start_us);
    note_step(&steps->sent_us, run->out && !run->out_len, since_start_us);
    note_step(&steps->first_byte_us, run->was_answered, since_start_us);
}

void check_close(struct check *check)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (check->driver)
        check->run.kind->driver->stop(check->driver, check);
    check->driver = NULL;
    if (check->fd >= 0) {
        if (check->run.resets)
            (void)setsockopt(check->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(check->fd);
    }
    check->fd = -1;
    kind_fini(&check->run);
}
