/* Lines about transfers, and how many there are of them. */
#include "sync/outgoing_log.h"

#include "log_help.h"

#include "base/clock.h"

static const uint8_t apex[] = "\7example\3com", key[] = "\3xfr";
static const struct addr client = {.bytes = {192, 0, 2, 54}, .family = ADDR_V4, .port = 4711};

static const struct {
    struct outgoing_ended ended;
    enum log_level level;
    const char *text;
} rows[] = {
    {{.key = key, .to = 5, .rr_cnt = 1234, .bytes = 56000, .took_ms = 12, .end = IO_STREAM_DONE},
     LOG_LEVEL_INFO, "zone \"example.com\": AXFR to 192.0.2.54, serial 5, 1234 records, 56 kB, 12 ms, key \"xfr.\""},
    {{.is_ixfr = true, .way = OUTGOING_STEPS, .from = 3, .to = 5, .rr_cnt = 6, .bytes = 999, .end = IO_STREAM_DONE},
     LOG_LEVEL_INFO, "zone \"example.com\": IXFR to 192.0.2.54, serial 3 to 5, 6 records, 999 bytes, 0 ms"},
    {{.is_ixfr = true, .is_udp = true, .way = OUTGOING_JOINED, .from = 3, .to = 5, .rr_cnt = 6, .bytes = 1000,
      .end = IO_STREAM_DONE},
     LOG_LEVEL_INFO,
     "zone \"example.com\": IXFR to 192.0.2.54 by UDP, serial 3 to 5 condensed, 6 records, 1.0 kB, 0 ms"},
    {{.is_ixfr = true, .from = 3, .to = 5, .rr_cnt = 6, .bytes = 9940, .end = IO_STREAM_DONE},
     LOG_LEVEL_INFO, "zone \"example.com\": IXFR to 192.0.2.54, the whole zone, serial 5, 6 records, 9.9 kB, 0 ms"},
    {{.to = 5, .rr_cnt = 6, .bytes = 9960, .end = IO_STREAM_FAILED}, LOG_LEVEL_WARNING,
     "zone \"example.com\": AXFR to 192.0.2.54 broken off, serial 5, 6 records, 10 kB, 0 ms: a record does not fit in "
     "a message"},
    {{.to = 5, .rr_cnt = 6, .bytes = 999400, .end = IO_STREAM_EXPIRED}, LOG_LEVEL_WARNING,
     "zone \"example.com\": AXFR to 192.0.2.54 broken off, serial 5, 6 records, 999 kB, 0 ms: it took longer than "
     "transfer_max"},
    {{.to = 5, .rr_cnt = 6, .bytes = 999600, .end = IO_STREAM_CLOSED}, LOG_LEVEL_NOTICE,
     "zone \"example.com\": AXFR to 192.0.2.54 broken off, serial 5, 6 records, 1.0 MB, 0 ms: the client closed the "
     "connection"},
    {{.key = key, .to = 5, .rr_cnt = 6, .bytes = 12345678901, .end = IO_STREAM_STOPPED}, LOG_LEVEL_NOTICE,
     "zone \"example.com\": AXFR to 192.0.2.54 broken off, serial 5, 6 records, 12 GB, 0 ms, key \"xfr.\": the workers "
     "stopped"},
};

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[OUTGOING_LOG_TEXT_MAX];
        struct outgoing_ended ended = rows[i].ended;
        ended.zone = apex;
        ended.client = &client;
        assert_int_equal(outgoing_ended_text(text, &ended), rows[i].level);
        assert_string_equal(text, rows[i].text);
    }
}

/* ---- many */

static unsigned count(const char *text, const char *part)
{
    unsigned cnt = 0;
    for (const char *at = text; (at = strstr(at, part)); at++)
        cnt++;
    return cnt;
}

static struct outgoing_log told;
static uv_loop_t loop;
static bool is_closed;

static void on_closed(uv_handle_t *timer)
{
    (void)timer;
    is_closed = true;
}

static void end_many(unsigned cnt, enum io_stream_end end, enum outgoing_way way)
{
    struct outgoing_ended ended = {.zone = apex, .client = &client, .is_ixfr = true, .way = way, .bytes = 1000,
                                   .end = end};
    while (cnt--)
        outgoing_log_ended(&told, &ended);
}

/* Ten thousand zones are one line more than some; what failed among them is told nevertheless. */
static void test_many(void **state)
{
    (void)state;
    static struct log_help help;
    uint64_t now_us = 1000000000;
    clock_fake_us(now_us);
    uv_loop_init(&loop);
    outgoing_log_init(&told, &loop);

    log_help_begin(&help);
    end_many(10000, IO_STREAM_DONE, OUTGOING_WHOLE);
    end_many(7, IO_STREAM_DONE, OUTGOING_STEPS);
    end_many(2, IO_STREAM_CLOSED, OUTGOING_WHOLE);
    const char *text = log_help_end(&help);
    assert_int_equal(count(text, "\n"), OUTGOING_LOG_LINES + 2);
    assert_int_equal(count(text, "broken off"), 2);
    assert_true(uv_is_active((uv_handle_t *)&told.timer));

    /* the window's end, by the timer or by the next that ends */
    log_help_begin(&help);
    outgoing_log_sum_up(&told);
    outgoing_log_sum_up(&told);
    assert_string_equal(log_help_end(&help),
                        "info: transfers sent besides: 9957 (whole zones 9950, changes 7), 10 MB\n");
    log_help_begin(&help);
    end_many(OUTGOING_LOG_LINES + 1, IO_STREAM_DONE, OUTGOING_WHOLE);
    clock_fake_us(now_us += OUTGOING_LOG_WINDOW_MS * 1000);
    end_many(1, IO_STREAM_DONE, OUTGOING_WHOLE);
    text = log_help_end(&help);
    assert_int_equal(count(text, "\n"), OUTGOING_LOG_LINES + 2);
    assert_int_equal(count(text, "info: transfers sent besides: 1 (whole zones 1, changes 0), 1.0 kB\n"), 1);

    /* what failed has bounds too */
    log_help_begin(&help);
    for (unsigned i = 0; i < 100; i++) {
        outgoing_log_refused(&told, apex, &client, "too many are running");
        outgoing_log_damaged(&told, apex, 7, "changeset 3 is damaged");
    }
    end_many(100, IO_STREAM_EXPIRED, OUTGOING_WHOLE);
    text = log_help_end(&help);
    assert_int_equal(count(text, "notice: zone \"example.com\": transfer to 192.0.2.54 refused: too many are "
                                 "running\n"), OUTGOING_LOG_FAULTS);
    assert_int_equal(count(text, "warning: zone \"example.com\": changes since serial 7 cannot be sent: changeset 3 is "
                                 "damaged\n"), OUTGOING_LOG_FAULTS);
    assert_int_equal(count(text, "\n"), 3 * OUTGOING_LOG_FAULTS);

    outgoing_log_close(&told, on_closed);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(is_closed);
    assert_int_equal(uv_loop_close(&loop), 0);
    clock_fake_us(UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
