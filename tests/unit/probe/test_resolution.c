/* What is known of a host's addresses, under virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "probe/resolution.h"

enum { HOLD_MS = 600000 };

/* The resolution between steps, and its clock. */
static struct resolution r;
static uint64_t now_ms;

static bool found(uint32_t ttl_sec, const char *texts)
{
    struct addr addresses[8];
    char copy[200], *rest = copy;
    struct resolution_answer answer = {.outcome = RESOLUTION_FOUND, .ttl_sec = ttl_sec, .addresses = addresses};
    snprintf(copy, sizeof copy, "%s", texts);
    for (char *text; (text = strsep(&rest, " "));)
        assert_int_equal(addr_from_text(&addresses[answer.cnt++], text), ERR_OK);
    return resolution_take(&r, &answer, HOLD_MS, now_ms, 0);
}

static bool other(enum resolution_outcome outcome, const char *problem)
{
    struct resolution_answer answer = {.outcome = outcome, .problem = problem};
    return resolution_take(&r, &answer, HOLD_MS, now_ms, 0);
}

static const char *in_use(void)
{
    static char text[200];
    char address[ADDR_TEXT_MAX];
    text[0] = '\0';
    for (size_t i = 0; i < r.cnt; i++) {
        strcat(text, i ? " " : "");
        strcat(text, addr_to_text(address, &r.addresses[i]));
    }
    return text;
}

static void begin(void)
{
    r = (struct resolution){0};
    now_ms = 1000000;
}

static void test_ttls(void **state)
{
    static const struct {
        uint32_t ttl_sec;
        uint64_t after_ms, spread_ms;
    } rows[] = {{0, 5000, 500},       {1, 5000, 500},           {5, 5000, 500},          {60, 60000, 6000},
                {3600, 3600000, 360000}, {3601, 3600000, 360000}, {INT32_MAX, 3600000, 360000}};
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        begin();
        assert_true(found(rows[i].ttl_sec, "192.0.2.1"));
        assert_int_equal(r.due_ms - now_ms, rows[i].after_ms);
        assert_int_equal(r.until_ms - now_ms, rows[i].after_ms);
        struct resolution_answer answer = {
            .outcome = RESOLUTION_FOUND, .ttl_sec = rows[i].ttl_sec, .addresses = r.addresses, .cnt = 1};
        assert_false(resolution_take(&r, &answer, HOLD_MS, now_ms, UINT32_MAX)); /* the latest by chance */
        assert_in_range(r.due_ms - now_ms, rows[i].after_ms + rows[i].spread_ms - 1,
                        rows[i].after_ms + rows[i].spread_ms);
        resolution_fini(&r);
    }
    begin();
    assert_true(found(UINT32_MAX, "192.0.2.1"));
    assert_true(r.due_ms == RESOLUTION_NEVER && r.until_ms == RESOLUTION_NEVER);
    resolution_fini(&r);
}

static void test_addresses_change(void **state)
{
    (void)state;
    begin();
    assert_false(r.known);
    assert_true(found(60, "192.0.2.1 192.0.2.2"));
    assert_true(r.known);
    assert_false(found(60, "192.0.2.1 192.0.2.2"));
    assert_true(found(60, "192.0.2.1 192.0.2.3"));
    assert_string_equal(in_use(), "192.0.2.1 192.0.2.3");
    assert_true(found(60, "192.0.2.3"));
    assert_string_equal(in_use(), "192.0.2.3");
    resolution_fini(&r);
}

static void test_failures_change_nothing_for_ever(void **state)
{
    static const uint64_t pauses_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    (void)state;
    begin();
    assert_true(found(60, "192.0.2.1"));
    for (unsigned i = 0; i < sizeof pauses_ms / sizeof *pauses_ms; i++) {
        now_ms = r.due_ms;
        assert_false(other(RESOLUTION_FAILED, "SERVFAIL"));
        assert_int_equal(r.due_ms - now_ms, pauses_ms[i]);
        assert_string_equal(r.problem, "SERVFAIL");
    }
    now_ms += 10 * UINT64_C(86400000);
    assert_false(other(RESOLUTION_FAILED, "no answer"));
    assert_string_equal(in_use(), "192.0.2.1");
    assert_int_equal(r.denied_ms, 0);
    now_ms = r.due_ms;
    assert_false(found(60, "192.0.2.1"));
    assert_null(r.problem);
    now_ms = r.due_ms;
    assert_false(other(RESOLUTION_FAILED, "SERVFAIL"));
    assert_int_equal(r.due_ms - now_ms, 1000); /* from the beginning */
    resolution_fini(&r);
}

