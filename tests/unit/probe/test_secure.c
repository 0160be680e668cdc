/* What https and tls checks are told to ask, and what tells one target from another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/kind.h"
#include "probe/secure.h"

static struct probe_status_range ranges[] = {{200, 299}, {404, 404}};

/* The structs' strings are not const, though nobody writes to them. */
static char *plain(const char *text) { return (char *)(uintptr_t)text; }

static struct probe_spec usual(const char *host, uint16_t port)
{
    struct probe_spec spec = {.options = {.type = PROBE_HTTPS, .verify = true, .path = plain("/")}, .host = host};
    assert_int_equal(addr_port_from_text(&spec.address, "2001:db8::1", port), ERR_OK);
    return spec;
}

static void test_hosts_and_urls(void **state)
{
    static const struct {
        const char *given, *host, *url;
        uint16_t port;
    } cases[] = {
        {"www.example.com", "www.example.com", "https://www.example.com:443/", 443},
        {"www.example.com.", "www.example.com", "https://www.example.com:8443/", 8443},
        {"_x-1.Example", "_x-1.Example", "https://_x-1.Example:443/", 443},
        {"192.0.2.1", "192.0.2.1", "https://192.0.2.1:443/", 443},
        {"[2001:db8::2]", "2001:db8::2", "https://[2001:db8::2]:443/", 443},
        {NULL, "2001:db8::1", "https://[2001:db8::1]:443/", 443},
        {"a b/c?d#e@f:g%h*\xc3\xa4", "a_b_c_d_e_f_g_h___", "https://a_b_c_d_e_f_g_h___:443/", 443},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct probe_spec spec = usual(cases[i].given, cases[i].port);
        size_t len;
        uint8_t *packed = secure_pack(&spec, &len);
        struct secure_texts texts = secure_texts((const struct secure_detail *)(const void *)packed);
        assert_string_equal(texts.host, cases[i].host);
        assert_string_equal(texts.url, cases[i].url);
        assert_string_equal(texts.path, "/");
        assert_string_equal(texts.ca_file, "");
        assert_string_equal(texts.metric, "");
        assert_string_equal(texts.method, "GET");
        assert_string_equal(texts.headers, "User-Agent: rondo");
        assert_string_equal(secure_next(texts.headers), "Accept: */*");
        assert_ptr_equal(secure_next(secure_next(texts.headers)), packed + len);
        free(packed);
    }
}

static void test_all_of_it(void **state)
{
    struct probe_spec spec = usual("h", 443);
    size_t len;
    (void)state;
    spec.options.path = plain("/a?b");
    spec.options.ca_file = plain("/etc/ca.pem");
    memset(spec.options.ca_digest, 7, PROBE_CA_DIGEST_LEN);
    spec.options.expect_status = (struct opt_list){ranges, 2};
    spec.options.expect_body = plain("x");
    spec.options.http_version = PROBE_HTTP_2;
    spec.options.min_days_left = 14;
    char *headers[] = {plain("accept: x")};
    spec.options.headers = (struct opt_list){headers, 1};
    spec.options.method = plain("OPTIONS");
    spec.options.load = PROBE_LOAD_ORCA;
    spec.options.load_metric = plain("queue");
    struct secure_detail *detail = (struct secure_detail *)(void *)secure_pack(&spec, &len);
    struct secure_texts texts = secure_texts(detail);
    assert_string_equal(texts.path, "/a?b");
    assert_string_equal(texts.ca_file, "/etc/ca.pem");
    assert_string_equal(texts.metric, "queue");
    assert_string_equal(texts.method, "OPTIONS");
    static const char *const lines[] = {"User-Agent: rondo", "Accept-Encoding: identity",
                                        "endpoint-load-metrics-format: TEXT", "accept: x"};
    const char *line = texts.headers;
    assert_int_equal(detail->header_cnt, 4);
    for (unsigned i = 0; i < 4; i++, line = secure_next(line))
        assert_string_equal(line, lines[i]);
    assert_ptr_equal(line, (char *)detail + len);
    assert_memory_equal(detail->ca_digest, spec.options.ca_digest, PROBE_CA_DIGEST_LEN);
    assert_int_equal(detail->min_days_left, 14);
    assert_int_equal(detail->http_version, PROBE_HTTP_2);
    assert_true(detail->verifies && detail->wants_body);
    assert_true(secure_expects(detail, 200) && secure_expects(detail, 299) && secure_expects(detail, 404));
    assert_false(secure_expects(detail, 199) || secure_expects(detail, 300) || secure_expects(detail, 403));
    free(detail);
}

/* Another content of the same file is another target; what is not verified needs none. */
static void test_identity(void **state)
{
    struct target_table table;
    bool is_new;
    (void)state;
    target_table_init(&table);
    struct probe_spec spec = usual("h", 443);
    spec.options.ca_file = plain("/etc/ca.pem");
    uint32_t first = target_table_add(&table, &spec, &is_new);
    spec.options.ca_digest[0]++;
    uint32_t second = target_table_add(&table, &spec, &is_new);
    assert_true(is_new && first != second);
    spec.options.verify = false;
    uint32_t third = target_table_add(&table, &spec, &is_new);
    assert_true(is_new);
    spec.options.ca_digest[0]++;
    assert_int_equal(target_table_add(&table, &spec, &is_new), third);
    assert_false(is_new);
    spec.options.type = PROBE_TLS;
    target_table_add(&table, &spec, &is_new);
    assert_true(is_new);
    target_table_fini(&table);
}

static void test_how_late_is_told(void **state)
{
    static const struct {
        enum secure_phase phase;
        enum reason_code code;
    } cases[] = {{SECURE_HANDSHAKE, REASON_NO_HANDSHAKE},
                 {SECURE_WAITING, REASON_NO_ANSWER},
                 {SECURE_HEAD, REASON_HEAD_SLOW},
                 {SECURE_BODY, REASON_BODY_SLOW}};
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct kind_run run = {.kind = &kind_https, .secure_phase = (uint8_t)cases[i].phase};
        struct reason reason = kind_https.late(&run, 250);
        assert_int_equal(reason.code, cases[i].code);
        assert_int_equal(reason.number, 250);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_and_urls),
        cmocka_unit_test(test_all_of_it),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_how_late_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
