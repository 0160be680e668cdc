/* The targets under watch, in one thread and under a faked clock; the sockets are real, the peer is this test. What the
 * kernel has to bring is waited for, however long it takes: the faked clock stands meanwhile. */
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "probe/watch.h"
#include "probe/watched.h"

enum { SECOND = 1000000, CNT = 8, EVENTS_MAX = 64, PATIENCE_MS = 20000, ALARM_SEC = 600 };

struct fixture {
    struct target_table table;
    struct exchange *exchange;
    struct watch watch;
    uint64_t now_us;
    unsigned woken;
    struct health_timing timing; /* of targets to come */
    int listen_fd, epoll_fd;
    struct sockaddr_in at;
    uint8_t buffer[4096];
};

static char reason[PROBE_REASON_MAX];

static void on_wake(void *arg)
{
    struct fixture *f = arg;
    f->woken++;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    socklen_t len = sizeof f->at;
    f->now_us = 1000 * (uint64_t)SECOND;
    f->timing = (struct health_timing){
        .interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3};
    clock_fake_us(f->now_us);
    f->at = (struct sockaddr_in){.sin_family = AF_INET};
    f->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(f->listen_fd, (struct sockaddr *)&f->at, sizeof f->at) || listen(f->listen_fd, 64) ||
        getsockname(f->listen_fd, (struct sockaddr *)&f->at, &len))
        return -1;
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    f->exchange = exchange_new();
    target_table_init(&f->table);
    f->watch = (struct watch){.exchange = f->exchange, .wake = on_wake, .wake_arg = f};
    watch_open(&f->watch, f->epoll_fd);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    watch_close(&f->watch);
    exchange_free(f->exchange);
    target_table_fini(&f->table);
    close(f->listen_fd);
    close(f->epoll_fd);
    free(f);
    clock_fake_us(UINT64_MAX);
    return 0;
}

static uint32_t add_spec(struct fixture *f, const struct probe_spec *spec, const struct exchange_report *known)
{
    struct exchange_wish wish;
    bool is_new;
    uint32_t slot = target_table_add(&f->table, spec, &is_new);
    assert_true(exchange_want(f->exchange, slot, target_table_at(&f->table, slot), known));
    assert_true(exchange_take(f->exchange, &wish));
    watch_wish(&f->watch, &wish);
    return slot;
}

static uint32_t add_known_at(struct fixture *f, struct addr address, const struct exchange_report *known)
{
    const struct probe_spec spec = {
        .options.type = PROBE_HTTP,
        .address = address,
        .timing = f->timing,
    };
    return add_spec(f, &spec, known);
}

static uint32_t add_at(struct fixture *f, struct addr address) { return add_known_at(f, address, NULL); }

static uint32_t add_known(struct fixture *f, unsigned number, const struct exchange_report *known)
{
    const struct addr address = {
        .bytes = {127, 0, 0, (uint8_t)(1 + number)}, .family = ADDR_V4, .port = ntohs(f->at.sin_port)};
    return add_known_at(f, address, known);
}

static uint32_t add(struct fixture *f, unsigned number) { return add_known(f, number, NULL); }

static void leave(struct fixture *f, uint32_t slot)
{
    struct exchange_wish wish;
    assert_true(exchange_want(f->exchange, slot, NULL, NULL));
    assert_true(exchange_take(f->exchange, &wish));
    watch_wish(&f->watch, &wish);
}

/* Time goes on by `us`, of which the thread meant to wait `meant_us`; then sockets, of which at least `events` have
 * something to tell, then deadlines, as the engine does it. */
static void pass(struct fixture *f, uint64_t us, uint64_t meant_us, int events)
{
    struct epoll_event found[EVENTS_MAX];
    f->now_us += us;
    clock_fake_us(f->now_us);
    int cnt = 0;
    do {
        int more = epoll_wait(f->epoll_fd, found + cnt, EVENTS_MAX - cnt, cnt < events ? PATIENCE_MS : 0);
        assert_true(more > 0 || !events);
        if (more > 0)
            cnt += more;
    } while (cnt < events);
    watch_tick(&f->watch, meant_us);
    for (int i = 0; i < cnt; i++)
        watch_event(&f->watch, (uint32_t)found[i].data.u64, found[i].events, f->buffer, sizeof f->buffer);
    while (watch_turn(&f->watch, 64)) {
    }
}

