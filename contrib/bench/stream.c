/* Load over TCP: connections that each put some questions in one write, wait until all are answered, and start again.
 *
 *   stream [-o] [-c CONNECTIONS] [-q IN_FLIGHT] [-s SECONDS] ADDRESS PORT QUESTIONS
 *
 * -o: a connection for each query, closed by this side when it is answered and opened anew; they come from 127.0.1.1 to
 * .250 in turns, or the ports of one address that wait for late segments (TIME_WAIT) would run out.
 *
 * An answer counts when its ID is one that its connection waits for; it is not compared further. A latency is from the
 * write, with -o from the opening of the connection, to the answer. One thread, edge-triggered epoll. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "argument.h"
#include "questions.h"
#include "tally.h"

enum { CONNS_MOST = 1000, IN_FLIGHT_MOST = 64, IN_LEN = 2 + 65535, EVENTS = 64, PATIENCE_MS = 100, SOURCES = 250 };

struct conn {
    int fd;
    bool asked;       /* the questions of this turn are written */
    uint64_t waiting; /* a bit for each ID without its answer */
    uint64_t since_us;
    size_t len;
    uint8_t in[IN_LEN];
};

static struct {
    uint32_t conns, in_flight;
    uint64_t seconds;
    bool once;
} opt = {.conns = 16, .in_flight = 16, .seconds = 5};

static struct questions questions;
static struct conn *conns;
static struct tally tally;
static struct sockaddr_in server = {.sin_family = AF_INET};
static uint64_t opened_cnt, closed_cnt; /* connections; those that the server closed before we did */
static int epoll_fd;

static void die(const char *what)
{
    fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void bind_source(int fd)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    int one = 1;
    source.sin_addr.s_addr = htonl(UINT32_C(127) << 24 | 1 << 8 | (uint32_t)(1 + opened_cnt % SOURCES));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) != 0)
        die("bind");
}

static void open_conn(struct conn *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (opt.once)
        bind_source(c->fd);
    opened_cnt++;
    c->asked = false;
    c->waiting = 0;
    c->len = 0;
    c->since_us = tally_now_us();
    if (connect(c->fd, (const struct sockaddr *)&server, sizeof(server)) != 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl");
}

static void reopen(struct conn *c)
{
    tally.lost += (unsigned)__builtin_popcountll(c->waiting);
    close(c->fd);
    open_conn(c);
}

/* All questions of a turn in one write. Their answers have been read, so the socket has room for them. */
static void ask(struct conn *c)
{
    uint8_t out[IN_FLIGHT_MOST * (2 + QUERY_MAX)];
    size_t len = 0;
    for (uint32_t i = 0; i < opt.in_flight; i++) {
        size_t query_len = questions_put(out + len + 2, &questions, tally.sent + i, (uint16_t)i);
        out[len] = (uint8_t)(query_len >> 8);
        out[len + 1] = (uint8_t)query_len;
        len += 2 + query_len;
    }
    ssize_t sent = send(c->fd, out, len, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN)
        return; /* not yet connected: EPOLLOUT will come */
    if (sent != (ssize_t)len) {
        closed_cnt++;
        reopen(c);
        return;
    }
    if (!opt.once)
        c->since_us = tally_now_us();
    c->asked = true;
    c->waiting = ~UINT64_C(0) >> (IN_FLIGHT_MOST - opt.in_flight);
    tally.sent += opt.in_flight;
}

static void take_answer(struct conn *c, const uint8_t *m, size_t len, uint64_t now_us)
{
    unsigned id = len >= QUERY_HEADER_LEN ? (unsigned)m[0] << 8 | m[1] : IN_FLIGHT_MOST;
    if (id >= IN_FLIGHT_MOST || !(c->waiting >> id & 1) || !(m[2] & 0x80)) {
        tally.strange++;
        return;
    }
    c->waiting &= ~(UINT64_C(1) << id);
    tally_answer(&tally, m[3] & 15, m[2] & 2, now_us - c->since_us);
}

/* The complete messages of what was read; the rest moves to the front. */
static void take_answers(struct conn *c)
{
    uint64_t now_us = tally_now_us();
    size_t at = 0;
    while (c->len - at >= 2) {
        size_t len = (size_t)c->in[at] << 8 | c->in[at + 1];
        if (c->len - at - 2 < len)
            break;
        take_answer(c, c->in + at + 2, len, now_us);
        at += 2 + len;
    }
    c->len -= at;
    memmove(c->in, c->in + at, c->len);
}

/* Reads until there is no more, as epoll will not tell again of what is there now. False when the connection is at its
 * end. */
static bool read_all(struct conn *c)
{
    for (;;) {
        size_t room = IN_LEN - c->len;
        ssize_t got = recv(c->fd, c->in + c->len, room, 0);
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        c->len += (size_t)got;
        take_answers(c);
        if ((size_t)got < room)
            return true;
    }
}

static void serve(struct conn *c, uint32_t events)
{
    bool alive = (!(events & EPOLLIN) || read_all(c)) && !(events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP));
    bool answered = c->asked && c->waiting == 0;
    if (opt.once && answered) {
        reopen(c);
    } else if (!alive) {
        closed_cnt++;
        reopen(c);
    } else if (answered || (!c->asked && events & EPOLLOUT)) {
        ask(c);
    }
}

