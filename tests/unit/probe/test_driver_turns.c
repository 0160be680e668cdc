/* TLS checks that wait in the driver until they may begin, under a faked clock: what they wait counts for nothing. The
 * sockets are real; the peer is this test, which takes connections and never says a word. */
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probe/watch.h"

enum { SECOND = 1000000, EVENTS_MAX = 256, MANY = 1040, UNDER_WAY_MOST = 1024, PATIENCE_MS = 20000, ALARM_SEC = 600 };

struct fixture {
    struct target_table table;
    struct exchange *exchange;
    struct watch watch;
    uint64_t now_us;
    int listen_fd, epoll_fd;
    uint16_t port;
    int taken[MANY];
    unsigned taken_cnt, target_cnt;
    uint8_t buffer[4096];
};

static void on_wake(void *arg) { (void)arg; }

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    f->now_us = 1000 * (uint64_t)SECOND;
    clock_fake_us(f->now_us);
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(f->listen_fd, (struct sockaddr *)&at, sizeof at) || listen(f->listen_fd, 4096) ||
        getsockname(f->listen_fd, (struct sockaddr *)&at, &len))
        return -1;
    f->port = ntohs(at.sin_port);
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->exchange = exchange_new();
    target_table_init(&f->table);
    f->watch = (struct watch){.exchange = f->exchange, .wake = on_wake, .wake_arg = f};
    watch_open(&f->watch, f->epoll_fd);
    f->watch.running_max = 2 * MANY;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    watch_close(&f->watch);
    exchange_free(f->exchange);
    target_table_fini(&f->table);
    while (f->taken_cnt)
        close(f->taken[--f->taken_cnt]);
    close(f->listen_fd);
    close(f->epoll_fd);
    free(f);
    clock_fake_us(UINT64_MAX);
    return 0;
}

static void add(struct fixture *f, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++) {
        struct exchange_wish wish;
        const struct probe_spec spec = {
            .options.type = PROBE_TLS,
            .host = "www.example.com",
            .address = {.bytes = {127, 1, (uint8_t)(i >> 8), (uint8_t)i}, .family = ADDR_V4, .port = f->port},
            .timing = {.interval_ms = 60000, .fast_interval_ms = 60000, .timeout_ms = 1000, .rise = 2, .fall = 3}};
        bool is_new;
        uint32_t slot = target_table_add(&f->table, &spec, &is_new);
        assert_int_equal(slot, i);
        assert_true(exchange_want(f->exchange, slot, target_table_at(&f->table, slot), NULL));
        assert_true(exchange_take(f->exchange, &wish));
        watch_wish(&f->watch, &wish);
    }
    f->target_cnt = cnt;
}

static void take_all(struct fixture *f)
{
    int fd;
    while (f->taken_cnt < MANY && (fd = accept(f->listen_fd, NULL, NULL)) >= 0)
        f->taken[f->taken_cnt++] = fd;
}

/* A turn as the engine does it, `us` later: the driver's tick begins four at most. */
static void turn(struct fixture *f, uint64_t us)
{
    struct epoll_event found[EVENTS_MAX];
    f->now_us += us;
    clock_fake_us(f->now_us);
    int cnt = epoll_wait(f->epoll_fd, found, EVENTS_MAX, 0);
    watch_tick(&f->watch, us);
    for (int i = 0; i < cnt; i++)
        watch_event(&f->watch, found[i].data.u64, found[i].events, f->buffer, sizeof f->buffer);
    (void)!watch_turn(&f->watch, 64);
}

/* Those that have said hello. */
static unsigned begun_cnt(struct fixture *f)
{
    unsigned cnt = 0;
    char byte;
    take_all(f);
    for (unsigned i = 0; i < f->taken_cnt; i++)
        cnt += recv(f->taken[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    return cnt;
}

static unsigned cnt_of(struct fixture *f, enum reason_code code)
{
    unsigned cnt = 0;
    char text[PROBE_REASON_MAX];
    for (uint32_t slot = 0; slot < f->target_cnt; slot++) {
        struct exchange_report report;
        exchange_look(f->exchange, slot, &report, text);
        cnt += report.reason.code == code;
        /* Who did not have its turn has no verdict. */
        assert_int_equal(report.verdict, report.reason.code == REASON_NO_HANDSHAKE ? HEALTH_DOWN : HEALTH_UNKNOWN);
    }
    return cnt;
}

/* All connections stand, and no turn but the last has begun handshakes. */
static void connect_all(struct fixture *f, unsigned cnt)
{
    add(f, cnt);
    for (unsigned i = 0; i < PATIENCE_MS && f->taken_cnt < cnt; i++) {
        while (watch_turn(&f->watch, 64)) {
        }
        take_all(f);
        usleep(1000);
    }
    assert_int_equal(f->taken_cnt, cnt);
}

static void test_waiting_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    connect_all(f, 10);
    turn(f, 0);
    assert_int_equal(begun_cnt(f), 4);
    turn(f, 700000);
    assert_int_equal(begun_cnt(f), 8);
    turn(f, 299000); /* the last two */
    assert_int_equal(begun_cnt(f), 10);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 0);
    turn(f, 1000);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 4);
    turn(f, 699000);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 4);
    turn(f, 1000);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 8);
    turn(f, 298000);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 8);
    turn(f, 1000);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 10);
    assert_int_equal(f->watch.running_cnt, 0);
}

/* Whoever has not begun when its time is over was not checked. */
static void test_no_turn_is_no_failure(void **state)
{
    struct fixture *f = *state;
    connect_all(f, 12);
    turn(f, 0);
    turn(f, SECOND);
    assert_int_equal(begun_cnt(f), 8);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 4);
    assert_int_equal(cnt_of(f, REASON_NO_TURN), 4);
    turn(f, SECOND);
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE), 8);
}

static void test_no_more_than_so_many(void **state)
{
    struct fixture *f = *state;
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < 3 * MANY)
        skip();
    connect_all(f, MANY);
    for (unsigned i = 0; i < MANY; i++)
        turn(f, 100);
    assert_int_equal(begun_cnt(f), UNDER_WAY_MOST);
    assert_int_equal(f->watch.running_cnt, MANY);
    assert_in_range(watch_wait_us(&f->watch), 1, SECOND); /* nobody is waited for in a loop */
    for (unsigned i = 0; i < MANY && f->watch.running_cnt; i++)
        turn(f, 2000);
    /* The deadlines came in the order of the begins, so the last had their places in time. */
    assert_int_equal(cnt_of(f, REASON_NO_HANDSHAKE) + cnt_of(f, REASON_NO_TURN), MANY);
    assert_in_range(cnt_of(f, REASON_NO_TURN), 0, MANY - UNDER_WAY_MOST);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_waiting_counts_for_nothing),
        TEST(test_no_turn_is_no_failure),
        TEST(test_no_more_than_so_many),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