/* The next connection; its target is 127.0.0.1 and so many. */
static int take(struct fixture *f, unsigned *number)
{
    struct pollfd comes = {.fd = f->listen_fd, .events = POLLIN};
    struct sockaddr_in to;
    socklen_t len = sizeof to;
    assert_int_equal(poll(&comes, 1, PATIENCE_MS), 1);
    int fd = accept(f->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    if (number && getsockname(fd, (struct sockaddr *)&to, &len) == 0)
        *number = (ntohl(to.sin_addr.s_addr) & 255) - 1;
    return fd;
}

/* To the request, which has been sent; NULL: closes without. */
static void answer(int fd, const char *text)
{
    char request[2048];
    assert_true(recv(fd, request, sizeof request, 0) > 0);
    if (text)
        assert_true(send(fd, text, strlen(text), MSG_NOSIGNAL) > 0);
    close(fd);
}

static const char yes[] = "HTTP/1.1 200 OK\r\n\r\n", no[] = "HTTP/1.1 500 No\r\n\r\n";

static void check_all(struct fixture *f, const char *text)
{
    pass(f, 0, 0, 1); /* connected, asked */
    answer(take(f, NULL), text);
    pass(f, 1000, 1000, 1);
}

static struct exchange_report look(struct fixture *f, uint32_t slot)
{
    struct exchange_report report;
    exchange_look(f->exchange, slot, &report, reason);
    return report;
}

/* ---- the story of a target ---- */

static void test_verdicts_and_starts(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    assert_int_equal(look(f, slot).duration_us, 1000);
    assert_int_equal(f->woken, 1);
    pass(f, 5 * SECOND, 5 * SECOND, 0); /* the second is due by then */
    check_all(f, no);
    assert_true(look(f, slot).unsettled);
    assert_int_equal(watch_wait_us(&f->watch), SECOND - 1000); /* fast_interval after its start */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(look(f, slot).verdict, HEALTH_UP);
        pass(f, SECOND - 1000, SECOND, 0);
        check_all(f, no);
    }
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_false(look(f, slot).unsettled);
    assert_in_range(watch_wait_us(&f->watch), 5 * SECOND - 1000, 11 * SECOND / 2);
}

/* A target that is known begins with its verdict, for which rise and fall apply, and with the contrary results so far;
 * its checks begin like those of others. */
static void test_known_at_first(void **state)
{
    struct fixture *f = *state;
    static const struct exchange_report was_down = {.verdict = HEALTH_DOWN, .since_wall_ms = 5},
                                        was_unsettled = {.verdict = HEALTH_UP, .unsettled = true, .contrary_cnt = 2};
    uint32_t slot = add_known(f, 0, &was_down);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_true(look(f, slot).unsettled);
    assert_int_equal(look(f, slot).since_wall_ms, 5);
    assert_int_equal(look(f, slot).contrary_cnt, 1);
    pass(f, SECOND - 1000, SECOND, 0);
    check_all(f, yes);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    leave(f, slot);
    slot = add_known(f, 0, &was_unsettled);
    pass(f, 0, 0, 0);
    check_all(f, no);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    leave(f, slot);
    slot = add(f, 0); /* nothing stays in the slot */
    pass(f, 0, 0, 0);
    check_all(f, yes);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
}

static void test_deadline(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, SECOND - 1, SECOND, 1);
    assert_int_equal(f->watch.running_cnt, 1);
    assert_int_equal(watch_wait_us(&f->watch), 1);
    pass(f, 1, 1, 0);
    assert_int_equal(f->watch.running_cnt, 0);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_int_equal(look(f, slot).reason.code, REASON_NO_ANSWER);
    assert_int_equal(look(f, slot).duration_us, SECOND);
}

/* exec's driver puts the start off by what its command waited for a place, by a clock that does not stand still while
 * the process does: the next check is not so much later. */
static void test_a_start_in_the_future(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 1);
    struct watched *w = paged_at(&f->watch.targets, slot);
    w->check->start_us += 25 * SECOND;
    answer(take(f, NULL), yes);
    pass(f, 25 * SECOND, 0, 1); /* stopped */
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    assert_int_equal(look(f, slot).duration_us, 0);
    assert_in_range(watch_wait_us(&f->watch), 0, 5 * SECOND);
}

