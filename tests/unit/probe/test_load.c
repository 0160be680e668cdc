/* The prober with many targets, hanging ones among them, and in a process that is stopped; how fast it tells, and what a
 * check costs. Times are printed, and judged with a factor of two for a busy machine. */
#include <dirent.h>
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
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "prober.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

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
        spec.timing.interval_ms = 100;
        subscribe_spec(f, &spec);
    }
    struct probe_spec spec = spec_of(PROBE_HTTP, "127.0.0.1", good.port);
    spec.timing.interval_ms = 100;
    uint32_t target = probe_subscribe(f->probe, &spec);
    wait_accepted(&good, 1, 1000);
    sleep_ms(1100);
    printf("beside 300 hanging targets: %u checks in 1.1 s at an interval of 100 to 110 ms\n",
           server_accepted(&good) - 1);
    assert_in_range(server_accepted(&good) - 1, SANITIZED ? 5 : 8, 12);
    struct probe_event event;
    probe_state(f->probe, target, &event);
    assert_int_equal(event.verdict, HEALTH_UP);
    assert_int_equal(probe_target_cnt(f->probe), 301);
    server_stop(&hanging);
    server_stop(&good);
}

/* ---- a thousand that come together ---- */

static void test_no_herd(void **state)
{
    struct fixture *f = *state;
    struct server server;
    static uint32_t targets[HERD];
    unsigned buckets[40] = {0}, most_first = 0, most = 0;
    server_start(&server, 0, SERVER_HANGS);
    struct health_timing timing = {
        .interval_ms = 2000, .fast_interval_ms = 500, .timeout_ms = 500, .rise = 2, .fall = 3};
    subscribe_herd(f, PROBE_TCP, server.port, timing, targets);
    uint64_t start_us = now_us();
    prober_begin(f, 1000);
    sleep_ms(3900);
    uint32_t cnt = server_accepted(&server);
    for (uint32_t i = 0; i < cnt; i++)
        if (server.times_us[i] - start_us < 4000000)
            buckets[(server.times_us[i] - start_us) / 100000]++;
    for (unsigned i = 0; i < 39; i++) {
        unsigned *highest = i < 11 ? &most_first : &most;
        *highest = buckets[i] > *highest ? buckets[i] : *highest;
    }
    printf("1,000 targets, interval 2 s: %u checks, at most %u in 100 ms of the first second (even: 100), %u later "
           "(even: 50)\n",
           cnt, most_first, most);
    /* How even it is, test_schedule proves in virtual time; a busy machine bunches what it delays. */
    assert_in_range(cnt, HERD, 3 * HERD);
    struct probe_event event;
    for (unsigned i = 0; i < HERD; i++)
        assert_true(next_event(f, &event, 0) && event.verdict == HEALTH_UP);
    assert_false(next_event(f, &event, 0));
    for (unsigned i = 0; i < HERD; i++)
        probe_unsubscribe(f->probe, targets[i]);
    assert_int_equal(probe_target_cnt(f->probe), 0);
    server_stop(&server);
}

static void test_free_with_checks_under_way(void **state)
{
    struct fixture *f = *state;
    struct server server;
    static uint32_t targets[HERD];
    server_start(&server, 0, SERVER_HANGS);
    struct health_timing timing = {
        .interval_ms = 1000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3};
    prober_begin(f, 200);
    subscribe_herd(f, PROBE_HTTP, server.port, timing, targets);
    wait_accepted(&server, 200, 2000);
    uint64_t begin_us = now_us();
    probe_free(f->probe);
    printf("ended with hundreds of checks under way in %.1f ms\n", (double)(now_us() - begin_us) / 1000);
    assert_true(now_us() - begin_us < 1000000);
    f->probe = NULL;
    server_stop(&server);
}

/* ---- stopped for a while ---- */

enum { STOP_CNT = 40 };

/* The prober in a process of its own; writes how many events came that tell of doubt or worse. */
static void watch_and_tell(uint16_t port, int ready_fd, int result_fd)
{
    struct fixture f = {.wake_fd = eventfd(0, EFD_NONBLOCK)};
    struct probe_event event;
    unsigned up = 0, bad = 0;
    f.probe = probe_new(prober_on_wake, &f);
    for (unsigned i = 0; i < STOP_CNT; i++) {
        char address[32];
        snprintf(address, sizeof address, "127.2.0.%u", 1 + i);
        struct probe_spec spec = spec_of(PROBE_HTTP, address, port);
        subscribe_spec(&f, &spec);
    }
    if (probe_start(f.probe, 100) != ERR_OK)
        _exit(1);
    while (up < STOP_CNT && next_event(&f, &event, 2000))
        up += event.verdict == HEALTH_UP;
    if (write(ready_fd, &up, sizeof up) != sizeof up)
        _exit(1);
    for (uint64_t end = now_us() + 4000000; now_us() < end;)
        bad += next_event(&f, &event, 100);
    if (write(result_fd, &bad, sizeof bad) != sizeof bad)
        _exit(1);
    probe_free(f.probe);
    _exit(0);
}

