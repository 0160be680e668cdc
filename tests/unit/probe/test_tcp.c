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

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct probe_spec spec = {
        .options.type = PROBE_TCP,
        .timing = {.interval_ms = 5000, .fast_interval_ms = 1000, .timeout_ms = 700, .rise = 2, .fall = 3},
    };
    bool is_new;
    target_table_init(&f->table);
    if (addr_port_from_text(&spec.address, "192.0.2.1", 443) != ERR_OK)
        return -1;
    kind_start(&f->run, target_table_at(&f->table, target_table_add(&f->table, &spec, &is_new)), 5000000);
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
    assert_string_equal(reason_to_text(text, run->reason), reason);
}

static void test_begins(void **state)
{
    struct kind_run *run = &((struct fixture *)*state)->run;
    assert_int_equal(run->state, KIND_RUNNING);
    assert_int_equal(run->want, KIND_WANT_CONNECTED);
    assert_int_equal(run->deadline_us, 5700000);
    assert_true(run->kind->resets);
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
        cmocka_unit_test(test_reasons_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