/* A time-out longer than fast_interval: the next begins when it is over, not later, and none is skipped. */
static void test_a_long_timeout_is_kept(void **state)
{
    struct fixture *f = *state;
    f->timing.fast_interval_ms = 200;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    pass(f, 5 * SECOND, 5 * SECOND, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(look(f, slot).verdict, HEALTH_UP);
        assert_int_equal(f->watch.running_cnt, 1);
        assert_int_equal(watch_wait_us(&f->watch), SECOND);
        pass(f, SECOND, SECOND, 1);
    }
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_int_equal(look(f, slot).reason.code, REASON_NO_ANSWER);
    assert_in_range(watch_wait_us(&f->watch), 4 * SECOND, 11 * SECOND / 2 - SECOND);
}

/* Slow, but healthy: an answer takes nine tenths of the timeout, and longer than fast_interval. One check is lost;
 * those that follow it sooner have all of their time too, or it would be down for good. */
static void test_slow_but_healthy(void **state)
{
    struct fixture *f = *state;
    f->timing.fast_interval_ms = 200;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    for (unsigned i = 0; i < 6; i++) {
        bool is_lost = i == 1 || i == 3;
        pass(f, 0, 0, 1);
        int fd = take(f, NULL);
        pass(f, 9 * SECOND / 10, SECOND, 0);
        assert_int_equal(f->watch.running_cnt, 1);
        if (!is_lost)
            answer(fd, yes);
        pass(f, is_lost ? SECOND / 10 : 1000, SECOND, !is_lost);
        if (is_lost)
            close(fd);
        assert_int_equal(look(f, slot).verdict, HEALTH_UP);
        assert_int_equal(look(f, slot).unsettled, is_lost);
        if (!f->watch.running_cnt) /* else the next has begun */
            pass(f, watch_wait_us(&f->watch), 6 * SECOND, 0);
        assert_int_equal(f->watch.running_cnt, 1);
    }
}

/* ---- what a check waits for beside its deadline ---- */

static int name_server(struct fixture *f, struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    (void)f;
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)at, sizeof *at) &&
                !getsockname(fd, (struct sockaddr *)at, &len));
    return fd;
}

static uint32_t add_name_server(struct fixture *f, const struct sockaddr_in *at)
{
    const struct probe_spec spec = {
        .options = {.type = PROBE_DNS, .query_name = (char *)(uintptr_t)"example.com"},
        .address = {.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = ntohs(at->sin_port)},
        .timing = f->timing,
    };
    return add_spec(f, &spec, NULL);
}

/* The next question; its answer, when one is wanted, is NOERROR. */
static uint16_t take_question(int fd, bool is_answered)
{
    uint8_t message[512];
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    struct pollfd comes = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&comes, 1, PATIENCE_MS), 1);
    ssize_t len = recvfrom(fd, message, sizeof message, 0, (struct sockaddr *)&from, &from_len);
    assert_int_equal(len, 12 + 13 + 4);
    message[2] |= 0x80;
    if (is_answered)
        assert_int_equal(sendto(fd, message, (size_t)len, 0, (struct sockaddr *)&from, from_len), len);
    return (uint16_t)(message[0] << 8 | message[1]);
}

/* A question that is lost is asked again after half of the time, with the same ID; the next check has another one. */
static void test_a_lost_question_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at;
    int fd = name_server(f, &at);
    uint32_t slot = add_name_server(f, &at);
    uint16_t ids[8];
    bool differ = false;
    for (unsigned i = 0; i < 8; i++) {
        pass(f, i ? watch_wait_us(&f->watch) : 0, 6 * SECOND, 0);
        ids[i] = take_question(fd, false);
        assert_int_equal(watch_wait_us(&f->watch), SECOND / 2);
        pass(f, SECOND / 2, SECOND, 0);
        assert_int_equal(watch_wait_us(&f->watch), SECOND / 2);
        assert_int_equal(take_question(fd, true), ids[i]);
        pass(f, 1000, 1000, 1);
        assert_int_equal(f->watch.running_cnt, 0);
        assert_int_equal(look(f, slot).verdict, HEALTH_UP);
        assert_false(look(f, slot).unsettled);
        differ |= ids[i] != ids[0];
    }
    assert_true(differ);
    pass(f, watch_wait_us(&f->watch), 6 * SECOND, 0);
    (void)take_question(fd, false);
    pass(f, SECOND / 2, SECOND, 0);
    (void)take_question(fd, false);
    pass(f, SECOND / 2, SECOND, 0); /* that was all */
    assert_true(look(f, slot).unsettled);
    assert_int_equal(look(f, slot).reason.code, REASON_NO_ANSWER);
    close(fd);
}

