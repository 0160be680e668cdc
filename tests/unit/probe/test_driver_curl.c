/* https and tls checks with real sockets and real certificates: who is believed, what is said of who is not, and that
 * nothing is left behind. HTTP/2 and what a whole configuration makes of it is in tests/functional/test_secure.py. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "prober.h"
#include "probe/trust.h"
#include "tls_server.h"

#define HOST "www.example.com"

static struct pki ca, good, expired, old, early, foreign, alone, address, middle, below_middle;
static char ca_path[64], other_path[64];

static void make(struct pki *pki, const char *host, int from_days, int to_days, const struct pki *issuer)
{
    const struct pki_wish wish = {.host = strchr(host, '.') || strchr(host, ':') ? host : NULL,
                                  .name = host,
                                  .from_days = from_days,
                                  .to_days = to_days,
                                  .issuer = issuer};
    pki_make(pki, &wish);
}

static int make_all(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN); /* for the server */
    make(&ca, "root", -10, 1000, NULL);
    make(&good, HOST, -1, 61, &ca);
    make(&expired, HOST, -30, -3, &ca);
    make(&old, HOST, -30, 0, &ca);
    make(&early, HOST, 5, 100, &ca);
    make(&foreign, "mail.example.com", -1, 61, &ca);
    make(&alone, HOST, -1, 61, NULL);
    make(&address, "::1", -1, 61, &ca);
    make(&middle, "middle", -10, 1000, &ca);
    make(&below_middle, HOST, -1, 61, &middle);
    pki_save(&ca, ca_path);
    pki_save(&foreign, other_path);
    return 0;
}

static int drop_all(void **state)
{
    struct pki *all[] = {&ca, &good, &expired, &old, &early, &foreign, &alone, &address, &middle, &below_middle};
    (void)state;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        pki_fini(all[i]);
    unlink(ca_path);
    unlink(other_path);
    return 0;
}

static struct probe_spec secure_spec(enum probe_type type, uint16_t port)
{
    struct probe_spec spec = spec_of(type, "127.0.0.1", port);
    char problem[TRUST_PROBLEM_MAX];
    spec.host = HOST;
    spec.options.verify = true;
    spec.options.ca_file = ca_path;
    if (!trust_check_file(spec.options.ca_digest, problem, ca_path))
        fail_msg("%s", problem);
    return spec;
}

static void expect(struct fixture *f, const struct probe_spec *spec, enum health_verdict verdict, const char *reason,
                   int days_left)
{
    struct probe_event event;
    uint32_t target = subscribe_spec(f, spec);
    if (!next_event(f, &event, PATIENCE_MS))
        fail_msg("no event, expected \"%s\"", reason);
    assert_int_equal(event.target, target);
    assert_string_equal(event.reason, reason);
    assert_int_equal(event.verdict, verdict);
    assert_int_equal(event.measure.has_days_left, days_left != INT16_MIN);
    if (event.measure.has_days_left)
        assert_int_equal(event.measure.days_left, days_left);
    probe_unsubscribe(f->probe, target);
}

enum { UNSEEN = INT16_MIN };

/* ---- certificates ---- */

struct certificate_case {
    const struct pki *shown, *above;
    const char *host; /* NULL: HOST */
    bool lax, with_system;
    int min_days_left;
    enum health_verdict verdict;
    const char *reason; /* of https, where it is not "status 200" or "TLS handshake done" */
    int days_left;
};

static const struct certificate_case certificate_cases[] = {
    {&good, NULL, NULL, false, false, 0, HEALTH_UP, NULL, 61},
    {&good, NULL, NULL, false, false, 61, HEALTH_UP, NULL, 61},
    {&good, NULL, NULL, false, false, 62, HEALTH_DOWN, "certificate: days left: 61, fewer than 62", 61},
    {&good, NULL, NULL, true, false, 62, HEALTH_DOWN, "certificate: days left: 61, fewer than 62", 61},
    {&good, NULL, NULL, false, true, 0, HEALTH_DOWN, "certificate: issuer unknown", 61},
    {&good, NULL, NULL, true, true, 0, HEALTH_UP, NULL, 61},
    {&good, NULL, "WWW.Example.Com.", false, false, 0, HEALTH_UP, NULL, 61},
    {&expired, NULL, NULL, false, false, 0, HEALTH_DOWN, "certificate: expired 2 days ago", -3},
    {&expired, NULL, NULL, true, false, 0, HEALTH_UP, NULL, -3},
    {&expired, NULL, NULL, true, false, 1, HEALTH_DOWN, "certificate: days left: -3, fewer than 1", -3},
    {&old, NULL, NULL, false, false, 0, HEALTH_UP, NULL, 0},
    {&early, NULL, NULL, false, false, 0, HEALTH_DOWN, "certificate: not valid yet, but in 4 days", 100},
    {&foreign, NULL, NULL, false, false, 0, HEALTH_DOWN, "certificate: not for \"www.example.com\"", 61},
    {&foreign, NULL, NULL, true, false, 0, HEALTH_UP, NULL, 61},
    {&alone, NULL, NULL, false, false, 0, HEALTH_DOWN, "certificate: self-signed", 61},
    {&alone, NULL, NULL, true, false, 0, HEALTH_UP, NULL, 61},
    {&address, NULL, "[::1]", false, false, 0, HEALTH_UP, NULL, 61},
    {&address, NULL, "[::2]", false, false, 0, HEALTH_DOWN, "certificate: not for \"::2\"", 61},
    {&below_middle, &middle, NULL, false, false, 0, HEALTH_UP, NULL, 61},
    {&below_middle, NULL, NULL, false, false, 0, HEALTH_DOWN, "certificate: issuer unknown", 61},
};

