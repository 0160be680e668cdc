/* The tcp machine, under virtual time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/kind.h"
#include "probe/target.h"

struct fixture {
    struct target_table table;
    struct kind_run run;
};

static void begin(struct fixture *f, const char *send, const char *expect)
{
    struct probe_spec spec = {
        .options.type = PROBE_TCP,
        .options.send = (char *)(uintptr_t)send,
        .options.expect = (char *)(uintptr_t)expect,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 700, .rise = 2, .fall = 3},
    };
    bool is_new;
    assert_int_equal(addr_port_from_text(&spec.address, "192.0.2.1", 443), ERR_OK);
    kind_start(&f->run, target_table_at(&f->table, target_table_add(&f->table, &spec, &is_new)), 5000000);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    target_table_init(&f->table);
    begin(f, NULL, NULL);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kind_fini(&f->run);
    target_table_fini(&f->table);
    free(f);
    return 0;
}

static void expect(const struct kind_run *run, enum kind_state ended, const char *reason)
{
    char text[PROBE_REASON_MAX];
    assert_int_equal(run->state, ended);
    reason_to_text(text, run->reason);
    assert_string_equal(run->reason.code == REASON_TEXT ? run->text : text, reason);
}

static void test_begins(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    assert_int_equal(run->state, KIND_RUNNING);
    assert_int_equal(run->want, KIND_WANT_CONNECTED);
    assert_int_equal(run->deadline_us, 5700000);
    assert_true(run->resets && !run->speaks_first);
}

static void test_connected(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    kind_connected(run);
    expect(run, KIND_PASSED, "connected");
    assert_int_equal(run->out_len, 0);
}

static void test_refused(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    kind_broken(run, ECONNREFUSED);
    expect(run, KIND_FAILED, "connection refused");
}

static void test_no_route(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    kind_broken(run, EHOSTUNREACH);
    expect(run, KIND_FAILED, "no route to host");
}

static void test_late(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    kind_late(run);
    expect(run, KIND_FAILED, "no connection within 700ms");
}

static void test_bytes_are_a_connection(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    kind_received(run, (const uint8_t *)"220 hello", 9);
    expect(run, KIND_PASSED, "connected");
}

/* ---- something is said ---- */

static struct kind_run *talk(struct fixture *f, const char *send, const char *expect_regex)
{
    begin(f, send, expect_regex);
    kind_connected(&f->run);
    return &f->run;
}

/* From a heap block of exactly its size. */
static void hear(struct kind_run *run, const char *bytes, size_t len)
{
    uint8_t *exact = malloc(len);
    memcpy(exact, bytes, len);
    kind_received(run, exact, len);
    free(exact);
}

static void test_a_banner_is_expected(void **state)
{
    struct kind_run *run = talk(*state, NULL, "^220 ");
    assert_int_equal(run->want, KIND_WANT_READABLE);
    assert_true(!run->resets && !run->speaks_first);
    hear(run, "22", 2);
    assert_int_equal(run->state, KIND_RUNNING);
    hear(run, "0 m", 3);
    expect(run, KIND_PASSED, "the expected answer");
}

static void test_a_question_is_sent(void **state)
{
    struct kind_run *run = talk(*state, "PING\\r\\n\\x00", "^\\+PONG\r\n$");
    assert_int_equal(run->want, KIND_WANT_WRITABLE);
    assert_true(run->speaks_first);
    assert_int_equal(run->out_len, 7);
    assert_memory_equal(run->out, "PING\r\n", 7);
    kind_sent(run, 3);
    assert_int_equal(run->want, KIND_WANT_WRITABLE);
    kind_sent(run, 4);
    assert_int_equal(run->want, KIND_WANT_READABLE);
    hear(run, "+PONG\r\n", 7);
    assert_int_equal(run->state, KIND_RUNNING); /* until it is known that nothing comes behind it */
    kind_closed(run);
    expect(run, KIND_PASSED, "the expected answer");
}

/* An answer to half of a question counts. */
static void test_an_answer_before_all_is_sent(void **state)
{
    struct kind_run *run = talk(*state, "HELO x", "no");
    kind_sent(run, 1);
    hear(run, "no!", 3);
    expect(run, KIND_PASSED, "the expected answer");
}

static void test_closed_without_it(void **state)
{
    struct kind_run *run = talk(*state, NULL, "^220 ");
    hear(run, "554 go\n\xff", 8);
    kind_closed(run);
    expect(run, KIND_FAILED, "closed without the expected answer: \"554 go??\"");
    run = talk(*state, NULL, "^220 ");
    kind_closed(run);
    expect(run, KIND_FAILED, "closed without an answer");
    run = talk(*state, NULL, "^220 ");
    hear(run, "0123456789012345678901234567890123456789", 40);
    kind_closed(run);
    expect(run, KIND_FAILED, "closed without the expected answer: \"01234567890123456789012345678901...\"");
}

static void test_late_without_it(void **state)
{
    struct kind_run *run = talk(*state, NULL, "^220 ");
    kind_late(run);
    expect(run, KIND_FAILED, "no answer within 700ms");
    run = talk(*state, NULL, "^220 ");
    hear(run, "421", 3);
    hear(run, " busy", 5);
    kind_late(run);
    expect(run, KIND_FAILED, "no match within 700ms: \"421 busy\"");
    run = talk(*state, NULL, "^220 ");
    for (unsigned i = 0; i < 50; i++)
        hear(run, "x", 1);
    kind_late(run);
    expect(run, KIND_FAILED, "no match within 700ms: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"");
}

/* The first 16 KiB, whatever the pieces. */
static void test_endless(void **state)
{
    static const size_t pieces[] = {1, 1000, 16384, 20000};
    static char bytes[20000];
    memset(bytes, 'x', sizeof bytes);
    for (unsigned i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct kind_run *run = talk(*state, NULL, "y|xz");
        size_t heard = 0;
        for (; run->state == KIND_RUNNING; heard += pieces[i])
            hear(run, bytes, pieces[i]);
        assert_in_range(heard, 16384, 16384 + pieces[i] - 1);
        expect(run, KIND_FAILED, "no match in the first 16 KiB");
    }
    bytes[16384] = 'y';
    struct kind_run *run = talk(*state, NULL, "y|xz");
    hear(run, bytes, 16385);
    expect(run, KIND_FAILED, "no match in the first 16 KiB");
    bytes[16383] = 'y';
    run = talk(*state, NULL, "y|xz");
    hear(run, bytes, 16385);
    expect(run, KIND_PASSED, "the expected answer");
}

static void test_reasons_fit(void **state)
{
    (void)state;
    char text[PROBE_REASON_MAX];
    for (uint32_t code = 0; code < REASON_CNT + 2; code++) {
        for (uint32_t number = 0; number < 200; number++)
            assert_in_range(strlen(reason_to_text(text, (struct reason){code, number})), 1, PROBE_REASON_MAX - 2);
        reason_to_text(text, (struct reason){code, UINT32_MAX});
        assert_null(strchr(text, '%'));
    }
    assert_string_equal(reason_to_text(text, (struct reason){REASON_LOCAL, EMFILE}),
                        "not checked, trying again: too many open files");
    assert_string_equal(reason_to_text(text, (struct reason){REASON_NONE, 0}), "not checked yet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_route, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_are_a_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_banner_is_expected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_question_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_answer_before_all_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_closed_without_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_without_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_endless, set_up, tear_down),
        cmocka_unit_test(test_reasons_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
