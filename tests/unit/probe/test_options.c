#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/probe.h"

static const struct opt *row(const char *name)
{
    for (size_t i = 0; i < probe_opt_table.cnt; i++)
        if (!strcmp(probe_opt_table.opts[i].name, name))
            return &probe_opt_table.opts[i];
    fail_msg("no row \"%s\"", name);
    return NULL;
}

/* The structs' strings are not const, though nobody writes to them. */
static char *plain(const char *text)
{
    return (char *)(uintptr_t)text;
}

static enum err parse(const char *name, const char *text, void *field)
{
    return opt_parse(row(name), field, text);
}

/* ---- rows ---- */

static void test_defaults(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } expected[] = {
        {"name", NULL},
        {"type", NULL},
        {"port", NULL},
        {"source", NULL},
        {"interval", "\"5s\""},
        {"fast_interval", "\"1s\""},
        {"timeout", "\"1s\""},
        {"rise", "2"},
        {"fall", "3"},
        {"send", NULL},
        {"expect", NULL},
        {"method", "\"GET\""},
        {"headers", NULL},
        {"path", "\"/\""},
        {"host", NULL},
        {"expect_status", "[ \"200-299\" ]"},
        {"expect_body", NULL},
        {"command", NULL},
        {"load", "\"none\""},
        {"load_metric", NULL},
        {"load_pattern", NULL},
        {"query_name", NULL},
        {"query_type", "\"SOA\""},
        {"recursion", "false"},
        {"expect_rcode", "[ \"NOERROR\" ]"},
        {"expect_answer", NULL},
        {"count", "3"},
        {"loss_max", "80"},
        {"http_version", "\"any\""},
        {"verify", "true"},
        {"ca_file", NULL},
        {"min_days_left", "0"},
    };
    assert_int_equal(probe_opt_table.cnt, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < probe_opt_table.cnt; i++) {
        const char *text = row(expected[i].name)->text_default;
        assert_int_equal(!text, !expected[i].text);
        if (text)
            assert_string_equal(text, expected[i].text);
    }
    assert_string_equal(probe_opt_table.path, "probes");
    assert_true(probe_opt_table.list);
    assert_true(row("name")->flags & OPT_REQUIRED && row("type")->flags & OPT_REQUIRED);
}

static void test_limits(void **state)
{
    (void)state;
    uint64_t ms;
    int64_t n;
    int type;
    assert_int_equal(parse("interval", "99ms", &ms), ERR_RANGE);
    assert_int_equal(parse("interval", "100ms", &ms), ERR_OK);
    assert_int_equal(parse("interval", "1h", &ms), ERR_OK);
    assert_int_equal(parse("interval", "3601", &ms), ERR_RANGE);
    assert_int_equal(parse("timeout", "9ms", &ms), ERR_RANGE);
    assert_int_equal(parse("timeout", "10ms", &ms), ERR_OK);
    assert_int_equal(parse("port", "0", &n), ERR_RANGE);
    assert_int_equal(parse("port", "65535", &n), ERR_OK);
    assert_int_equal(parse("port", "65536", &n), ERR_RANGE);
    assert_int_equal(parse("rise", "0", &n), ERR_RANGE);
    assert_int_equal(parse("rise", "100", &n), ERR_OK);
    assert_int_equal(parse("fall", "101", &n), ERR_RANGE);
    assert_int_equal(parse("type", "http", &type), ERR_OK);
    assert_int_equal(type, PROBE_HTTP);
    assert_int_equal(parse("type", "tcp", &type), ERR_OK);
    assert_int_equal(type, PROBE_TCP);
    assert_int_equal(parse("type", "icmp", &type), ERR_INVALID);
    assert_int_equal(parse("count", "0", &n), ERR_RANGE);
    assert_int_equal(parse("count", "20", &n), ERR_OK);
    assert_int_equal(parse("count", "21", &n), ERR_RANGE);
    assert_int_equal(parse("loss_max", "100", &n), ERR_RANGE);
    assert_int_equal(parse("loss_max", "0", &n), ERR_OK);
    assert_int_equal(parse("expect_rcode", "REFUSED", &type), ERR_OK);
    assert_int_equal(type, 5);
    assert_int_equal(parse("expect_rcode", "BADVERS", &type), ERR_INVALID);
}

static void test_query_types(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0", "TYPE0", "AXFR", "IXFR", "OPT", "TSIG", "TKEY", "A A", "nothing"};
    uint16_t type = 77;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse("query_type", bad[i], &type), ERR_INVALID);
    assert_int_equal(type, 77);
    assert_int_equal(parse("query_type", "aaaa", &type), ERR_OK);
    assert_int_equal(type, 28);
    assert_int_equal(parse("query_type", "TYPE65280", &type), ERR_OK);
    assert_int_equal(type, 65280);
}