static void test_a_denial_counts_after_the_hold(void **state)
{
    (void)state;
    begin();
    assert_true(found(60, "192.0.2.1"));
    now_ms = r.due_ms;
    uint64_t since_ms = now_ms;
    unsigned asked = 0;
    while (!other(RESOLUTION_NONE, "no such name")) {
        assert_int_equal(r.denied_ms, since_ms);
        assert_true(now_ms < since_ms + HOLD_MS);
        now_ms = r.due_ms;
        asked++;
    }
    assert_int_equal(now_ms, since_ms + HOLD_MS); /* asked at its very end */
    assert_in_range(asked, 20, 30);
    assert_int_equal(r.cnt, 0);
    assert_int_equal(r.denied_ms, 0);
    assert_string_equal(r.problem, "no such name");
    /* There is nothing left to be dropped. */
    now_ms = r.due_ms;
    assert_false(other(RESOLUTION_NONE, "no such name"));
    assert_int_equal(r.denied_ms, 0);
    now_ms = r.due_ms;
    assert_true(found(60, "192.0.2.1"));
    resolution_fini(&r);
}

static void test_a_hold_ends_with_a_denial_only(void **state)
{
    (void)state;
    begin();
    assert_true(found(60, "192.0.2.1"));
    now_ms = r.due_ms;
    assert_false(other(RESOLUTION_NONE, "no such name"));
    uint64_t since_ms = r.denied_ms;
    now_ms = since_ms + 2 * HOLD_MS;
    assert_false(other(RESOLUTION_FAILED, "SERVFAIL"));
    assert_string_equal(in_use(), "192.0.2.1");
    assert_int_equal(r.denied_ms, since_ms);
    now_ms = r.due_ms;
    assert_true(other(RESOLUTION_NONE, "no such name"));
    assert_int_equal(r.cnt, 0);
    resolution_fini(&r);
    /* Addresses in between begin it anew. */
    begin();
    assert_true(found(60, "192.0.2.1"));
    assert_false(other(RESOLUTION_NONE, "no such name"));
    now_ms += HOLD_MS - 1;
    assert_false(found(60, "192.0.2.1"));
    now_ms += HOLD_MS;
    assert_false(other(RESOLUTION_NONE, "no such name"));
    assert_int_equal(r.denied_ms, now_ms);
    resolution_fini(&r);
}

static void test_no_hold(void **state)
{
    (void)state;
    begin();
    assert_true(found(60, "192.0.2.1"));
    struct resolution_answer answer = {.outcome = RESOLUTION_NONE, .problem = "no such record"};
    assert_true(resolution_take(&r, &answer, 0, now_ms, 0));
    assert_int_equal(r.cnt, 0);
    resolution_fini(&r);
}

static struct resolution_answer sift(const char *const *texts, size_t cnt)
{
    struct resolution_answer answer = {.addresses = mem_zalloc(cnt, sizeof(struct addr)), .cnt = cnt};
    for (size_t i = 0; i < cnt; i++)
        assert_int_equal(addr_from_text(&answer.addresses[i], texts[i]), ERR_OK);
    resolution_sift(&answer);
    return answer;
}

static void test_what_is_sifted(void **state)
{
    static const char *const v4[] = {"192.0.2.2", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255",
                                     "255.255.255.255", "192.0.2.1", "192.0.2.2", "127.0.0.1", "240.0.0.1"};
    static const char *const v6[] = {"ff02::1", "::", "::ffff:192.0.2.1", "2001:db8::2", "::1", "fe80::1"};
    static const char *const none[] = {"0.0.0.0"};
    (void)state;
    struct resolution_answer answer = sift(v4, 10);
    assert_int_equal(answer.outcome, RESOLUTION_FOUND);
    assert_int_equal(answer.dropped, 5);
    assert_int_equal(answer.cut, 0);
    resolution_take(&r, &answer, 0, 1, 0);
    assert_string_equal(in_use(), "127.0.0.1 192.0.2.1 192.0.2.2 240.0.0.1");
    free(answer.addresses);
    answer = sift(v6, 6);
    assert_int_equal(answer.dropped, 3);
    resolution_take(&r, &answer, 0, 1, 0);
    assert_string_equal(in_use(), "::1 2001:db8::2 fe80::1");
    free(answer.addresses);
    answer = sift(none, 1);
    assert_int_equal(answer.outcome, RESOLUTION_NONE);
    assert_string_equal(answer.problem, "no address that can be a server's");
    free(answer.addresses);
    answer = sift(NULL, 0);
    assert_int_equal(answer.outcome, RESOLUTION_NONE);
    assert_string_equal(answer.problem, "no such record");
    free(answer.addresses);
    resolution_fini(&r);
}

static void test_too_many(void **state)
{
    struct addr many[100] = {0};
    struct resolution_answer answer = {.addresses = many, .cnt = 100};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        many[i] = (struct addr){.family = ADDR_V4, .bytes = {192, 0, 2, (uint8_t)(100 - i)}};
    resolution_sift(&answer);
    assert_int_equal(answer.cnt, RESOLUTION_ADDRESSES_MAX);
    assert_int_equal(answer.cut, 36);
    assert_int_equal(many[0].bytes[3], 1);
    assert_int_equal(many[63].bytes[3], 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ttls),
        cmocka_unit_test(test_addresses_change),
        cmocka_unit_test(test_failures_change_nothing_for_ever),
        cmocka_unit_test(test_a_denial_counts_after_the_hold),
        cmocka_unit_test(test_a_hold_ends_with_a_denial_only),
        cmocka_unit_test(test_no_hold),
        cmocka_unit_test(test_what_is_sifted),
        cmocka_unit_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
