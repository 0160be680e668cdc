/* Backends for many checks: listens on all addresses of this machine, of IPv4, accepts, and either closes when the
 * other side does (tcp) or answers a request with a status of 200 and closes (http). How many connections were accepted
 * stands in the first eight bytes of FILE, as long as it runs.
 *
 *     backends tcp|http PORT FILE
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "argument.h"

enum { EVENTS_MAX = 256, BACKLOG = 65535 };

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

static void must(int truth, const char *what)
{
    if (truth)
        return;
    perror(what);
    exit(1);
}

static int listener(uint16_t port)
{
    const int on = 1;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    must(fd >= 0, "socket");
    must(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    must(!bind(fd, (struct sockaddr *)&any, sizeof any) && !listen(fd, BACKLOG), "listen");
    return fd;
}

static uint64_t *counter(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0 && !ftruncate(fd, sizeof(uint64_t)), path);
    uint64_t *cnt = mmap(NULL, sizeof *cnt, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(cnt != MAP_FAILED, path);
    close(fd);
    return cnt;
}

static void accept_all(int listen_fd, int epoll_fd, uint64_t *cnt)
{
    int fd;
    while ((fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
        __atomic_add_fetch(cnt, 1, __ATOMIC_RELAXED);
        must(!epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
    }
    must(errno == EAGAIN || errno == ECONNABORTED || errno == EMFILE, "accept");
}

/* A request is short and comes whole. */
static void serve(int fd, int is_http)
{
    char request[4096];
    ssize_t len = recv(fd, request, sizeof request, 0);
    if (len > 0 && is_http)
        (void)!send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
    close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS_MAX];
    if (argc != 4 || (strcmp(argv[1], "tcp") != 0 && strcmp(argv[1], "http") != 0)) {
        fputs("usage: backends tcp|http PORT FILE\n", stderr);
        return 2;
    }
    int is_http = !strcmp(argv[1], "http");
    int listen_fd = listener((uint16_t)argument_number(argv[2], 1, 65535));
    uint64_t *cnt = counter(argv[3]);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listen_fd};
    must(epoll_fd >= 0 && !epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event), "epoll");
    for (;;) {
        int found = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        must(found >= 0 || errno == EINTR, "epoll_wait");
        for (int i = 0; i < found; i++) {
            if (events[i].data.fd == listen_fd)
                accept_all(listen_fd, epoll_fd, cnt);
            else
                serve(events[i].data.fd, is_http);
        }
    }
}