static void test_status_ranges(void **state)
{
    (void)state;
    struct probe_status_range range = {1, 2};
    static const struct {
        const char *text;
        enum err err;
        uint16_t least, most;
    } cases[] = {
        {"200", ERR_OK, 200, 200},
        {"200-299", ERR_OK, 200, 299},
        {"599", ERR_OK, 599, 599},
        {"301-301", ERR_OK, 301, 301},
        {"299-200", ERR_RANGE, 0, 0},
        {"100", ERR_RANGE, 0, 0},
        {"600", ERR_RANGE, 0, 0},
        {"200-", ERR_SYNTAX, 0, 0},
        {"-200", ERR_SYNTAX, 0, 0},
        {"200 -299", ERR_SYNTAX, 0, 0},
        {"", ERR_SYNTAX, 0, 0},
        {"2xx", ERR_SYNTAX, 0, 0},
        {"200-+299", ERR_SYNTAX, 0, 0},
        {" 200", ERR_SYNTAX, 0, 0},
        {"200-299-300", ERR_SYNTAX, 0, 0},
        {"99999999999999999999999", ERR_RANGE, 0, 0},
        {"200-99999999999999999999999", ERR_RANGE, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        range = (struct probe_status_range){1, 2};
        assert_int_equal(parse("expect_status", cases[i].text, &range), cases[i].err);
        assert_int_equal(range.least, cases[i].err == ERR_OK ? cases[i].least : 1);
        assert_int_equal(range.most, cases[i].err == ERR_OK ? cases[i].most : 2);
    }
    char expected[OPT_EXPECTED_MAX];
    opt_expected(expected, sizeof expected, row("expect_status"));
    assert_non_null(strstr(expected, "\"200-299\""));
}

/* ---- the check ---- */

struct said {
    char text[1024];
};

static void say(void *arg, const char *key, const char *text)
{
    struct said *said = arg;
    size_t len = strlen(said->text);
    snprintf(said->text + len, sizeof said->text - len, "%s: %s|", key, text);
}

static struct probe_status_range twohundreds[] = {{200, 299}};
static struct probe_status_range others[] = {{200, 299}, {401, 401}};

static struct probe_options usual(int type)
{
    return (struct probe_options){
        .name = plain("web"),
        .type = type,
        .port = type == PROBE_TCP ? 443 : 0,
        .interval_ms = 5000,
        .fast_interval_ms = 1000,
        .timeout_ms = 1000,
        .rise = 2,
        .fall = 3,
        .path = plain("/"),
        .expect_status = {twohundreds, 1},
        .verify = true,
    };
}

static const char *check(struct probe_options options)
{
    static struct said said;
    said.text[0] = '\0';
    probe_opt_table.check(&options, say, &said);
    return said.text;
}

/* What is said begins with this; "": nothing is. */
static void expect(struct probe_options options, const char *begin)
{
    const char *said = check(options);
    if (!*begin)
        assert_string_equal(said, "");
    else if (strncmp(said, begin, strlen(begin)) != 0)
        fail_msg("expected \"%s...\", got \"%s\"", begin, said);
}

static void test_what_is_usual_passes(void **state)
{
    (void)state;
    expect(usual(PROBE_TCP), "");
    expect(usual(PROBE_HTTP), "");
    struct probe_options full = usual(PROBE_HTTP);
    full.path = plain("/healthz?full=1&x=%20");
    full.host = plain("www.example.com");
    full.expect_status = (struct opt_list){others, 2};
    full.expect_body = plain("^(OK|fine)$");
    full.timeout_ms = full.fast_interval_ms = 5000;
    expect(full, "");
    full.host = plain("[2001:db8::1]");
    expect(full, "");
    full.host = plain("192.0.2.1");
    expect(full, "");
}

static void test_times_fit(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_HTTP);
    o.timeout_ms = 5001;
    expect(o, "timeout: 5001ms is more than the interval, 5s|");
    o.timeout_ms = 6000;
    expect(o, "timeout: 6s is more than the interval, 5s|");
}

static void test_fast_interval_fits(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_TCP);
    o.interval_ms = 500;
    assert_string_equal(
        check(o), "fast_interval: 1s is more than the interval, 500ms|timeout: 1s is more than the interval, 500ms|");
}

