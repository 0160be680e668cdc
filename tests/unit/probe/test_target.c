/* Identity, counts, and what control and the probe thread tell each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/exchange.h"
#include "probe/request.h"
#include "probe/target.h"

static struct probe_status_range usual[] = {{200, 299}};
static struct probe_status_range wide[] = {{200, 299}, {401, 401}};
static struct addr source = {.bytes = {192, 0, 2, 9}, .family = ADDR_V4};

/* The structs' strings are not const, though nobody writes to them. */
static char *plain(const char *text) { return (char *)(uintptr_t)text; }

static struct probe_spec http(const char *address)
{
    struct probe_spec spec = {
        .options.type = PROBE_HTTP,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
        .host = "www.example.com",
        .options.path = plain("/"),
        .options.expect_status = {usual, 1},
    };
    assert_int_equal(addr_port_from_text(&spec.address, address, 80), ERR_OK);
    return spec;
}

/* ---- identity ---- */

enum { VARIANT_CNT = 19 };

static struct probe_spec variant(unsigned number)
{
    struct probe_spec s = http("192.0.2.1");
    switch (number) {
    case 1:
        s = http("192.0.2.2");
        break;
    case 2:
        s = http("192.0.2.1@81");
        break;
    case 3:
        s.timing.interval_ms++;
        break;
    case 4:
        s.timing.fast_interval_ms++;
        break;
    case 5:
        s.timing.timeout_ms++;
        break;
    case 6:
        s.timing.rise++;
        break;
    case 7:
        s.timing.fall++;
        break;
    case 8:
        s.host = "www.example.org";
        break;
    case 9:
        s.options.path = plain("/x");
        break;
    case 10:
        s.options.expect_body = plain("a");
        break;
    case 11:
        s.options.expect_body = plain("b");
        break;
    case 12:
        s.options.expect_status = (struct opt_list){wide, 2};
        break;
    case 13:
        s.options.expect_status = (struct opt_list){wide + 1, 1};
        break;
    case 14:
        s = http("2001:db8::1");
        break;
    case 15:
        s.host = NULL;
        break;
    case 16: /* the same first bytes as 192.0.2.1 */
        s = http("c000:201::");
        break;
    case 17:
        s = (struct probe_spec){.options.type = PROBE_TCP, .address = s.address, .timing = s.timing};
        break;
    case 18:
        s.options.source = (struct opt_list){&source, 1};
        break;
    default:
        break;
    }
    return s;
}

static void test_identical_is_one(void **state)
{
    (void)state;
    struct target_table table;
    uint32_t slots[VARIANT_CNT];
    bool is_new;
    target_table_init(&table);
    for (unsigned i = 0; i < VARIANT_CNT; i++) {
        struct probe_spec spec = variant(i);
        slots[i] = target_table_add(&table, &spec, &is_new);
        assert_true(is_new);
        assert_int_equal(slots[i], i);
    }
    for (unsigned i = 0; i < VARIANT_CNT; i++) {
        struct probe_spec spec = variant(i);
        assert_int_equal(target_table_add(&table, &spec, &is_new), slots[i]);
        assert_false(is_new);
    }
    assert_int_equal(table.used_cnt, VARIANT_CNT);
    for (unsigned i = 0; i < VARIANT_CNT; i++)
        assert_false(target_table_drop(&table, slots[i]));
    for (unsigned i = 0; i < VARIANT_CNT; i++)
        assert_true(target_table_drop(&table, slots[i]));
    assert_int_equal(table.used_cnt, 0);
    target_table_fini(&table);
}

/* What outlives the process tells all apart but those that differ in timing alone, and does not depend on the table. */
static void test_digests(void **state)
{
    (void)state;
    uint8_t digests[VARIANT_CNT][TARGET_DIGEST_LEN];
    for (unsigned round = 0; round < 2; round++) {
        struct target_table table;
        target_table_init(&table);
        for (unsigned i = 0; i < VARIANT_CNT; i++) {
            struct probe_spec spec = variant(round ? VARIANT_CNT - 1 - i : i);
            uint8_t *digest = digests[round ? VARIANT_CNT - 1 - i : i], before[TARGET_DIGEST_LEN];
            bool is_new;
            memcpy(before, digest, sizeof before);
            target_digest(digest, target_table_at(&table, target_table_add(&table, &spec, &is_new)));
            if (round)
                assert_memory_equal(digest, before, sizeof before);
        }
        target_table_fini(&table);
    }
    for (unsigned i = 0; i < VARIANT_CNT; i++)
        for (unsigned j = 0; j < i; j++) {
            bool timed = i >= 3 && i <= 7 && (j == 0 || (j >= 3 && j <= 7));
            assert_int_equal(!memcmp(digests[i], digests[j], TARGET_DIGEST_LEN), timed);
        }
}

