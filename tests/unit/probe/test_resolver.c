/* Real questions to made-up resolvers on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "probe/resolver.h"

enum manner { ANSWERS, SILENT, FAILS, DENIES, EMPTY, ALIAS, TOO_MANY };

struct server {
    int fd;
    struct addr addr;
    enum manner manner;
    unsigned asked;
};

static struct server servers[2];
static uv_loop_t loop;
static uv_idle_t alive; /* as the daemon's loop is */
static struct resolver *resolver;

static void open_server(struct server *server, enum manner manner)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof sin;
    *server = (struct server){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .manner = manner};
    assert_true(server->fd >= 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&sin, len), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&sin, &len), 0);
    addr_from_sockaddr(&server->addr, (struct sockaddr *)&sin);
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

static void begin(enum manner first, enum manner second)
{
    assert_int_equal(uv_loop_init(&loop), 0);
    uv_idle_init(&loop, &alive);
    uv_idle_start(&alive, on_idle);
    open_server(&servers[0], first);
    open_server(&servers[1], second);
    resolver = resolver_new(&loop);
    const struct addr both[2] = {servers[0].addr, servers[1].addr};
    resolver_use(resolver, both, 2);
}

static void end(void)
{
    resolver_free(resolver);
    uv_close((uv_handle_t *)&alive, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    close(servers[0].fd);
    close(servers[1].fd);
}

/* ---- answers */

static size_t put_record(uint8_t *out, uint16_t type, uint32_t ttl, const void *rdata, unsigned len)
{
    be16_put(out, 0xc00c);
    be16_put(out + 2, type);
    be16_put(out + 4, RR_CLASS_IN);
    be32_put(out + 6, ttl);
    be16_put(out + 10, (uint16_t)len);
    memcpy(out + 12, rdata, len);
    return 12 + len;
}

static size_t reply(uint8_t *message, size_t len, enum manner manner)
{
    uint16_t type = be16_get(message + len - 4);
    static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
    be16_put(message + 2, 0x8180);
    if (manner == FAILS || manner == DENIES)
        message[3] |= manner == FAILS ? RCODE_SERVFAIL : RCODE_NXDOMAIN;
    if (manner == ALIAS) {
        len += put_record(message + len, RR_CNAME, 7, "\xc0\x0c", 2);
        message[7]++;
    }
    if (manner == TOO_MANY)
        be16_put(message + 6, 257);
    if (manner == ANSWERS || manner == ALIAS) {
        bool is_a = type == RR_A;
        len += put_record(message + len, type, 300, is_a ? (const void *)"\xc0\0\2\1" : v6, is_a ? 4 : 16);
        message[7]++;
    }
    return len;
}

static void serve(struct server *server)
{
    uint8_t message[1024];
    struct sockaddr_in peer;
    socklen_t peer_len = sizeof peer;
    ssize_t len = recvfrom(server->fd, message, 512, 0, (struct sockaddr *)&peer, &peer_len);
    if (len < 0)
        return;
    assert_int_equal(be16_get(message + 10), 0); /* no EDNS: the type ends it */
    server->asked++;
    if (server->manner == SILENT)
        return;
    size_t out = reply(message, (size_t)len, server->manner);
    assert_true(sendto(server->fd, message, out, 0, (struct sockaddr *)&peer, peer_len) == (ssize_t)out);
}

/* ---- questions */

struct question {
    bool answered;
    enum resolution_outcome outcome;
    const char *problem;
    uint32_t ttl_sec;
    size_t cnt;
    struct addr first;
};

static void take(void *arg, const struct resolution_answer *answer)
{
    struct question *q = arg;
    assert_false(q->answered);
    *q = (struct question){true, answer->outcome, answer->problem, answer->ttl_sec, answer->cnt, {{0}, 0, 0, 0}};
    if (answer->cnt)
        q->first = answer->addresses[0];
}

static struct resolver_inquiry *ask(struct question *q, enum addr_family family)
{
    *q = (struct question){false, RESOLUTION_FAILED, NULL, 0, 0, {{0}, 0, 0, 0}};
    return resolver_ask(resolver, (const uint8_t *)"\3app\7example\3net", family, take, q);
}

static void run(const bool *until, unsigned most_ms)
{
    uint64_t end_ms = clock_mono_ms() + most_ms;
    while (!*until && clock_mono_ms() < end_ms) {
        uv_run(&loop, UV_RUN_NOWAIT);
        serve(&servers[0]);
        serve(&servers[1]);
        usleep(500);
    }
}

static void expect(const struct question *q, enum resolution_outcome outcome, const char *problem)
{
    run(&q->answered, 20000);
    assert_true(q->answered);
    assert_int_equal(q->outcome, outcome);
    if (problem)
        assert_string_equal(q->problem, problem);
}

static void test_a_family_each(void **state)
{
    struct question a, aaaa;
    char text[ADDR_TEXT_MAX];
    (void)state;
    begin(ANSWERS, SILENT);
    (void)!ask(&a, ADDR_V4);
    (void)!ask(&aaaa, ADDR_V6);
    assert_false(a.answered); /* never at once */
    expect(&a, RESOLUTION_FOUND, NULL);
    expect(&aaaa, RESOLUTION_FOUND, NULL);
    assert_string_equal(addr_to_text(text, &a.first), "192.0.2.1");
    assert_string_equal(addr_to_text(text, &aaaa.first), "2001:db8::1");
    assert_int_equal(a.ttl_sec, 300);
    assert_int_equal(servers[0].asked, 2);
    assert_int_equal(servers[1].asked, 0);
    end();
}

static void test_the_least_ttl_of_aliases(void **state)
{
    struct question a;
    (void)state;
    begin(ALIAS, SILENT);
    (void)!ask(&a, ADDR_V4);
    expect(&a, RESOLUTION_FOUND, NULL);
    assert_int_equal(a.ttl_sec, 7);
    end();
}

static void test_the_next_server(void **state)
{
    struct question a;
    (void)state;
    begin(FAILS, ANSWERS);
    (void)!ask(&a, ADDR_V4);
    expect(&a, RESOLUTION_FOUND, NULL);
    assert_int_equal(servers[0].asked, 1);
    assert_int_equal(servers[1].asked, 1);
    end();
    begin(SILENT, ANSWERS);
    uint64_t begin_ms = clock_mono_ms();
    (void)!ask(&a, ADDR_V4);
    expect(&a, RESOLUTION_FOUND, NULL);
    assert_true(clock_mono_ms() - begin_ms >= RESOLVER_TRY_MS - 50);
    end();
}

static void test_what_is_no_address(void **state)
{
    static const struct {
        enum manner first, second;
        enum resolution_outcome outcome;
        const char *problem;
        unsigned asked[2];
    } rows[] = {
        {DENIES, ANSWERS, RESOLUTION_NONE, "no such name", {1, 0}},
        {EMPTY, ANSWERS, RESOLUTION_NONE, "no such record", {1, 0}},
        {FAILS, FAILS, RESOLUTION_FAILED, "SERVFAIL", {2, 2}},
        {FAILS, DENIES, RESOLUTION_NONE, "no such name", {1, 1}},
        {TOO_MANY, TOO_MANY, RESOLUTION_FAILED, "too many records", {2, 2}},
        {TOO_MANY, DENIES, RESOLUTION_NONE, "no such name", {1, 1}},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct question a;
        begin(rows[i].first, rows[i].second);
        (void)!ask(&a, ADDR_V4);
        expect(&a, rows[i].outcome, rows[i].problem);
        assert_int_equal(servers[0].asked, rows[i].asked[0]);
        assert_int_equal(servers[1].asked, rows[i].asked[1]);
        end();
    }
}

static void test_nobody_is_there(void **state)
{
    struct question a;
    (void)state;
    begin(ANSWERS, ANSWERS);
    const struct addr gone = servers[0].addr;
    close(servers[0].fd);
    servers[0].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    resolver_use(resolver, &gone, 1);
    (void)!ask(&a, ADDR_V4);
    expect(&a, RESOLUTION_FAILED, "no resolver is there");
    end();
}

/* More than may be under way wait, are forgotten, begin anew with other servers. */
static void test_many(void **state)
{
    enum { CNT = 3 * RESOLVER_FLIGHT_MAX };
    static struct question questions[CNT];
    struct resolver_inquiry *inquiries[CNT];
    bool never = false;
    (void)state;
    begin(SILENT, ANSWERS);
    for (unsigned i = 0; i < CNT; i++)
        inquiries[i] = ask(&questions[i], ADDR_V4);
    run(&never, 200);
    assert_int_equal(servers[0].asked, RESOLVER_FLIGHT_MAX);
    resolver_forget(inquiries[0]);       /* under way */
    resolver_forget(inquiries[CNT - 1]); /* waits */
    resolver_use(resolver, &servers[1].addr, 1);
    for (unsigned i = 1; i < CNT - 1; i++)
        expect(&questions[i], RESOLUTION_FOUND, NULL);
    assert_false(questions[0].answered || questions[CNT - 1].answered);
    assert_int_equal(servers[1].asked, CNT - 2);
    /* It may end at any time. */
    servers[1].manner = SILENT;
    for (unsigned i = 0; i < CNT; i++)
        inquiries[i] = ask(&questions[i], ADDR_V4);
    run(&never, 50);
    for (unsigned i = 0; i < CNT; i++)
        resolver_forget(inquiries[i]);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_family_each),      cmocka_unit_test(test_the_least_ttl_of_aliases),
        cmocka_unit_test(test_the_next_server),    cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_nobody_is_there),    cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