static void test_tcp_has_no_http_keys(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_TCP);
    o.path = plain("/x");
    o.host = plain("h");
    o.expect_body = plain("x");
    o.expect_status = (struct opt_list){others, 2};
    const char *said = check(o);
    static const char *const keys[] = {"path: ", "host: ", "expect_status: ", "expect_body: "};
    for (unsigned i = 0; i < 4; i++)
        assert_non_null(strstr(said, keys[i]));
    assert_non_null(strstr(said, "path: only a probe of type \"http\" or \"https\" has it|"));
    o = usual(PROBE_TCP);
    o.port = 0;
    expect(o, "port: missing: a probe of type \"tcp\" has no default port|");
}

static void test_who_has_which_keys_of_tls(void **state)
{
    (void)state;
    static const int without[] = {PROBE_TCP, PROBE_HTTP}, with[] = {PROBE_HTTPS, PROBE_TLS};
    for (unsigned i = 0; i < 2; i++) {
        struct probe_options o = usual(without[i]);
        o.ca_file = plain("/nowhere");
        o.verify = false;
        o.min_days_left = 14;
        o.http_version = PROBE_HTTP_2;
        assert_string_equal(check(o), "http_version: only a probe of type \"https\" has it|"
                                      "ca_file: only a probe of type \"https\" or \"tls\" has it|"
                                      "verify: only a probe of type \"https\" or \"tls\" has it|"
                                      "min_days_left: only a probe of type \"https\" or \"tls\" has it|");
        o = usual(with[i]);
        o.verify = false;
        o.min_days_left = 14;
        o.host = plain("www.example.com");
        expect(o, "");
        o.host = plain("www%2eexample.com"); /* what a URL would make another name of */
        expect(o, "host: expected a host name");
        o = usual(with[i]);
        o.ca_file = plain("/nowhere");
        o.verify = false;
        expect(o, "ca_file: it has no effect with verify = false|");
        o.verify = true;
        expect(o, "ca_file: \"/nowhere\": cannot be read: No such file or directory|");
    }
    struct probe_options o = usual(PROBE_TLS);
    o.path = plain("/x");
    expect(o, "path: only a probe of type \"http\" or \"https\" has it|");
    expect(usual(PROBE_HTTPS), "");
}

static void test_one_source_a_family(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_TCP);
    struct addr sources[3] = {{.family = ADDR_V4}, {.family = ADDR_V6}, {.family = ADDR_V4}};
    o.source = (struct opt_list){sources, 2};
    expect(o, "");
    o.source.cnt = 3;
    expect(o, "source: at most one address of a family|");
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"a b", "a\"", "a,b", "a=b", "\xc3\xa4", "a;"};
    struct probe_options o = usual(PROBE_TCP);
    o.name = plain("web-1_a.B");
    expect(o, "");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        o.name = plain(bad[i]);
        expect(o, "name: ");
    }
}

static void test_paths_and_hosts(void **state)
{
    (void)state;
    static const char *const paths[] = {"", "x", "http://x/", "/a b", "/a\r\nX: y", "/\xc3\xa4", "/a#b", "/\x7f"};
    static const char *const hosts[] = {"",   "a b", "a:80",      "::1", "[::1",    "[::1]:80",
                                        "[]", "a/b", "a\r\nX: y", "u@h", "\xc3\xa4"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct probe_options o = usual(PROBE_HTTP);
        o.path = plain(paths[i]);
        expect(o, "path: ");
    }
    for (unsigned i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct probe_options o = usual(PROBE_HTTP);
        o.host = plain(hosts[i]);
        expect(o, "host: ");
    }
}

static void test_bodies(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_HTTP);
    o.expect_body = plain("(OK");
    assert_string_equal(check(o), "expect_body: not a POSIX extended regular expression: a ( has no )|");
    o.expect_body = plain("(a)\\1");
    expect(o, "expect_body: not a POSIX extended regular expression: ");
    o.expect_body = plain("((a{255}){255}){255}");
    assert_string_equal(check(o), "expect_body: not a POSIX extended regular expression: "
                                  "it is too large: at most 256 characters, repetitions written out|");
}

