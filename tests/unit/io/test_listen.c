#include "io/listen.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/rr.h"
#include "service.h"

/* A socket of somebody else's, SO_REUSEPORT set, as another daemon like us would have it; -1: the port is taken. */
static int occupy(int type, uint16_t port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int one = 1, fd = socket(AF_INET, type, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0 || (type == SOCK_STREAM && listen(fd, 1) != 0)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A port free for both, below those that the kernel hands out to the tests that run beside this one. */
static uint16_t occupy_both(int *udp, int *tcp)
{
    for (unsigned i = 0; i < 1000; i++) {
        uint16_t port = (uint16_t)(10000 + ((unsigned)getpid() * 31 + i) % 20000);
        *udp = occupy(SOCK_DGRAM, port);
        *tcp = occupy(SOCK_STREAM, port);
        if (*udp >= 0 && *tcp >= 0)
            return port;
        close(*udp);
        close(*tcp);
    }
    fail_msg("no port is free");
    return 0;
}

static void expect_refused(const struct addr *addrs, size_t cnt, const char *const *lines)
{
    struct io_options o = service_options();
    struct io *io;
    struct diag *diag = diag_new(10);
    o.listen = (struct opt_list){(void *)(uintptr_t)addrs, cnt};
    assert_int_equal(io_open(&io, &o, diag), ERR_IO);
    assert_null(io);
    size_t i = 0;
    for (; lines[i]; i++) {
        assert_non_null(diag_at(diag, i));
        assert_string_equal(diag_at(diag, i)->text, lines[i]);
        assert_int_equal(diag_at(diag, i)->level, DIAG_ERROR);
    }
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), i);
    diag_free(diag);
}

static void test_a_port_in_use_is_told_for_both_protocols(void **state)
{
    (void)state;
    char udp[100], tcp[100];
    int a, b;
    uint16_t port = occupy_both(&a, &b);
    const struct addr addrs[] = {{.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = port},
                                 {.bytes = {127, 0, 0, 2}, .family = ADDR_V4, .port = port}};
    snprintf(udp, sizeof(udp), "cannot listen on 127.0.0.1@%u (UDP): address already in use", port);
    snprintf(tcp, sizeof(tcp), "cannot listen on 127.0.0.1@%u (TCP): address already in use", port);
    expect_refused(addrs, 2, (const char *const[]){udp, tcp, NULL});
    close(a);
    expect_refused(addrs, 2, (const char *const[]){tcp, NULL});
    close(b);
}

static void test_an_address_that_is_not_ours(void **state)
{
    (void)state;
    const struct addr addr = {.bytes = {198, 51, 100, 7}, .family = ADDR_V4, .port = 5353};
    static const char *const lines[] = {"cannot listen on 198.51.100.7@5353 (UDP): cannot assign requested address",
                                        "cannot listen on 198.51.100.7@5353 (TCP): cannot assign requested address",
                                        NULL};
    expect_refused(&addr, 1, lines);
}

static int unprivileged_from(void)
{
    int port = 1024;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    if (f) {
        if (fscanf(f, "%d", &port) != 1)
            port = 1024;
        fclose(f);
    }
    return port;
}

static void test_no_right_to_bind(void **state)
{
    (void)state;
    const struct addr addr = {.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = 5};
    if (unprivileged_from() <= 5 || (geteuid() == 0 && seteuid(65534) != 0))
        skip();
    static const char *const lines[] = {
        "cannot listen on 127.0.0.1@5 (UDP): permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)",
        "cannot listen on 127.0.0.1@5 (TCP): permission denied (ports below 1024 need root or CAP_NET_BIND_SERVICE)",
        NULL};
    expect_refused(&addr, 1, lines);
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
}

