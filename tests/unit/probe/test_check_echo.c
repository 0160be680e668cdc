/* Echo requests through the real kernel, in a network of their own: by unprivileged sockets where the system lets
 * groups have them, by raw ones where not, and by neither. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/check.h"
#include "probe/echo_socket.h"
#include "probe/target.h"

enum { PATIENCE_MS = 5000 };

/* ---- one check ---- */

struct fixture {
    struct target_table table;
    struct check check;
    int epoll_fd;
};

static void open_check(struct fixture *f, const char *address)
{
    struct probe_spec spec = {
        .options = {.type = PROBE_PING, .count = 2},
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
    bool is_new;
    f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (addr_port_from_text(&spec.address, address, 0))
        abort();
    spec.address.port = 0;
    target_table_init(&f->table);
    f->check.run.random = 0x5eed;
    const struct target *target = target_table_at(&f->table, target_table_add(&f->table, &spec, &is_new));
    check_open(&f->check, target, 1000, f->epoll_fd, 1);
}

static void end_check(struct fixture *f)
{
    check_close(&f->check);
    target_table_fini(&f->table);
    close(f->epoll_fd);
}

/* Until so many requests have been answered, or it is over. */
static void wait_answered(struct fixture *f, unsigned cnt)
{
    uint8_t buffer[2048];
    struct epoll_event event;
    f->check.run.now_us = 1000 + 700;
    while (check_runs(&f->check) && f->check.run.echo.answered_cnt < cnt &&
           epoll_wait(f->epoll_fd, &event, 1, PATIENCE_MS) == 1)
        check_event(&f->check, event.events, buffer, sizeof buffer);
}

/* Both requests are sent and answered; what it was. */
static char *ping(char out[PROBE_REASON_MAX + 16], const char *address, bool *raw)
{
    struct fixture f;
    open_check(&f, address);
    *raw = f.check.raw;
    wait_answered(&f, 1);
    if (check_runs(&f.check) && f.check.run.echo.answered_cnt == 1) {
        check_wake(&f.check);
        wait_answered(&f, 2);
    }
    if (f.check.local_error)
        snprintf(out, PROBE_REASON_MAX + 16, "ours: %s, %d", strerrorname_np(f.check.local_error),
                 f.check.lack.code == REASON_NO_ECHO);
    else if (check_runs(&f.check))
        snprintf(out, PROBE_REASON_MAX + 16, "runs, %u answers", f.check.run.echo.answered_cnt);
    else
        reason_to_text(out, f.check.run.reason);
    end_check(&f);
    return out;
}

/* ---- the kernel ---- */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bool good = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    good = good && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    close(fd);
    return good;
}

static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capset, &header, none) == 0;
}

enum { CHILD_GOOD, CHILD_WRONG, CHILD_SKIPS };
static const char groups[] = "/proc/sys/net/ipv4/ping_group_range";

static bool is(const char *what, const char *address, const char *expected, bool expect_raw)
{
    char text[PROBE_REASON_MAX + 16];
    bool raw = false;
    ping(text, address, &raw);
    if (!strcmp(text, expected) && raw == expect_raw)
        return true;
    printf("%s, %s: \"%s\"%s, expected \"%s\"%s\n", what, address, text, raw ? " raw" : "", expected,
           expect_raw ? " raw" : "");
    return false;
}

static bool has_v6(void)
{
    struct sockaddr_in6 one = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&one, sizeof one) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

static bool are(const char *what, const char *expected, bool raw)
{
    return is(what, "127.0.0.1", expected, raw) && (!has_v6() || is(what, "::1", expected, false));
}

static int child(void)
{
    static const char answered[] = "echo answered", neither[] = "ours: EPERM, 1";
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return CHILD_SKIPS;
    if (!loopback_up() || !write_text(groups, "1 0"))
        return CHILD_SKIPS;
    if (!are("raw", answered, true) || !is("raw", "192.0.2.1", "no IPv4 route from here", true))
        return CHILD_WRONG;
    if (write_text(groups, "0 0")) { /* our group's number, when root's; else the namespace maps none */
        bool is_ours = getegid() == 0;
        if (is_ours && !are("unprivileged", answered, false))
            return CHILD_WRONG;
        if (!write_text(groups, "1 0"))
            return CHILD_SKIPS;
    }
    if (!drop_capabilities())
        return CHILD_SKIPS;
    return are("neither", neither, false) ? CHILD_GOOD : CHILD_WRONG;
}

static void test_in_a_network_of_its_own(void **state)
{
    (void)state;
    int status;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = child();
        fflush(stdout);
        _exit(result);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_SKIPS) {
        print_message("no right to a network namespace\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), CHILD_GOOD);
}

static void test_headers(void **state)
{
    (void)state;
    static const struct {
        uint8_t first;
        size_t len, header_len;
    } cases[] = {{0x45, 60, 20}, {0x46, 60, 24}, {0x4f, 60, 60}, {0x4f, 59, 59}, {0x44, 60, 60},
                 {0x40, 60, 60}, {0x45, 20, 20}, {0x45, 19, 19}, {0x45, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t *packet = calloc(1, cases[i].len);
        packet[0] = cases[i].first;
        assert_int_equal(echo_socket_header_len(packet, cases[i].len), cases[i].header_len);
        free(packet);
    }
    assert_int_equal(echo_socket_header_len((const uint8_t *)"", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_headers), cmocka_unit_test(test_in_a_network_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
