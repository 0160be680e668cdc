/* What agents say of members, and what the group `health` says of all checks. */
#include "balance/private.h"

#include <stdio.h>
#include <string.h>

#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; },\n"                                                   \
    "{ name = \"agent\"; type = \"agent\"; port = 9000; },\n"                                                          \
    "{ name = \"quick\"; type = \"tcp\"; port = 80; fast_interval = \"50ms\"; timeout = \"50ms\"; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))
#define TWO "www 60 A 1\nwww 60 A 2\n"

static void say(struct rig *rig, const char *address, enum health_verdict verdict, bool drains)
{
    fake_find(address)->measure.drains = drains;
    fake_say(address, verdict, false, "agent: x");
    rig_spin(rig);
}

/* ---- drains */

static char heard[256];

static void hear(void *arg, const struct balance_change *change)
{
    (void)arg;
    snprintf(heard + strlen(heard), sizeof heard - strlen(heard), "%s %s|", change->before, change->now);
}

/* One of a member's checks that wants no clients is enough; its verdict is the same, and so is what is told of it. */
static void test_an_agent_drains(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = [ \"tcp\", \"agent\" ]; }"), TWO);
    for (unsigned i = 1; i <= 2; i++) {
        say(&rig, i == 1 ? "192.0.2.1@443" : "192.0.2.2@443", HEALTH_UP, false);
        say(&rig, i == 1 ? "192.0.2.1@9000" : "192.0.2.2@9000", HEALTH_UP, false);
    }
    expect_answer(&rig, "www", "1 2 ttl 20");
    balance_on_change(rig.balance, hear, NULL);
    log_begin();
    say(&rig, "192.0.2.1@9000", HEALTH_UP, true);
    expect_answer(&rig, "www", "2 ttl 20");
    assert_string_equal(log_end(), "notice: pool \"www.example.com\": 192.0.2.1 is drained (agent: x)\n");
    log_begin();
    say(&rig, "192.0.2.1@9000", HEALTH_UP, true); /* the same again */
    say(&rig, "192.0.2.1@443", HEALTH_UP, false);
    assert_string_equal(log_end(), "");
    log_begin();
    say(&rig, "192.0.2.1@9000", HEALTH_UP, false);
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_string_equal(log_end(), "notice: pool \"www.example.com\": 192.0.2.1 is no longer drained (agent: x)\n");
    assert_string_equal(heard, "up drained|drained up|");
    log_begin();
    say(&rig, "192.0.2.1@443", HEALTH_DOWN, false);
    say(&rig, "192.0.2.1@9000", HEALTH_UP, true); /* of who is down nothing else is told */
    say(&rig, "192.0.2.1@9000", HEALTH_UP, false);
    (void)log_end();
    assert_string_equal(heard, "up drained|drained up|up down|");
    rig_fini(&rig);
}

/* It survives what a reload makes anew, as verdicts do. */
static void test_a_drain_survives_a_reload(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"agent\"; }"), TWO);
    say(&rig, "192.0.2.1", HEALTH_UP, true);
    say(&rig, "192.0.2.2", HEALTH_UP, false);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"agent\"; ttl = 7; }"));
    expect_answer(&rig, "www", "2 ttl 7");
    rig_zone(&rig, TWO "www 60 A 3\n");
    expect_answer(&rig, "www", "2 ttl 7");
    rig_fini(&rig);
}

/* ---- whom to probe */

/* Who may not be asked is down, and said to be so; who is not asked by any probe is none of that. */
static void test_denied(void **state)
{
    (void)state;
    static const char health[] = "health: { probe_deny = [ \"192.0.2.2/31\" ]; probe_allow = [ \"192.0.2.3\" ]; };\n";
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }, { name = \"x\"; }"), TWO "www 60 A 3\nx 60 A 2\n");
    assert_int_equal(fake_subscribed(), 3);
    char plan[1024];
    snprintf(plan, sizeof plan, "%s%s", health, GROUPS("{ name = \"www\"; probe = \"tcp\"; }, { name = \"x\"; }"));
    diag_free(rig.load_diag);
    rig.load_diag = diag_new(100);
    rig_plan(&rig, plan);
    assert_int_equal(fake_subscribed(), 2);
    assert_null(fake_find("192.0.2.2"));
    expect_answer(&rig, "www", "1 3 ttl 20");
    expect_answer(&rig, "x", "2 ttl 20");
    assert_string_equal(diag_text(rig.load_diag),
                        "6: warning: pool \"www.example.com\": 192.0.2.2 may not be checked, by \"probe_deny\", and so "
                        "counts as down\n");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }, { name = \"x\"; }")); /* down until the first check */
    assert_int_equal(fake_subscribed(), 3);
    expect_answer(&rig, "www", "1 3 ttl 20");
    say(&rig, "192.0.2.2", HEALTH_UP, false);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_fini(&rig);
}

