/* What a former process found is where targets begin. Without the probe thread: nothing is checked here. */
#include "probe/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/probe.h"
#include "probe/target.h"

static void on_wake(void *arg) { (void)arg; }

static struct probe_spec spec_of(uint8_t last, uint64_t interval_ms)
{
    return (struct probe_spec){
        .options = {.type = PROBE_TCP},
        .address = {.bytes = {192, 0, 2, last}, .family = ADDR_V4, .port = 80},
        .timing = {.interval_ms = interval_ms, .fast_interval_ms = 1000, .timeout_ms = 1000, .rise = 2, .fall = 3},
    };
}

static uint32_t subscribe(struct probe *probe, uint8_t last, uint64_t interval_ms)
{
    const struct probe_spec spec = spec_of(last, interval_ms);
    return probe_subscribe(probe, &spec);
}

/* The digest of the check that `subscribe` asks for. */
static void digest_of(uint8_t digest[HEALTH_DIGEST_LEN], uint8_t last)
{
    struct target_table table;
    const struct probe_spec spec = spec_of(last, 5000);
    bool is_new;
    target_table_init(&table);
    target_digest(digest, target_table_at(&table, target_table_add(&table, &spec, &is_new)));
    target_table_fini(&table);
}

static void targets_begin_with_what_is_remembered(void **state)
{
    struct health_memory memories[2] = {
        {.verdict = HEALTH_DOWN, .unsettled = true, .contrary_cnt = 1, .since_wall_ms = 77, .duration_us = 9,
         .measure = {.response_us = 5, .drains = true}, .reason = "no answer within 1s"},
        {.verdict = HEALTH_UP, .since_wall_ms = 88, .reason = "connected"},
    };
    struct probe *probe = probe_new(on_wake, NULL);
    struct probe_event event;
    struct health_memory again;
    (void)state;
    digest_of(memories[0].digest, 1);
    digest_of(memories[1].digest, 2);
    assert_memory_not_equal(memories[0].digest, memories[1].digest, HEALTH_DIGEST_LEN);
    probe_remember(probe, memories, 2);
    uint32_t first = subscribe(probe, 1, 5000), second = subscribe(probe, 2, 5000), third = subscribe(probe, 3, 5000);
    probe_state(probe, first, &event);
    assert_int_equal(event.verdict, HEALTH_DOWN);
    assert_true(event.unsettled && event.measure.drains);
    assert_true(event.since_wall_ms == 77);
    assert_string_equal(event.reason, "no answer within 1s");
    assert_true(probe_recall(probe, first, &again));
    assert_memory_equal(again.digest, memories[0].digest, HEALTH_DIGEST_LEN);
    assert_int_equal(again.contrary_cnt, 1);
    assert_int_equal(again.measure.response_us, 5);
    assert_string_equal(again.reason, "no answer within 1s");
    probe_state(probe, second, &event);
    assert_int_equal(event.verdict, HEALTH_UP);
    probe_state(probe, third, &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
    assert_string_equal(event.reason, "not checked yet");
    assert_false(probe_recall(probe, third, &again));
    assert_int_equal(probe_target_end(probe), 4);
    probe_unsubscribe(probe, second);
    assert_false(probe_recall(probe, second, &again));
    assert_false(probe_recall(probe, 99, &again));
    probe_free(probe);
}

/* The timing is no part of the check, and what is forgotten is forgotten. */
static void timing_matters_not_and_time_does(void **state)
{
    struct health_memory memory = {.verdict = HEALTH_DOWN, .reason = "connection refused"};
    struct probe *probe = probe_new(on_wake, NULL);
    struct probe_event event;
    (void)state;
    digest_of(memory.digest, 1);
    probe_remember(probe, &memory, 1);
    uint32_t other = subscribe(probe, 1, 60000);
    probe_state(probe, other, &event);
    assert_int_equal(event.verdict, HEALTH_DOWN);
    uint32_t like = subscribe(probe, 1, 5000); /* as the one with another timing, with its words */
    probe_state(probe, like, &event);
    assert_string_equal(event.reason, "connection refused");
    probe_unsubscribe(probe, other);
    probe_unsubscribe(probe, like);
    probe_forget(probe);
    probe_state(probe, subscribe(probe, 1, 5000), &event);
    assert_int_equal(event.verdict, HEALTH_UNKNOWN);
    probe_free(probe);
}

static void memories_are_found_in_any_order(void **state)
{
    struct health_memory items[200];
    struct memory memory = {NULL, 0};
    (void)state;
    assert_null(memory_find(&memory, (const uint8_t[HEALTH_DIGEST_LEN]){0}));
    memset(items, 0, sizeof items);
    for (unsigned i = 0; i < 200; i++) {
        items[i].digest[3] = (uint8_t)(i * 37 % 200);
        items[i].contrary_cnt = (uint16_t)(i * 37 % 200);
    }
    memory_fill(&memory, items, 200);
    for (unsigned i = 0; i < 200; i++)
        assert_int_equal(memory_find(&memory, items[i].digest)->contrary_cnt, items[i].contrary_cnt);
    items[0].digest[0] = 1;
    assert_null(memory_find(&memory, items[0].digest));
    memory_fill(&memory, items, 1);
    assert_non_null(memory_find(&memory, items[0].digest));
    memory_fill(&memory, NULL, 0);
    assert_null(memory_find(&memory, items[0].digest));
    memory_fini(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_begin_with_what_is_remembered),
        cmocka_unit_test(timing_matters_not_and_time_does),
        cmocka_unit_test(memories_are_found_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
