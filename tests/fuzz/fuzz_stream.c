/* The framing of TCP: a stream of bytes, in pieces that the first byte of an input chooses, through a connection
 * (io/conn.h) on a socket pair whose other end reads as the second byte says. However it comes and goes, what comes
 * out is what each message that is whole gets when it is asked alone, in order; a length that is none ends it, as the
 * end of the stream does; and nothing turns in circles. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "dns/msg.h"
#include "helpers/world.h"
#include "io/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
    STREAM_MAX = 1 << 18,
    PIECES_MAX = 12,          /* then comes all that is left */
    ANSWERS_MAX = 1 << 19,    /* bytes that may be asked for; streams that ask for more are left alone */
    SOCKET_ROOM = 16384,      /* less than one large answer */
    READ_LITTLE = 1,          /* the other end reads a few bytes at a time */
    READ_LATE = 2,            /* it reads only when the connection cannot go on otherwise */
};

static struct world world;
static struct conn_store store;
static struct conn_scratch scratch;
static uint8_t *wanted, *got;
static size_t wanted_len, got_len;

static void require(bool true_statement)
{
    if (!true_statement)
        abort();
}

static void start(void)
{
    char *zone = malloc(200 * 300), *at = zone;
    /* One record each, or they would be rotated. */
    at += sprintf(at, "www A 192.0.2.1\nalias CNAME www\nsub NS ns.sub\nns.sub A 192.0.2.2\nbig TXT");
    for (unsigned i = 0; i < 200; i++)
        at += sprintf(at, " \"%0250u\"", i);
    at += sprintf(at, "\nmedium TXT");
    for (unsigned i = 0; i < 10; i++)
        at += sprintf(at, " \"%0250u\"", i);
    strcpy(at, "\n");
    world_init(&world, 1232);
    world_add(&world, "example.com", zone);
    world_start(&world);
    free(zone);
    wanted = malloc(ANSWERS_MAX + CONN_MESSAGE_MAX);
    got = malloc(ANSWERS_MAX + CONN_MESSAGE_MAX);
    require(wanted && got && conn_store_init(&store, 1) == ERR_OK);
    require(conn_scratch_init(&scratch, &world.shared) == ERR_OK);
}

/* What each whole message gets alone. False: too much. */
static bool make_wanted(const uint8_t *stream, size_t len)
{
    wanted_len = 0;
    for (size_t at = 0; len - at >= 2;) {
        size_t message_len = be16_get(stream + at);
        if (message_len < MSG_HEADER_LEN || len - at - 2 < message_len)
            break;
        if (wanted_len > ANSWERS_MAX)
            return false;
        size_t answer_len = world_answer(&world, wanted + wanted_len + 2, 65535, stream + at + 2, message_len,
                                         ANSWER_TCP);
        if (answer_len) {
            be16_put(wanted + wanted_len, (uint16_t)answer_len);
            wanted_len += 2 + answer_len;
        }
        at += 2 + message_len;
    }
    return wanted_len <= ANSWERS_MAX;
}

static void take(int peer, uint8_t how)
{
    size_t most = how & READ_LITTLE ? 5000 : SIZE_MAX;
    while (most > 0) {
        size_t room = ANSWERS_MAX + CONN_MESSAGE_MAX - got_len;
        ssize_t n = recv(peer, got + got_len, room < most ? room : most, MSG_DONTWAIT);
        if (n <= 0)
            return;
        require(got_len + (size_t)n <= wanted_len && !memcmp(got + got_len, wanted + got_len, (size_t)n));
        got_len += (size_t)n;
        most -= most == SIZE_MAX ? 0 : (size_t)n;
    }
}

static bool can_be_read(int fd)
{
    int len;
    return ioctl(fd, FIONREAD, &len) == 0 && len > 0;
}

/* One turn of the worker's; what is kept is within its bounds. */
static void turn(struct conn *c)
{
    if (c->state == CONN_READING)
        conn_read(c, &scratch);
    else
        conn_write(c, &scratch);
    require(c->in_len <= CONN_IN_LEN && c->out_at <= c->out_len && c->out_len <= CONN_OUT_LEN);
    require(c->state != CONN_READING || c->out_len == 0);
}

/* Until the connection waits for more to read, or is done. */
static void run(struct conn *c, int peer, uint8_t how)
{
    /* A turn answers a message at least, sends some bytes, or finds no room: then the other end reads. */
    for (size_t turns = 0; c->state == CONN_WRITING || (c->state == CONN_READING && can_be_read(c->fd)); turns++) {
        require(turns < STREAM_MAX);
        turn(c);
        if (!(how & READ_LATE) || c->state == CONN_WRITING)
            take(peer, how);
    }
}

static void send_all(struct conn *c, int peer, const uint8_t *stream, size_t len, uint8_t how)
{
    while (len > 0 && c->state != CONN_DONE) {
        ssize_t n = send(peer, stream, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        require(n > 0 || errno == EAGAIN);
        stream += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        run(c, peer, how);
    }
}

static void play(struct conn *c, int peer, const uint8_t *stream, size_t len, uint8_t pieces, uint8_t how)
{
    uint32_t state = pieces;
    size_t at = 0;
    for (unsigned i = 0; i < PIECES_MAX && pieces && at < len; i++) {
        /* 1 to 127: that long; above: of any length, small ones too. */
        state = state * 1664525 + 1013904223;
        size_t piece = pieces < 128 ? pieces : 1 + (state >> 16) % (1u << (1 + state % 13));
        piece = piece < len - at ? piece : len - at;
        send_all(c, peer, stream + at, piece, how);
        at += piece;
    }
    send_all(c, peer, stream + at, len - at, how);
}

/* The end of the stream is told by a read of nothing, after all else. */
static void finish(struct conn *c, int peer, uint8_t how)
{
    require(shutdown(peer, SHUT_WR) == 0);
    for (unsigned turns = 0; c->state != CONN_DONE; turns++) {
        require(turns < 4);
        turn(c);
        run(c, peer, how);
    }
    take(peer, how & READ_LATE);
    require(got_len == wanted_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct addr client = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 1};
    int fds[2], room = SOCKET_ROOM;
    if (!store.conns)
        start();
    if (len < 2 || len > STREAM_MAX || !make_wanted(data + 2, len - 2))
        return 0;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    require(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room) == 0);
    got_len = 0;
    conn_open(&store, 0, fds[0], &client);
    play(&store.conns[0], fds[1], data + 2, len - 2, data[0], data[1]);
    finish(&store.conns[0], fds[1], data[1]);
    conn_close(&store.conns[0]);
    close(fds[1]);
    return 0;
}
