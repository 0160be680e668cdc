/* One connection alone, on a socket pair that keeps writes apart (SOCK_SEQPACKET): what goes out in how many writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "helpers/world.h"
#include "io/conn.h"

struct fixture {
    struct world world;
    struct conn_store store;
    struct conn_scratch scratch;
    struct conn *conn;
    int peer;
};

static void start(struct fixture *f)
{
    int fds[2];
    *f = (struct fixture){.peer = -1};
    world_init(&f->world, 1232);
    char *text = malloc(200 * 300), *at = text;
    at += sprintf(at, "www 60 A 192.0.2.1\n");
    for (unsigned i = 0; i < 200; i++)
        at += sprintf(at, "big 60 TXT \"%0250u\"\n", i);
    world_add(&f->world, "example.", text);
    free(text);
    world_start(&f->world);
    assert_int_equal(conn_store_init(&f->store, 1), ERR_OK);
    assert_int_equal(conn_scratch_init(&f->scratch, &f->world.shared), ERR_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    int room = 1 << 20;
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    conn_open(&f->store, 0, fds[0], &(struct addr){.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 1});
    f->conn = &f->store.conns[0];
    f->peer = fds[1];
}

static void end(struct fixture *f)
{
    conn_close(f->conn);
    close(f->peer);
    conn_scratch_fini(&f->scratch);
    conn_store_fini(&f->store);
    world_fini(&f->world);
}

static size_t put_query(uint8_t *out, const char *name, uint16_t type, uint16_t id)
{
    size_t len = world_ask(out + 2, &(struct ask){.name = name, .type = type});
    be16_put(out, (uint16_t)len);
    be16_put(out + 2, id);
    return 2 + len;
}

/* Whole answers in what the peer got, whose IDs go on from *id; returns how many. */
static unsigned count_answers(const uint8_t *in, size_t len, uint16_t *id)
{
    unsigned cnt = 0;
    for (size_t at = 0; at < len; cnt++) {
        size_t message_len = be16_get(in + at);
        assert_true(at + 2 + message_len <= len);
        assert_int_equal(msg_id(in + at + 2), (*id)++);
        assert_int_equal(msg_ancount(in + at + 2) > 0, 1);
        at += 2 + message_len;
    }
    return cnt;
}

static void test_all_messages_of_a_read_in_one_write(void **state)
{
    static const unsigned cnts[] = {1, 31, 32, 33, 64, 100, 1000};
    static uint8_t in[65536], out[CONN_OUT_LEN];
    struct fixture f;
    (void)state;
    start(&f);
    for (size_t i = 0; i < sizeof cnts / sizeof *cnts; i++) {
        size_t len = 0;
        uint16_t id = 0;
        for (unsigned q = 0; q < cnts[i]; q++)
            len += put_query(in + len, "www.example.", RR_A, (uint16_t)q);
        assert_int_equal(send(f.peer, in, len, 0), (ssize_t)len);
        conn_read(f.conn, &f.scratch);
        assert_int_equal(f.conn->state, CONN_READING);
        ssize_t got = recv(f.peer, out, sizeof out, 0);
        assert_true(got > 0);
        assert_int_equal(count_answers(out, (size_t)got, &id), cnts[i]);
        assert_int_equal(recv(f.peer, out, sizeof out, 0), -1);
    }
    end(&f);
}

/* Answers of 51,000 bytes: two fit in a write. What the socket does not take is
 * kept, and the requests behind it wait. */
