#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "dns/msg.h"
#include "dns/rr.h"
#include "service.h"

static const char *const loopback[] = {"127.0.0.1", NULL};
static uint8_t message[SERVICE_MESSAGE_MAX];

static void expect_answer(int fd, uint16_t id)
{
    size_t len = client_read(fd, message);
    assert_true(answer_is_good(message, len, id));
}

static void query(int fd, uint16_t id)
{
    client_send_query(fd, id, "www", RR_A);
    expect_answer(fd, id);
}

/* A fresh client is answered. */
static void expect_service(const struct service *s)
{
    int fd = client_tcp(s, NULL, "127.0.0.1");
    query(fd, 4711);
    close(fd);
}

/* ---- framing ---- */

static void test_queries_one_after_the_other(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.workers = 2;
    service_start(&s, &o, (const char *const[]){"127.0.0.1", "::1", "0.0.0.0", NULL});
    int fds[] = {client_tcp(&s, NULL, "127.0.0.1"), client_tcp(&s, NULL, "::1"), client_tcp(&s, NULL, "127.0.0.2")};
    for (uint16_t id = 0; id < 30; id++)
        query(fds[id % 3], id);
    assert_int_equal(SERVICE_COUNT(&s, tcp_accepted), 3);
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
    service_wait_open(&s, 0);
    service_stop(&s);
}

static void test_a_byte_at_a_time(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    int one = 1;
    uint8_t q[2 + 64];
    service_start(&s, &o, loopback);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    for (uint16_t id = 0; id < 3; id++) {
        size_t len = query_make(q + 2, id, "www", RR_A);
        be16_put(q, (uint16_t)len);
        for (size_t i = 0; i < 2 + len; i++) {
            client_send(fd, q + i, 1);
            sleep_ms(1);
        }
        expect_answer(fd, id);
    }
    close(fd);
    service_stop(&s);
}

/* Many queries in pieces of any length: the answers come in order. */
static void test_pipelined_in_pieces(void **state)
{
    (void)state;
    enum { CNT = 3000 };
    struct service s;
    struct io_options o = service_options();
    static uint8_t bytes[CNT * 64];
    size_t len = 0, at = 0;
    service_start(&s, &o, loopback);
    for (uint16_t id = 0; id < CNT; id++) {
        size_t n = query_make(bytes + len + 2, id, "www", RR_A);
        be16_put(bytes + len, (uint16_t)n);
        len += 2 + n;
    }
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    srand(3);
    for (uint16_t id = 0; id < CNT;) {
        size_t n = (size_t)rand() % 3000 + 1;
        n = n < len - at ? n : len - at;
        client_send(fd, bytes + at, n);
        at += n;
        for (unsigned i = 0; id < CNT && (i < n / 40 || at == len); i++)
            expect_answer(fd, id++);
    }
    close(fd);
    service_stop(&s);
}

/* The largest message there is needs the whole input buffer. It is a query with 65,000 bytes behind the question,
 * whatever the answer to that. */
static void test_the_largest_message(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    static uint8_t bytes[2 + 65535];
    service_start(&s, &o, loopback);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    (void)query_make(bytes + 2, 1, "www", RR_A);
    be16_put(bytes, 65535);
    client_send(fd, bytes, 30000);
    sleep_ms(50);
    client_send(fd, bytes + 30000, sizeof(bytes) - 30000);
    client_send_query(fd, 2, "www", RR_A);
    do {
        assert_true(client_read(fd, message) > 0);
    } while (msg_id(message) != 2);
    close(fd);
    service_stop(&s);
}

static void test_a_length_that_is_no_message_closes(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    static const uint8_t zero[2], eleven[13] = {0, 11};
    service_start(&s, &o, loopback);
    int a = client_tcp(&s, NULL, "127.0.0.1"), b = client_tcp(&s, NULL, "127.0.0.1");
    client_send_query(a, 1, "www", RR_A);
    client_send(a, zero, 2);
    expect_answer(a, 1);
    assert_int_equal(client_read(a, message), 0);
    client_send(b, eleven, sizeof(eleven));
    assert_int_equal(client_read(b, message), 0);
    close(a);
    close(b);
    expect_service(&s);
    service_stop(&s);
}

/* A message that gets no answer (it is one itself) ends nothing. */
static void test_a_dropped_request_keeps_the_connection(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    uint8_t q[2 + 64];
    service_start(&s, &o, loopback);
    int fd = client_tcp(&s, NULL, "127.0.0.1");
    size_t len = query_make(q + 2, 1, "www", RR_A);
    be16_put(q, (uint16_t)len);
    q[4] |= 0x80;
    client_send(fd, q, 2 + len);
    query(fd, 2);
    close(fd);
    service_stop(&s);
}

