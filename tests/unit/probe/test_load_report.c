/* Reports of load in header fields and bodies, as values; and through a whole run of an http check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/kind.h"
#include "probe/load_report.h"
#include "probe/target.h"

enum { NONE = UINT32_MAX };

static uint32_t field(enum probe_load source, const char *metric, const char *value)
{
    const struct load_want want = {.source = source, .metric = metric};
    struct load_report report = {HEALTH_LOAD_NONE, 4711};
    size_t len = strlen(value);
    char *exact = malloc(len ? len : 1); /* no byte behind it */
    memcpy(exact, value, len);
    load_report_read_field(&report, &want, exact, len);
    free(exact);
    if (report.kind == HEALTH_LOAD_NONE)
        return NONE;
    assert_int_equal(report.kind, source == PROBE_LOAD_ORCA ? HEALTH_LOAD_UTILIZATION : HEALTH_LOAD_WEIGHT);
    return report.load;
}

static void test_orca(void **state)
{
    (void)state;
    static const struct {
        const char *metric, *value;
        double utilization; /* −1: no report */
    } cases[] = {
        {"", "TEXT cpu_utilization=0.5", 0.5},
        {"", "TEXT cpu_utilization=0.3, mem_utilization=0.8, application_utilization=0.5, rps_fractional=10.0, eps=1, "
             "named_metrics.custom_metric_util=0.4", 0.5},
        {"custom_metric_util", "TEXT cpu_utilization=0.3,named_metrics.custom_metric_util=0.25", 0.25},
        {"", "TEXT cpu_utilization:0.75,application_utilization:0", 0.75},
        {"", "cpu_utilization:0.7", 0.7},
        {"", "  text   cpu_utilization = 1.25 ", 1.25},
        {"", "TEXT application_utilization=0", 0},
        {"", "TEXT cpu_utilization=0", 0},
        {"", "TEXT mem_utilization=0.8", -1},
        {"queue", "TEXT cpu_utilization=0.8", -1},
        {"queue", "TEXT queue=0.8", -1},
        {"", "TEXT named_metrics.cpu_utilization=0.8", -1},
        {"queue", "TEXT named_metrics.queue=291", 291},
        {"", "TEXT cpu_utilization=1e9", 65535.99998},
        {"", "TEXT cpu_utilization=0.5, future.thing=-3", 0.5},
        {"", "TEXT cpu_utilization=-0.5", -1},
        {"", "TEXT cpu_utilization=nan", -1},
        {"", "TEXT cpu_utilization=\"0.5\"", -1},
        {"", "TEXT cpu_utilization=0.5,", -1},
        {"", "TEXT cpu_utilization=0.5,,x=1", -1},
        {"", "TEXT cpu_utilization=0.5, cpu_utilization=0.6", -1},
        {"", "TEXT cpu_utilization", -1},
        {"", "TEXT =1", -1},
        {"", "TEXT", -1},
        {"", "TEXT ", -1},
        {"", "", -1},
        {"", "BIN CZqZmZmZmbk/MQAAAAAAAABAQg4KA2ZvbxGamZmZmZm5P0IOCgNiYXIRmpmZmZmZyT8=", -1},
        {"", "JSON {\"cpu_utilization\": 0.5}", 0.5},
        {"", "JSON {\"cpuUtilization\":0.5,\"applicationUtilization\":0.25}", 0.25},
        {"", "json {\"cpu_utilization\": 5e-1, \"named_metrics\": {\"cpu_utilization\": 0.9}}", 0.5},
        {"q", "JSON {\"cpu_utilization\": 0.3, \"named_metrics\": {\"p\": 1, \"q\": 0.75}}", 0.75},
        {"q", "JSON {\"namedMetrics\": {\"q\": 2}}", 2},
        {"q", "JSON {\"q\": 1, \"x\": {\"named_metrics\": {\"q\": 2}}}", -1},
        {"", "JSON {\"x\": [1, {\"cpu_utilization\": 0.9}, \"}\\\"\", true, null], \"cpu_utilization\": 0.5, \"y\":-1}",
         0.5},
        {"", "JSON {}", -1},
        {"", "JSON {\"cpu_utilization\": \"0.5\"}", -1},
        {"", "JSON {\"cpu_utilization\": 0.5", -1},
        {"", "JSON {\"cpu_utilization\": 0.5}}", -1},
        {"", "JSON {\"cpu_utilization\": 0.5,}", -1},
        {"", "JSON {\"cpu_utilization\" 0.5}", -1},
        {"", "JSON {\"cpu_utilization\": 0.5, \"cpu_utilization\": 0.5}", -1},
        {"", "JSON [0.5]", -1},
        {"", "JSON {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": {\"a\": 1}}}}}}, \"cpu_utilization\": 1}", 1},
        {"", "JSON {\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]], \"cpu_utilization\": 1}", -1},
        {"", "JSON {\"a", -1},
        {"", "JSON {\"a\\", -1},
        {"", "{\"cpu_utilization\": 0.5}", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t load = field(PROBE_LOAD_ORCA, cases[i].metric, cases[i].value);
        uint32_t expected = cases[i].utilization < 0 ? NONE : (uint32_t)(cases[i].utilization * 65536 + 0.5);
        if (load != expected && !(cases[i].utilization > 60000 && load > UINT32_MAX - 2))
            fail_msg("%s: %u, not %u", cases[i].value, load, expected);
    }
}

static void test_weight(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint32_t weight;
    } cases[] = {
        {"0", 0}, {"1000", 1000}, {" 250\t", 250}, {"65535", 65535}, {"65536", NONE}, {"123456", NONE},
        {"", NONE}, {"-1", NONE}, {"1.5", NONE}, {"1 2", NONE}, {"x", NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(field(PROBE_LOAD_WEIGHT, "", cases[i].value), cases[i].weight);
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        enum probe_load source;
        const char *line;
        uint32_t load;
    } cases[] = {
        {PROBE_LOAD_WEIGHT, "X-Load-Balancing-Endpoint-Weight: 7\r\n", 7},
        {PROBE_LOAD_WEIGHT, "x-load-balancing-endpoint-weight:7", 7},
        {PROBE_LOAD_ORCA, "Endpoint-Load-Metrics: TEXT cpu_utilization=1\n", 65536},
        {PROBE_LOAD_WEIGHT, "Endpoint-Load-Metrics: TEXT cpu_utilization=1\n", 99},
        {PROBE_LOAD_NONE, "Endpoint-Load-Metrics: TEXT cpu_utilization=1\n", 99},
        {PROBE_LOAD_BODY, "Endpoint-Load-Metrics: TEXT cpu_utilization=1\n", 99},
        {PROBE_LOAD_WEIGHT, "X-Load-Balancing-Endpoint-Weigh: 7\r\n", 99},
        {PROBE_LOAD_WEIGHT, "HTTP/1.1 200 OK\r\n", 99},
        {PROBE_LOAD_WEIGHT, "\r\n", 99},
        {PROBE_LOAD_WEIGHT, "", 99},
        {PROBE_LOAD_WEIGHT, "X-Load-Balancing-Endpoint-Weight:\r\n", NONE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct load_want want = {.source = cases[i].source, .metric = ""};
        struct load_report report = {HEALTH_LOAD_PERCENT, 99};
        load_report_read_line(&report, &want, cases[i].line, strlen(cases[i].line));
        assert_int_equal(report.kind == HEALTH_LOAD_NONE ? NONE : report.load, cases[i].load);
    }
    char *line = malloc(LOAD_VALUE_MAX + 100);
    const struct load_want want = {.source = PROBE_LOAD_ORCA, .metric = ""};
    struct load_report report = {HEALTH_LOAD_NONE, 0};
    int len = sprintf(line, "endpoint-load-metrics: TEXT cpu_utilization=1");
    memset(line + len, ' ', LOAD_VALUE_MAX);
    load_report_read_line(&report, &want, line, LOAD_VALUE_MAX);
    assert_int_equal(report.kind, HEALTH_LOAD_UTILIZATION);
    load_report_read_line(&report, &want, line, LOAD_VALUE_MAX + (size_t)len);
    assert_int_equal(report.kind, HEALTH_LOAD_NONE);
    free(line);
}

static void test_take(void **state)
{
    (void)state;
    struct health_measure measure = {.response_us = 5};
    struct load_report report = {HEALTH_LOAD_WEIGHT, 10}, none = {HEALTH_LOAD_NONE, 0};
    load_report_take(&measure, &report, 1000);
    load_report_take(&measure, &none, 2000);
    assert_int_equal(measure.load_kind, HEALTH_LOAD_WEIGHT);
    assert_int_equal(measure.load, 10);
    assert_int_equal(measure.load_wall_ms, 1000);
    assert_int_equal(measure.response_us, 5);
}

/* ---- a whole check ---- */

static struct target_table table;

static const struct target *target_of(enum probe_load load, char *metric, char *pattern, char *body)
{
    struct probe_spec spec = {
        .options = {.type = PROBE_HTTP,
                    .load = (int)load,
                    .load_metric = metric,
                    .load_pattern = pattern,
                    .expect_body = body},
        .address = {.bytes = {192, 0, 2, 1}, .family = ADDR_V4, .port = 80},
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
        .host = "h",
    };
    bool is_new;
    return target_table_at(&table, target_table_add(&table, &spec, &is_new));
}

/* What is measured after a run that gets `response` in pieces; there was a report of 99 percent before. */
static struct health_measure measured(const struct target *target, const char *response, size_t piece,
                                      enum kind_state expected)
{
    struct kind_run run = {.measure = {.load_kind = HEALTH_LOAD_PERCENT, .load = 99}};
    kind_start(&run, target, 0);
    kind_connected(&run);
    kind_sent(&run, run.out_len);
    for (size_t at = 0, len = strlen(response); at < len && run.state == KIND_RUNNING; at += piece)
        kind_received(&run, (const uint8_t *)response + at, len - at < piece ? len - at : piece);
    if (run.state == KIND_RUNNING)
        kind_closed(&run);
    assert_int_equal(run.state, expected);
    struct health_measure measure = run.measure;
    kind_fini(&run);
    return measure;
}

#define HEAD "HTTP/1.1 200 OK\r\n"

static void test_checks(void **state)
{
    (void)state;
    static char metric[] = "queue", pattern[] = "Active connections: ([0-9]+)", body[] = "^Active";
    const struct target *orca = target_of(PROBE_LOAD_ORCA, NULL, NULL, NULL);
    const struct target *named = target_of(PROBE_LOAD_ORCA, metric, NULL, NULL);
    const struct target *weight = target_of(PROBE_LOAD_WEIGHT, NULL, NULL, NULL);
    const struct target *number = target_of(PROBE_LOAD_BODY, NULL, pattern, NULL);
    const struct target *both = target_of(PROBE_LOAD_BODY, NULL, pattern, body);
    const struct target *none = target_of(PROBE_LOAD_NONE, NULL, NULL, NULL);
    const struct {
        const struct target *target;
        const char *response;
        enum kind_state state;
        enum health_load kind;
        uint32_t load;
    } cases[] = {
        {orca, HEAD "Endpoint-Load-Metrics: TEXT cpu_utilization=0.5\r\n\r\n", KIND_PASSED, HEALTH_LOAD_UTILIZATION,
         32768},
        {orca, HEAD "A: b\r\nendpoint-load-metrics:JSON {\"cpu_utilization\":2}\r\nServer: x\r\n\r\n", KIND_PASSED,
         HEALTH_LOAD_UTILIZATION, 131072},
        {orca, HEAD "Endpoint-Load-Metrics: TEXT mem_utilization=0.1, rps_fractional=123456.789, named_metrics.a=1, "
                    "named_metrics.b=1, cpu_utilization=0.25\nContent-Length: 0\n\n",
         KIND_PASSED, HEALTH_LOAD_UTILIZATION, 16384},
        {named, HEAD "endpoint-load-metrics: TEXT cpu_utilization=1,named_metrics.queue=3\r\n\r\n", KIND_PASSED,
         HEALTH_LOAD_UTILIZATION, 3 * 65536},
        {weight, HEAD "X-Load-Balancing-Endpoint-Weight: 55\r\n\r\n", KIND_PASSED, HEALTH_LOAD_WEIGHT, 55},
        /* the newest counts, the unreadable doesn't, and no report leaves the last */
        {weight, HEAD "X-Load-Balancing-Endpoint-Weight: 55\r\nX-Load-Balancing-Endpoint-Weight: 56\r\n\r\n",
         KIND_PASSED, HEALTH_LOAD_WEIGHT, 56},
        {weight, HEAD "X-Load-Balancing-Endpoint-Weight: much\r\n\r\n", KIND_PASSED, HEALTH_LOAD_PERCENT, 99},
        {weight, HEAD "X-Load-Balancing-Endpoint-Weight: 5\r\n 5\r\nA: b\r\n\r\n", KIND_PASSED, HEALTH_LOAD_PERCENT,
         99},
        {weight, HEAD "A: b\r\n X-Load-Balancing-Endpoint-Weight: 5\r\n\r\n", KIND_PASSED, HEALTH_LOAD_PERCENT, 99},
        {weight, HEAD "\r\n", KIND_PASSED, HEALTH_LOAD_PERCENT, 99},
        {none, HEAD "X-Load-Balancing-Endpoint-Weight: 55\r\n\r\n", KIND_PASSED, HEALTH_LOAD_PERCENT, 99},
        /* not of an interim response, nor of one that fails */
        {weight, "HTTP/1.1 103 Early\r\nX-Load-Balancing-Endpoint-Weight: 55\r\n\r\n" HEAD "\r\n", KIND_PASSED,
         HEALTH_LOAD_PERCENT, 99},
        {weight, "HTTP/1.1 503 Busy\r\nX-Load-Balancing-Endpoint-Weight: 55\r\n\r\n", KIND_FAILED,
         HEALTH_LOAD_PERCENT, 99},
        {number, HEAD "Content-Length: 24\r\n\r\nActive connections: 291 ", KIND_PASSED, HEALTH_LOAD_CONNECTIONS, 291},
        {number, HEAD "Transfer-Encoding: chunked\r\n\r\n10\r\nActive connectio\r\n7\r\nns: 42 \r\n0\r\n\r\n",
         KIND_PASSED, HEALTH_LOAD_CONNECTIONS, 42},
        {number, HEAD "\r\nActive connections: many", KIND_PASSED, HEALTH_LOAD_PERCENT, 99},
        {both, HEAD "\r\nActive connections: 8", KIND_PASSED, HEALTH_LOAD_CONNECTIONS, 8},
        {both, HEAD "\r\n: Active connections: 8", KIND_FAILED, HEALTH_LOAD_PERCENT, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
            struct health_measure measure =
                measured(cases[i].target, cases[i].response, piece, cases[i].state);
            if (measure.load_kind != cases[i].kind || measure.load != cases[i].load)
                fail_msg("%s: %u of kind %u", cases[i].response, measure.load, measure.load_kind);
            assert_true((measure.load_wall_ms > 0) == (cases[i].kind != HEALTH_LOAD_PERCENT));
        }
}

static bool asks_with(const struct target *target, const char *line)
{
    struct kind_run run = {.measure = {0}};
    kind_start(&run, target, 0);
    kind_connected(&run);
    bool is_there = memmem(run.out, run.out_len, line, strlen(line)) != NULL;
    kind_fini(&run);
    return is_there;
}

static void test_requests(void **state)
{
    (void)state;
    static char pattern[] = "a([0-9]+)", other[] = "b([0-9]+)", queue[] = "queue", length[] = "length";
    const struct target *orca = target_of(PROBE_LOAD_ORCA, NULL, NULL, NULL);
    const struct target *number = target_of(PROBE_LOAD_BODY, NULL, pattern, NULL);
    const struct target *weight = target_of(PROBE_LOAD_WEIGHT, NULL, NULL, NULL);
    assert_true(asks_with(orca, "\r\nendpoint-load-metrics-format: TEXT\r\n"));
    assert_false(asks_with(weight, "endpoint-load-metrics"));
    assert_true(asks_with(number, "\r\nAccept-Encoding: identity\r\n")); /* what is compressed can't be searched */
    assert_false(asks_with(weight, "Accept-Encoding"));
    /* What is looked for is part of who is asked. */
    assert_ptr_equal(number, target_of(PROBE_LOAD_BODY, NULL, pattern, NULL));
    assert_ptr_not_equal(number, target_of(PROBE_LOAD_BODY, NULL, other, NULL));
    assert_ptr_not_equal(orca, weight);
    assert_ptr_not_equal(target_of(PROBE_LOAD_ORCA, queue, NULL, NULL),
                         target_of(PROBE_LOAD_ORCA, length, NULL, NULL));
}

static int begin(void **state)
{
    (void)state;
    target_table_init(&table);
    return 0;
}

static int end(void **state)
{
    (void)state;
    target_table_fini(&table);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orca), cmocka_unit_test(test_weight), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_take), cmocka_unit_test(test_checks), cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