/* Nobody listens: one failure at once, not when its time is over. */
static void test_a_closed_port_of_datagrams(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at;
    close(name_server(f, &at));
    uint32_t slot = add_name_server(f, &at);
    pass(f, 0, 0, 0);
    pass(f, 1000, 1000, 1);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    reason_to_text(reason, look(f, slot).reason);
    assert_string_equal(reason, "connection refused");
}

/* ---- agents ---- */

static uint32_t add_agent(struct fixture *f, unsigned number)
{
    const struct probe_spec spec = {
        .options.type = PROBE_AGENT,
        .address = {.bytes = {127, 0, 0, (uint8_t)(1 + number)}, .family = ADDR_V4, .port = ntohs(f->at.sin_port)},
        .timing = f->timing,
    };
    return add_spec(f, &spec, NULL);
}

/* One check of it: what it says; NULL: it closes without a word. */
static void tell(struct fixture *f, const char *line)
{
    if (!f->watch.running_cnt)
        pass(f, watch_wait_us(&f->watch), 6 * SECOND, 0);
    pass(f, 0, 0, 1);
    int fd = take(f, NULL);
    if (line)
        assert_true(send(fd, line, strlen(line), MSG_NOSIGNAL) > 0);
    close(fd);
    pass(f, 1000, 1000, 1);
    assert_int_equal(f->watch.running_cnt, 0);
}

/* Away from the start, it is as if nobody had asked: up. Later nothing changes, be the verdict up or down. */
static void test_an_agent_that_is_away(void **state)
{
    struct fixture *f = *state;
    f->timing.rise = f->timing.fall = 1;
    uint32_t slot = add_agent(f, 0);
    pass(f, 0, 0, 0);
    tell(f, NULL);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    assert_int_equal(f->woken, 1);
    assert_string_equal(reason, "no word, nothing changes: closed without an answer");
    assert_int_equal(look(f, slot).measure.response_us, 0);
    tell(f, "down#disk full\n");
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_string_equal(reason, "agent: down, disk full");
    for (unsigned i = 0; i < 3; i++) {
        tell(f, i == 1 ? "gibberish\n" : NULL);
        assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
        assert_false(look(f, slot).unsettled);
        assert_in_range(watch_wait_us(&f->watch), 5 * SECOND - 1000, 11 * SECOND / 2);
    }
    tell(f, "up\n");
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    tell(f, NULL);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
}

/* A word that says nothing is no reason to ask later than the doubt that there is wants it. */
static void test_no_word_while_in_doubt(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add_agent(f, 0);
    pass(f, 0, 0, 0);
    tell(f, "up\n");
    tell(f, "down\n");
    assert_true(look(f, slot).unsettled);
    tell(f, "gibberish\n");
    assert_true(look(f, slot).unsettled);
    assert_in_range(watch_wait_us(&f->watch), 1, SECOND);
}

/* That it drains is told, though the verdict is the same; that it says so again is not. */
static void test_a_drain_is_an_event(void **state)
{
    struct fixture *f = *state;
    struct exchange_report report;
    uint32_t told, slot = add_agent(f, 0);
    pass(f, 0, 0, 0);
    tell(f, "up 50%\n");
    assert_true(exchange_next(f->exchange, &told, &report, reason));
    assert_false(report.measure.drains);
    assert_int_equal(report.measure.load, 50);
    tell(f, "drain\n");
    assert_true(exchange_next(f->exchange, &told, &report, reason));
    assert_int_equal(told, slot);
    assert_true(report.measure.drains && report.verdict == HEALTH_UP);
    tell(f, "drain\n");
    tell(f, NULL);
    assert_false(exchange_next(f->exchange, &told, &report, reason));
    assert_true(look(f, slot).measure.drains);
    tell(f, "ready\n");
    assert_true(exchange_next(f->exchange, &told, &report, reason));
    assert_false(report.measure.drains);
}

/* We are late by 90 ms, the answer was not. */
static void test_what_is_there_is_read_before_the_deadline_is_judged(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 1);
    answer(take(f, NULL), yes);
    pass(f, SECOND + 90000, SECOND, 1);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
}

/* ---- no way to the target ---- */

/* Whether it can be reached from here or not, it is down, and asked no more often than any other that is. No machine
 * has a route for TCP to the broadcast address. */