/* Those that differ in timing alone are like each other, and no others are; the newest is found. */
static void test_like_but_for_timing(void **state)
{
    (void)state;
    struct target_table table;
    bool is_new;
    target_table_init(&table);
    for (unsigned i = 0; i < VARIANT_CNT; i++) {
        struct probe_spec spec = variant(i);
        uint32_t slot = target_table_add(&table, &spec, &is_new), like = UINT32_MAX;
        bool timed = i >= 3 && i <= 7;
        assert_int_equal(target_table_find_like(&table, slot, &like), timed);
        assert_int_equal(like, !timed ? UINT32_MAX : i == 3 ? 0 : i - 1);
    }
    for (unsigned i = 3; i <= 7; i++)
        assert_true(target_table_drop(&table, i));
    uint32_t like;
    assert_false(target_table_find_like(&table, 0, &like));
    target_table_fini(&table);
}

/* Other pointers, the same text; a final dot and a default that is written out change nothing. */
static void test_same_is_by_value(void **state)
{
    (void)state;
    struct target_table table;
    struct probe_spec a = http("192.0.2.1"), b = a;
    char host[] = "www.example.com.", body[] = "x";
    bool is_new;
    target_table_init(&table);
    b.host = host;
    b.options.path = NULL;
    b.options.expect_status = (struct opt_list){NULL, 0};
    a.options.expect_body = plain("x");
    b.options.expect_body = body;
    b.address.pad = 7;
    assert_int_equal(target_table_add(&table, &a, &is_new), target_table_add(&table, &b, &is_new));
    assert_false(is_new);
    target_table_fini(&table);
}

static void test_many_targets(void **state)
{
    (void)state;
    enum { CNT = 100000 };
    struct target_table table;
    struct probe_spec spec = http("10.0.0.0");
    bool is_new;
    target_table_init(&table);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < CNT; i++) {
            spec.address.bytes[1] = (uint8_t)(i >> 16);
            spec.address.bytes[2] = (uint8_t)(i >> 8);
            spec.address.bytes[3] = (uint8_t)i;
            uint32_t slot = target_table_add(&table, &spec, &is_new);
            assert_true(slot < CNT && is_new);
            assert_memory_equal(target_table_at(&table, slot)->address.bytes, spec.address.bytes, 4);
        }
        assert_int_equal(table.used_cnt, CNT);
        for (unsigned i = 0; i < CNT; i++)
            assert_true(target_table_drop(&table, i));
        assert_null(target_table_at(&table, 5));
    }
    target_table_fini(&table);
}

/* ---- requests ---- */

static void expect_request(struct probe_spec spec, const char *begin)
{
    char *request = request_make(&spec);
    if (strncmp(request, begin, strlen(begin)) != 0)
        fail_msg("expected \"%s\", got \"%s\"", begin, request);
    static const char end[] = "\r\nConnection: close\r\n\r\n";
    assert_string_equal(request + strlen(request) - (sizeof end - 1), end);
    assert_ptr_equal(strstr(request, "\r\n\r\n"), request + strlen(request) - 4);
    free(request);
}

static void test_requests(void **state)
{
    (void)state;
    struct probe_spec s = http("192.0.2.1");
    expect_request(s, "GET / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: rondo"
                      "\r\nAccept: */*\r\nConnection: ");
    s.address.port = 8080;
    s.options.path = plain("/a?b=c");
    s.options.expect_body = plain("x");
    expect_request(s, "GET /a?b=c HTTP/1.1\r\nHost: www.example.com:8080\r\nUser-Agent: rondo"
                      "\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: ");
    s.host = NULL;
    expect_request(s, "GET /a?b=c HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n");
    s = http("2001:db8::1");
    s.host = "";
    expect_request(s, "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n");
    s.host = "[2001:db8::2]";
    expect_request(s, "GET / HTTP/1.1\r\nHost: [2001:db8::2]\r\n");
}

static void test_methods_and_headers(void **state)
{
    (void)state;
    static char *headers[] = {(char *)(uintptr_t)"X-Probe: rondo", (char *)(uintptr_t)"user-agent:x",
                              (char *)(uintptr_t)"Accept: text/plain", (char *)(uintptr_t)"Accept-Encoding: gzip"};
    struct probe_spec s = http("192.0.2.1");
    s.options.method = plain("POST");
    expect_request(s, "POST / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: rondo"
                      "\r\nAccept: */*\r\nContent-Length: 0\r\nConnection: ");
    s.options.method = plain("HEAD");
    s.options.headers = (struct opt_list){headers, 1};
    expect_request(s, "HEAD / HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: rondo"
                      "\r\nAccept: */*\r\nX-Probe: rondo\r\nConnection: ");
    s.options.headers.cnt = 4;
    s.options.expect_body = plain("x");
    expect_request(s, "HEAD / HTTP/1.1\r\nHost: www.example.com\r\nX-Probe: rondo\r\nuser-agent:x\r\n"
                      "Accept: text/plain\r\nAccept-Encoding: gzip\r\nConnection: ");
}

