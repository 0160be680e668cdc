/* A nameserver in a thread, for the tests of what asks others: a function that takes datagrams and connections on a
 * port of the loopback and does with them what the test wants. All waiting ends when the test stops the server. */
#pragma once

#include "unit/zone/zone_help.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dns/msg.h"
#include "dns/tsig.h"

struct server;
typedef void server_fn(struct server *server);

struct server {
    int udp, listener;
    int stop[2];
    struct addr addr;
    server_fn *fn;
    const void *arg; /* the function's */
    struct tsig_keys *keys;
    pthread_t thread;
    atomic_uint seen_cnt; /* what the function counts */
};

static inline void *server_run(void *arg)
{
    struct server *server = arg;
    server->fn(server);
    return NULL;
}

static inline int server_bind(int type, struct sockaddr_in *sa)
{
    socklen_t len = sizeof *sa;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)sa, sizeof *sa)) {
        close(fd);
        return -1;
    }
    assert_false(getsockname(fd, (struct sockaddr *)sa, &len));
    return fd;
}

/* A port that both kinds of socket got; `fn` NULL: nobody serves what arrives. */
static inline void server_start(struct server *server, server_fn *fn, const void *arg, const struct tsig_key *key)
{
    struct sockaddr_in sa;
    *server = (struct server){.fn = fn, .arg = arg, .listener = -1};
    while (server->listener < 0) {
        sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        server->udp = server_bind(SOCK_DGRAM, &sa);
        assert_true(server->udp >= 0);
        server->listener = server_bind(SOCK_STREAM, &sa);
        if (server->listener < 0)
            close(server->udp);
    }
    addr_from_sockaddr(&server->addr, (struct sockaddr *)&sa);
    assert_false(listen(server->listener, 16));
    assert_false(pipe(server->stop));
    server->keys = key ? tsig_keys_new(key, 1) : NULL;
    if (fn)
        assert_false(pthread_create(&server->thread, NULL, server_run, server));
}

static inline void server_stop(struct server *server)
{
    close(server->stop[1]);
    if (server->fn)
        pthread_join(server->thread, NULL);
    close(server->stop[0]);
    close(server->udp);
    close(server->listener);
    tsig_keys_free(server->keys);
}

/* ---- in the server's thread */

/* False: the test is over. */
static inline bool server_wait(const struct server *server, int fd)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stop[0], .events = POLLIN}};
    while (poll(fds, 2, -1) < 0)
        assert_int_equal(errno, EINTR);
    return fds[0].revents;
}

/* A question as it came. */
struct asked {
    uint8_t msg[2048];
    size_t len;
    uint16_t type;
    struct sockaddr_in from;
    bool is_signed;
    struct tsig_state tsig;
};

static inline bool server_read_question(const struct server *server, struct asked *asked)
{
    struct msg_edns edns;
    struct reader r = reader_over(asked->msg, asked->len);
    unsigned records = (unsigned)msg_ancount(asked->msg) + msg_nscount(asked->msg) + msg_arcount(asked->msg);
    reader_take(&r, MSG_HEADER_LEN);
    if (!msg_skip_name(&r))
        return false;
    asked->type = reader_u16(&r);
    reader_u16(&r);
    if (msg_read_edns(&edns, &r, records, msg_arcount(asked->msg)))
        return false;
    asked->is_signed = edns.tsig_at;
    return !asked->is_signed || !tsig_verify_request(&asked->tsig, server->keys, asked->msg, asked->len, edns.tsig_at,
                                                     clock_wall_ms() / 1000);
}

/* The next datagram. */
static inline bool server_receive(struct server *server, struct asked *asked)
{
    socklen_t from_len = sizeof asked->from;
    if (!server_wait(server, server->udp))
        return false;
    ssize_t len =
        recvfrom(server->udp, asked->msg, sizeof asked->msg, 0, (struct sockaddr *)&asked->from, &from_len);
    asked->len = (size_t)len;
    server->seen_cnt++;
    return len > MSG_HEADER_LEN && server_read_question(server, asked);
}

static inline void server_reply(struct server *server, const struct asked *asked, const void *msg, size_t len)
{
    sendto(server->udp, msg, len, 0, (const struct sockaddr *)&asked->from, sizeof asked->from);
}

/* The next connection; -1: the test is over. */
static inline int server_accept(struct server *server)
{
    struct timeval patience = {.tv_sec = 60};
    int fd = server_wait(server, server->listener) ? accept(server->listener, NULL, NULL) : -1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static inline bool server_read(const struct server *server, int fd, void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = server_wait(server, fd) ? recv(fd, (char *)bytes + at, len - at, 0) : 0;
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* The question that comes over a connection. */
static inline bool server_read_message(struct server *server, int fd, struct asked *asked)
{
    uint8_t length[2];
    socklen_t from_len = sizeof asked->from;
    if (!server_read(server, fd, length, sizeof length) || be16_get(length) > sizeof asked->msg)
        return false;
    asked->len = be16_get(length);
    server->seen_cnt++;
    return !getpeername(fd, (struct sockaddr *)&asked->from, &from_len) &&
           server_read(server, fd, asked->msg, asked->len) && server_read_question(server, asked);
}

/* False: the client is gone. */
static inline bool server_send(int fd, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static inline bool server_send_message(int fd, const void *msg, size_t len)
{
    uint8_t framed[2 + MSG_MAX_LEN]; /* at once: small ones would wait for acknowledgements */
    be16_put(framed, (uint16_t)len);
    memcpy(framed + 2, msg, len);
    return server_send(fd, framed, 2 + len);
}

/* Until the client closes, or the test is over. */
static inline void server_await_close(const struct server *server, int fd)
{
    uint8_t byte;
    while (server_read(server, fd, &byte, 1))
        ;
}

/* A byte at a time. */
static inline void server_drip(int fd, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && server_send(fd, bytes + i, 1); i++)
        usleep(200);
}

/* ---- answers by hand */

/* A header and the question again. */
static inline struct writer begin_answer(uint8_t *out, size_t cap, const struct asked *asked, unsigned flags)
{
    struct writer w = writer_over(out, cap);
    struct reader r = reader_over(asked->msg, asked->len);
    reader_take(&r, MSG_HEADER_LEN);
    msg_skip_name(&r);
    reader_u32(&r);
    writer_put(&w, asked->msg, reader_pos(&r));
    be16_put(out + 2, (uint16_t)(MSG_QR | (msg_flags(out) & MSG_OPCODE_MASK) | flags));
    memset(out + 6, 0, 6);
    return w;
}

static inline void put_soa_record(struct writer *w, uint32_t serial)
{
    uint8_t rdata[2 * NAME_MAX_LEN + 20];
    char text[16];
    snprintf(text, sizeof text, "%u", serial);
    unsigned len = put_soa(rdata, text, "60");
    writer_u16(w, 0xc00c);
    writer_u16(w, RR_SOA);
    writer_u16(w, RR_CLASS_IN);
    writer_u32(w, 60);
    writer_u16(w, (uint16_t)len);
    writer_put(w, rdata, len);
    be16_put(w->begin + 6, (uint16_t)(be16_get(w->begin + 6) + 1));
}

/* ---- keys */

static inline void make_key(struct tsig_key *key, const char *name, const char *secret)
{
    uint8_t wire[NAME_MAX_LEN];
    put_wire(wire, name);
    tsig_key_init(key, wire, TSIG_HMAC_SHA256, (const uint8_t *)secret, strlen(secret));
}
