/* One check and its socket, step by step in one thread: what the peer does, then what epoll says of it. */
#include <errno.h>
#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/check.h"
#include "probe/target.h"

struct fixture {
    struct target_table table;
    struct check check;
    int listen_fd, epoll_fd, peer_fd;
    uint16_t port;
    uint8_t buffer[4096];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    f->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(f->listen_fd, (struct sockaddr *)&any, sizeof any) || listen(f->listen_fd, 8) ||
        getsockname(f->listen_fd, (struct sockaddr *)&any, &len))
        return -1;
    f->port = ntohs(any.sin_port);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->peer_fd = -1;
    target_table_init(&f->table);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    check_close(&f->check);
    close(f->listen_fd);
    close(f->epoll_fd);
    if (f->peer_fd >= 0)
        close(f->peer_fd);
    target_table_fini(&f->table);
    free(f);
    return 0;
}

static void open_check(struct fixture *f, enum probe_type type, const char *expect_body)
{
    struct probe_spec spec = {
        .options.type = type,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
        .options.expect_body = (char *)(uintptr_t)expect_body,
    };
    bool is_new;
    assert_int_equal(addr_port_from_text(&spec.address, "127.0.0.1", f->port), ERR_OK);
    check_open(&f->check, target_table_at(&f->table, target_table_add(&f->table, &spec, &is_new)), 77, f->epoll_fd,
               4711);
}

/* CLOSE_WAIT: TCP_CLOSE_WAIT of netinet/tcp.h, which has not all of struct tcp_info. */
enum { PATIENCE_MS = 20000, ALARM_SEC = 600, CLOSE_WAIT = 8 };

/* Hands on what epoll says within `ms`; false: nothing. */
static bool step_within(struct fixture *f, int ms)
{
    struct epoll_event event;
    if (epoll_wait(f->epoll_fd, &event, 1, ms) != 1)
        return false;
    assert_int_equal(event.data.u64, 4711);
    check_event(&f->check, event.events, f->buffer, sizeof f->buffer);
    return true;
}

static bool step(struct fixture *f) { return step_within(f, PATIENCE_MS); }

