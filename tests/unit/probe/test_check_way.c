/* A check that can't even begin: which errors are our own lack, which say that there is no way to the
 * target. Once with a kernel that says what the test wants, once with the real one in a network
 * namespace without IPv6 and with hardly any ports. */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/check.h"
#include "probe/target.h"

/* ---- a kernel to order ---- */

/* 0: the real one. */
static struct {
    int socket_error, connect_error;
    int way_socket_error, way_error; /* of datagram sockets */
    bool way_is_good;
} plan;
static unsigned opened_cnt;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __real_connect(int fd, const struct sockaddr *to, socklen_t to_len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t to_len);

int __wrap_socket(int family, int type, int protocol)
{
    bool is_way = (type & 0xf) == SOCK_DGRAM;
    errno = is_way ? plan.way_socket_error : plan.socket_error;
    if (errno)
        return -1;
    opened_cnt += is_way;
    return __real_socket(family, type, protocol);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t to_len)
{
    int type;
    socklen_t len = sizeof type;
    bool is_way = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
    if (is_way && plan.way_is_good)
        return 0;
    errno = is_way ? plan.way_error : plan.connect_error;
    return errno ? -1 : __real_connect(fd, to, to_len);
}

/* ---- one check ---- */

/* Begins a check and ends it; what it said at once: a reason, "ours: …", or "runs". */
static char *begin(char out[PROBE_REASON_MAX + 8], const char *address, uint16_t port)
{
    struct target_table table;
    struct check check;
    struct probe_spec spec = {
        .options.type = PROBE_TCP,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
    bool is_new;
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (addr_port_from_text(&spec.address, address, port))
        abort();
    target_table_init(&table);
    check_open(&check, target_table_at(&table, target_table_add(&table, &spec, &is_new)), 77, epoll_fd, 4711);
    if (check.local_error)
        snprintf(out, PROBE_REASON_MAX, "ours: %s", strerrorname_np(check.local_error));
    else if (check_runs(&check))
        strcpy(out, "runs");
    else
        reason_to_text(out, check.run.reason);
    if (check.run.state == KIND_PASSED)
        strcpy(out, "passed");
    check_close(&check);
    target_table_fini(&table);
    close(epoll_fd);
    return out;
}

static int reset_plan(void **state)
{
    (void)state;
    memset(&plan, 0, sizeof plan);
    opened_cnt = 0;
    return 0;
}

static void test_what_connect_may_say(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *v4, *v6;
    } cases[] = {
        {ENETUNREACH, "no IPv4 route from here", "no IPv6 route from here"},
        {EHOSTUNREACH, "no IPv4 route from here", "no IPv6 route from here"},
        {EINVAL, "no IPv4 route from here", "no IPv6 route from here"},
        {EAFNOSUPPORT, "no IPv4 address here to ask from", "no IPv6 address here to ask from"},
        {EPERM, "not allowed from here: operation not permitted", "not allowed from here: operation not permitted"},
        {EACCES, "not allowed from here: permission denied", "not allowed from here: permission denied"},
        {ECONNREFUSED, "connection refused", "connection refused"},
        {EAGAIN, "ours: EAGAIN", "ours: EAGAIN"},
        {ENOBUFS, "ours: ENOBUFS", "ours: ENOBUFS"},
        {EADDRINUSE, "ours: EADDRINUSE", "ours: EADDRINUSE"},
    };
    char text[PROBE_REASON_MAX + 8];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        plan.connect_error = cases[i].error;
        assert_string_equal(begin(text, "127.0.0.1", 80), cases[i].v4);
        plan.connect_error = 0;
        plan.socket_error = cases[i].error; /* which any machine has, IPv6 or not */
        assert_string_equal(begin(text, "2001:db8::1", 80), cases[i].v6);
        plan.socket_error = 0;
    }
    assert_int_equal(opened_cnt, 0); /* no second socket where the error says it all */
}

static void test_what_socket_may_say(void **state)
{
    (void)state;
    static const struct {
        int error;
        const char *said;
    } cases[] = {
        {EMFILE, "ours: EMFILE"},
        {ENFILE, "ours: ENFILE"},
        {ENOMEM, "ours: ENOMEM"},
        {EAFNOSUPPORT, "no IPv6 address here to ask from"},
    };
    char text[PROBE_REASON_MAX + 8];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        plan.socket_error = cases[i].error;
        assert_string_equal(begin(text, "2001:db8::1", 80), cases[i].said);
    }
}

/* No port, or no address? */
static void test_cannot_assign_requested_address(void **state)
{
    (void)state;
    char text[PROBE_REASON_MAX + 8];
    plan.connect_error = EADDRNOTAVAIL;
    plan.way_is_good = true;
    assert_string_equal(begin(text, "127.0.0.1", 80), "ours: EADDRNOTAVAIL");
    plan.way_is_good = false;
    plan.way_error = EADDRNOTAVAIL;
    assert_string_equal(begin(text, "127.0.0.1", 80), "no IPv4 address here to ask from");
    plan.way_error = ENETUNREACH; /* the route went between the two */
    assert_string_equal(begin(text, "127.0.0.1", 80), "no IPv4 route from here");
    plan.way_error = EAGAIN; /* no datagram port either */
    assert_string_equal(begin(text, "127.0.0.1", 80), "ours: EAGAIN");
    assert_int_equal(opened_cnt, 4);
    plan.way_socket_error = EMFILE;
    assert_string_equal(begin(text, "127.0.0.1", 80), "ours: EMFILE");
}

/* ---- the real kernel ---- */

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

enum { CHILD_GOOD, CHILD_WRONG, CHILD_SKIPS };

/* In a child, alone with a network of its own: two ports, no IPv6. */
static int child(void)
{
    char text[PROBE_REASON_MAX + 8];
    int fillers[2], listen_fd;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return CHILD_SKIPS;
    if (!loopback_up() || !write_text("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001"))
        return CHILD_SKIPS;
    (void)write_text("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1"); /* a kernel without IPv6 has no such file */
    if (strcmp(begin(text, "::1", 80), "no IPv6 address here to ask from") != 0)
        return printf("without IPv6: \"%s\"\n", text), CHILD_WRONG;
    if (strcmp(begin(text, "192.0.2.1", 80), "no IPv4 route from here") != 0)
        return printf("without a route: \"%s\"\n", text), CHILD_WRONG;
    listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listen_fd, (struct sockaddr *)&at, sizeof at) || listen(listen_fd, 8))
        return CHILD_SKIPS;
    for (unsigned i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fillers[i], (struct sockaddr *)&at, sizeof at))
            return CHILD_SKIPS;
    }
    if (strcmp(begin(text, "127.0.0.1", 80), "ours: EADDRNOTAVAIL") != 0)
        return printf("without a port: \"%s\"\n", text), CHILD_WRONG;
    return CHILD_GOOD;
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

#define TEST(name) cmocka_unit_test_setup(name, reset_plan)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_connect_may_say),
        TEST(test_what_socket_may_say),
        TEST(test_cannot_assign_requested_address),
        TEST(test_in_a_network_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
