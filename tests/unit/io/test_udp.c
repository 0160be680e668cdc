#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "service.h"

/* The program is linked with --wrap, so that the kernel can be made to fail. */
int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags, struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags, struct timespec *timeout);

enum { REFUSE_SEVENTH = 1, NO_ROOM, NO_MEMORY, FORGE_SEVENTH };
static unsigned failing, recv_calls;
static struct sockaddr_in forged; /* whom every seventh datagram is said to come from */

static bool is_seventh(const struct mmsghdr *m) { return ((const uint8_t *)m->msg_hdr.msg_iov->iov_base)[1] % 7 == 0; }

/* REFUSE_SEVENTH: takes three at most, and none whose ID's low byte is divisible by 7: a firewall's refusal, what an
 * earlier datagram brought back by ICMP, a full queue of the interface, an answer too long for it. */
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags)
{
    static const int causes[] = {EPERM, ECONNREFUSED, ENOBUFS, EMSGSIZE};
    static unsigned refused;
    unsigned mode = __atomic_load_n(&failing, __ATOMIC_RELAXED), n = 0;
    if (mode == NO_ROOM) {
        errno = EAGAIN;
        return -1;
    }
    if (mode != REFUSE_SEVENTH)
        return __real_sendmmsg(fd, messages, cnt, flags);
    while (n < cnt && n < 3 && !is_seventh(&messages[n]))
        n++;
    if (n > 0)
        return __real_sendmmsg(fd, messages, n, flags);
    errno = causes[refused++ % 4];
    return -1;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *messages, unsigned cnt, int flags, struct timespec *timeout)
{
    __atomic_fetch_add(&recv_calls, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&failing, __ATOMIC_RELAXED) == NO_MEMORY) {
        errno = ENOMEM;
        return -1;
    }
    int got = __real_recvmmsg(fd, messages, cnt, flags, timeout);
    if (__atomic_load_n(&failing, __ATOMIC_RELAXED) == FORGE_SEVENTH)
        for (int i = 0; i < got; i++)
            if (is_seventh(&messages[i]))
                memcpy(messages[i].msg_hdr.msg_name, &forged, sizeof(forged));
    return got;
}

static void fail_by(unsigned mode) { __atomic_store_n(&failing, mode, __ATOMIC_RELAXED); }

static void ask(int fd, uint16_t id)
{
    uint8_t q[64];
    client_send(fd, q, query_make(q, id, "www", RR_A));
}

static void expect_answer(int fd, uint16_t id)
{
    uint8_t m[4096];
    ssize_t len = recv(fd, m, sizeof(m), 0);
    assert_true(len > 0);
    assert_true(answer_is_good(m, (size_t)len, id));
    (void)answer_generation(m, (size_t)len);
}

static void test_more_than_a_batch(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    uint8_t seen[100] = {0}, m[4096];
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    int fd = client_udp(&s, NULL, "127.0.0.1");
    for (uint16_t id = 0; id < 100; id++)
        ask(fd, id);
    for (unsigned i = 0; i < 100; i++) {
        ssize_t len = recv(fd, m, sizeof(m), 0);
        assert_true(len > 12);
        uint16_t id = (uint16_t)(m[0] << 8 | m[1]);
        assert_true(id < 100 && !seen[id] && answer_is_good(m, (size_t)len, id));
        seen[id] = 1;
    }
    close(fd);
    service_stop(&s);
}

/* A connected socket takes replies only from the address that it asked. */
static void test_wildcard_replies_from_the_address_asked(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.workers = 2;
    service_start(&s, &o, (const char *const[]){"0.0.0.0", "::", NULL});
    static const char *const to[] = {"127.0.0.1", "127.0.0.2", "127.9.8.7", "::1"};
    for (uint16_t i = 0; i < 4; i++) {
        int fd = client_udp(&s, NULL, to[i]);
        ask(fd, i);
        expect_answer(fd, i);
        close(fd);
    }
    service_stop(&s);
}

static void test_several_addresses(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    o.workers = 2;
    service_start(&s, &o, (const char *const[]){"127.0.0.1", "127.0.0.3", "::1", NULL});
    static const char *const to[] = {"127.0.0.1", "127.0.0.3", "::1"};
    for (uint16_t i = 0; i < 30; i++) {
        int fd = client_udp(&s, NULL, to[i % 3]);
        ask(fd, i);
        expect_answer(fd, i);
        close(fd);
    }
    service_stop(&s);
}