/* Until that many bytes of an answer wait in the check's socket, and with `is_end` the end of them. */
static void wait_arrived(const struct fixture *f, int bytes, bool is_end)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    int arrived = 0;
    do {
        usleep(100);
        assert_int_equal(ioctl(f->check.fd, FIONREAD, &arrived), 0);
        assert_int_equal(getsockopt(f->check.fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    } while (arrived < bytes || (is_end && info.tcpi_state != CLOSE_WAIT));
}

/* Until the request has come. */
static void take_request(struct fixture *f)
{
    char request[2048];
    assert_true(step(f));
    f->peer_fd = accept(f->listen_fd, NULL, NULL);
    ssize_t len = recv(f->peer_fd, request, sizeof request, 0);
    assert_true(len > 60 && !memcmp(request, "GET / HTTP/1.1\r\n", 16) && !memcmp(request + len - 4, "\r\n\r\n", 4));
}

static void say(struct fixture *f, const char *text)
{
    assert_int_equal(send(f->peer_fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void hang_up(struct fixture *f, bool hard)
{
    struct linger reset = {1, 0};
    if (hard)
        setsockopt(f->peer_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(f->peer_fd);
    f->peer_fd = -1;
}

static void expect(struct fixture *f, enum kind_state ended, const char *reason)
{
    char text[PROBE_REASON_MAX];
    assert_int_equal(f->check.run.state, ended);
    assert_string_equal(reason_to_text(text, f->check.run.reason), reason);
    assert_false(check_runs(&f->check));
}

static void test_http(void **state)
{
    struct fixture *f = *state;
    open_check(f, PROBE_HTTP, NULL);
    assert_true(check_runs(&f->check));
    assert_int_equal(f->check.start_us, 77);
    take_request(f);
    assert_false(step_within(f, 100)); /* waits, and does not spin */
    say(f, "HTTP/1.1 200 OK\r\n");
    assert_true(step(f));
    assert_true(check_runs(&f->check));
    say(f, "\r\n");
    assert_true(step(f));
    expect(f, KIND_PASSED, "status 200");
}

static unsigned segments_sent(const struct fixture *f)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    assert_int_equal(getsockopt(f->check.fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_segs_out;
}

/* SYN, then the last step of the handshake together with the request. It waits for that some 40 ms, which a busy
 * machine may exceed, but not always. */
static void test_the_last_ack_goes_with_the_request(void **state)
{
    struct fixture *f = *state;
    unsigned least = UINT_MAX;
    for (unsigned i = 0; i < 100 && least > 2; i++) {
        if (i) {
            hang_up(f, true);
            check_close(&f->check);
        }
        open_check(f, PROBE_HTTP, NULL);
        take_request(f);
        unsigned sent = segments_sent(f);
        least = sent < least ? sent : least;
    }
    assert_int_equal(least, 2);
}

/* Edge-triggered: bytes and the end of them come as one event, and there is no other. */
static void test_end_comes_with_the_bytes(void **state)
{
    struct fixture *f = *state;
    open_check(f, PROBE_HTTP, "^yes$");
    take_request(f);
    say(f, "HTTP/1.1 200 OK\r\n\r\nyes");
    hang_up(f, false);
    wait_arrived(f, 22, true);
    assert_true(step(f));
    expect(f, KIND_PASSED, "status 200");
}

static void test_more_than_a_buffer(void **state)
{
    struct fixture *f = *state;
    char body[20000];
    memset(body, 'x', sizeof body);
    body[sizeof body - 1] = '\0';
    open_check(f, PROBE_HTTP, "^x{2}");
    take_request(f);
    say(f, "HTTP/1.1 200 OK\r\nContent-Length: 19999\r\n\r\n");
    say(f, body);
    wait_arrived(f, 19999 + 42, false);
    assert_true(step(f));
    expect(f, KIND_PASSED, "status 200");
}

static void test_reset(void **state)
{
    struct fixture *f = *state;
    open_check(f, PROBE_HTTP, NULL);
    take_request(f);
    hang_up(f, true);
    assert_true(step(f));
    expect(f, KIND_FAILED, "connection reset by peer");
}

/* What was said before the connection broke counts. */
static void test_answer_without_reading_the_request(void **state)
{
    struct fixture *f = *state;
    open_check(f, PROBE_HTTP, NULL);
    assert_true(step(f));
    f->peer_fd = accept(f->listen_fd, NULL, NULL);
    say(f, "HTTP/1.1 503 Busy\r\n\r\n");
    assert_true(step(f));
    expect(f, KIND_FAILED, "status 503");
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    close(f->listen_fd);
    f->listen_fd = -1;
    open_check(f, PROBE_TCP, NULL);
    while (check_runs(&f->check))
        assert_true(step(f));
    expect(f, KIND_FAILED, "connection refused");
}

/* A tcp check leaves nothing behind: the peer sees a reset, and no port of ours waits. */
static void test_tcp_resets(void **state)
{
    struct fixture *f = *state;
    char byte;
    open_check(f, PROBE_TCP, NULL);
    assert_true(step(f));
    expect(f, KIND_PASSED, "connected");
    check_close(&f->check);
    assert_int_equal(f->check.fd, -1);
    f->peer_fd = accept(f->listen_fd, NULL, NULL);
    assert_int_equal(recv(f->peer_fd, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void test_http_closes(void **state)
{
    struct fixture *f = *state;
    char byte;
    open_check(f, PROBE_HTTP, NULL);
    take_request(f);
    say(f, "HTTP/1.1 204 x\r\n\r\n");
    assert_true(step(f));
    check_close(&f->check);
    assert_int_equal(recv(f->peer_fd, &byte, 1, 0), 0);
}

static void test_no_epoll_is_ours(void **state)
{
    struct fixture *f = *state;
    int before = f->epoll_fd;
    f->epoll_fd = -1;
    open_check(f, PROBE_TCP, NULL);
    f->epoll_fd = before;
    assert_false(check_runs(&f->check));
    assert_int_equal(f->check.local_error, EBADF);
    assert_int_equal(f->check.run.state, KIND_RUNNING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_http),
        TEST(test_the_last_ack_goes_with_the_request),
        TEST(test_end_comes_with_the_bytes),
        TEST(test_more_than_a_buffer),
        TEST(test_reset),
        TEST(test_answer_without_reading_the_request),
        TEST(test_refused),
        TEST(test_tcp_resets),
        TEST(test_http_closes),
        TEST(test_no_epoll_is_ours),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