static void test_loads(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_HTTP);
    assert_false(probe_reports_load(&o));
    o.load = PROBE_LOAD_ORCA;
    expect(o, "");
    assert_true(probe_reports_load(&o));
    o.load_metric = plain("queue");
    expect(o, "");
    o.load = PROBE_LOAD_BODY;
    assert_string_equal(check(o), "load_metric: it has no effect without load = \"orca\"|"
                                  "load_pattern: missing: with load = \"body\" it says where the number stands|");
    o.load_metric = NULL;
    o.load_pattern = plain("Active connections: ([0-9]+)");
    expect(o, "");
    o.load_pattern = plain("Active connections: [0-9]+");
    assert_string_equal(check(o), "load_pattern: not a POSIX extended regular expression with one group: it has no "
                                  "group: parentheses around the number|");
    o.load = PROBE_LOAD_WEIGHT;
    o.load_pattern = plain("a(1)");
    assert_string_equal(check(o), "load_pattern: it has no effect without load = \"body\"|");
    o = usual(PROBE_TCP);
    o.load = PROBE_LOAD_WEIGHT;
    expect(o, "load: only a probe of type \"http\"");
}

static void test_nothing_is_expected(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_HTTP);
    o.expect_status = (struct opt_list){NULL, 0};
    expect(o, "expect_status: an empty list");
}

/* ---- the other kinds ---- */

static void test_tcp_talks(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_TCP);
    o.expect = plain("^220 ");
    expect(o, "");
    o.send = plain("EHLO\\r\n");
    expect(o, "");
    o.expect = NULL;
    expect(o, "send: has no effect without \"expect\": nothing is waited for|");
    o.expect = plain("(x");
    expect(o, "expect: not a POSIX extended regular expression: a ( has no )|");
    o.expect = plain("x");
    o.send = plain("\\q");
    expect(o, "send: expected text in which a \"\\\" begins \\r, \\n, \\t, \\\\ or \\xHH|");
    o = usual(PROBE_HTTP);
    o.send = o.expect = plain("x");
    expect(o, "send: only a probe of type \"tcp\" or \"agent\" has it|expect: only a probe of type \"tcp\" has it|");
}

static void test_http_requests(void **state)
{
    (void)state;
    static char *good[] = {(char *)(uintptr_t)"X-Probe: rondo", (char *)(uintptr_t)"Authorization:Basic eDp5",
                           (char *)(uintptr_t)"a!#$%&'*+-.^_`|~9:\t ~", (char *)(uintptr_t)"Hosts: x"};
    static const char *const bad[] = {"X-Probe",       ": x",          "X Probe: x",        "X-Probe : x", "X:\r\nY: z",
                                      "X: \x7f",       "X: \xc3\xa4", "host: x",           "Connection: close",
                                      "content-length: 1", "Transfer-Encoding: chunked", "TE: gzip", "Upgrade: h2c",
                                      "Expect: 100-continue", "Trailer: x"};
    static const char *const methods[] = {"", "GET ", "G(T", "CONNECT", "GET\r\n"};
    struct probe_options o = usual(PROBE_HTTP);
    o.headers = (struct opt_list){good, 4};
    o.method = plain("PROPFIND");
    expect(o, "");
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *header = plain(bad[i]);
        o.headers = (struct opt_list){&header, 1};
        expect(o, "headers: \"");
    }
    static char *many[33];
    for (unsigned i = 0; i < 33; i++)
        many[i] = good[0];
    o.headers = (struct opt_list){many, 33};
    expect(o, "headers: more than 32|");
    o = usual(PROBE_HTTP);
    for (unsigned i = 0; i < sizeof methods / sizeof *methods; i++) {
        o.method = plain(methods[i]);
        expect(o, "method: ");
    }
    o.method = plain("HEAD");
    expect(o, "");
    o.expect_body = plain("x");
    expect(o, "expect_body: no answer to a HEAD request has a body|");
    o = usual(PROBE_TCP);
    o.method = plain("HEAD");
    expect(o, "method: only a probe of type \"http\" or \"https\" has it|");
    o.method = plain("GET"); /* its default does no harm */
    expect(o, "");
}