static void test_certificates(void **state)
{
    struct fixture *f = *state;
    static const enum probe_type types[] = {PROBE_HTTPS, PROBE_TLS};
    prober_begin(f, 10);
    for (unsigned i = 0; i < sizeof certificate_cases / sizeof *certificate_cases; i++) {
        const struct certificate_case *c = &certificate_cases[i];
        static struct tls_server server;
        tls_server_start(&server, c->shown, c->above);
        for (unsigned t = 0; t < 2; t++) {
            struct probe_spec spec = secure_spec(types[t], server.port);
            spec.options.verify = !c->lax;
            spec.options.min_days_left = c->min_days_left;
            spec.host = c->host ? c->host : HOST;
            if (c->with_system)
                spec.options.ca_file = NULL;
            const char *well = types[t] == PROBE_TLS ? "TLS handshake done" : "status 200";
            expect(f, &spec, c->verdict, c->reason ? c->reason : well, c->days_left);
        }
        tls_server_stop(&server);
    }
}

/* A file that went away since the configuration was read is our failure, one that came back another is taken. */
static void test_a_lost_file(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    char path[64], problem[TRUST_PROBLEM_MAX];
    tls_server_start(&server, &good, NULL);
    struct probe_spec spec = secure_spec(PROBE_TLS, server.port);
    pki_save(&ca, path);
    spec.options.ca_file = path;
    assert_true(trust_check_file(spec.options.ca_digest, problem, path));
    unlink(path);
    prober_begin(f, 10);
    uint32_t target = subscribe_spec(f, &spec);
    wait_reason(f, target, "not checked, trying again: CA files: no such file or directory");
    FILE *file = fopen(path, "w"), *from = fopen(ca_path, "r");
    for (int c; (c = fgetc(from)) != EOF;)
        fputc(c, file);
    fclose(file);
    fclose(from);
    wait_reason(f, target, "TLS handshake done");
    unlink(path);
    tls_server_stop(&server);
}

/* ---- what is said ---- */

struct answer_case {
    enum probe_type type;
    enum tls_manner manner;
    const char *answer, *body;
    enum health_verdict verdict;
    const char *reason;
    uint32_t timeout_ms; /* that it runs into; 0: none */
    int days_left;
};

