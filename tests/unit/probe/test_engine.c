/* The prober as a whole, with real sockets and threads: targets that answer, hang, refuse and misbehave, die and come
 * back. When checks start and how soon a death shows, test_watch and test_schedule prove in virtual time. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "prober.h"

/* ---- every kind of target ---- */

struct kind_case {
    enum probe_type type;
    int manner; /* -1: nobody listens */
    const char *expect_body;
    enum health_verdict verdict;
    const char *reason;
    uint32_t timeout_ms; /* that it runs into; 0: none */
};

static const struct kind_case kind_cases[] = {
    {PROBE_TCP, SERVER_ANSWERS, NULL, HEALTH_UP, "connected", 0},
    {PROBE_TCP, SERVER_HANGS, NULL, HEALTH_UP, "connected", 0},
    {PROBE_TCP, -1, NULL, HEALTH_DOWN, "connection refused", 0},
    {PROBE_HTTP, SERVER_ANSWERS, NULL, HEALTH_UP, "status 200", 0},
    {PROBE_HTTP, SERVER_ANSWERS, "^yes$", HEALTH_UP, "status 200", 0},
    {PROBE_HTTP, SERVER_ANSWERS, "^no$", HEALTH_DOWN, "status 200, but the body does not match", 0},
    {PROBE_HTTP, -1, NULL, HEALTH_DOWN, "connection refused", 0},
    {PROBE_HTTP, SERVER_HANGS, NULL, HEALTH_DOWN, "no answer within 100ms", 100},
    {PROBE_HTTP, SERVER_CLOSES, NULL, HEALTH_DOWN, "closed without an answer", 0},
    {PROBE_HTTP, SERVER_RESETS, NULL, HEALTH_DOWN, "connection reset by peer", 0},
    {PROBE_HTTP, SERVER_TLS, NULL, HEALTH_DOWN, "not HTTP: TLS", 0},
    {PROBE_HTTP, SERVER_HALF, NULL, HEALTH_DOWN, "headers not complete within 1s", 1000},
    {PROBE_HTTP, SERVER_ENDLESS_HEADERS, NULL, HEALTH_DOWN, "headers of more than 16 KiB", 0},
    {PROBE_HTTP, SERVER_ENDLESS_BODY, NULL, HEALTH_UP, "status 200", 0},
    {PROBE_HTTP, SERVER_ENDLESS_BODY, "OK", HEALTH_UP, "status 200", 0},
    {PROBE_HTTP, SERVER_ENDLESS_BODY, "never", HEALTH_DOWN, "status 200, but no match in the first 64 KiB of the body",
     0},
};
enum { KIND_CASE_CNT = sizeof kind_cases / sizeof *kind_cases };

static void test_every_kind_of_target(void **state)
{
    struct fixture *f = *state;
    static struct server servers[KIND_CASE_CNT];
    prober_begin(f, 10);
    for (unsigned i = 0; i < KIND_CASE_CNT; i++) {
        const struct kind_case *c = &kind_cases[i];
        struct probe_event event;
        struct probe_spec spec = spec_of(c->type, i % 2 ? "::1" : "127.0.0.1", 0);
        spec.options.expect_body = (char *)(uintptr_t)c->expect_body;
        server_start(&servers[i], 0, c->manner < 0 ? SERVER_ANSWERS : (enum server_manner)c->manner);
        spec.address.port = servers[i].port;
        if (c->manner < 0)
            server_stop(&servers[i]);
        if (c->timeout_ms)
            spec.timing.timeout_ms = c->timeout_ms;
        uint32_t target = probe_subscribe(f->probe, &spec);
        assert_true(next_event(f, &event, PATIENCE_MS));
        assert_int_equal(event.target, target);
        assert_int_equal(event.verdict, c->verdict);
        assert_string_equal(event.reason, c->reason);
        assert_false(event.unsettled);
        assert_true(event.duration_us >= 1000 * c->timeout_ms);
        probe_unsubscribe(f->probe, target);
    }
    for (unsigned i = 0; i < KIND_CASE_CNT; i++)
        if (kind_cases[i].manner >= 0)
            server_stop(&servers[i]);
}

