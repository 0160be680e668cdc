#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TEXT_MOST = 1 << 20 };
static char text[TEXT_MOST];

/* Runs `fn` in a child whose standard error is `fd`; the sink is found once a process. */
static void run_with_stderr(int fd, void (*fn)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        dup2(fd, STDERR_FILENO);
        fn();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* What `fn` logs into a pipe. */
static const char *piped(void (*fn)(void))
{
    int fds[2];
    size_t len = 0;
    ssize_t got;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, TEXT_MOST) > 0);
    run_with_stderr(fds[1], fn);
    close(fds[1]);
    while ((got = read(fds[0], text + len, sizeof text - 1 - len)) > 0)
        len += (size_t)got;
    close(fds[0]);
    text[len] = '\0';
    return text;
}

static const char *filed(void (*fn)(void))
{
    int fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(fd >= 0);
    run_with_stderr(fd, fn);
    ssize_t got = pread(fd, text, sizeof text - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    close(fd);
    return text;
}

static void two_lines(void)
{
    log_info("zone \"%s\" loaded", "example.com");
    log_debug("not shown");
    log_error("no");
}

static void a_pipe_gets_level_and_text(void **state)
{
    (void)state;
    assert_string_equal(piped(two_lines), "info: zone \"example.com\" loaded\nerror: no\n");
}

static void a_file_gets_a_time_stamp(void **state)
{
    (void)state;
    int year, month, day, hour, minute, end = 0;
    double second;
    const char *line = filed(two_lines);
    assert_int_equal(sscanf(line, "%d-%d-%dT%d:%d:%lfZ %n", &year, &month, &day, &hour, &minute, &second, &end), 6);
    assert_true(end > 0 && year >= 2024);
    assert_memory_equal(line + end, "info: zone \"example.com\" loaded\n", 32);
}

static void as_journal(void)
{
    struct stat st;
    char value[64];
    fstat(STDERR_FILENO, &st);
    snprintf(value, sizeof value, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", value, 1);
    two_lines();
}
static void as_somebody_elses_journal(void)
{
    setenv("JOURNAL_STREAM", "1:1", 1);
    two_lines();
}

static void the_journal_gets_priorities(void **state)
{
    (void)state;
    assert_string_equal(piped(as_journal), "<6>info: zone \"example.com\" loaded\n<3>error: no\n");
    assert_string_equal(piped(as_somebody_elses_journal), "info: zone \"example.com\" loaded\nerror: no\n");
}

static void with_control_characters(void)
{
    log_info("a\nerror: forged\x1b[31m \x7f é");
}
static void very_long(void)
{
    char *s = malloc(100000);
    memset(s, 'x', 99999);
    s[99999] = '\0';
    log_info("%s", s);
    memset(s, '\n', 99999);
    log_info("%s", s);
    free(s);
}

static void text_can_not_forge_a_line(void **state)
{
    (void)state;
    assert_string_equal(piped(with_control_characters), "info: a\\010error: forged\\027[31m \\127 é\n");
    const char *out = piped(very_long);
    size_t newlines = 0;
    for (const char *p = out; *p; p++)
        newlines += *p == '\n';
    assert_int_equal(newlines, 2);
    assert_true(strlen(out) <= 2 * 4096); /* PIPE_BUF: what a pipe takes at once */
    assert_non_null(strstr(out, "xxx...\n"));
    assert_non_null(strstr(out, "\\010...\n"));
}

/* The other end of standard error, which nobody reads but this. */
static int other_end;

static size_t read_lines(char *last, size_t cap)
{
    size_t lines = 0, len = 0;
    char c;
    while (read(other_end, &c, 1) == 1) {
        if (c != '\n') {
            if (len + 1 < cap)
                last[len++] = c;
            continue;
        }
        last[len] = '\0';
        len = 0;
        if (lines++ == 0)
            snprintf(text, sizeof text, "%s", last);
    }
    return lines;
}

/* More than fits: it must not wait, and the first line after says how many are
 * missing. The alarm ends a test that hangs. */
static void to_an_end_that_is_not_read(void)
{
    enum { LINE_CNT = 2000 };
    char s[500], last[600], want[100];
    memset(s, 'y', sizeof s - 1);
    s[sizeof s - 1] = '\0';
    alarm(10);
    for (int i = 0; i < LINE_CNT; i++)
        log_info("%s", s);
    size_t kept = read_lines(last, sizeof last);
    if (kept < 2 || kept >= LINE_CNT || strlen(last) != strlen("info: ") + sizeof s - 1)
        _exit(1);
    log_info("again");
    snprintf(want, sizeof want, "warning: %zu log lines lost, standard error took none", LINE_CNT - kept);
    if (read_lines(last, sizeof last) != 2 || strcmp(last, "info: again") != 0 || strcmp(text, want) != 0)
        _exit(2);
    log_info("once");
    if (read_lines(last, sizeof last) != 1)
        _exit(3);
}

static void a_pipe_that_nobody_reads_stops_nobody(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    other_end = fds[0];
    run_with_stderr(fds[1], to_an_end_that_is_not_read);
    close(fds[0]);
    close(fds[1]);
}

static void a_socket_that_nobody_reads_stops_nobody(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    other_end = fds[0];
    run_with_stderr(fds[1], to_an_end_that_is_not_read);
    close(fds[0]);
    close(fds[1]);
}

static void keeps_errno(void)
{
    errno = ENOSPC;
    log_info("x");
    if (errno != ENOSPC)
        log_error("errno was lost");
}

static void errno_survives(void **state)
{
    (void)state;
    assert_string_equal(piped(keeps_errno), "info: x\n");
}

static void levels_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_ERROR;
    assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
    assert_int_equal(log_level_from_name(&level, "debug"), ERR_OK);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_from_name(&level, "Debug"), ERR_NOT_FOUND);
    assert_int_equal(log_level_from_name(&level, ""), ERR_NOT_FOUND);
    assert_string_equal(log_level_name(LOG_LEVEL_NOTICE), "notice");
    log_set_level(LOG_LEVEL_WARNING);
    assert_int_equal(log_get_level(), LOG_LEVEL_WARNING);
    assert_string_equal(piped(two_lines), "error: no\n");
    log_set_level(LOG_LEVEL_INFO);
}

