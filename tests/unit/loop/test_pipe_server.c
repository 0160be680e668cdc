#include "loop/pipe_server.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

enum { CLIENTS_MAX = 4, PATIENCE_MS = 20000, FOREVER_MS = 3600 * 1000 };

/* A server of lines: '?' holds, '!' answers at once with `answer_len` bytes, anything else is collected. */
struct fixture {
    uv_loop_t loop;
    struct pipe_server *server;
    char path[64];
    struct pipe_client *held; /* the last that asked '?' */
    size_t answer_len;
    unsigned open_cnt, now_open, end_cnt[PIPE_END_CLOSED + 1];
    bool closed;
};
struct conn {
    struct fixture *f;
    struct pipe_client *client;
};

static void *on_open(void *arg, struct pipe_client *client)
{
    struct conn *conn = mem_zalloc(1, sizeof *conn);
    conn->f = arg;
    conn->client = client;
    conn->f->open_cnt++;
    conn->f->now_open++;
    return conn;
}

static void answer(struct pipe_client *client, size_t len)
{
    char *bytes = mem_zalloc(len, 1);
    pipe_client_write(client, &bytes, len);
    assert_null(bytes);
}

static void on_read(void *arg, const void *bytes, size_t len)
{
    struct conn *conn = arg;
    struct fixture *f = conn->f;
    if (memchr(bytes, '?', len)) {
        f->held = conn->client;
        pipe_client_hold(conn->client);
    } else if (memchr(bytes, '!', len)) {
        answer(conn->client, f->answer_len);
    } else if (memchr(bytes, 'x', len)) {
        pipe_client_close(conn->client);
    }
}

static void on_end(void *arg, enum pipe_end why)
{
    struct conn *conn = arg;
    conn->f->end_cnt[why]++;
    conn->f->now_open--;
    if (conn->f->held == conn->client)
        conn->f->held = NULL;
    free(conn);
}

static void on_closed(void *arg)
{
    struct fixture *f = arg;
    f->closed = true;
}

static int start_with(void **state, struct pipe_server_limits limits)
{
    struct fixture *f = mem_zalloc(1, sizeof *f);
    struct diag *diag = diag_new(4);
    struct unix_socket sock;
    const struct pipe_server_events events = {f, on_open, on_read, on_end, on_closed};
    snprintf(f->path, sizeof f->path, "/tmp/rondo-pipe-%ld", (long)getpid());
    f->answer_len = 10;
    uv_loop_init(&f->loop);
    assert_int_equal(unix_socket_open(&sock, f->path, 0660, diag), ERR_OK);
    f->server = pipe_server_new(&f->loop, &sock, &limits, &events);
    assert_int_equal(sock.fd, -1);
    diag_free(diag);
    *state = f;
    return 0;
}

static int start(void **state)
{
    return start_with(state, (struct pipe_server_limits){CLIENTS_MAX, 600, 200, 500});
}

static int start_patiently(void **state)
{
    return start_with(state, (struct pipe_server_limits){CLIENTS_MAX, FOREVER_MS, 200, FOREVER_MS});
}

static int stop(void **state)
{
    struct fixture *f = *state;
    if (f->server)
        pipe_server_close(f->server);
    assert_int_equal(uv_run(&f->loop, UV_RUN_DEFAULT), 0);
    assert_true(f->closed);
    assert_int_equal(f->now_open, 0);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_int_equal(access(f->path, F_OK), -1);
    free(f);
    return 0;
}