static void test_no_way_is_down(void **state)
{
    struct fixture *f = *state;
    const struct addr nowhere = {.bytes = {255, 255, 255, 255}, .family = ADDR_V4, .port = 80};
    uint32_t slot = add_at(f, nowhere);
    pass(f, 0, 0, 0);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_int_equal(look(f, slot).reason.code, REASON_NO_ROUTE);
    assert_int_equal(f->woken, 1);
    assert_int_equal(f->watch.running_cnt, 0);
    assert_in_range(watch_wait_us(&f->watch), SECOND, 5 * SECOND); /* the second is for spreading */
    pass(f, 5 * SECOND, 5 * SECOND, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_in_range(watch_wait_us(&f->watch), 5 * SECOND, 11 * SECOND / 2);
        pass(f, 11 * SECOND / 2, 11 * SECOND / 2, 0);
    }
    assert_int_equal(f->woken, 1);
}

/* Nothing is known of a target for which we had no descriptor; what was known stays. */
static void test_our_own_lack_is_no_verdict(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, none;
    uint32_t slot = add(f, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
    for (unsigned i = 0; i < 2; i++) {
        enum health_verdict known = i ? HEALTH_UP : HEALTH_UNKNOWN;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        for (unsigned j = 0; j < 5; j++) {
            pass(f, j ? SECOND : 0, SECOND, 0);
            assert_int_equal(look(f, slot).verdict, known);
            assert_false(look(f, slot).unsettled);
            assert_int_equal(look(f, slot).reason.code, REASON_LOCAL);
            assert_in_range(watch_wait_us(&f->watch), SECOND / 2, SECOND);
        }
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        pass(f, SECOND, SECOND, 0);
        check_all(f, yes);
        assert_int_equal(look(f, slot).verdict, HEALTH_UP);
        f->now_us += watch_wait_us(&f->watch);
        clock_fake_us(f->now_us);
        watch_tick(&f->watch, 5 * SECOND);
    }
}

/* ---- stalls ---- */

static void test_a_stall_takes_no_time(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, SECOND / 2, SECOND / 2, 1);
    pass(f, 60 * (uint64_t)SECOND, 100000, 0);
    assert_int_equal(f->watch.running_cnt, 1); /* still half a second */
    assert_int_equal(watch_wait_us(&f->watch), SECOND / 2);
    answer(take(f, NULL), yes);
    pass(f, 1000, 1000, 1);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    assert_in_range(look(f, slot).duration_us, SECOND / 2, SECOND / 2 + 2000);
}

static void fail_in_a_stall(struct fixture *f)
{
    pass(f, 0, 0, 1);
    answer(take(f, NULL), NULL);
    pass(f, 60 * (uint64_t)SECOND, 100000, 1);
}

/* Once: a machine that stalls all the time must find the dead all the same. */
static void test_a_failure_in_a_stall_is_excused_once(void **state)
{
    struct fixture *f = *state;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    fail_in_a_stall(f);
    assert_int_equal(look(f, slot).verdict, HEALTH_UNKNOWN);
    assert_int_equal(f->watch.running_cnt, 0);
    assert_in_range(watch_wait_us(&f->watch), SECOND / 2, SECOND);
    pass(f, SECOND, SECOND, 0); /* and again */
    fail_in_a_stall(f);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_int_equal(look(f, slot).reason.code, REASON_ANSWER_CLOSED);
    pass(f, 5 * SECOND, 5 * SECOND, 0);
    fail_in_a_stall(f); /* the next one may be excused again */
    assert_in_range(watch_wait_us(&f->watch), SECOND / 2, SECOND);
}

static uint64_t worked_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
}

/* Only what the process was kept from is. */
static void test_work_is_no_stall(void **state)
{
    struct fixture *f = *state;
    uint64_t before_us = f->watch.now_us, until_us = worked_us() + 150000;
    watch_tick(&f->watch, 0);
    while (worked_us() < until_us) {
    }
    pass(f, 240000, 0, 0);
    assert_int_equal(f->watch.clock.stall_cnt, 0);
    assert_int_equal(f->watch.now_us, before_us + 240000);
    pass(f, SCHEDULE_STILL_US + 140000, 0, 0); /* the work does not count twice */
    assert_int_equal(f->watch.clock.stall_cnt, 1);
    assert_int_equal(f->watch.now_us, before_us + 240000);
}

/* ---- too many at once ---- */