static void test_large_answers_and_a_full_socket(void **state)
{
    enum { CNT = 60 };
    static uint8_t in[65536], out[CONN_OUT_LEN];
    struct fixture f;
    size_t len = 0;
    uint16_t id = 0;
    unsigned answers = 0, writes = 0;
    (void)state;
    start(&f);
    for (unsigned q = 0; q < CNT; q++)
        len += put_query(in + len, "big.example.", RR_TXT, (uint16_t)q);
    assert_int_equal(send(f.peer, in, len, 0), (ssize_t)len);
    conn_read(f.conn, &f.scratch);
    assert_int_equal(f.conn->state, CONN_WRITING);
    while (answers < CNT) {
        ssize_t got = recv(f.peer, out, sizeof out, 0);
        if (got < 0) {
            assert_int_equal(f.conn->state, CONN_WRITING);
            conn_write(f.conn, &f.scratch);
            continue;
        }
        unsigned in_write = count_answers(out, (size_t)got, &id);
        assert_in_range(in_write, 1, 2);
        answers += in_write;
        writes++;
    }
    assert_int_equal(answers, CNT);
    assert_true(writes <= CNT);
    while (f.conn->state == CONN_WRITING)
        conn_write(f.conn, &f.scratch);
    assert_int_equal(f.conn->state, CONN_READING);
    assert_int_equal(f.conn->in_len, 0);
    end(&f);
}

/* A client that takes answers as fast as they are made gets no more of them in a turn than CONN_TURN_LEN and a batch:
 * the worker comes back to it when others had theirs. */
static void test_a_turn_ends(void **state)
{
    enum { CNT = 100, BATCH_BYTES = ANSWER_BATCH_MAX * CONN_MESSAGE_MAX };
    static uint8_t in[65536], out[CONN_OUT_LEN];
    struct fixture f;
    size_t len = 0, turns = 0, bytes = 0;
    uint16_t id = 0;
    int room = 64 << 20;
    (void)state;
    start(&f);
    if (setsockopt(f.conn->fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) != 0) {
        end(&f);
        skip(); /* nothing but a socket that takes all at once shows it */
    }
    for (unsigned q = 0; q < CNT; q++)
        len += put_query(in + len, "big.example.", RR_TXT, (uint16_t)q);
    assert_int_equal(send(f.peer, in, len, 0), (ssize_t)len);
    conn_read(f.conn, &f.scratch);
    for (;; turns++) {
        size_t before = bytes;
        for (ssize_t got; (got = recv(f.peer, out, sizeof out, 0)) > 0; bytes += (size_t)got)
            (void)count_answers(out, (size_t)got, &id);
        assert_true(bytes - before <= CONN_TURN_LEN + BATCH_BYTES);
        if (f.conn->state == CONN_READING)
            break;
        assert_int_equal(f.conn->out_len, 0); /* nothing is held back: it can be written at once */
        f.conn->progress = false;
        conn_write(f.conn, &f.scratch);
        assert_true(f.conn->progress || f.conn->state == CONN_READING);
    }
    assert_int_equal(id, CNT);
    assert_true(turns > 1);
    assert_int_equal(f.conn->in_len, 0);
    end(&f);
}

static void test_what_answers_may_tell(void **state)
{
    uint8_t in[2 + 512];
    struct fixture f;
    (void)state;
    start(&f);
    size_t len = put_query(in, "www.example.", RR_A, 7);
    for (uint16_t idle = 0; idle <= 6000; idle += 3000) {
        f.scratch.idle_100ms = idle;
        assert_int_equal(send(f.peer, in, len, 0), (ssize_t)len);
        conn_read(f.conn, &f.scratch);
        assert_int_equal(f.scratch.packets[0].tcp_idle_100ms, idle);
    }
    end(&f);
}

/* A length that is none ends the connection, but not before what came before it is answered. */
static void test_answers_before_garbage(void **state)
{
    static uint8_t in[1024], out[512];
    struct fixture f;
    uint16_t id = 7;
    (void)state;
    start(&f);
    size_t len = put_query(in, "www.example.", RR_A, 7);
    memcpy(in + len, "\0\3abc", 5);
    assert_int_equal(send(f.peer, in, len + 5, 0), (ssize_t)len + 5);
    conn_read(f.conn, &f.scratch);
    assert_int_equal(f.conn->state, CONN_DONE);
    ssize_t got = recv(f.peer, out, sizeof out, 0);
    assert_true(got > 0);
    assert_int_equal(count_answers(out, (size_t)got, &id), 1);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_messages_of_a_read_in_one_write),
        cmocka_unit_test(test_large_answers_and_a_full_socket),
        cmocka_unit_test(test_a_turn_ends),
        cmocka_unit_test(test_what_answers_may_tell),
        cmocka_unit_test(test_answers_before_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