/* ---- clients that read slowly, or not ---- */

static int client_with_small_window(const struct service *s)
{
    int small = 32768, fd = client_tcp(s, NULL, "127.0.0.1");
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    return fd;
}

/* Far more answers than socket and connection can hold, asked for at once, then half-closed (RFC 7766 6.2.1.1):
 * all come, in order and whole, then the end. */
static void test_half_close_and_slow_reading(void **state)
{
    (void)state;
    enum { CNT = 300 };
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, loopback);
    int fd = client_with_small_window(&s);
    for (uint16_t id = 0; id < CNT; id++)
        client_send_query(fd, id, id % 3 ? "big" : "www", id % 3 ? RR_TXT : RR_A);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (uint16_t id = 0; id < CNT; id++) {
        if (id % 100 == 0)
            sleep_ms(50);
        size_t len = client_read(fd, message);
        assert_true(answer_is_good(message, len, id));
        assert_true(id % 3 ? len > SERVICE_BIG_MIN : len < 512);
    }
    assert_int_equal(client_read(fd, message), 0);
    service_wait_open(&s, 0);
    close(fd);
    service_stop(&s);
}

/* Bytes that the service's end of this connection has sent in vain or not yet, as /proc/net/tcp tells (our processes
 * have one end each of it, the service's is the one whose peer we are). */
static unsigned kernel_holds(const struct service *s, int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof(sa);
    char line[512];
    unsigned local_port, peer_port, queue, found = 0, held = 0;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    FILE *f = fopen("/proc/net/tcp", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, " %*u: %*x:%x %*x:%x %*x %x", &local_port, &peer_port, &queue) != 3)
            continue;
        if (local_port == s->port && peer_port == ntohs(sa.sin_port)) {
            held = queue;
            found++;
        }
    }
    fclose(f);
    assert_int_equal(found, 1);
    return held;
}