static void test_no_more_than_may_run(void **state)
{
    struct fixture *f = *state;
    f->watch.running_max = 2;
    for (unsigned i = 0; i < CNT; i++)
        (void)add(f, i);
    pass(f, 0, 0, 0);
    for (unsigned left = CNT; left > 0; left -= 2) {
        pass(f, 0, 0, 2);
        assert_int_equal(f->watch.running_cnt, 2);
        answer(take(f, NULL), yes);
        answer(take(f, NULL), yes);
        assert_int_equal(accept(f->listen_fd, NULL, NULL), -1);
        pass(f, 1000, 1000, 2);
    }
    assert_int_equal(f->watch.running_cnt, 0);
    assert_int_equal(f->watch.turns[false].first, 0);
}

static void test_first_due_is_first(void **state)
{
    struct fixture *f = *state;
    unsigned number = 0;
    uint64_t due_us[CNT], before_us = 0;
    f->watch.running_max = 1;
    f->watch.first_within_us = SECOND;
    for (unsigned i = 0; i < CNT; i++) {
        const struct target *target = target_table_at(&f->table, add(f, i));
        due_us[i] = schedule_first_us(&target->timing, f->watch.now_us, SECOND, f->watch.spread);
    }
    pass(f, SECOND, SECOND, 0);
    for (unsigned i = 0; i < CNT; i++) {
        pass(f, 0, 0, 1);
        answer(take(f, &number), yes);
        assert_true(number < CNT && due_us[number] > before_us);
        before_us = due_us[number];
        pass(f, 10, 10, 1);
    }
}

/* One that goes while it waits for its turn leaves no gap, wherever it stands. */
static void test_leaving_a_turn(void **state)
{
    struct fixture *f = *state;
    uint32_t slots[CNT];
    bool seen[CNT] = {false};
    unsigned number = 0, cnt = 0;
    f->watch.running_max = 1;
    for (unsigned i = 0; i < CNT; i++)
        slots[i] = add(f, i);
    pass(f, 0, 0, 0);
    uint32_t first = f->watch.turns[false].first - 1, last = f->watch.turns[false].last - 1;
    uint32_t other = CNT;
    for (unsigned i = 0; i < CNT; i++)
        other = slots[i] != first && slots[i] != last ? slots[i] : other;
    leave(f, first);
    leave(f, last);
    leave(f, other); /* one in the middle; slot 0 runs */
    for (unsigned i = 0; i < CNT - 3; i++) {
        pass(f, 0, 0, 1);
        answer(take(f, &number), yes);
        seen[number] = true;
        pass(f, 10, 10, 1);
    }
    for (unsigned i = 0; i < CNT; i++)
        cnt += seen[i];
    assert_int_equal(cnt, CNT - 3);
    assert_int_equal(f->watch.turns[false].first, 0);
    assert_int_equal(f->watch.turns[false].last, 0);
    assert_int_equal(f->watch.waiting_cnt, 0);
}

/* Seven hang and are down, four may run: one that is up gets a place at once. */
static void test_those_that_hang_wait_behind_others(void **state)
{
    struct fixture *f = *state;
    unsigned number = 0;
    for (unsigned i = 1; i < CNT; i++)
        (void)add(f, i);
    pass(f, 0, 0, 0);
    pass(f, SECOND, SECOND, CNT - 1); /* all run into their deadlines */
    assert_int_equal(f->watch.running_cnt, 0);
    for (unsigned i = 1; i < CNT; i++)
        (void)take(f, NULL);
    f->watch.running_max = 4;
    pass(f, 11 * SECOND / 2, 11 * SECOND / 2, 0); /* all are due again */
    assert_int_equal(f->watch.running_cnt, 3); /* and leave a place */
    assert_int_equal(f->watch.waiting_cnt, CNT - 1 - 3);
    assert_true(f->watch.turns[true].first && !f->watch.turns[false].first);
    assert_true(f->watch.may_warn_us > f->watch.now_us); /* has warned */
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 3);
    pass(f, 0, 0, 1);
    assert_int_equal(f->watch.running_cnt, 4);
    for (unsigned i = 0; i < 4; i++) {
        int fd = take(f, &number);
        if (number == 0)
            answer(fd, yes);
    }
    pass(f, 1000, 1000, 1);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    pass(f, SECOND, SECOND, 0); /* those that hang get their turns, too */
    assert_int_equal(f->watch.running_cnt, 3);
    assert_int_equal(f->watch.waiting_cnt, 1);
}

/* One that hangs and is down, and others enough that all places are in use for ever: it is checked all the same, and
 * comes back. */