static void test_requests_are_tame(void **state)
{
    (void)state;
    struct probe_spec s = http("192.0.2.1");
    s.host = "a\r\nX: y\x80";
    s.options.path = plain("/ HTTP/1.1\r\n\r\n");
    expect_request(s, "GET /?HTTP/1.1???? HTTP/1.1\r\nHost: [a??X:?y?]\r\nUser-Agent: ");
    s.host = ".";
    s.options.path = plain("");
    expect_request(s, "GET / HTTP/1.1\r\nHost: .\r\n");
    char host[5000];
    memset(host, 'h', sizeof host);
    host[sizeof host - 1] = '\0';
    s.host = host;
    char *request = request_make(&s);
    assert_in_range(strlen(request), 1000, 1200);
    free(request);
}

/* ---- the exchange ---- */

struct fixture {
    struct target_table table;
    struct exchange *exchange;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    target_table_init(&f->table);
    f->exchange = exchange_new();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    exchange_free(f->exchange);
    target_table_fini(&f->table);
    free(f);
    return 0;
}

static struct target *target_of(struct fixture *f, unsigned number, uint32_t *slot)
{
    struct probe_spec spec = variant(number);
    bool is_new;
    *slot = target_table_add(&f->table, &spec, &is_new);
    return target_table_at(&f->table, *slot);
}

static char reason[PROBE_REASON_MAX];
static const struct exchange_report up = {
    .verdict = HEALTH_UP, .reason = {REASON_STATUS, 200}, .since_wall_ms = 5, .duration_us = 7};
static const struct exchange_report down = {.verdict = HEALTH_DOWN, .reason = {REASON_STATUS, 500}};

static void expect_report(const struct exchange_report *report, const struct exchange_report *expected)
{
    assert_int_equal(report->verdict, expected->verdict);
    assert_int_equal(report->reason.code, expected->reason.code);
    assert_int_equal(report->reason.number, expected->reason.number);
    assert_int_equal(report->since_wall_ms, expected->since_wall_ms);
    assert_int_equal(report->duration_us, expected->duration_us);
}

static void test_wishes(void **state)
{
    struct fixture *f = *state;
    struct exchange_wish wish;
    uint32_t a, b;
    struct target *ta = target_of(f, 0, &a), *tb = target_of(f, 1, &b);
    assert_false(exchange_take(f->exchange, &wish));
    assert_true(exchange_want(f->exchange, a, ta, NULL));
    assert_false(exchange_want(f->exchange, b, tb, NULL));
    assert_false(exchange_want(f->exchange, a, NULL, NULL)); /* before it was heard */
    assert_true(exchange_has_wish(f->exchange));
    assert_true(exchange_take(f->exchange, &wish));
    assert_int_equal(wish.slot, a);
    assert_null(wish.target);
    assert_true(exchange_take(f->exchange, &wish));
    assert_int_equal(wish.slot, b);
    assert_ptr_equal(wish.target, tb);
    target_put(wish.target);
    assert_false(exchange_take(f->exchange, &wish));
    assert_false(exchange_has_wish(f->exchange));
    assert_true(exchange_want(f->exchange, 70000, ta, NULL)); /* and is freed with the exchange, unheard */
}

static uint32_t generation_of(struct fixture *f, uint32_t slot, struct target *target)
{
    struct exchange_wish wish;
    assert_true(exchange_want(f->exchange, slot, target, NULL));
    assert_true(exchange_take(f->exchange, &wish));
    target_put(wish.target);
    return wish.generation;
}

/* The words of a check go with its report. */
static void test_texts(void **state)
{
    struct fixture *f = *state;
    const struct exchange_report said = {.verdict = HEALTH_DOWN, .reason = {REASON_TEXT, 0}};
    struct exchange_report report;
    uint32_t a, slot;
    struct target *ta = target_of(f, 0, &a);
    uint32_t generation = generation_of(f, a, ta);
    assert_true(exchange_tell(f->exchange, a, generation, &said, "DISK CRITICAL", true));
    assert_true(exchange_next(f->exchange, &slot, &report, reason));
    assert_string_equal(reason, "DISK CRITICAL");
    assert_false(exchange_tell(f->exchange, a, generation, &said, "OK", false));
    exchange_look(f->exchange, a, &report, reason);
    assert_string_equal(reason, "OK");
    assert_false(exchange_tell(f->exchange, a, generation, &up, "", false));
    exchange_look(f->exchange, a, &report, reason);
    assert_string_equal(reason, "status 200");
}