#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"
static const struct answer_case answer_cases[] = {
    {PROBE_HTTPS, TLS_ANSWERS, "HTTP/1.1 301 Go\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", NULL,
     HEALTH_DOWN, "status 301", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n", NULL,
     HEALTH_DOWN, "status 401", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, "HTTP/1.1 103 Hints\r\nLink: <x>\r\n\r\n" HEAD "Content-Length: 0\r\n\r\n", NULL,
     HEALTH_UP, "status 200", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD "\r\nall is good", "good$", HEALTH_UP, "status 200", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD "\r\nall is bad", "good$", HEALTH_DOWN, "status 200, but the body does not match",
     0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD CHUNKED "2\r\ngo\r\n2\r\nod\r\n0\r\nX: y\r\n\r\n", "^good$", HEALTH_UP,
     "status 200", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD CHUNKED "zz\r\n", "good", HEALTH_DOWN,
     "not HTTP: malformed chunk", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD "Content-Length: 100\r\n\r\nok", "ok", HEALTH_DOWN, "closed inside the body", 0,
     61},
    {PROBE_HTTPS, TLS_ANSWERS, HEAD "Content-Le", NULL, HEALTH_DOWN, "closed inside the headers", 0, 61},
    {PROBE_HTTPS, TLS_ANSWERS, "SSH-2.0-OpenSSH_9.2\r\n", NULL, HEALTH_DOWN,
     "not HTTP: the answer does not begin with HTTP/1", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD "\r\nok", NULL, HEALTH_UP, "status 200", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD "\r\nok", "^ok", HEALTH_UP, "status 200", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD "\r\nok", "never", HEALTH_DOWN,
     "status 200, but no match in the first 64 KiB of the body", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD "X: y", NULL, HEALTH_DOWN, "headers of more than 16 KiB", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, "HTTP/1.1 200 a", NULL, HEALTH_DOWN, "headers of more than 16 KiB", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD CHUNKED "0\r\nX: y", "never", HEALTH_DOWN, "not HTTP: malformed chunk", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, "x", NULL, HEALTH_DOWN, "not HTTP: the answer does not begin with HTTP/1", 0, 61},
    {PROBE_HTTPS, TLS_ENDLESS, HEAD CHUNKED "1;x", "never", HEALTH_DOWN, "more than 4 MiB received", 0, 61},
    {PROBE_HTTPS, TLS_BEGINS_ANEW, NULL, NULL, HEALTH_DOWN, "TLS: more than 64 handshake messages", 0, UNSEEN},
    {PROBE_TLS, TLS_BEGINS_ANEW, NULL, NULL, HEALTH_DOWN, "TLS: more than 64 handshake messages", 0, UNSEEN},
    {PROBE_HTTPS, TLS_TICKETS, NULL, NULL, HEALTH_DOWN, "TLS: more than 64 handshake messages", 0, 61},
    {PROBE_HTTPS, TLS_CLOSES, NULL, NULL, HEALTH_DOWN, "closed without an answer", 0, 61},
    {PROBE_HTTPS, TLS_RESETS, NULL, NULL, HEALTH_DOWN, "connection reset by peer", 0, 61},
    {PROBE_HTTPS, TLS_SLAMS, NULL, NULL, HEALTH_DOWN, NULL, 0, UNSEEN},
    {PROBE_HTTPS, TLS_HANGS, NULL, NULL, HEALTH_DOWN, "no TLS handshake within 100ms", 100, UNSEEN},
    {PROBE_TLS, TLS_HANGS, NULL, NULL, HEALTH_DOWN, "no TLS handshake within 100ms", 100, UNSEEN},
    {PROBE_HTTPS, TLS_SILENT, NULL, NULL, HEALTH_DOWN, "no answer within 1s", 1000, 61},
    {PROBE_TLS, TLS_SILENT, NULL, NULL, HEALTH_UP, "TLS handshake done", 0, 61},
};

static void expect_slammed(struct fixture *f, const struct probe_spec *spec)
{
    struct probe_event event;
    uint32_t target = subscribe_spec(f, spec);
    assert_true(next_event(f, &event, PATIENCE_MS));
    assert_int_equal(event.verdict, HEALTH_DOWN);
    if (strcmp(event.reason, "TLS: handshake failed: closed") != 0)
        assert_string_equal(event.reason, "connection reset by peer");
    probe_unsubscribe(f->probe, target);
}

static void test_answers(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    prober_begin(f, 10);
    tls_server_start(&server, &good, NULL);
    for (unsigned i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
        const struct answer_case *c = &answer_cases[i];
        struct probe_spec spec = secure_spec(c->type, server.port);
        spec.options.expect_body = (char *)(uintptr_t)c->body;
        if (c->timeout_ms)
            spec.timing.timeout_ms = c->timeout_ms;
        tls_server_behave(&server, c->manner, c->answer);
        if (c->reason)
            expect(f, &spec, c->verdict, c->reason, c->days_left);
        else
            expect_slammed(f, &spec);
    }
    tls_server_stop(&server);
}

/* Headers that end, but only after more than is looked at; interim responses without end. */
static void test_long_heads(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    static char head[64 * 1024];
    size_t len = (size_t)sprintf(head, HEAD);
    while (len < 20 * 1024)
        len += (size_t)sprintf(head + len, "X-Header: and one more of them\r\n");
    sprintf(head + len, "\r\n");
    prober_begin(f, 10);
    tls_server_start(&server, &good, NULL);
    tls_server_behave(&server, TLS_ANSWERS, head);
    struct probe_spec spec = secure_spec(PROBE_HTTPS, server.port);
    expect(f, &spec, HEALTH_DOWN, "headers of more than 16 KiB", 61);
    head[0] = '\0';
    for (unsigned i = 0; i < 10; i++)
        strcat(head, "HTTP/1.1 103 Hints\r\n\r\n");
    expect(f, &spec, HEALTH_DOWN, "more than 8 interim responses", 61);
    tls_server_stop(&server);
}