static void test_one_that_hangs_has_its_turn(void **state)
{
    struct fixture *f = *state;
    unsigned number = 0, others = 0;
    f->timing = (struct health_timing){
        .interval_ms = 300, .fast_interval_ms = 200, .timeout_ms = 100, .rise = 1, .fall = 1};
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, SECOND / 10, SECOND / 10, 1);
    close(take(f, NULL));
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    for (unsigned i = 1; i < CNT; i++)
        (void)add(f, i);
    f->watch.running_max = 1;
    pass(f, SECOND, SECOND, 0); /* all are due */
    while (look(f, slot).verdict == HEALTH_DOWN && others < 100) {
        pass(f, 0, 0, 1);
        int fd = take(f, &number);
        others += number != 0;
        assert_true(f->watch.turns[false].first); /* there are always others */
        answer(fd, yes);
        pass(f, 60000, 60000, 1);
    }
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
    assert_in_range(others, 1, 2 * PLACES_SHARE);
}

/* The cap comes and goes while checks run. */
static void test_fewer_may_run(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < CNT; i++)
        (void)add(f, i);
    f->watch.checks_max = 3;
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 3);
    assert_int_equal(f->watch.running_cnt, 3);
    assert_int_equal(f->watch.waiting_cnt, CNT - 3);
    f->watch.checks_max = 2;
    answer(take(f, NULL), yes);
    pass(f, 1000, 1000, 1);
    assert_int_equal(f->watch.running_cnt, 2);
    f->watch.checks_max = 0;
    pass(f, 0, 0, 0);
    assert_int_equal(f->watch.running_cnt, CNT - 1);
    f->watch.checks_max = 1000000; /* never more than descriptors allow */
    f->watch.running_max = 4;
    assert_false(watch_turn(&f->watch, 64));
    assert_int_equal(f->watch.running_cnt, CNT - 1);
}

/* ---- not too often ---- */

/* A refused check is over at once; the next would begin 10 ms after its start. */
static void test_starts_are_a_gap_apart(void **state)
{
    struct fixture *f = *state;
    f->timing.fast_interval_ms = 10;
    f->timing.fall = 5;
    f->timing.start_gap_ms = 100;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    pass(f, 5 * SECOND, 5 * SECOND, 0);
    for (unsigned i = 0; i < 5; i++) {
        check_all(f, no);
        if (i < 4)
            assert_int_equal(watch_wait_us(&f->watch), 100000 - 1000);
        pass(f, watch_wait_us(&f->watch), 6 * SECOND, 0);
    }
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    /* The retry of one that was excused, too: half of fast_interval is less. */
    fail_in_a_stall(f);
    assert_int_equal(f->watch.running_cnt, 0);
    assert_in_range(watch_wait_us(&f->watch), 90000, 100000);
}

/* ---- coming and going ---- */

static void test_leaving_ends_the_check(void **state)
{
    struct fixture *f = *state;
    char byte[2048];
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 1);
    int fd = take(f, NULL);
    assert_true(recv(fd, byte, sizeof byte, 0) > 0);
    leave(f, slot);
    assert_int_equal(f->watch.running_cnt, 0);
    assert_int_equal(recv(fd, byte, sizeof byte, 0), 0);
    assert_int_equal(watch_wait_us(&f->watch), UINT64_MAX);
    /* An event of it that epoll had told already. */
    watch_event(&f->watch, slot, EPOLLIN, f->buffer, sizeof f->buffer);
    close(fd);
    assert_int_equal(f->woken, 0);
}

static void test_another_takes_the_slot(void **state)
{
    struct fixture *f = *state;
    unsigned number = 0;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, no);
    assert_int_equal(look(f, slot).verdict, HEALTH_DOWN);
    assert_true(target_table_drop(&f->table, slot));
    leave(f, slot);
    assert_int_equal(add(f, 5), slot);
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 1);
    answer(take(f, &number), yes);
    assert_int_equal(number, 5);
    pass(f, 1000, 1000, 1);
    assert_int_equal(look(f, slot).verdict, HEALTH_UP);
}

/* ---- checks that somebody asks for ---- */

static void ask(struct fixture *f, uint32_t slot)
{
    struct exchange_wish wish;
    (void)!exchange_ask(f->exchange, slot);
    assert_true(exchange_take(f->exchange, &wish));
    assert_false(wish.is_change);
    assert_true(wish.check_now);
    watch_wish(&f->watch, &wish);
}