static void test_dns_questions(void **state)
{
    (void)state;
    static int rcodes[] = {3, 0};
    struct probe_options o = usual(PROBE_DNS);
    expect(o, "query_name: missing: a probe of type \"dns\" asks for a name|");
    o.query_name = plain("www..example");
    expect(o, "query_name: expected a domain name, such as \"www.example.com\"|");
    o.query_name = plain("www.example.com");
    expect(o, "");
    o.query_type = 1;
    o.expect_answer = plain("192.0.2.1");
    expect(o, "");
    o.expect_rcode = (struct opt_list){rcodes, 1};
    expect(o, "expect_answer: no answer could ever pass: with none of the codes in \"expect_rcode\" come records|");
    o.expect_rcode.cnt = 2;
    o.recursion = true;
    expect(o, "");
    o.expect_answer = plain("(192");
    expect(o, "expect_answer: neither an address of the asked type nor a POSIX extended regular expression: a ( has no "
              ")|");
    static const char other[] = "expect_answer: an address of the other family: no record of \"query_type\" could ever "
                                "be it|";
    o.expect_answer = plain("2001:db8::1"); /* it would be a good expression, that no address matches */
    expect(o, other);
    o.query_type = 28;
    expect(o, "");
    o.expect_answer = plain("192.0.2.1");
    expect(o, other);
    o.query_type = 16; /* as a TXT record may say */
    expect(o, "");
    o.expect_answer = plain("^2001:db8:"); /* an expression */
    o.query_type = 28;
    expect(o, "");
    o.type = PROBE_HTTP;
    o.port = 0;
    expect(o, "query_name: only a probe of type \"dns\" has it|query_type: only a probe of type \"dns\" has it|"
              "recursion: only a probe of type \"dns\" has it|expect_rcode: only a probe of type \"dns\" has it|"
              "expect_answer: only a probe of type \"dns\" has it|");
}

static void test_ping_and_agent(void **state)
{
    (void)state;
    struct probe_options o = usual(PROBE_PING);
    o.count = 3;
    o.loss_max = 80;
    expect(o, "");
    o.port = 7;
    expect(o, "port: a probe of type \"ping\" has none|");
    o = usual(PROBE_AGENT);
    expect(o, "port: missing: a probe of type \"agent\" has no default port|");
    o.port = 7;
    o.send = plain("state\n");
    expect(o, "");
    o.count = 5;
    o.loss_max = 20;
    expect(o, "count: only a probe of type \"ping\" has it|loss_max: only a probe of type \"ping\" has it|");
}

static void test_who_pings(void **state)
{
    (void)state;
    struct probe_options rows[2] = {usual(PROBE_TCP), usual(PROBE_DNS)};
    assert_false(probe_pings(&(struct opt_list){rows, 2}));
    rows[1] = usual(PROBE_PING);
    assert_true(probe_pings(&(struct opt_list){rows, 2}));
    assert_false(probe_pings(&(struct opt_list){NULL, 0}));
}

/* ---- from a row to a spec ---- */

static void test_spec_fill(void **state)
{
    (void)state;
    struct addr address;
    struct probe_spec spec;
    assert_int_equal(addr_port_from_text(&address, "192.0.2.1", 9), ERR_OK);
    struct probe_options o = usual(PROBE_HTTP);
    probe_spec_fill(&spec, &o, &address, "www.example.com");
    assert_int_equal(spec.address.port, 80);
    assert_true(addr_same_host(&spec.address, &address));
    assert_string_equal(spec.host, "www.example.com");
    assert_int_equal(spec.options.expect_status.cnt, 1);
    assert_string_equal(spec.pool, "www.example.com");
    assert_int_equal(spec.timing.fall, 3);
    o.host = plain("other");
    o.port = 8080;
    probe_spec_fill(&spec, &o, &address, NULL);
    assert_string_equal(spec.host, "other");
    assert_int_equal(spec.address.port, 8080);
    o = usual(PROBE_TLS);
    probe_spec_fill(&spec, &o, &address, "www.example.com");
    assert_string_equal(spec.host, "www.example.com");
    assert_int_equal(spec.address.port, 443);
    o = usual(PROBE_TCP);
    probe_spec_fill(&spec, &o, &address, "www.example.com");
    assert_null(spec.host);
    assert_int_equal(spec.address.port, 443);
    o = usual(PROBE_DNS);
    probe_spec_fill(&spec, &o, &address, "www.example.com");
    assert_int_equal(spec.address.port, 53);
    o = usual(PROBE_PING);
    probe_spec_fill(&spec, &o, &address, "www.example.com");
    assert_int_equal(spec.address.port, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_status_ranges),
        cmocka_unit_test(test_what_is_usual_passes),
        cmocka_unit_test(test_times_fit),
        cmocka_unit_test(test_fast_interval_fits),
        cmocka_unit_test(test_tcp_has_no_http_keys),
        cmocka_unit_test(test_who_has_which_keys_of_tls),
        cmocka_unit_test(test_one_source_a_family),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_paths_and_hosts),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_nothing_is_expected),
        cmocka_unit_test(test_query_types),
        cmocka_unit_test(test_tcp_talks),
        cmocka_unit_test(test_http_requests),
        cmocka_unit_test(test_dns_questions),
        cmocka_unit_test(test_ping_and_agent),
        cmocka_unit_test(test_who_pings),
        cmocka_unit_test(test_spec_fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