static bool ends_by_reset(int fd)
{
    ssize_t got;
    while ((got = recv(fd, message, sizeof(message), MSG_DONTWAIT)) > 0)
        ;
    return got < 0 && errno == ECONNRESET;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void test_a_client_that_never_reads(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.tcp_idle_ms = 500;
    service_start(&s, &o, loopback);
    int fd = client_with_small_window(&s);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    uint8_t q[2 + 64];
    size_t len = query_make(q + 2, 1, "big", RR_TXT);
    be16_put(q, (uint16_t)len);
    for (unsigned i = 0; i < 1000; i++)
        if (send(fd, q, 2 + len, MSG_NOSIGNAL) < (ssize_t)(2 + len))
            break;
    for (unsigned i = 0; i < 5; i++)
        expect_service(&s);
    assert_true(kernel_holds(&s, fd) < 1 << 20);
    double before = cpu_seconds();
    sleep_ms(200);
    assert_true(cpu_seconds() - before < 0.05); /* waits for the client without turning round and round */
    service_wait_open(&s, 0);
    assert_int_equal(SERVICE_COUNT(&s, tcp_idle_closed), 1);
    assert_true(ends_by_reset(fd)); /* the kernel has forgotten what it held, too */
    close(fd);
    service_stop(&s);
}

/* One that reads slowly is none of those, though the kernel does not wake the worker for it in time. */
static void test_a_client_that_reads_slowly(void **state)
{
    (void)state;
    enum { CNT = 200 };
    struct service s;
    struct io_options o = service_options();
    o.tcp_idle_ms = 1500; /* less than it takes, far more than between two reads */
    service_start(&s, &o, loopback);
    int fd = client_with_small_window(&s);
    for (uint16_t id = 0; id < CNT; id++)
        client_send_query(fd, id, "big", RR_TXT);
    for (uint16_t id = 0; id < CNT; id++) {
        if (id < 20)
            sleep_ms(100);
        size_t len = client_read(fd, message);
        assert_true(answer_is_good(message, len, id));
    }
    assert_int_equal(SERVICE_COUNT(&s, tcp_idle_closed), 0);
    close(fd);
    service_stop(&s);
}

static void test_a_reset_amid_answers(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    const struct linger at_once = {.l_onoff = 1};
    service_start(&s, &o, loopback);
    for (unsigned i = 0; i < 20; i++) {
        int fd = client_with_small_window(&s);
        for (uint16_t id = 0; id < 100; id++)
            client_send_query(fd, id, "big", RR_TXT);
        sleep_ms(i % 4);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        close(fd);
    }
    expect_service(&s);
    service_wait_open(&s, 0);
    service_stop(&s);
}

/* ---- timeouts and limits ---- */

/* Neither silence nor bytes that never make a message keep a connection; queries do. */
static void test_idle_and_dripping_connections_are_closed(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.tcp_idle_ms = 1000;
    service_start(&s, &o, loopback);
    uint64_t begin = now_ms();
    int idle = client_tcp(&s, NULL, "127.0.0.1"), drip = client_tcp(&s, NULL, "127.0.0.1");
    int busy = client_tcp(&s, NULL, "127.0.0.1");
    static const uint8_t start[] = {4, 0, 0, 0, 0, 0};
    bool idle_closed = false, drip_closed = false;
    client_send(drip, start, sizeof(start));
    for (uint16_t id = 0; !idle_closed || !drip_closed; id++) {
        query(busy, id);
        (void)send(drip, start, 1, MSG_NOSIGNAL);
        idle_closed = idle_closed || client_is_closed_now(idle);
        drip_closed = drip_closed || client_is_closed_now(drip);
        uint64_t passed_ms = now_ms() - begin;
        assert_true(passed_ms >= 1000 || !(idle_closed || drip_closed));
        assert_true(passed_ms < SERVICE_PATIENCE_SEC * 1000);
        sleep_ms(20);
    }
    query(busy, 4711);
    service_wait_open(&s, 1);
    while (SERVICE_COUNT(&s, tcp_idle_closed) < 2)
        sleep_ms(1); /* counted right after it is closed */
    assert_int_equal(SERVICE_COUNT(&s, tcp_idle_closed), 2);
    close(idle);
    close(drip);
    close(busy);
    service_stop(&s);
}

static void test_the_idlest_makes_room(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    int fds[4];
    o.tcp_max = 4;
    service_start(&s, &o, loopback);
    for (uint16_t i = 0; i < 4; i++) {
        fds[i] = client_tcp(&s, NULL, "127.0.0.1");
        query(fds[i], i);
    }
    query(fds[0], 10); /* now fds[1] is the one that has been idle longest */
    int late = client_tcp(&s, NULL, "127.0.0.1");
    query(late, 5);
    assert_true(client_is_closed(fds[1]));
    assert_int_equal(SERVICE_COUNT(&s, tcp_evicted), 1);
    assert_int_equal(io_tcp_open(s.io), 4);
    query(fds[0], 6);
    query(fds[2], 7);
    query(fds[3], 8);
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
    close(late);
    service_stop(&s);
}

static void test_the_share_of_a_client(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.tcp_max_per_client = 2;
    service_start(&s, &o, loopback);
    int a = client_tcp(&s, "127.0.0.5", "127.0.0.1"), b = client_tcp(&s, "127.0.0.5", "127.0.0.1");
    int other = client_tcp(&s, "127.0.0.6", "127.0.0.1");
    query(other, 1);
    query(a, 1);
    query(b, 2);
    query(a, 3); /* now b is the client's that has been idle longest, and another's still longer */
    int c = client_tcp(&s, "127.0.0.5", "127.0.0.1");
    query(c, 4);
    assert_true(client_is_closed(b));
    query(other, 5);
    query(a, 6);
    assert_int_equal(io_tcp_open(s.io), 3);
    assert_int_equal(SERVICE_COUNT(&s, tcp_evicted), 1);
    assert_int_equal(SERVICE_COUNT(&s, tcp_refused_client), 0);
    close(a);
    close(b);
    close(c);
    close(other);
    service_stop(&s);
}

/* Until their client has taken nothing for a second, connections that hold answers back are not idle. */
static void test_the_share_of_a_busy_client(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.tcp_max_per_client = 1;
    service_start(&s, &o, loopback);
    int busy = client_with_small_window(&s);
    uint64_t begin = now_ms();
    bool served = false;
    static uint8_t queries[100 * 64];
    size_t len = 0;
    for (uint16_t id = 0; id < 100; id++) {
        size_t n = query_make(queries + len + 2, id, "big", RR_TXT);
        be16_put(queries + len, (uint16_t)n);
        len += 2 + n;
    }
    query(busy, 1);
    client_send(busy, queries, len); /* in one piece, and so read at once and before the next one is accepted */
    while (!served) {
        int fd = client_tcp(&s, NULL, "127.0.0.1");
        client_send_query(fd, 1, "www", RR_A);
        served = client_read(fd, message) > 0;
        assert_true(!served || now_ms() - begin >= 1000);
        assert_true(now_ms() - begin < SERVICE_PATIENCE_SEC * 1000);
        close(fd);
        sleep_ms(20);
    }
    assert_int_equal(SERVICE_COUNT(&s, tcp_evicted), 1);
    close(busy);
    service_stop(&s);
}

/* CONFORMANCE: 200 half-sent messages must not stop others, nor 150 idle connections. */
static void test_many_idle_and_dripping_connections(void **state)
{
    (void)state;
    enum { CNT = 200 };
    struct service s;
    struct io_options o = service_options();
    static const uint8_t half[] = {0, 40, 1, 2, 3, 4};
    int idle[CNT], drip[CNT];
    o.workers = 2;
    service_start(&s, &o, loopback);
    for (unsigned i = 0; i < CNT; i++) {
        idle[i] = client_tcp(&s, NULL, "127.0.0.1");
        drip[i] = client_tcp(&s, NULL, "127.0.0.1");
        client_send(drip[i], half, sizeof(half));
    }
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < CNT; i++)
            if (round < 10)
                client_send(drip[i], half, 1);
        expect_service(&s);
    }
    assert_int_equal(SERVICE_COUNT(&s, tcp_evicted) + SERVICE_COUNT(&s, tcp_idle_closed), 0);
    for (unsigned i = 0; i < CNT; i++) {
        close(idle[i]);
        close(drip[i]);
    }
    service_wait_open(&s, 0);
    service_stop(&s);
}