/* None of these is answered, all leave the worker as it was, and those around them in the batch are answered. */
static void test_datagrams_of_any_shape(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    static uint8_t junk[60000];
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    int bad = client_udp(&s, NULL, "127.0.0.1"), good = client_udp(&s, NULL, "127.0.0.1");
    memset(junk, 0xff, sizeof(junk)); /* QR is set: no answer, however long */
    for (uint16_t i = 0; i < 20; i++) {
        assert_int_equal(send(bad, junk, 0, 0), 0);
        client_send(bad, junk, 11);
        client_send(bad, junk, 4096);
        client_send(bad, junk, 4097);
        client_send(bad, junk, sizeof(junk));
        ask(good, i);
        expect_answer(good, i);
    }
    assert_int_equal(SERVICE_COUNT(&s, udp_dropped), 40);
    assert_int_equal(recv(bad, junk, sizeof(junk), MSG_DONTWAIT), -1);
    close(bad);
    close(good);
    service_stop(&s);
}

/* What comes while nobody reads waits in the socket. */
static void test_stop_and_start_again(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct answer_counters answers;
    struct io_counters sockets;
    o.workers = 3;
    service_start(&s, &o, (const char *const[]){"127.0.0.1", "::1", NULL});
    int fd = client_udp(&s, NULL, "127.0.0.1");
    for (uint16_t i = 0; i < 20; i++) {
        io_stop(s.io);
        ask(fd, i);
        sleep_ms(1);
        assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
        expect_answer(fd, i);
    }
    io_sum_counters(s.io, &answers, &sockets);
    assert_int_equal(answers.queries_udp, 20);
    assert_int_equal(answers.noerror, 20);
    io_stop(s.io);
    io_sum_counters(s.io, &answers, &sockets);
    assert_int_equal(answers.queries_udp, 20);
    close(fd);
    service_stop(&s);
}

static void test_answers_that_the_kernel_does_not_take(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    int fd = client_udp(&s, NULL, "127.0.0.1");
    io_stop(s.io); /* so that they come in batches */
    for (uint16_t id = 0; id < 70; id++)
        ask(fd, id);
    fail_by(REFUSE_SEVENTH);
    assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
    for (uint16_t id = 0; id < 70; id++)
        if (id % 7)
            expect_answer(fd, id);
    while (SERVICE_COUNT(&s, udp_send_errors) < 10)
        sleep_ms(1);
    fail_by(NO_ROOM);
    ask(fd, 71);
    while (SERVICE_COUNT(&s, udp_send_errors) < 11)
        sleep_ms(1);
    fail_by(0);
    ask(fd, 72);
    expect_answer(fd, 72);
    assert_int_equal(SERVICE_COUNT(&s, udp_send_errors), 11);
    close(fd);
    service_stop(&s);
}

/* Whom is asked in whose name: of a batch, those that are said to come from `forged`, and the others, which are
 * answered. */
static void ask_with_forged(const struct service *s, struct sockaddr_in source)
{
    int fd = client_udp(s, NULL, "127.0.0.1");
    io_stop(s->io);
    forged = source;
    for (uint16_t id = 0; id < 70; id++)
        ask(fd, id);
    fail_by(FORGE_SEVENTH);
    assert_int_equal(io_start(s->io, &s->shared), ERR_OK);
    for (uint16_t id = 0; id < 70; id++)
        if (id % 7)
            expect_answer(fd, id);
    fail_by(0);
    close(fd);
}

static uint64_t silent_drops(const struct service *s)
{
    struct answer_counters answers;
    struct io_counters sockets;
    io_sum_counters(s->io, &answers, &sockets);
    return answers.dropped;
}

/* Port 0 cannot be answered. */
static void test_from_port_0(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    ask_with_forged(&s, (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)});
    while (SERVICE_COUNT(&s, udp_dropped) < 10)
        sleep_ms(1);
    assert_int_equal(SERVICE_COUNT(&s, udp_dropped), 10);
    assert_int_equal(SERVICE_COUNT(&s, udp_send_errors), 0);
    service_stop(&s);
}

/* Queries in our own name: each answer comes back to us, and there it ends, as an answer is never answered. */
static void test_from_our_own_address(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    ask_with_forged(&s, (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(s.port)});
    while (silent_drops(&s) < 10)
        sleep_ms(1);
    int fd = client_udp(&s, NULL, "127.0.0.1");
    ask(fd, 1);
    expect_answer(fd, 1); /* whatever circled would have circled meanwhile */
    assert_int_equal(silent_drops(&s), 10);
    close(fd);
    service_stop(&s);
}