/* It begins at once, its steps are told with their times, and it counts. */
static void test_a_check_now(void **state)
{
    struct fixture *f = *state;
    struct probe_trace trace;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    assert_false(exchange_next_trace(f->exchange, &trace)); /* nobody asked */
    f->woken = 0;
    ask(f, slot);
    pass(f, 0, 0, 0);
    pass(f, 2000, 2000, 1); /* connected, asked */
    answer(take(f, NULL), no);
    pass(f, 3000, 3000, 1);
    assert_true(exchange_next_trace(f->exchange, &trace));
    assert_int_equal(trace.target, slot + 1);
    assert_int_equal(trace.outcome, PROBE_FAILED);
    assert_int_equal(trace.steps.connected_us, 2000);
    assert_int_equal(trace.steps.sent_us, 2000);
    assert_int_equal(trace.steps.first_byte_us, 5000);
    assert_int_equal(trace.steps.ended_us, 5000);
    assert_string_equal(trace.reason, "status 500");
    assert_true(look(f, slot).unsettled);
    assert_int_equal(f->woken, 1); /* an event waits since the first check */
    assert_int_equal(watch_wait_us(&f->watch), SECOND - 5000);
    assert_false(exchange_next_trace(f->exchange, &trace));
}

/* One that is under way is not it: another follows. Several asked for before that are one. */
static void test_a_check_now_after_another(void **state)
{
    struct fixture *f = *state;
    struct probe_trace trace;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    pass(f, 0, 0, 1);
    ask(f, slot);
    ask(f, slot);
    answer(take(f, NULL), yes);
    pass(f, 1000, 1000, 1);
    assert_false(exchange_next_trace(f->exchange, &trace));
    assert_int_equal(f->watch.running_cnt, 1);
    check_all(f, yes);
    assert_true(exchange_next_trace(f->exchange, &trace));
    assert_int_equal(trace.outcome, PROBE_PASSED);
    assert_int_equal(f->watch.running_cnt, 0);
    ask(f, slot);
    pass(f, 0, 0, 0);
    pass(f, SECOND, SECOND, 1); /* nobody accepts, or answers */
    assert_true(exchange_next_trace(f->exchange, &trace));
    assert_string_equal(trace.reason, "no answer within 1s");
    assert_int_equal(trace.steps.first_byte_us, 0);
    assert_int_equal(trace.steps.ended_us, SECOND);
    assert_false(exchange_next_trace(f->exchange, &trace));
}

/* Who leaves is told of no more, be it told already. */
static void test_a_check_now_of_who_leaves(void **state)
{
    struct fixture *f = *state;
    struct probe_trace trace;
    uint32_t slot = add(f, 0);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    ask(f, slot);
    pass(f, 0, 0, 0);
    check_all(f, yes);
    leave(f, slot);
    assert_false(exchange_next_trace(f->exchange, &trace));
    ask(f, slot); /* nobody is there */
    pass(f, 0, 0, 0);
    assert_int_equal(watch_wait_us(&f->watch), UINT64_MAX);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_verdicts_and_starts),
        TEST(test_known_at_first),
        TEST(test_deadline),
        TEST(test_a_start_in_the_future),
        TEST(test_a_long_timeout_is_kept),
        TEST(test_slow_but_healthy),
        TEST(test_a_lost_question_is_asked_again),
        TEST(test_a_closed_port_of_datagrams),
        TEST(test_an_agent_that_is_away),
        TEST(test_no_word_while_in_doubt),
        TEST(test_a_drain_is_an_event),
        TEST(test_what_is_there_is_read_before_the_deadline_is_judged),
        TEST(test_no_way_is_down),
        TEST(test_our_own_lack_is_no_verdict),
        TEST(test_a_stall_takes_no_time),
        TEST(test_a_failure_in_a_stall_is_excused_once),
        TEST(test_work_is_no_stall),
        TEST(test_no_more_than_may_run),
        TEST(test_first_due_is_first),
        TEST(test_fewer_may_run),
        TEST(test_starts_are_a_gap_apart),
        TEST(test_leaving_a_turn),
        TEST(test_those_that_hang_wait_behind_others),
        TEST(test_one_that_hangs_has_its_turn),
        TEST(test_leaving_ends_the_check),
        TEST(test_another_takes_the_slot),
        TEST(test_a_check_now),
        TEST(test_a_check_now_after_another),
        TEST(test_a_check_now_of_who_leaves),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
