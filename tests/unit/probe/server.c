#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const char server_200[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes";
const char server_500[] = "HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";

enum { CONNS_MAX = 2000, PATIENCE_US = 200000 };

struct conns {
    struct pollfd polls[CONNS_MAX + 2]; /* [0] stop, [1] the listening socket */
    uint64_t since_us[CONNS_MAX + 2];
    unsigned cnt;
};

uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void sleep_ms(unsigned ms)
{
    struct timespec left = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) && errno == EINTR) {
    }
}

static void must(bool truth, const char *what)
{
    if (!truth) {
        perror(what);
        abort();
    }
}

static void drop(struct server *s, struct conns *conns, unsigned i, bool hard)
{
    struct linger reset = {1, 0};
    if (hard)
        setsockopt(conns->polls[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(conns->polls[i].fd);
    conns->polls[i] = conns->polls[--conns->cnt];
    conns->since_us[i] = conns->since_us[conns->cnt];
    __atomic_add_fetch(&s->closed_cnt, 1, __ATOMIC_RELEASE);
}

static bool say(struct server *s, int fd, const char *text, size_t len)
{
    __atomic_store_n(&s->answered_us, now_us(), __ATOMIC_RELEASE);
    return send(fd, text, len, MSG_NOSIGNAL) >= 0 || errno == EAGAIN;
}

static void take(struct server *s, struct conns *conns)
{
    int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    must(conns->cnt < CONNS_MAX + 2, "too many connections");
    uint32_t nth = __atomic_load_n(&s->accepted_cnt, __ATOMIC_RELAXED);
    if (nth < SERVER_TIMES_MAX)
        s->times_us[nth] = now_us();
    __atomic_store_n(&s->accepted_cnt, nth + 1, __ATOMIC_RELEASE);
    conns->since_us[conns->cnt] = now_us();
    conns->polls[conns->cnt++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Says what it has to say; false: and that is the end. */
static bool speak(struct server *s, int fd, struct pollfd *poll_fd)
{
    static const char half[] = "HTTP/1.1 2", tls[] = "\x15\x03\x01\x00\x02\x02\x46", head[] = "HTTP/1.1 200 OK\r\n\r\n";
    static const char header[] = "X-Header: and one more of them, and there is no end to it\r\n";
    static const char status[] = "HTTP/1.1 200 OK\r\n";
    bool is_first = poll_fd->events == POLLIN;
    const char *answer = __atomic_load_n(&s->answer, __ATOMIC_ACQUIRE);
    poll_fd->events = POLLIN;
    switch (__atomic_load_n(&s->manner, __ATOMIC_ACQUIRE)) {
    case SERVER_ANSWERS:
        say(s, fd, answer, strlen(answer));
        return false;
    case SERVER_HALF:
        return say(s, fd, half, sizeof half - 1);
    case SERVER_TLS:
        say(s, fd, tls, sizeof tls - 1);
        return false;
    case SERVER_ENDLESS_HEADERS:
        poll_fd->events = POLLIN | POLLOUT;
        if (is_first)
            return say(s, fd, status, sizeof status - 1);
        return say(s, fd, header, sizeof header - 1);
    case SERVER_ENDLESS_BODY:
        poll_fd->events = POLLIN | POLLOUT;
        return say(s, fd, head, sizeof head - 1);
    case SERVER_HANGS:
        return true;
    default:
        return false;
    }
}

/* False: the connection is to go. */
static bool serve(struct server *s, struct conns *conns, unsigned i)
{
    char bytes[4096];
    struct pollfd *poll_fd = &conns->polls[i];
    if (poll_fd->revents & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t len = recv(poll_fd->fd, bytes, sizeof bytes, 0);
        if (len == 0 || (len < 0 && errno != EAGAIN))
            return false;
    }
    return speak(s, poll_fd->fd, poll_fd);
}

static void serve_all(struct server *s, struct conns *conns)
{
    for (unsigned i = conns->cnt; i-- > 2;) {
        int manner = __atomic_load_n(&s->manner, __ATOMIC_ACQUIRE);
        bool is_idle = manner == SERVER_ANSWERS && now_us() - conns->since_us[i] > PATIENCE_US;
        if (is_idle)
            drop(s, conns, i, false);
        else if (conns->polls[i].revents && !serve(s, conns, i))
            drop(s, conns, i, manner == SERVER_RESETS);
    }
}

static void *run(void *arg)
{
    struct server *s = arg;
    struct conns *conns = calloc(1, sizeof *conns);
    conns->polls[0] = (struct pollfd){.fd = s->stop_fd, .events = POLLIN};
    conns->polls[1] = (struct pollfd){.fd = s->listen_fd, .events = POLLIN};
    conns->cnt = 2;
    while (!conns->polls[0].revents) {
        must(poll(conns->polls, conns->cnt, 50) >= 0 || errno == EINTR, "poll");
        serve_all(s, conns);
        if (conns->polls[1].revents)
            take(s, conns);
    }
    while (conns->cnt > 2)
        drop(s, conns, 2, false);
    free(conns);
    return NULL;
}

static void open_port(struct server *s, uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    socklen_t len = sizeof any;
    int one = 1, zero = 0;
    s->listen_fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    must(s->listen_fd >= 0, "socket");
    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(s->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    must(bind(s->listen_fd, (struct sockaddr *)&any, sizeof any) == 0, "bind");
    must(listen(s->listen_fd, 4096) == 0, "listen");
    must(getsockname(s->listen_fd, (struct sockaddr *)&any, &len) == 0, "getsockname");
    s->port = ntohs(any.sin6_port);
}

void server_start(struct server *server, uint16_t port, enum server_manner manner)
{
    *server = (struct server){.manner = (int)manner, .answer = server_200};
    server->times_us = calloc(SERVER_TIMES_MAX, sizeof *server->times_us);
    open_port(server, port);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    must(pthread_create(&server->thread, NULL, run, server) == 0, "pthread_create");
}

void server_stop(struct server *server)
{
    uint64_t one = 1;
    must(write(server->stop_fd, &one, sizeof one) == sizeof one, "write");
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    close(server->stop_fd);
    free(server->times_us);
    server->times_us = NULL;
}

void server_behave(struct server *server, enum server_manner manner, const char *answer)
{
    if (answer)
        __atomic_store_n(&server->answer, answer, __ATOMIC_RELEASE);
    __atomic_store_n(&server->manner, (int)manner, __ATOMIC_RELEASE);
}

uint32_t server_accepted(const struct server *server)
{
    return __atomic_load_n(&server->accepted_cnt, __ATOMIC_ACQUIRE);
}

uint32_t server_closed(const struct server *server)
{
    return __atomic_load_n(&server->closed_cnt, __ATOMIC_ACQUIRE);
}