static void *hundred_lines(void *arg)
{
    char s[200];
    memset(s, *(char *)arg, sizeof s - 1);
    s[sizeof s - 1] = '\0';
    for (int i = 0; i < 100; i++)
        log_info("%s", s);
    return NULL;
}

static void four_threads(void)
{
    pthread_t threads[4];
    char letters[] = "abcd";
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, hundred_lines, &letters[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    int lines = 0;
    for (char *line = strtok((char *)(uintptr_t)piped(four_threads), "\n"); line; line = strtok(NULL, "\n"), lines++) {
        assert_memory_equal(line, "info: ", 6);
        char letter[2] = {line[6], '\0'};
        assert_int_equal(strspn(line + 6, letter), 199);
        assert_int_equal(strlen(line + 6), 199);
    }
    assert_int_equal(lines, 400);
}

static void rated(void)
{
    struct log_rate rate = {0};
    for (uint64_t ms = 0; ms < 30000; ms += 10) {
        clock_fake_us(ms * 1000);
        if (log_rate_ok(&rate, 3))
            log_info("at %u ms", (unsigned)ms);
    }
}

static void a_rate_holds_back_and_tells_how_much(void **state)
{
    (void)state;
    /* Three at 0, 10, 20 ms; 10,020 ms is 10 s after the last of them: 999 were held back in between. */
    assert_string_equal(piped(rated), "info: at 0 ms\ninfo: at 10 ms\ninfo: at 20 ms\n"
                                      "notice: 999 similar lines suppressed\n"
                                      "info: at 10020 ms\ninfo: at 10030 ms\ninfo: at 10040 ms\n"
                                      "notice: 999 similar lines suppressed\n"
                                      "info: at 20040 ms\ninfo: at 20050 ms\ninfo: at 20060 ms\n");
}

static void a_rate_never_exceeds_its_burst_in_any_window(void **state)
{
    (void)state;
    enum { BURST = 4, STEPS = 2000 };
    struct log_rate rate = {0};
    uint64_t written[STEPS], now_ms = 0;
    unsigned cnt = 0, random = 1;
    log_set_level(LOG_LEVEL_ERROR);
    for (int i = 0; i < STEPS; i++) {
        random = random * 1103515245u + 12345u;
        now_ms += (random >> 16) % 6000;
        clock_fake_us(now_ms * 1000);
        if (!log_rate_ok(&rate, BURST))
            continue;
        written[cnt++] = now_ms;
        assert_true(cnt <= BURST || now_ms - written[cnt - 1 - BURST] >= 10000);
    }
    assert_true(cnt > STEPS / 4);
    clock_fake_us(UINT64_MAX);
    log_set_level(LOG_LEVEL_INFO);
}

int main(void)
{
    unsetenv("JOURNAL_STREAM");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_gets_level_and_text),
        cmocka_unit_test(a_file_gets_a_time_stamp),
        cmocka_unit_test(the_journal_gets_priorities),
        cmocka_unit_test(text_can_not_forge_a_line),
        cmocka_unit_test(a_pipe_that_nobody_reads_stops_nobody),
        cmocka_unit_test(a_socket_that_nobody_reads_stops_nobody),
        cmocka_unit_test(errno_survives),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(a_rate_holds_back_and_tells_how_much),
        cmocka_unit_test(a_rate_never_exceeds_its_burst_in_any_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