static void test_who_does_not_speak_tls(void **state)
{
    struct fixture *f = *state;
    static struct server server;
    prober_begin(f, 10);
    server_start(&server, 0, SERVER_ANSWERS);
    struct probe_spec spec = secure_spec(PROBE_HTTPS, server.port);
    expect(f, &spec, HEALTH_DOWN, "TLS: handshake failed: wrong version number", UNSEEN);
    server_stop(&server);
    spec.options.type = PROBE_TLS;
    expect(f, &spec, HEALTH_DOWN, "connection refused", UNSEEN);
}

/* Numbers of any length could be asked for, and take any time. */
static void test_long_numbers(void **state)
{
    static const struct {
        const char *group, *reason;
        enum health_verdict verdict;
    } rows[] = {
        {"ffdhe2048", "TLS handshake done", HEALTH_UP},
        {"ffdhe4096", "TLS handshake done", HEALTH_UP},
        {"ffdhe6144", "TLS: Diffie-Hellman with more than 4096 bits", HEALTH_DOWN},
        {"ffdhe8192", "TLS: Diffie-Hellman with more than 4096 bits", HEALTH_DOWN},
    };
    const struct pki_wish wish = {
        .host = HOST, .name = HOST, .from_days = -1, .to_days = 61, .issuer = &ca, .is_rsa = 1};
    struct fixture *f = *state;
    struct pki rsa;
    static struct tls_server server;
    pki_make(&rsa, &wish);
    prober_begin(f, 10);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        tls_server_start(&server, &rsa, NULL);
        tls_server_use_dh(&server, rows[i].group);
        struct probe_spec spec = secure_spec(PROBE_TLS, server.port);
        expect(f, &spec, rows[i].verdict, rows[i].reason, 61);
        tls_server_stop(&server);
    }
    pki_fini(&rsa);
}

/* ---- what is asked ---- */

static void test_the_request(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    char expected[300];
    /* None of this is looked at. */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    setenv("SSL_CERT_FILE", ca_path, 1);
    prober_begin(f, 10);
    tls_server_start(&server, &good, NULL);
    struct probe_spec spec = secure_spec(PROBE_HTTPS, server.port);
    spec.options.path = (char *)(uintptr_t) "/a/../b?c={d}";
    expect(f, &spec, HEALTH_UP, "status 200", 61);
    pthread_mutex_lock(&server.lock);
    assert_string_equal(server.server_name, HOST);
    snprintf(expected, sizeof expected,
             "GET /a/../b?c={d} HTTP/1.1\r\nHost: " HOST ":%u\r\nConnection: close\r\nUser-Agent: rondo"
             "\r\nAccept: */*\r\n\r\n",
             server.port);
    assert_string_equal(server.request, expected);
    pthread_mutex_unlock(&server.lock);
    char *headers[] = {(char *)(uintptr_t) "User-Agent: x", (char *)(uintptr_t) "X-Empty:",
                       (char *)(uintptr_t) "X-More: a: b"};
    spec.options.headers = (struct opt_list){headers, 3};
    spec.options.method = (char *)(uintptr_t) "POST";
    expect(f, &spec, HEALTH_UP, "status 200", 61);
    pthread_mutex_lock(&server.lock);
    assert_ptr_equal(strstr(server.request, "POST /a/../b?c={d} HTTP/1.1\r\n"), server.request);
    assert_non_null(strstr(server.request, "\r\nAccept: */*\r\nContent-Length: 0\r\nUser-Agent: x\r\nX-Empty:\r\n"
                                           "X-More: a: b\r\n\r\n"));
    pthread_mutex_unlock(&server.lock);
    spec.options.method = (char *)(uintptr_t) "HEAD";
    expect(f, &spec, HEALTH_UP, "status 200", 61);
    pthread_mutex_lock(&server.lock);
    assert_ptr_equal(strstr(server.request, "HEAD /a/"), server.request);
    pthread_mutex_unlock(&server.lock);
    /* Nobody has a certificate for such a name, which is no part of a URL either. */
    spec.host = "a b/?#@:\"";
    expect(f, &spec, HEALTH_DOWN, "certificate: not for \"a_b______\"", 61);
    spec.options.ca_file = NULL;
    spec.host = HOST;
    expect(f, &spec, HEALTH_DOWN, "certificate: issuer unknown", 61);
    tls_server_stop(&server);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    unsetenv("SSL_CERT_FILE");
}

/* ---- reports of load ---- */

#define HINTS "HTTP/1.1 103 Hints\r\nendpoint-load-metrics: TEXT cpu_utilization=0.5\r\n\r\n"