static void test_events_become_one_a_target(void **state)
{
    struct fixture *f = *state;
    struct exchange_report report;
    uint32_t a, b, slot;
    struct target *ta = target_of(f, 0, &a), *tb = target_of(f, 1, &b);
    uint32_t ga = generation_of(f, a, ta), gb = generation_of(f, b, tb);
    assert_true(exchange_tell(f->exchange, a, ga, &up, "", true)); /* wake */
    assert_false(exchange_tell(f->exchange, b, gb, &up, "", true));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(exchange_tell(f->exchange, a, ga, i % 2 ? &down : &up, "", true));
    assert_true(exchange_next(f->exchange, &slot, &report, reason));
    assert_int_equal(slot, a);
    assert_int_equal(report.verdict, HEALTH_DOWN);
    assert_true(exchange_next(f->exchange, &slot, &report, reason));
    assert_int_equal(slot, b);
    expect_report(&report, &up);
    assert_false(exchange_next(f->exchange, &slot, &report, reason));
    assert_true(exchange_tell(f->exchange, b, gb, &down, "", true));
}

static void test_no_event_after_the_end(void **state)
{
    struct fixture *f = *state;
    struct exchange_report report;
    uint32_t a, b, slot;
    struct target *ta = target_of(f, 0, &a), *tb = target_of(f, 1, &b);
    uint32_t old = generation_of(f, a, ta);
    assert_true(exchange_tell(f->exchange, a, old, &up, "", true));
    assert_true(exchange_want(f->exchange, a, NULL, NULL));
    assert_false(exchange_next(f->exchange, &slot, &report, reason));
    assert_false(exchange_tell(f->exchange, a, old, &down, "", true)); /* not yet heard over there */
    assert_false(exchange_next(f->exchange, &slot, &report, reason));
    exchange_look(f->exchange, a, &report, reason);
    assert_int_equal(report.verdict, HEALTH_UNKNOWN);
    /* Another target takes the slot while the old one is still reported. */
    assert_false(exchange_want(f->exchange, a, tb, NULL));
    assert_false(exchange_tell(f->exchange, a, old, &down, "", true));
    struct exchange_wish wish;
    assert_true(exchange_take(f->exchange, &wish));
    assert_ptr_equal(wish.target, tb);
    assert_int_not_equal(wish.generation, old);
    assert_true(exchange_tell(f->exchange, a, wish.generation, &up, "", true));
    assert_true(exchange_next(f->exchange, &slot, &report, reason));
    assert_int_equal(report.verdict, HEALTH_UP);
    target_put(wish.target);
}

/* What is known of a target goes to the probe thread with it, and is what control sees meanwhile. */
static void test_known_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct exchange_report report;
    struct exchange_wish wish;
    uint32_t a;
    struct target *ta = target_of(f, 0, &a);
    assert_true(exchange_want(f->exchange, a, ta, &up));
    exchange_look(f->exchange, a, &report, reason);
    expect_report(&report, &up);
    assert_true(exchange_take(f->exchange, &wish));
    expect_report(&wish.known, &up);
    target_put(wish.target);
    assert_true(exchange_want(f->exchange, a, NULL, NULL));
    exchange_look(f->exchange, a, &report, reason);
    assert_int_equal(report.verdict, HEALTH_UNKNOWN);
}

static void test_state_without_event(void **state)
{
    struct fixture *f = *state;
    struct exchange_report report;
    uint32_t a, slot;
    struct target *ta = target_of(f, 0, &a);
    uint32_t generation = generation_of(f, a, ta);
    exchange_look(f->exchange, a, &report, reason);
    assert_int_equal(report.reason.code, REASON_NONE);
    assert_false(exchange_tell(f->exchange, a, generation, &down, "", false));
    assert_false(exchange_next(f->exchange, &slot, &report, reason));
    exchange_look(f->exchange, a, &report, reason);
    expect_report(&report, &down);
    exchange_look(f->exchange, 12345, &report, reason);
    assert_int_equal(report.verdict, HEALTH_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identical_is_one),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_like_but_for_timing),
        cmocka_unit_test(test_same_is_by_value),
        cmocka_unit_test(test_many_targets),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_methods_and_headers),
        cmocka_unit_test(test_requests_are_tame),
        cmocka_unit_test_setup_teardown(test_wishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events_become_one_a_target, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_event_after_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_known_from_the_start, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state_without_event, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