/* The server closed these connections first, so they are in TIME_WAIT when it comes back. */
static void test_a_restart_right_after_connections(void **state)
{
    (void)state;
    struct service s;
    struct io_options o = service_options();
    struct diag *diag = diag_new(10);
    static uint8_t m[SERVICE_MESSAGE_MAX];
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    for (unsigned i = 0; i < 5; i++) {
        int fd = client_tcp(&s, NULL, "127.0.0.1");
        client_send_query(fd, 1, "www", RR_A);
        assert_true(client_read(fd, m) > 0);
        if (i == 4)
            io_stop(s.io);
        else
            client_send(fd, (const uint8_t[2]){0}, 2);
        assert_true(client_is_closed(fd));
        close(fd);
    }
    io_close(s.io);
    o.listen = (struct opt_list){s.addrs, s.addr_cnt};
    assert_int_equal(io_open(&s.io, &o, diag), ERR_OK);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 0);
    assert_int_equal(io_start(s.io, &s.shared), ERR_OK);
    diag_free(diag);
    service_stop(&s);
}

static void test_defaults_are_all_addresses(void **state)
{
    (void)state;
    struct addr addrs[LISTEN_DEFAULT_CNT];
    char text[ADDR_TEXT_MAX];
    struct diag *diag = diag_new(10);
    size_t cnt = listen_defaults(addrs, diag);
    assert_true(cnt == 2 || (cnt == 1 && diag_cnt(diag, DIAG_WARNING) == 1));
    assert_string_equal(addr_port_to_text(text, &addrs[0]), "0.0.0.0@53");
    if (cnt == 2)
        assert_string_equal(addr_port_to_text(text, &addrs[1]), "::@53");
    for (size_t i = 0; i < cnt; i++)
        assert_true(listen_is_wildcard(&addrs[i]));
    diag_free(diag);
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

/* RFC 9715 3.1: nothing that ICMP says of a path's MTU is believed. */
static void test_no_path_mtu_is_learnt(void **state)
{
    (void)state;
    static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};
    struct diag *diag = diag_new(10);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct addr addr;
        assert_int_equal(addr_from_text(&addr, texts[i]), ERR_OK);
        int fd = listen_open(&addr, LISTEN_UDP, diag);
        assert_true(fd >= 0);
        if (addr.family == ADDR_V4)
            assert_int_equal(option_of(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
        else
            assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
        close(fd);
    }
    diag_free(diag);
}

static void test_what_accepted_connections_inherit(void **state)
{
    (void)state;
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;
    struct addr addr;
    struct diag *diag = diag_new(10);
    assert_int_equal(addr_from_text(&addr, "127.0.0.1"), ERR_OK);
    int listener = listen_open(&addr, LISTEN_TCP, diag), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&sa, len), 0);
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    assert_in_range(option_of(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT), 2 * 65535, 1 << 18);
    close(fd);
    close(client);
    close(listener);
    diag_free(diag);
}

static void test_the_limit_of_open_files_is_raised(void **state)
{
    (void)state;
    struct rlimit before, low, after;
    struct service s;
    struct io_options o = service_options();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (before.rlim_max < 4096)
        skip();
    low = (struct rlimit){.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    o.tcp_max = 2000;
    service_start(&s, &o, (const char *const[]){"127.0.0.1", NULL});
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_true(after.rlim_cur > 2000);
    service_stop(&s);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void say(void *arg, const char *key, const char *text)
{
    snprintf(arg, 200, "%s: %s", key, text);
}

static void test_an_address_that_stands_twice(void **state)
{
    (void)state;
    struct io_options o = service_options();
    struct addr addrs[] = {{.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = 53},
                           {.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = 54},
                           {.bytes = {127, 0, 0, 1}, .family = ADDR_V4, .port = 53}};
    char said[200] = "";
    o.listen = (struct opt_list){addrs, 2};
    io_opt_table.check(&o, say, said);
    assert_string_equal(said, "");
    o.listen.cnt = 3;
    io_opt_table.check(&o, say, said);
    assert_string_equal(said, "listen: \"127.0.0.1@53\" stands twice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_port_in_use_is_told_for_both_protocols),
        cmocka_unit_test(test_an_address_that_is_not_ours),
        cmocka_unit_test(test_no_right_to_bind),
        cmocka_unit_test(test_a_restart_right_after_connections),
        cmocka_unit_test(test_defaults_are_all_addresses),
        cmocka_unit_test(test_no_path_mtu_is_learnt),
        cmocka_unit_test(test_what_accepted_connections_inherit),
        cmocka_unit_test(test_the_limit_of_open_files_is_raised),
        cmocka_unit_test(test_an_address_that_stands_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