/* A listening socket whose queue is full takes no connection and refuses none. */
static void test_no_connection(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    struct probe_event event;
    int listening = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    assert_int_equal(bind(listening, (struct sockaddr *)&any, sizeof any), 0);
    assert_int_equal(listen(listening, 0), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&any, &len), 0);
    for (unsigned i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&any, sizeof any);
    }
    prober_begin(f, 10);
    struct probe_spec spec = spec_of(PROBE_TCP, "127.0.0.1", ntohs(any.sin_port));
    spec.timing.timeout_ms = 100;
    uint32_t target = subscribe_spec(f, &spec);
    assert_true(next_event(f, &event, PATIENCE_MS));
    assert_int_equal(event.target, target);
    assert_int_equal(event.verdict, HEALTH_DOWN);
    assert_string_equal(event.reason, "no connection within 100ms");
    for (unsigned i = 0; i < 4; i++)
        close(fillers[i]);
    close(listening);
}

static void test_no_route_is_a_failure(void **state)
{
    struct fixture *f = *state;
    struct probe_spec spec = spec_of(PROBE_TCP, "255.255.255.255", 80);
    struct probe_event event;
    prober_begin(f, 10);
    subscribe_spec(f, &spec);
    assert_true(next_event(f, &event, PATIENCE_MS));
    assert_int_equal(event.verdict, HEALTH_DOWN);
    assert_string_equal(event.reason, "no IPv4 route from here");
}

/* ---- dying and coming back ---- */

/* Doubt is told first, unless this thread was away so long that the verdict has taken its place. */
static void expect_change(struct fixture *f, uint32_t target, enum health_verdict from, enum health_verdict to)
{
    struct probe_event event = {.verdict = from};
    while (event.verdict == from) {
        assert_true(next_event(f, &event, PATIENCE_MS));
        assert_int_equal(event.target, target);
        assert_true(event.unsettled == (event.verdict == from));
    }
    assert_int_equal(event.verdict, to);
}

static void kill_and_revive(struct fixture *f, enum probe_type type)
{
    static struct server server;
    server_start(&server, 0, SERVER_ANSWERS);
    uint16_t port = server.port;
    uint32_t target = subscribe(f, type, port);
    expect_event(f, target, HEALTH_UP, false);
    for (unsigned i = 0; i < 3; i++) {
        sleep_ms(130 * i); /* somewhere in the interval */
        server_stop(&server);
        expect_change(f, target, HEALTH_UP, HEALTH_DOWN);
        expect_reason(f, target, "connection refused");
        server_start(&server, port, SERVER_ANSWERS);
        expect_change(f, target, HEALTH_DOWN, HEALTH_UP);
    }
    server_stop(&server);
    probe_unsubscribe(f->probe, target);
}

static void test_kill_and_revive(void **state)
{
    struct fixture *f = *state;
    prober_begin(f, 50);
    kill_and_revive(f, PROBE_TCP);
    kill_and_revive(f, PROBE_HTTP);
}

/* One failure in between is told as unsettled and forgotten. */
static void test_one_failure_is_no_verdict(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    server_start(&server, 0, SERVER_ANSWERS);
    prober_begin(f, 50);
    struct probe_spec spec = spec_of(PROBE_HTTP, "127.0.0.1", server.port);
    spec.timing.fall = 10000; /* however long this thread is away */
    uint32_t target = subscribe_spec(f, &spec);
    expect_event(f, target, HEALTH_UP, false);
    server_behave(&server, SERVER_ANSWERS, server_500);
    expect_event(f, target, HEALTH_UP, true);
    server_behave(&server, SERVER_ANSWERS, server_200);
    expect_event(f, target, HEALTH_UP, false);
    server_stop(&server);
}

/* ---- coming and going ---- */

/* Until the probe thread has heard all that was said to it, and the server has taken all connections made before. */
static void wait_heard(struct fixture *f, const struct server *server)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(server->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[100];
    uint32_t later = subscribe(f, PROBE_TCP, dead_port());
    expect_event(f, later, HEALTH_DOWN, false);
    probe_unsubscribe(f->probe, later);
    int last = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(last, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(last, "?", 1, MSG_NOSIGNAL), 1);
    assert_true(recv(last, answer, sizeof answer, 0) > 0);
    close(last);
}

static void test_identical_targets_are_one(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    server_start(&server, 0, SERVER_ANSWERS);
    prober_begin(f, 10);
    uint32_t target = subscribe(f, PROBE_HTTP, server.port);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(subscribe(f, PROBE_HTTP, server.port), target);
    assert_int_equal(probe_target_cnt(f->probe), 1);
    expect_event(f, target, HEALTH_UP, false);
    for (unsigned i = 0; i < 9; i++)
        probe_unsubscribe(f->probe, target);
    wait_accepted(&server, server_accepted(&server) + 3); /* one subscriber is left */
    probe_unsubscribe(f->probe, target);
    assert_int_equal(probe_target_cnt(f->probe), 0);
    wait_heard(f, &server);
    uint32_t before = server_accepted(&server);
    sleep_ms(500);
    assert_int_equal(server_accepted(&server), before);
    server_stop(&server);
}