static char seen[512];

static void see(void *arg, const struct balance_pool_view *pool)
{
    (void)arg;
    for (size_t i = 0; i < pool->member_cnt; i++)
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s %s|",
                 health_verdict_name(pool->members[i].verdict), pool->members[i].reason);
}

static void test_denied_is_shown(void **state)
{
    (void)state;
    RIG(rig, "health: { probe_deny = [ \"192.0.2.1\" ]; };\n" GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), TWO);
    seen[0] = '\0';
    balance_each_pool(rig.balance, NULL, see, NULL);
    assert_string_equal(seen, "down not checked: not allowed by probe_deny|unknown not checked yet|");
    rig_fini(&rig);
}

/* An address to check instead is what is asked, and was written down here whoever the member is. */
static void test_permissions(void **state)
{
    (void)state;
    RIG(rig, "health: { probe_deny = [ \"192.0.2.1\" ]; };\n"
             GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.1\"; check_address = "
                    "\"127.0.0.1\"; }, { address = \"192.0.2.2\"; check_address = \"192.0.2.1\"; } ); }"), TWO);
    const struct balance_plan *plan = balance_get_plan(rig.balance);
    const struct addr local = {.bytes = {127, 0, 0, 9}, .family = ADDR_V4};
    const struct plan_group *group = plan_find(plan, rig.zone->name, (const uint8_t *)"\3www\7example\3com");
    assert_non_null(group);
    const struct plan_member *first = &group->members[0], *second = &group->members[1];
    assert_int_equal(checks_permission(plan, first, &first->address, false), PROBE_MAY);
    assert_int_equal(checks_permission(plan, first, &first->address, true), PROBE_MAY);
    assert_int_equal(checks_permission(plan, second, &second->address, false), PROBE_MAY_NOT_DENIED);
    assert_int_equal(checks_permission(plan, NULL, &local, false), PROBE_MAY);
    assert_int_equal(checks_permission(plan, NULL, &local, true), PROBE_MAY_NOT_LOCAL);
    assert_non_null(fake_find("127.0.0.1"));
    assert_int_equal(fake_subscribed(), 1);
    rig_fini(&rig);
}

/* ---- how often, how many */

static void test_caps(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"quick\"; }"), TWO);
    assert_int_equal(fake_find("192.0.2.1")->timing.start_gap_ms, 100);
    assert_int_equal(fake_checks_max(), 0);
    rig_plan(&rig, "health: { checks_max = 50; target_rate = 4; };\n" GROUPS("{ name = \"www\"; probe = \"quick\"; }"));
    assert_int_equal(fake_find("192.0.2.1")->timing.start_gap_ms, 250);
    assert_int_equal(fake_checks_max(), 50);
    assert_int_equal(fake_subscribed(), 2);
    rig_fini(&rig);
}

static uint64_t detection_ms;

static void see_bound(void *arg, const struct balance_pool_view *pool)
{
    (void)arg;
    detection_ms = pool->detection_ms;
}

static void test_the_bound_knows_the_rate(void **state)
{
    (void)state;
    static const struct {
        const char *plan;
        uint64_t detection_ms;
    } cases[] = {
        {"health: { target_rate = 1000; };\n" GROUPS("{ name = \"www\"; probe = \"quick\"; }"),
         5500 + 50 + 2 * 50 + 50},
        {GROUPS("{ name = \"www\"; probe = \"quick\"; }"), 5500 + 50 + 2 * 100 + 50},
        {"health: { target_rate = 1; };\n" GROUPS("{ name = \"www\"; probe = \"quick\"; }"), 5500 + 50 + 2 * 1000 + 50},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RIG(rig, cases[i].plan, TWO);
        balance_each_pool(rig.balance, NULL, see_bound, NULL);
        assert_int_equal(detection_ms, cases[i].detection_ms);
        rig_fini(&rig);
    }
}

static void test_what_is_not_done_is_warned_of(void **state)
{
    (void)state;
    struct diag *diag = diag_new(10);
    balance_plan_free(plan_of(GROUPS(""), diag));
    assert_string_equal(diag_text(diag), "3: warning: probe \"quick\": checks start 100ms apart at least, by "
                                         "\"target_rate\", not a fast_interval of 50ms\n");
    diag_free(diag);
    diag = diag_new(10);
    balance_plan_free(plan_of("health: { target_rate = 20; };\n" GROUPS(""), diag));
    assert_string_equal(diag_text(diag), "");
    diag_free(diag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_agent_drains),
        cmocka_unit_test(test_a_drain_survives_a_reload),
        cmocka_unit_test(test_denied),
        cmocka_unit_test(test_denied_is_shown),
        cmocka_unit_test(test_permissions),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_the_bound_knows_the_rate),
        cmocka_unit_test(test_what_is_not_done_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