static int dial(const struct fixture *f)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    memcpy(sa.sun_path, f->path, strlen(f->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

/* Turns the loop until `*counter` is `goal`; gives the milliseconds it took. */
static uint64_t turn_until(struct fixture *f, const unsigned *counter, unsigned goal)
{
    uint64_t begin_ms = uv_hrtime() / 1000000, now_ms = begin_ms;
    while (*counter != goal) {
        now_ms = uv_hrtime() / 1000000;
        assert_true(now_ms - begin_ms < PATIENCE_MS);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    return now_ms - begin_ms;
}

static void an_answer_is_read_to_its_end(void **state)
{
    struct fixture *f = *state;
    char bytes[100];
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    assert_int_equal(recv(fd, bytes, sizeof bytes, 0), 10);
    assert_int_equal(recv(fd, bytes, sizeof bytes, 0), 0);
    close(fd);
}

static int held_client(struct fixture *f)
{
    int fd = dial(f);
    assert_int_equal(send(fd, "?", 1, 0), 1);
    for (unsigned i = 0; !f->held; i++) {
        assert_true(i < PATIENCE_MS);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    return fd;
}

/* The descriptor that comes with up to `len` bytes; -1: none does. */
static int receive(int fd, void *bytes, size_t len)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {bytes, len};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    int attached = -1;
    assert_true(recvmsg(fd, &message, 0) > 0);
    if (message.msg_controllen)
        memcpy(&attached, CMSG_DATA(&control.head), sizeof attached);
    return attached;
}

static void a_descriptor_comes_with_the_first_byte(void **state)
{
    struct fixture *f = *state;
    char bytes[100], told = 0;
    int ends[2], fd = held_client(f);
    assert_int_equal(pipe(ends), 0);
    pipe_client_attach(f->held, &ends[0]);
    assert_int_equal(ends[0], -1);
    answer(f->held, 10);
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    int attached = receive(fd, bytes, 1);
    assert_true(attached >= 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(read(attached, &told, 1), 1);
    assert_int_equal(told, 'x');
    assert_int_equal(receive(fd, bytes, sizeof bytes), -1);
    close(attached);
    close(ends[1]);
    close(fd);
}

/* It is closed with the client that was to get it. */
static void a_descriptor_that_nobody_takes_is_closed(void **state)
{
    struct fixture *f = *state;
    int ends[2], fd = held_client(f);
    assert_int_equal(pipe(ends), 0);
    pipe_client_attach(f->held, &ends[0]);
    close(fd);
    turn_until(f, &f->end_cnt[PIPE_END_GONE], 1);
    for (unsigned i = 0; i < 3; i++)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(write(ends[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
}

static void a_large_answer_goes_out_as_it_is_read(void **state)
{
    struct fixture *f = *state;
    f->answer_len = 5000000;
    char bytes[65536];
    size_t got = 0;
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    for (ssize_t len; (len = recv(fd, bytes, sizeof bytes, 0)) != 0;) {
        if (len > 0)
            got += (size_t)len;
        else
            assert_int_equal(errno, EAGAIN);
        uv_run(&f->loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(got, 5000000);
    assert_int_equal(f->end_cnt[PIPE_END_DONE], 1);
    close(fd);
}

/* What all ask at once does not add up in one turn of the loop. */
static void one_client_is_read_from_in_a_turn(void **state)
{
    struct fixture *f = *state;
    int fds[CLIENTS_MAX];
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        fds[i] = dial(f);
    turn_until(f, &f->open_cnt, CLIENTS_MAX);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        assert_int_equal(send(fds[i], "!", 1, 0), 1);
    for (unsigned i = 1; i <= CLIENTS_MAX; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(f->end_cnt[PIPE_END_DONE], i);
    }
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        close(fds[i]);
}

static void an_answer_goes_out_in_pieces(void **state)
{
    enum { PIECE = 32 * 1024, LEN = 3 * PIECE };
    struct fixture *f = *state;
    char bytes[LEN];
    f->answer_len = LEN;
    int fd = dial(f);
    turn_until(f, &f->open_cnt, 1);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    for (unsigned i = 0; i < LEN / PIECE; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_int_equal(recv(fd, bytes, sizeof bytes, 0), PIECE);
    }
    assert_int_equal(f->end_cnt[PIPE_END_DONE], 1);
    close(fd);
}

static void one_that_never_reads_is_dropped(void **state)
{
    struct fixture *f = *state;
    f->answer_len = 5000000;
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    uint64_t took_ms = turn_until(f, &f->end_cnt[PIPE_END_LATE], 1);
    assert_true(took_ms >= 400);
    close(fd);
}

static void one_that_says_nothing_is_dropped(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint64_t took_ms = turn_until(f, &f->end_cnt[PIPE_END_LATE], 1);
    assert_true(took_ms >= 500);
    close(fd);
}

static void trickling_bytes_do_not_move_the_deadline(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    uint64_t begin_ms = uv_hrtime() / 1000000;
    while (!f->end_cnt[PIPE_END_LATE] && uv_hrtime() / 1000000 - begin_ms < PATIENCE_MS) {
        (void)!send(fd, "a", 1, MSG_NOSIGNAL);
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(5000);
    }
    assert_int_equal(f->end_cnt[PIPE_END_LATE], 1);
    close(fd);
}

static void one_that_leaves_is_forgotten(void **state)
{
    struct fixture *f = *state;
    int fd = dial(f);
    assert_int_equal(send(fd, "a", 1, 0), 1);
    turn_until(f, &f->open_cnt, 1);
    close(fd);
    turn_until(f, &f->end_cnt[PIPE_END_GONE], 1);
}

static void a_held_one_has_no_deadline(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fd = dial(f);
    assert_int_equal(send(fd, "?", 1, 0), 1);
    uint64_t begin_ms = uv_hrtime() / 1000000;
    while (uv_hrtime() / 1000000 - begin_ms < 900) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_non_null(f->held);
    answer(f->held, 1);
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    close(fd);
}

static void a_held_one_that_leaves_is_noticed_one_that_only_stops_sending_is_served(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fd = dial(f);
    assert_int_equal(send(fd, "?", 1, 0), 1);
    shutdown(fd, SHUT_WR);
    for (int i = 0; i < 200; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    assert_non_null(f->held);
    answer(f->held, 1);
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    close(fd);
    fd = dial(f);
    assert_int_equal(send(fd, "?", 1, 0), 1);
    turn_until(f, &f->open_cnt, 2);
    close(fd);
    turn_until(f, &f->end_cnt[PIPE_END_GONE], 1);
}

/* An answer to one that left: no SIGPIPE, whatever the program does about that signal. */
static void writing_to_one_that_left_harms_nobody(void **state)
{
    struct fixture *f = *state;
    f->answer_len = 5000000;
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    close(fd);
    turn_until(f, &f->end_cnt[PIPE_END_GONE], 1);
}

static void the_server_may_close_a_client(void **state)
{
    struct fixture *f = *state;
    char byte;
    int fd = dial(f);
    assert_int_equal(send(fd, "x", 1, 0), 1);
    turn_until(f, &f->end_cnt[PIPE_END_CLOSED], 1);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
}

/* Within 200 ms a round, and not when the time of those that are alone is over. */
static void a_crowd_of_silent_ones_gives_way(void **state)
{
    struct fixture *f = *state;
    enum { CROWD = 3 * CLIENTS_MAX };
    int crowd[CROWD];
    for (int i = 0; i < CROWD; i++)
        crowd[i] = dial(f);
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    assert_true(f->now_open <= CLIENTS_MAX);
    close(fd);
    for (int i = 0; i < CROWD; i++)
        close(crowd[i]);
}

static void those_held_keep_their_places(void **state)
{
    struct fixture *f = *state;
    int held[CLIENTS_MAX];
    for (int i = 0; i < CLIENTS_MAX; i++) {
        held[i] = dial(f);
        assert_int_equal(send(held[i], "?", 1, 0), 1);
    }
    int fd = dial(f);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    for (int i = 0; i < 400; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        usleep(1000);
        assert_true(f->now_open <= CLIENTS_MAX);
    }
    assert_int_equal(f->now_open, CLIENTS_MAX);
    assert_int_equal(f->open_cnt, CLIENTS_MAX);
    close(held[0]); /* a place is free: the next is served at once */
    turn_until(f, &f->end_cnt[PIPE_END_DONE], 1);
    close(fd);
    for (int i = 1; i < CLIENTS_MAX; i++)
        close(held[i]);
}

static void close_ends_them_all(void **state)
{
    struct fixture *f = *state;
    int silent = dial(f), waiting = dial(f);
    assert_int_equal(send(waiting, "?", 1, 0), 1);
    turn_until(f, &f->open_cnt, 2);
    pipe_server_close(f->server);
    f->server = NULL;
    assert_int_equal(f->end_cnt[PIPE_END_CLOSED], 2);
    close(silent);
    close(waiting);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(an_answer_is_read_to_its_end),
        CASE(a_descriptor_comes_with_the_first_byte),
        CASE(a_descriptor_that_nobody_takes_is_closed),
        cmocka_unit_test_setup_teardown(a_large_answer_goes_out_as_it_is_read, start_patiently, stop),
        CASE(one_client_is_read_from_in_a_turn),
        CASE(an_answer_goes_out_in_pieces),
        CASE(one_that_never_reads_is_dropped),
        CASE(one_that_says_nothing_is_dropped),
        CASE(trickling_bytes_do_not_move_the_deadline),
        CASE(one_that_leaves_is_forgotten),
        CASE(a_held_one_has_no_deadline),
        CASE(a_held_one_that_leaves_is_noticed_one_that_only_stops_sending_is_served),
        CASE(writing_to_one_that_left_harms_nobody),
        CASE(the_server_may_close_a_client),
        cmocka_unit_test_setup_teardown(a_crowd_of_silent_ones_gives_way, start_patiently, stop),
        CASE(those_held_keep_their_places),
        CASE(close_ends_them_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