/* The same, and tcp_max reached by them: whoever is new still gets in. */
static void test_service_at_the_limit(void **state)
{
    (void)state;
    enum { CNT = 100 };
    struct service s;
    struct io_options o = service_options();
    static const uint8_t half[] = {0, 40, 1, 2, 3, 4};
    int fds[CNT];
    o.tcp_max = 20;
    service_start(&s, &o, loopback);
    for (unsigned i = 0; i < CNT; i++) {
        fds[i] = client_tcp(&s, NULL, "127.0.0.1");
        if (i % 2)
            client_send(fds[i], half, sizeof(half));
        if (i % 10 == 0)
            expect_service(&s);
        assert_true(io_tcp_open(s.io) <= 20);
    }
    for (unsigned i = 0; i < CNT; i++)
        close(fds[i]);
    service_stop(&s);
}

/* No descriptor left: the worker pauses instead of spinning, and goes on when there is one. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    enum { MOST = 4096 };
    struct service s;
    struct io_options o = service_options();
    static int taken[MOST];
    unsigned taken_cnt = 0;
    struct rlimit before, low;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = SERVICE_PATIENCE_SEC};
    service_start(&s, &o, loopback);
    sa.sin_port = htons(s.port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = (struct rlimit){.rlim_cur = 200, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (taken_cnt < MOST && (taken[taken_cnt] = dup(0)) >= 0)
        taken_cnt++;
    uint64_t begin = now_ms();
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    client_send_query(fd, 1, "www", RR_A);
    while (SERVICE_COUNT(&s, tcp_accept_errors) < 4)
        sleep_ms(10);
    uint64_t errors = SERVICE_COUNT(&s, tcp_accept_errors);
    assert_true(errors <= (now_ms() - begin) / 100 + 2); /* one each 100 ms */
    while (taken_cnt > 0)
        close(taken[--taken_cnt]);
    expect_answer(fd, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
    service_stop(&s);
}

static void test_stop_closes_connections(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.workers = 2;
    o.tcp_idle_ms = SERVICE_ALARM_SEC * 1000; /* it does not wait for that */
    service_start(&s, &o, loopback);
    int a = client_tcp(&s, NULL, "127.0.0.1"), b = client_with_small_window(&s);
    query(a, 1);
    for (uint16_t id = 0; id < 100; id++)
        client_send_query(b, id, "big", RR_TXT);
    while (SERVICE_COUNT(&s, tcp_accepted) < 2)
        sleep_ms(1);
    io_stop(s.io);
    assert_int_equal(io_tcp_open(s.io), 0);
    assert_true(client_is_closed(a));
    assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
    expect_service(&s);
    assert_int_equal(SERVICE_COUNT(&s, tcp_accepted), 3);
    close(a);
    close(b);
    service_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries_one_after_the_other),
        cmocka_unit_test(test_a_byte_at_a_time),
        cmocka_unit_test(test_pipelined_in_pieces),
        cmocka_unit_test(test_the_largest_message),
        cmocka_unit_test(test_a_length_that_is_no_message_closes),
        cmocka_unit_test(test_a_dropped_request_keeps_the_connection),
        cmocka_unit_test(test_half_close_and_slow_reading),
        cmocka_unit_test(test_a_client_that_never_reads),
        cmocka_unit_test(test_a_client_that_reads_slowly),
        cmocka_unit_test(test_a_reset_amid_answers),
        cmocka_unit_test(test_idle_and_dripping_connections_are_closed),
        cmocka_unit_test(test_the_idlest_makes_room),
        cmocka_unit_test(test_the_share_of_a_client),
        cmocka_unit_test(test_the_share_of_a_busy_client),
        cmocka_unit_test(test_many_idle_and_dripping_connections),
        cmocka_unit_test(test_service_at_the_limit),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_stop_closes_connections),
    };
    alarm(SERVICE_ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