/* Other timing is another target, and knows at once what the first has found; another path is nobody's heir. */
static void test_changed_timing_is_known(void **state)
{
    struct fixture *f = *state;
    struct probe_event event;
    prober_begin(f, 10);
    struct probe_spec spec = spec_of(PROBE_HTTP, "127.0.0.1", dead_port());
    uint32_t target = subscribe_spec(f, &spec);
    expect_event(f, target, HEALTH_DOWN, false);
    spec.timing.rise++;
    uint32_t changed = subscribe_spec(f, &spec);
    assert_int_not_equal(changed, target);
    assert_int_equal(subscribe_spec(f, &spec), changed);
    probe_unsubscribe(f->probe, target);
    probe_state(f->probe, changed, &event);
    assert_int_equal(event.verdict, HEALTH_DOWN);
    assert_string_equal(event.reason, "connection refused");
    assert_false(next_event(f, &event, 500)); /* it is checked, and nothing changes */
    static char path[] = "/x";
    spec.options.path = path;
    spec.timing.interval_ms = spec.timing.timeout_ms = 60000;
    probe_state(f->probe, subscribe_spec(f, &spec), &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
}

static void test_unsubscribe_ends_the_check(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    struct probe_event event;
    server_start(&server, 0, SERVER_HANGS);
    prober_begin(f, 1);
    struct probe_spec spec = spec_of(PROBE_HTTP, "127.0.0.1", server.port);
    spec.timing.timeout_ms = spec.timing.interval_ms = 3600 * 1000;
    uint32_t target = probe_subscribe(f->probe, &spec);
    wait_accepted(&server, 1);
    probe_unsubscribe(f->probe, target);
    while (!server_closed(&server))
        sleep_ms(1);
    assert_false(next_event(f, &event, 300));
    server_stop(&server);
}

/* Control comes and goes as fast as it can while results come in: nothing is told of who has left. */
static void test_coming_and_going(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    struct probe_event event;
    server_start(&server, 0, SERVER_ANSWERS);
    uint16_t dead = dead_port();
    prober_begin(f, 5);
    unsigned rounds = 0, event_cnt = 0;
    while (rounds < 1000 || event_cnt < 100) {
        uint32_t up = subscribe(f, rounds % 2 ? PROBE_TCP : PROBE_HTTP, server.port),
                 down = subscribe(f, PROBE_TCP, dead);
        if (rounds % 5 == 0)
            sleep_ms(4);
        while (probe_next(f->probe, &event)) {
            assert_true(event.target == up || event.target == down);
            assert_int_equal(event.verdict, event.target == up ? HEALTH_UP : HEALTH_DOWN);
            event_cnt++;
        }
        probe_unsubscribe(f->probe, up);
        probe_unsubscribe(f->probe, down);
        assert_false(probe_next(f->probe, &event));
        rounds++;
    }
    server_stop(&server);
}

static void test_free_without_start(void **state)
{
    struct fixture *f = *state;
    struct probe_event event;
    uint32_t target = subscribe(f, PROBE_TCP, 1);
    subscribe(f, PROBE_HTTP, 1);
    probe_state(f->probe, target, &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
    assert_string_equal(event.reason, "not checked yet");
    probe_unsubscribe(f->probe, target);
    assert_false(probe_next(f->probe, &event));
}

/* ---- our own lacks ---- */

static void test_no_descriptors_is_no_verdict(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    struct rlimit before, none;
    struct probe_event event;
    server_start(&server, 0, SERVER_ANSWERS);
    prober_begin(f, 20);
    uint32_t target = subscribe(f, PROBE_HTTP, server.port);
    expect_event(f, target, HEALTH_UP, false);
    int next = dup(0);
    close(next);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &none);
    wait_reason(f, target, "not checked, trying again: too many open files");
    bool changed = next_event(f, &event, 500);
    probe_state(f->probe, target, &event);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_false(changed);
    assert_int_equal(event.verdict, HEALTH_UP);
    wait_reason(f, target, "status 200");
    server_stop(&server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prober_set_up, prober_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_kind_of_target),
        TEST(test_no_connection),
        TEST(test_no_route_is_a_failure),
        TEST(test_kill_and_revive),
        TEST(test_one_failure_is_no_verdict),
        TEST(test_identical_targets_are_one),
        TEST(test_changed_timing_is_known),
        TEST(test_unsubscribe_ends_the_check),
        TEST(test_coming_and_going),
        TEST(test_free_without_start),
        TEST(test_no_descriptors_is_no_verdict),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
