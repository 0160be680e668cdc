/* The unit that rondo's CPU cost is measured in: a server that reads and writes datagrams as a name server must,
 * and does no DNS work. Flips QR, cuts everything behind the question off, appends one fixed A record (owner c00c,
 * TTL 60, 192.0.2.1) and sets ANCOUNT to 1.
 *
 *   echo ADDRESS PORT       UDP: blocking recvmmsg(MSG_WAITFORONE) and sendmmsg of 32
 *   echo -t ADDRESS PORT    TCP: epoll, one read, all complete messages answered, one write
 *
 * One thread. On SIGTERM or SIGINT it prints a line, "answers N user_us N sys_us N", of its own CPU time, and
 * ends. Addresses are numeric. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 32, DATAGRAM_MAX = 4096, HEADER_LEN = 12, RECORD_LEN = 16 };
enum { BACKLOG = 4096, TCP_IN_LEN = 65537, FDS_MAX = 65536 };

static volatile sig_atomic_t stop;
static uint64_t answer_cnt;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void die(const char *what)
{
    fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Turns the request in `m` into its answer, in place; `cap` is the buffer's size. Returns its length, 0 for what
 * is no query. */
static size_t echo(uint8_t *m, size_t len, size_t cap)
{
    static const uint8_t record[RECORD_LEN] = {0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};
    size_t at = HEADER_LEN;
    if (len < HEADER_LEN || (m[2] & 0x80))
        return 0;
    while (at < len && m[at] && m[at] < 64)
        at += 1u + m[at];
    if (at + 5 > len || m[at] || at + 5 + RECORD_LEN > cap)
        return 0;
    at += 5;
    m[2] |= 0x80;
    m[7] = 1; /* ANCOUNT */
    memset(m + 8, 0, 4);
    memcpy(m + at, record, RECORD_LEN);
    return at + RECORD_LEN;
}

/* ---- UDP ---- */

static struct mmsghdr rx[BATCH], tx[BATCH];
static struct iovec rx_iov[BATCH], tx_iov[BATCH];
static struct sockaddr_storage names[BATCH];
static uint8_t bufs[BATCH][DATAGRAM_MAX + 64];

static void send_all(int fd, unsigned n)
{
    for (unsigned at = 0; at < n;) {
        int sent = sendmmsg(fd, tx + at, n - at, 0);
        at += sent > 0 ? (unsigned)sent : 1;
        answer_cnt += sent > 0 ? (unsigned)sent : 0;
    }
}

static void serve_udp(int fd)
{
    for (unsigned i = 0; i < BATCH; i++) {
        rx_iov[i] = (struct iovec){bufs[i], DATAGRAM_MAX};
        rx[i].msg_hdr = (struct msghdr){.msg_name = &names[i], .msg_iov = &rx_iov[i], .msg_iovlen = 1};
    }
    while (!stop) {
        for (unsigned i = 0; i < BATCH; i++)
            rx[i].msg_hdr.msg_namelen = sizeof(names[i]);
        int got = recvmmsg(fd, rx, BATCH, MSG_WAITFORONE, NULL);
        unsigned n = 0;
        for (int i = 0; i < got; i++) {
            size_t len = echo(bufs[i], rx[i].msg_len, DATAGRAM_MAX);
            if (len == 0)
                continue;
            tx_iov[n] = (struct iovec){bufs[i], len};
            tx[n].msg_hdr = rx[i].msg_hdr;
            tx[n].msg_hdr.msg_iov = &tx_iov[n];
            n++;
        }
        send_all(fd, n);
    }
}

/* ---- TCP ---- */

static struct {
    uint8_t *buf; /* TCP_IN_LEN bytes */
    size_t len;
} conns[FDS_MAX];
static uint8_t out[TCP_IN_LEN * 2];

static void close_conn(int fd)
{
    conns[fd].len = 0;
    close(fd);
}

/* Answers what is complete; an answer is at most RECORD_LEN longer than its request, and requests have at least 17
 * bytes. */
static void serve_conn(int fd)
{
    static uint8_t message[TCP_IN_LEN + RECORD_LEN];
    size_t at = 0, out_len = 0;
    ssize_t got = recv(fd, conns[fd].buf + conns[fd].len, TCP_IN_LEN - conns[fd].len, 0);
    if (got <= 0) {
        close_conn(fd);
        return;
    }
    conns[fd].len += (size_t)got;
    while (conns[fd].len - at >= 2) {
        const uint8_t *p = conns[fd].buf + at;
        size_t len = (size_t)p[0] << 8 | p[1];
        if (conns[fd].len - at - 2 < len)
            break;
        memcpy(message, p + 2, len);
        size_t answer_len = echo(message, len, sizeof(message));
        at += 2 + len;
        if (answer_len == 0 || answer_len > 65535 || out_len + 2 + answer_len > sizeof(out))
            continue;
        out[out_len] = (uint8_t)(answer_len >> 8);
        out[out_len + 1] = (uint8_t)answer_len;
        memcpy(out + out_len + 2, message, answer_len);
        out_len += 2 + answer_len;
        answer_cnt++;
    }
    conns[fd].len -= at;
    memmove(conns[fd].buf, conns[fd].buf + at, conns[fd].len);
    /* The load generator reads all it is sent, or it measures nothing. */
    if (out_len > 0 && send(fd, out, out_len, MSG_NOSIGNAL) != (ssize_t)out_len)
        close_conn(fd);
}

static void accept_all(int listener, int epoll_fd)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (fd < FDS_MAX && !conns[fd].buf)
            conns[fd].buf = malloc(TCP_IN_LEN);
        if (fd >= FDS_MAX || !conns[fd].buf || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
            close(fd);
    }
}

static void serve_tcp(int listener)
{
    struct epoll_event events[64], event = {.events = EPOLLIN, .data.fd = listener};
    int epoll_fd = epoll_create1(0);
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll");
    while (!stop) {
        int got = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < got; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll_fd);
            else
                serve_conn(events[i].data.fd);
        }
    }
}

static int open_socket(const char *address, const char *port, bool tcp)
{
    struct sockaddr_storage sa = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sa;
    int one = 1, bytes = 1 << 20;
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1)
        sa.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1)
        sa.ss_family = AF_INET6;
    v4->sin_port = htons((uint16_t)atoi(port)); /* the same place in both */
    int fd = socket(sa.ss_family, tcp ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_DGRAM, 0);
    if (fd < 0)
        die(address);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    } else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    }
    socklen_t len = sa.ss_family == AF_INET ? sizeof(*v4) : sizeof(*v6);
    if (bind(fd, (const struct sockaddr *)&sa, len) != 0 || (tcp && listen(fd, BACKLOG) != 0))
        die(address);
    return fd;
}

static long long microseconds(const struct timeval *t) { return t->tv_sec * 1000000LL + t->tv_usec; }

int main(int argc, char **argv)
{
    bool tcp = argc > 1 && strcmp(argv[1], "-t") == 0;
    struct sigaction action = {.sa_handler = on_signal};
    struct rusage usage;
    if (argc - tcp != 3) {
        fprintf(stderr, "usage: echo [-t] ADDRESS PORT\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int fd = open_socket(argv[1 + tcp], argv[2 + tcp], tcp);
    if (tcp)
        serve_tcp(fd);
    else
        serve_udp(fd);
    getrusage(RUSAGE_SELF, &usage);
    printf("answers %llu user_us %lld sys_us %lld\n", (unsigned long long)answer_cnt, microseconds(&usage.ru_utime),
           microseconds(&usage.ru_stime));
    return 0;
}
