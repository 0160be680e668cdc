#include "probe/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prefix.h"

enum { MAY = PROBE_MAY, DENIED = PROBE_MAY_NOT_DENIED, LOCAL = PROBE_MAY_NOT_LOCAL };

static struct probe_rules *rules_of(const char *const *allow, const char *const *deny)
{
    struct prefix allowed[8], denied[8];
    struct probe_health_options options = {.probe_allow.items = allowed, .probe_deny.items = denied};
    for (; allow[options.probe_allow.cnt]; options.probe_allow.cnt++)
        assert_int_equal(prefix_from_text(&allowed[options.probe_allow.cnt], allow[options.probe_allow.cnt]), ERR_OK);
    for (; deny[options.probe_deny.cnt]; options.probe_deny.cnt++)
        assert_int_equal(prefix_from_text(&denied[options.probe_deny.cnt], deny[options.probe_deny.cnt]), ERR_OK);
    return probe_rules_new(&options);
}

struct row {
    const char *address;
    int operators, foreign;
};

static void expect(const char *const *allow, const char *const *deny, const struct row *rows, size_t cnt)
{
    struct probe_rules *rules = rules_of(allow, deny);
    for (size_t i = 0; i < cnt; i++) {
        struct addr addr;
        assert_int_equal(addr_port_from_text(&addr, rows[i].address, 80), ERR_OK);
        assert_int_equal(probe_may(rules, &addr, PROBE_ORIGIN_OPERATOR), rows[i].operators);
        assert_int_equal(probe_may(rules, &addr, PROBE_ORIGIN_FOREIGN), rows[i].foreign);
    }
    probe_rules_free(rules);
}

#define ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
static const char *const nothing[] = {NULL};

static void test_without_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"192.0.2.1", MAY, MAY},          {"10.0.0.1", MAY, MAY},        {"2001:db8::1", MAY, MAY},
        {"127.0.0.1", MAY, LOCAL},        {"127.255.0.9", MAY, LOCAL},   {"169.254.169.254", MAY, LOCAL},
        {"0.0.0.0", MAY, LOCAL},          {"::1", MAY, LOCAL},           {"::", MAY, LOCAL},
        {"fe80::1", MAY, LOCAL},          {"febf::1", MAY, LOCAL},       {"fec0::1", MAY, MAY},
        {"::2", MAY, MAY},                {"::ffff:127.0.0.1", MAY, LOCAL}, {"::ffff:192.0.2.1", MAY, MAY},
        {"128.0.0.1", MAY, MAY},          {"fd00::1", MAY, MAY},
    };
    expect(nothing, nothing, ROWS(rows));
}

static void test_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"10.1.2.3", DENIED, DENIED}, {"10.1.9.9", MAY, MAY},   {"::ffff:10.1.2.3", DENIED, DENIED},
        {"127.0.0.1", MAY, MAY},      {"127.0.0.2", MAY, LOCAL}, {"169.254.0.1", DENIED, DENIED},
        {"2001:db8::9", DENIED, DENIED}, {"fe80::1", MAY, MAY},
    };
    expect(LIST("10.1.9.0/24", "127.0.0.1", "fe80::/10"), LIST("10.0.0.0/8", "169.254.0.0/16", "2001:db8::/32"),
           ROWS(rows));
}

static void test_words_and_gaps(void **state)
{
    (void)state;
    assert_string_equal(probe_permission_text(PROBE_MAY), "");
    assert_string_equal(probe_permission_text(PROBE_MAY_NOT_DENIED), "not checked: not allowed by probe_deny");
    assert_non_null(probe_permission_text(PROBE_MAY_NOT_LOCAL));
    assert_int_equal(probe_start_gap_ms(&(struct probe_health_options){.target_rate = 10}), 100);
    assert_int_equal(probe_start_gap_ms(&(struct probe_health_options){.target_rate = 3}), 334);
    assert_int_equal(probe_start_gap_ms(&(struct probe_health_options){.target_rate = 1000}), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_without_lists), cmocka_unit_test(test_lists),
                                       cmocka_unit_test(test_words_and_gaps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