static void expect_load(struct fixture *f, const struct probe_spec *spec, enum health_load kind, uint32_t load)
{
    struct probe_event event;
    uint32_t target = subscribe_spec(f, spec);
    assert_true(next_event(f, &event, PATIENCE_MS));
    assert_string_equal(event.reason, "status 200");
    assert_int_equal(event.measure.load_kind, kind);
    assert_int_equal(event.measure.load, load);
    probe_unsubscribe(f->probe, target);
}

static void test_reports_of_load(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    prober_begin(f, 10);
    tls_server_start(&server, &good, NULL);
    struct probe_spec spec = secure_spec(PROBE_HTTPS, server.port);
    spec.options.load = PROBE_LOAD_ORCA;
    tls_server_behave(&server, TLS_ANSWERS, HINTS HEAD "Endpoint-Load-Metrics: TEXT cpu_utilization=0.25\r\n\r\n");
    expect_load(f, &spec, HEALTH_LOAD_UTILIZATION, 65536 / 4);
    pthread_mutex_lock(&server.lock);
    assert_non_null(strstr(server.request, "\r\nendpoint-load-metrics-format: TEXT\r\n"));
    pthread_mutex_unlock(&server.lock);
    tls_server_behave(&server, TLS_ANSWERS, HINTS HEAD "\r\n");
    spec.options.load_metric = (char *)(uintptr_t) "queue"; /* another target */
    expect_load(f, &spec, HEALTH_LOAD_NONE, 0);
    tls_server_behave(&server, TLS_ANSWERS, HEAD "endpoint-load-metrics: TEXT named_metrics.queue=0.5\r\n\r\n");
    expect_load(f, &spec, HEALTH_LOAD_UTILIZATION, 65536 / 2);
    spec.options.load = PROBE_LOAD_BODY;
    spec.options.load_pattern = (char *)(uintptr_t) "Active connections: ([0-9]+)";
    tls_server_behave(&server, TLS_ANSWERS, HEAD "\r\nActive connections: 291\n");
    expect_load(f, &spec, HEALTH_LOAD_CONNECTIONS, 291);
    tls_server_stop(&server);
}

/* Every check is a handshake of its own: who resumes a session shows no certificate. */
static void test_no_resumption(void **state)
{
    struct fixture *f = *state;
    static struct tls_server server;
    tls_server_start(&server, &good, NULL);
    prober_begin(f, 10);
    struct probe_spec spec = secure_spec(PROBE_HTTPS, server.port);
    spec.timing.interval_ms = 20;
    subscribe_spec(f, &spec);
    while (tls_server_accepted(&server) < 10)
        sleep_ms(1);
    assert_int_equal(SSL_CTX_sess_hits(server.context), 0);
    tls_server_stop(&server);
}

/* ---- the end ---- */

enum { MANY = 300 };

/* A thousand connections that come up together begin in turn; those that hang are in nobody's way, and are ended where
 * they stand. */
static void test_many_that_hang(void **state)
{
    struct fixture *f = *state;
    static struct tls_server hangs, silent, well;
    tls_server_start(&hangs, &good, NULL);
    tls_server_start(&silent, &good, NULL);
    tls_server_start(&well, &good, NULL);
    tls_server_behave(&hangs, TLS_HANGS, NULL);
    tls_server_behave(&silent, TLS_SILENT, NULL);
    prober_begin(f, 10);
    for (unsigned i = 0; i < MANY; i++) {
        struct probe_spec spec = secure_spec(PROBE_HTTPS, i % 2 ? hangs.port : silent.port);
        spec.address.bytes[2] = 1;
        spec.address.bytes[3] = (uint8_t)(1 + i % 250);
        subscribe_spec(f, &spec);
    }
    struct probe_spec spec = secure_spec(PROBE_HTTPS, well.port);
    expect(f, &spec, HEALTH_UP, "status 200", 61);
    while (tls_server_accepted(&hangs) + tls_server_accepted(&silent) < 250)
        sleep_ms(1);
    probe_free(f->probe);
    f->probe = NULL;
    tls_server_stop(&hangs);
    tls_server_stop(&silent);
    tls_server_stop(&well);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificates, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_a_lost_file, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_answers, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_long_heads, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_who_does_not_speak_tls, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_long_numbers, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_the_request, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_reports_of_load, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_no_resumption, prober_set_up, prober_tear_down),
        cmocka_unit_test_setup_teardown(test_many_that_hang, prober_set_up, prober_tear_down),
    };
    alarm(ALARM_SEC);
    return cmocka_run_group_tests(tests, make_all, drop_all);
}