static void test_stopped_process(void **state)
{
    (void)state;
    int ready[2], result[2], status;
    unsigned up = 0, bad = 1000, burst = 0;
    struct server server;
    assert_int_equal(pipe(ready) | pipe(result), 0);
    uint16_t port = dead_port();
    pid_t child = fork(); /* before the server's thread */
    if (child == 0) {
        sleep_ms(100);
        watch_and_tell(port, ready[1], result[1]);
    }
    close(ready[1]); /* so that its death is seen */
    close(result[1]);
    server_start(&server, port, SERVER_ANSWERS);
    assert_int_equal(read(ready[0], &up, sizeof up), sizeof up);
    assert_int_equal(up, STOP_CNT);
    for (unsigned i = 0; i < 3; i++) {
        sleep_ms(330);
        kill(child, SIGSTOP);
        sleep_ms(500 + 100 * i);
        uint32_t before = server_accepted(&server);
        kill(child, SIGCONT);
        sleep_ms(20);
        uint32_t after = server_accepted(&server) - before;
        burst = after > burst ? after : burst;
    }
    assert_int_equal(read(result[0], &bad, sizeof bad), sizeof bad);
    waitpid(child, &status, 0);
    printf("stopped thrice: %u doubts, at most %u of %d checks within 20 ms after it\n", bad, burst, STOP_CNT);
    assert_int_equal(bad, 0);
    assert_true(SANITIZED || burst < STOP_CNT / 2); /* test_watch proves it in virtual time */
    server_stop(&server);
    close(ready[0]);
    close(result[0]);
}

/* ---- how fast ---- */

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* From the moment the target speaks to the call of `wake`: every check changes the verdict. */
static void test_events_leave_at_once(void **state)
{
    struct fixture *f = *state;
    struct server server;
    enum { CNT = 30 };
    uint64_t took[CNT];
    struct probe_event event;
    server_start(&server, 0, SERVER_ANSWERS);
    prober_begin(f, 10);
    struct probe_spec spec = spec_of(PROBE_HTTP, "127.0.0.1", server.port);
    spec.timing =
        (struct health_timing){.interval_ms = 50, .fast_interval_ms = 50, .timeout_ms = 50, .rise = 1, .fall = 1};
    subscribe_spec(f, &spec);
    for (unsigned i = 0; i < CNT; i++) {
        assert_true(next_event(f, &event, 2000));
        took[i] =
            __atomic_load_n(&f->woken_us, __ATOMIC_ACQUIRE) - __atomic_load_n(&server.answered_us, __ATOMIC_ACQUIRE);
        server_behave(&server, SERVER_ANSWERS, i % 2 ? server_200 : server_500);
    }
    qsort(took, CNT, sizeof *took, compare_u64);
    printf("from the answer to the event: median %llu us, worst %llu us\n", (unsigned long long)took[CNT / 2],
           (unsigned long long)took[CNT - 1]);
    assert_true(took[CNT / 2] < 100000); /* twice what a verdict may take until it is in the answers */
    server_stop(&server);
}

/* Nanoseconds that the thread of that name has run. */
static uint64_t thread_ns(const char *name)
{
    char path[400], text[64];
    unsigned long long ns = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; tasks && (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r");
        bool is_it = file && fgets(text, sizeof text, file) && strcspn(text, "\n") == strlen(name) &&
                     !strncmp(text, name, strlen(name));
        if (file)
            fclose(file);
        snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task->d_name);
        if (is_it && (file = fopen(path, "r")) != NULL) {
            if (fscanf(file, "%llu", &ns) != 1)
                ns = 0;
            fclose(file);
        }
    }
    if (tasks)
        closedir(tasks);
    return ns;
}

static double measure(struct fixture *f, enum probe_type type, const char *name)
{
    struct server server;
    static uint32_t targets[HERD];
    server_start(&server, 0, SERVER_ANSWERS);
    struct health_timing timing = {
        .interval_ms = 500, .fast_interval_ms = 500, .timeout_ms = 500, .rise = 2, .fall = 3};
    subscribe_herd(f, type, server.port, timing, targets);
    sleep_ms(1000);
    uint64_t before_ns = thread_ns("probe");
    uint32_t before = server_accepted(&server);
    sleep_ms(2000);
    double us = (double)(thread_ns("probe") - before_ns) / 1000 / (server_accepted(&server) - before);
    printf("%s: %u checks/s, %.1f us of CPU each (the peer's share of loopback included)\n", name,
           (server_accepted(&server) - before) / 2, us);
    for (unsigned i = 0; i < HERD; i++)
        probe_unsubscribe(f->probe, targets[i]);
    server_stop(&server);
    return us;
}

static uint64_t own_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void ask(uint16_t port, unsigned nth)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: x\r\nConnection: close\r\n\r\n";
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f010001 + nth)};
    char answer[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
    assert_true(recv(fd, answer, sizeof answer, 0) > 0);
    close(fd);
}

/* What a blocking client takes that does nothing but the needful, at the same pace: all the rest is ours. */
static double measure_least(void)
{
    enum { CNT = 3000 };
    struct server server;
    server_start(&server, 0, SERVER_ANSWERS);
    uint64_t begin_ns = own_ns();
    for (unsigned i = 0; i < CNT; i++) {
        ask(server.port, i % HERD);
        usleep(350);
    }
    double us = (double)(own_ns() - begin_ns) / 1000 / CNT;
    printf("a blocking client, socket to close: %.1f us\n", us);
    server_stop(&server);
    return us;
}

static void test_cpu_of_a_check(void **state)
{
    struct fixture *f = *state;
    prober_begin(f, 500);
    double tcp = measure(f, PROBE_TCP, "tcp"), http = measure(f, PROBE_HTTP, "http"), least = measure_least();
    if (!SANITIZED && http > 0) {
        assert_true(tcp < 2 * least);
        assert_true(http < 2 * least);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prober_set_up, prober_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stopped_process),
        TEST(test_hanging_targets_delay_no_other),
        TEST(test_no_herd),
        TEST(test_free_with_checks_under_way),
        TEST(test_events_leave_at_once),
        TEST(test_cpu_of_a_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
