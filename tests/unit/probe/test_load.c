/* The prober with many targets, hanging ones among them, and in a process that is stopped. How even starts are and what
 * a stall costs, test_schedule and test_watch prove in virtual time; what a check costs, contrib/bench/probe-bench
 * tells. */
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "prober.h"

/* None of those that hang answers before a minute is over: whoever waited for them would wait in vain. */
static void test_hanging_targets_delay_no_other(void **state)
{
    struct fixture *f = *state;
    struct server hanging, good;
    server_start(&hanging, 0, SERVER_HANGS);
    server_start(&good, 0, SERVER_ANSWERS);
    prober_begin(f, 20);
    for (unsigned i = 0; i < 300; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.0.%u.%u", 1 + i / 200, 1 + i % 200);
        struct probe_spec spec = spec_of(PROBE_HTTP, address, hanging.port);
        spec.timing.timeout_ms = 60000;
        subscribe_spec(f, &spec);
    }
    wait_accepted(&hanging, 300);
    uint32_t target = subscribe(f, PROBE_HTTP, good.port);
    expect_event(f, target, HEALTH_UP, false);
    wait_accepted(&good, 5);
    assert_int_equal(server_accepted(&hanging), 300);
    assert_int_equal(probe_target_cnt(f->probe), 301);
    server_stop(&hanging);
    server_stop(&good);
}

/* ---- a thousand that come together ---- */

/* Each is told of once, and goes. */
static void test_herd(void **state)
{
    struct fixture *f = *state;
    struct server server;
    static uint32_t targets[HERD];
    bool seen[HERD + 1] = {false};
    struct probe_event event;
    server_start(&server, 0, SERVER_HANGS);
    struct health_timing timing = {
        .interval_ms = 2000, .fast_interval_ms = 500, .timeout_ms = PATIENCE_MS, .rise = 2, .fall = 3};
    subscribe_herd(f, PROBE_TCP, server.port, timing, targets);
    prober_begin(f, 1000);
    for (unsigned i = 0; i < HERD; i++) {
        assert_true(next_event(f, &event, PATIENCE_MS));
        assert_int_equal(event.verdict, HEALTH_UP);
        assert_in_range(event.target, 1, HERD);
        assert_false(seen[event.target]);
        seen[event.target] = true;
    }
    wait_accepted(&server, HERD + HERD / 2); /* and is checked again, which changes nothing */
    assert_false(next_event(f, &event, 0));
    for (unsigned i = 0; i < HERD; i++)
        probe_unsubscribe(f->probe, targets[i]);
    assert_int_equal(probe_target_cnt(f->probe), 0);
    server_stop(&server);
}

/* None of them is waited for. */
static void test_free_with_checks_under_way(void **state)
{
    struct fixture *f = *state;
    struct server server;
    static uint32_t targets[HERD];
    server_start(&server, 0, SERVER_HANGS);
    struct health_timing timing = {
        .interval_ms = 3600000, .fast_interval_ms = 3600000, .timeout_ms = 3600000, .rise = 2, .fall = 3};
    prober_begin(f, 200);
    subscribe_herd(f, PROBE_HTTP, server.port, timing, targets);
    wait_accepted(&server, HERD / 2);
    probe_free(f->probe);
    f->probe = NULL;
    server_stop(&server);
}

/* ---- stopped for a while ---- */

enum { STOP_CNT = 40, STOP_TIMEOUT_MS = 2000 };

/* The prober in a process of its own; writes how many of its targets came up, once all have a verdict. */
static void watch_and_tell(uint16_t port, int result_fd)
{
    struct fixture f = {.wake_fd = eventfd(0, EFD_NONBLOCK)};
    struct probe_event event;
    unsigned up = 0;
    f.probe = probe_new(prober_on_wake, &f);
    for (unsigned i = 0; i < STOP_CNT; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.2.0.%u", 1 + i);
        struct probe_spec spec = spec_of(PROBE_HTTP, address, port);
        spec.timing.interval_ms = spec.timing.timeout_ms = STOP_TIMEOUT_MS;
        subscribe_spec(&f, &spec);
    }
    if (probe_start(f.probe, 0) != ERR_OK)
        _exit(1);
    for (unsigned i = 0; i < STOP_CNT && next_event(&f, &event, PATIENCE_MS); i++)
        up += event.verdict == HEALTH_UP;
    if (write(result_fd, &up, sizeof up) != sizeof up)
        _exit(1);
    probe_free(f.probe);
    _exit(0);
}

static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, STOP_CNT), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

/* The next connection, its request read; times out by SIGALRM. */
static int take_request(int listen_fd)
{
    char request[2048];
    int fd = accept(listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(recv(fd, request, sizeof request, 0) > 0);
    return fd;
}

/* All checks are under way when the process is stopped for longer than they may take. They get their answers a while
 * after it goes on, and that is in time. */
static void test_stopped_process(void **state)
{
    (void)state;
    int result[2], fds[STOP_CNT], status;
    unsigned up = 0;
    uint16_t port;
    int listen_fd = listen_anywhere(&port);
    assert_int_equal(pipe(result), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* or it might stay, stopped */
        watch_and_tell(port, result[1]);
    }
    close(result[1]); /* so that its death is seen */
    for (unsigned i = 0; i < STOP_CNT; i++)
        fds[i] = take_request(listen_fd);
    kill(child, SIGSTOP);
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    sleep_ms(STOP_TIMEOUT_MS + 100);
    kill(child, SIGCONT);
    sleep_ms(100); /* in which it would count them as failed */
    for (unsigned i = 0; i < STOP_CNT; i++) {
        assert_int_equal(send(fds[i], server_200, strlen(server_200), MSG_NOSIGNAL), strlen(server_200));
        close(fds[i]);
    }
    assert_int_equal(read(result[0], &up, sizeof up), sizeof up);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(up, STOP_CNT);
    close(listen_fd);
    close(result[0]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prober_set_up, prober_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stopped_process),
        TEST(test_hanging_targets_delay_no_other),
        TEST(test_herd),
        TEST(test_free_with_checks_under_way),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