/* Returns how long it ran, in microseconds. */
static uint64_t run(void)
{
    struct epoll_event events[EVENTS];
    uint64_t start_us = tally_now_us(), now_us = start_us;
    for (uint32_t i = 0; i < opt.conns; i++)
        open_conn(&conns[i]);
    while (now_us - start_us < opt.seconds * 1000000) {
        int got = epoll_wait(epoll_fd, events, EVENTS, PATIENCE_MS);
        for (int i = 0; i < got; i++)
            serve(events[i].data.ptr, events[i].events);
        now_us = tally_now_us();
    }
    for (uint32_t i = 0; i < opt.conns; i++) {
        /* Cut off by the end, neither answered nor lost. */
        tally.sent -= (unsigned)__builtin_popcountll(conns[i].waiting);
        close(conns[i].fd);
    }
    return now_us - start_us;
}

static void read_options(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "oc:q:s:")) != -1) {
        switch (letter) {
        case 'o':
            opt.once = true;
            break;
        case 'c':
            opt.conns = (uint32_t)argument_number(optarg, 1, CONNS_MOST);
            break;
        case 'q':
            opt.in_flight = (uint32_t)argument_number(optarg, 1, IN_FLIGHT_MOST);
            break;
        case 's':
            opt.seconds = argument_number(optarg, 1, 86400);
            break;
        default:
            exit(2);
        }
    }
    if (argc - optind != 3) {
        fprintf(stderr, "usage: stream [-o] [-c CONNECTIONS] [-q IN_FLIGHT] [-s SECONDS] ADDRESS PORT QUESTIONS\n");
        exit(2);
    }
    if (opt.once)
        opt.in_flight = 1;
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    if (inet_pton(AF_INET, argv[optind], &server.sin_addr) != 1) {
        fprintf(stderr, "stream: \"%s\" is no IPv4 address\n", argv[optind]);
        return 2;
    }
    server.sin_port = htons((uint16_t)argument_number(argv[optind + 1], 1, 65535));
    questions_read(&questions, argv[optind + 2]);
    conns = calloc(opt.conns, sizeof(*conns));
    epoll_fd = epoll_create1(0);
    if (!conns || epoll_fd < 0)
        die("epoll");
    uint64_t took_us = run();
    tally_print(&tally, took_us);
    printf("opened %llu\nclosed %llu\n", (unsigned long long)opened_cnt, (unsigned long long)closed_cnt);
    free(conns);
    questions_free(&questions);
    return 0;
}