/* Answers to ports that are closed bring ICMP errors, which are nobody else's business. */
static void test_clients_that_are_gone(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, (const char *const[]){"127.0.0.1", "::1", NULL});
    static const char *const to[] = {"127.0.0.1", "::1"};
    int stays = client_udp(&s, NULL, "127.0.0.1"), stays6 = client_udp(&s, NULL, "::1");
    for (uint16_t id = 0; id < 100; id++) {
        int gone = client_udp(&s, NULL, to[id % 2]);
        ask(gone, id);
        close(gone);
        ask(id % 2 ? stays6 : stays, id);
        expect_answer(id % 2 ? stays6 : stays, id);
    }
    assert_int_equal(SERVICE_COUNT(&s, udp_recv_errors), 0);
    assert_int_equal(SERVICE_COUNT(&s, udp_send_errors), 0);
    close(stays);
    close(stays6);
    service_stop(&s);
}

/* Errors of recvmmsg neither end a worker nor make it spin. */
static void test_reading_that_fails(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    int fd = client_udp(&s, NULL, "127.0.0.1");
    ask(fd, 1);
    expect_answer(fd, 1);
    __atomic_store_n(&recv_calls, 0, __ATOMIC_RELAXED);
    uint64_t begin = now_ms();
    fail_by(NO_MEMORY);
    ask(fd, 2);
    while (SERVICE_COUNT(&s, udp_recv_errors) < 5)
        sleep_ms(1);
    fail_by(0);
    ask(fd, 3);
    expect_answer(fd, 2);
    expect_answer(fd, 3);
    /* One each 10 ms, and those that were answered. */
    assert_true(__atomic_load_n(&recv_calls, __ATOMIC_RELAXED) < (now_ms() - begin) / 10 + 5);
    close(fd);
    service_stop(&s);
}

struct publisher {
    struct service *service;
    bool stop;
    unsigned generation;
};

static void *publish(void *arg)
{
    struct publisher *p = arg;
    while (!__atomic_load_n(&p->stop, __ATOMIC_RELAXED)) {
        service_publish(p->service, (uint16_t)++p->generation);
        sleep_ms(1);
    }
    return NULL;
}

/* Workers answer out of catalogues that are replaced and freed all the time: each answer comes from one of them,
 * whole, and on one socket, thus one worker, never from an older one than the answer before. */
static void test_publishing_while_answering(void **state)
{
    (void)state;
    enum { ROUNDS = 400, BURST = 20 };
    struct service s;
    struct io_options o = service_options();
    uint8_t m[4096];
    pthread_t thread;
    o.workers = 2;
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    struct publisher p = {.service = &s};
    int udp = client_udp(&s, NULL, "127.0.0.1"), tcp = client_tcp(&s, NULL, "127.0.0.1");
    static uint8_t message[SERVICE_MESSAGE_MAX];
    assert_int_equal(pthread_create(&thread, NULL, publish, &p), 0);
    uint16_t newest_udp = 0, newest_tcp = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (uint16_t i = 0; i < BURST; i++) {
            ask(udp, i);
            client_send_query(tcp, i, "www", RR_A);
        }
        for (uint16_t i = 0; i < BURST; i++) {
            ssize_t len = recv(udp, m, sizeof(m), 0);
            assert_true(len > 0);
            uint16_t generation = answer_generation(m, (size_t)len);
            assert_true(generation >= newest_udp);
            newest_udp = generation;
            size_t tcp_len = client_read(tcp, message);
            assert_true(answer_is_good(message, tcp_len, i));
            generation = answer_generation(message, tcp_len);
            assert_true(generation >= newest_tcp);
            newest_tcp = generation;
        }
    }
    __atomic_store_n(&p.stop, true, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(newest_udp > 3 && newest_tcp > 3);
    close(udp);
    close(tcp);
    service_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_a_batch),
        cmocka_unit_test(test_wildcard_replies_from_the_address_asked),
        cmocka_unit_test(test_several_addresses),
        cmocka_unit_test(test_datagrams_of_any_shape),
        cmocka_unit_test(test_stop_and_start_again),
        cmocka_unit_test(test_answers_that_the_kernel_does_not_take),
        cmocka_unit_test(test_from_port_0),
        cmocka_unit_test(test_from_our_own_address),
        cmocka_unit_test(test_clients_that_are_gone),
        cmocka_unit_test(test_reading_that_fails),
        cmocka_unit_test(test_publishing_while_answering),
    };
    alarm(SERVICE_ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
