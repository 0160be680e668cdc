/* Pools come, change and go with versions and plans. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/clock.h"
#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"same\"; type = \"tcp\"; port = 443; }, { " \
    "name = \"other\"; type = \"tcp\"; port = 80; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"
#define WWW GROUPS("{ name = \"www\"; probe = \"tcp\"; }")

static const char two[] = "www 60 A 1\nwww 60 A 2\n", three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n";

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))

static void say(struct rig *rig, const char *address, enum health_verdict verdict)
{
    fake_say(address, verdict, false, "x");
    rig_spin(rig);
}

static void one_is_down(struct rig *rig)
{
    say(rig, "192.0.2.2", HEALTH_UP);
    say(rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(rig, "www", "2 ttl 20");
}

/* ---- versions */

static void test_only_annotated_names(void **state)
{
    (void)state;
    RIG(rig, WWW, "www 60 A 1\nother 60 A 1\nother 60 A 2\n");
    assert_int_not_equal(rig_handle(&rig, "www"), 0);
    assert_int_equal(rig_handle(&rig, "other"), 0);
    assert_int_equal(balance_pool_cnt(rig.balance), 1);
    rig_fini(&rig);
}

static void test_families_apart(void **state)
{
    (void)state;
    RIG(rig, WWW, "www 60 A 1\nwww 60 A 2\nwww 60 AAAA 1\nwww 60 AAAA 2\n");
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "2001:db8::2", HEALTH_UP);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "2 ttl 20");
    uint32_t handle = rig_handle(&rig, "www");
    rig_zone(&rig, two);
    assert_int_equal(rig_handle(&rig, "www"), handle);
    assert_null(rig_table(&rig, "www", ADDR_V6));
    assert_int_equal(fake_subscribed(), 2);
    rig_fini(&rig);
}

/* A version built from nothing loses every node and has every node anew; pools live on. */
static void test_version_keeps_pools(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    uint32_t handle = rig_handle(&rig, "www");
    one_is_down(&rig);
    const struct pool_table *table = rig_table(&rig, "www", ADDR_V4);
    size_t subscriptions = fake_subscriptions();
    rig_zone(&rig, two);
    assert_int_equal(rig_handle(&rig, "www"), handle);
    assert_ptr_equal(rig_table(&rig, "www", ADDR_V4), table);
    assert_int_equal(fake_subscriptions(), subscriptions);
    rig_fini(&rig);
}

/* Done before the version is published, without a turn of the loop. */
static void test_member_comes_and_goes(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    one_is_down(&rig);
    size_t subscriptions = fake_subscriptions();
    clock_fake_us(clock_mono_us()); /* what the version's turn has time for must not hang on how busy the machine is */
    rig_zone_now(&rig, three);
    clock_fake_us(UINT64_MAX);
    assert_int_equal(fake_subscriptions(), subscriptions + 1);
    expect_answer(&rig, "www", "2 ttl 20"); /* 3 is unknown */
    say(&rig, "192.0.2.3", HEALTH_UP);
    expect_answer(&rig, "www", "2 3 ttl 20");
    rig_zone_now(&rig, "www 60 A 1\nwww 60 A 3\n");
    expect_answer(&rig, "www", "3 ttl 20");
    assert_null(fake_find("192.0.2.2"));
    assert_int_equal(fake_subscribed(), 2);
    rig_fini(&rig);
}

static void test_ttl_of_the_record(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    rig_zone_now(&rig, "www 9 A 1\nwww 9 A 2\n");
    expect_answer(&rig, "www", "1 2 ttl 9");
    rig_fini(&rig);
}

static void test_retire(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    uint32_t handle = rig_handle(&rig, "www");
    rig_zone_now(&rig, "x 60 A 1\n");
    /* Whoever still reads the version before needs the table. */
    assert_non_null(rig.directory.entries[handle].tables[0]);
    assert_int_equal(rig.directory.free_cnt, 0);
    assert_int_equal(balance_pool_cnt(rig.balance), 0);
    rig_spin(&rig);
    assert_null(rig.directory.entries[handle].tables[0]);
    assert_int_equal(rig.directory.free_cnt, 1);
    assert_int_equal(fake_subscribed(), 0);
    rig_fini(&rig);
}

/* Comes back while its old handle is still on its way. */
static void test_back_before_grace(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    uint32_t handle = rig_handle(&rig, "www");
    rig_zone_now(&rig, "x 60 A 1\n");
    rig_zone_now(&rig, two);
    assert_int_not_equal(rig_handle(&rig, "www"), 0);
    assert_int_not_equal(rig_handle(&rig, "www"), handle);
    expect_answer(&rig, "www", "1 2 ttl 20");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_int_equal(rig.directory.free_cnt, 1);
    assert_int_equal(fake_subscribed(), 2);
    rig_fini(&rig);
}

static void test_zone_gone(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), "a 60 A 1\nb 60 A 2\nc 60 AAAA 3\n");
    assert_int_equal(balance_pool_cnt(rig.balance), 3);
    balance_zone_gone(rig.balance, rig.zone); /* there may be thousands of them: the pools are for slices */
    assert_int_equal(balance_pool_cnt(rig.balance), 3);
    rig_spin(&rig);
    assert_int_equal(balance_pool_cnt(rig.balance), 0);
    assert_int_equal(fake_subscribed(), 0);
    assert_int_equal(rig.directory.free_cnt, 3);
    balance_zone_gone(rig.balance, rig.zone);
    rig_fini(&rig);
}

static void test_no_handle_left(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, WWW);
    uint32_t used = rig.directory.used;
    rig.directory.used = POOL_HANDLES_MAX;
    rig_zone(&rig, two);
    rig.directory.used = used;
    assert_int_equal(rig_handle(&rig, "www"), 0);
    expect_said(diag_text(rig.diag),
                "3: warning: \"www.example.com\" is no pool and answered whole: there are 1048575 pools already");
    rig_zone(&rig, three);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    rig_fini(&rig);
}

/* ---- plans */

static void test_plan_changes_settings_of_an_unchanged_zone(void **state)
{
    (void)state;
    RIG(rig, WWW, three);
    one_is_down(&rig);
    size_t targets = fake_subscribed();
    rig_plan(
        &rig,
        GROUPS("{ name = \"www\"; ttl = 7; probe = \"tcp\"; members = ( { address = \"192.0.2.3\"; tier = 2; } ); }"));
    expect_answer(&rig, "www", "2 ttl 7");
    assert_int_equal(fake_subscribed(), targets);
    rig_fini(&rig);
}

#define ONLY(address, more)                                                                                            \
    GROUPS("{ name = \"www\"; probe = \"tcp\"; others = \"ignore\"; members = ( { address = \"" address                \
           "\"; } ); }" more)

/* Annotations and records change together; in between neither meets the other's. */
static void test_plan_waits_for_its_version(void **state)
{
    (void)state;
    RIG(rig, ONLY("192.0.2.1", ""), "www 60 A 1\nx 60 A 1\n");
    expect_answer(&rig, "www", "1 ttl 20");
    rig_plan_later(&rig, ONLY("192.0.2.2", ", { name = \"x\"; }"));
    rig_spin(&rig);
    say(&rig, "192.0.2.1", HEALTH_UP); /* compiles anew */
    expect_answer(&rig, "www", "1 ttl 20");
    rig_zone_now(&rig, "www 60 A 2\nx 60 A 1\n");
    expect_answer(&rig, "www", "2 ttl 20");
    expect_answer(&rig, "x", "1 ttl 20");
    assert_null(rig.balance->old_plans);
    assert_null(fake_find("192.0.2.1"));
    rig_plan_later(&rig, ONLY("192.0.2.3", ""));
    balance_zone_ready(rig.balance, rig.zone); /* without such a record: what was written applies */
    expect_answer(&rig, "www", "2 ttl 20");    /* in a slice */
    rig_spin(&rig);
    expect_answer(&rig, "www", "nodata");
    rig_fini(&rig);
}

/* Work that an earlier version left for later slices is done by the plan of that version. */
static void test_plan_overtaken_while_it_waits(void **state)
{
    (void)state;
    RIG(rig, ONLY("192.0.2.1", ""), "www 60 A 1\n");
    const struct balance_zone *zone = balance_find_zone(rig.balance, rig.zone->name);
    work_queue(balance_find_pool(rig.balance, zone, (const uint8_t *)"\3www\7example\3com"), TODO_REBUILD, false);
    rig_plan_later(&rig, ONLY("192.0.2.2", ""));
    rig_plan_later(&rig, ONLY("192.0.2.3", ""));
    work_slice(rig.balance, UINT64_MAX);
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 ttl 20");
    rig_zone_now(&rig, "www 60 A 3\n");
    expect_answer(&rig, "www", "3 ttl 20");
    rig_spin(&rig);
    assert_null(rig.balance->old_plans);
    rig_fini(&rig);
}

/* Identical checks by another name. */
static void test_plan_keeps_verdicts(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    one_is_down(&rig);
    rig_plan(&rig, GROUPS("{ below = \"@\"; ttl = 8; probe = \"same\"; }"));
    expect_answer(&rig, "www", "2 ttl 8");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"other\"; }"));
    expect_answer(&rig, "www", "2 ttl 20"); /* until the first result of the other check */
    assert_int_equal(fake_subscribed(), 2);
    rig_plan(&rig, GROUPS("{ name = \"www\"; }"));
    assert_int_equal(fake_subscribed(), 0);
    rig_fini(&rig);
}

static void test_annotation_vanishes_and_comes_back(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    uint32_t handle = rig_handle(&rig, "www");
    one_is_down(&rig);
    rig_plan(&rig, GROUPS("{ name = \"x\"; }"));
    expect_answer(&rig, "www", "whole");
    assert_int_equal(balance_pool_cnt(rig.balance), 0);
    assert_int_equal(fake_subscribed(), 0);
    assert_int_equal(rig_handle(&rig, "www"), handle); /* the node has it, so nobody else may */
    assert_int_equal(rig.directory.free_cnt, 0);
    rig_plan(&rig, WWW);
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_int_equal(balance_pool_cnt(rig.balance), 1);
    rig_plan(&rig, "");
    rig_zone(&rig, two);
    assert_int_equal(rig_handle(&rig, "www"), 0);
    assert_int_equal(rig.directory.free_cnt, 1);
    rig_fini(&rig);
}

static void count(void *arg) { ++*(unsigned *)arg; }

/* In the log, and for whoever waits until pools have followed. */
static void test_plan_warns_of_sleepers(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    unsigned calls = 0;
    struct diag *found = diag_new(10);
    log_begin();
    rig_plan_now(&rig, GROUPS("{ name = \"www\"; members = ( { address = \"192.0.2.9\"; } ); }"));
    balance_when_followed(rig.balance, found, count, &calls);
    assert_int_equal(calls, 0); /* on the loop */
    rig_spin(&rig);
    expect_said(log_end(), "pool \"www.example.com\": member 192.0.2.9 sleeps");
    assert_int_equal(calls, 1);
    assert_string_equal(diag_text(found), "3: warning: pool \"www.example.com\": member 192.0.2.9 sleeps, as the zone "
                                          "has no such A record\n");
    balance_when_followed(rig.balance, found, count, &calls);
    rig_spin(&rig);
    assert_int_equal(calls, 2);
    assert_int_equal(diag_cnt(found, DIAG_WARNING), 1); /* once */
    diag_free(found);
    rig_fini(&rig);
}

static char *many_names(unsigned cnt)
{
    char *zone = mem_zalloc(cnt + 1, 64);
    size_t len = 0;
    for (unsigned i = 0; i < cnt; i++)
        len += (size_t)sprintf(zone + len, "n%u 60 A %u\nn%u 60 A 255\n", i, i % 200, i);
    return zone;
}

enum { SLICED_CNT = 20000 };
#define SLICED GROUPS("{ below = \"@\"; }, { name = \"www\"; probe = \"tcp\"; }")

/* Until a large version is published, nothing of it shows: who dies meanwhile dies among the old members. */
static void test_version_in_slices(void **state)
{
    (void)state;
    char *zone = many_names(SLICED_CNT), *other = many_names(SLICED_CNT);
    unsigned calls = 1, followed = 0;
    strcat(zone, two);
    strcat(other, "www 60 A 3\n");
    memcpy(other, "n0 60 A 7", 9);
    RIG(rig, SLICED, zone);
    assert_int_equal(balance_pool_cnt(rig.balance), SLICED_CNT + 1);
    struct zone_version *version = rig_build(&rig, other);
    for (; !rig_ready(&rig, version); calls++) {
        if (calls == 1) {
            fake_say("192.0.2.2", HEALTH_UP, false, "x");
            fake_say("192.0.2.1", HEALTH_DOWN, false, "x");
            rig_turn(&rig);
            expect_answer(&rig, "www", "2 ttl 20");
            assert_null(fake_find("192.0.2.3"));
        }
        rig_turn(&rig);
        expect_answer(&rig, "n0", "0 255 ttl 20");
    }
    assert_true(calls > 1);
    balance_when_followed(rig.balance, rig.diag, count, &followed);
    assert_false(balance_settled(rig.balance));
    rig_spin(&rig);
    assert_int_equal(followed, 1);
    expect_answer(&rig, "n0", "7 255 ttl 20");
    expect_answer(&rig, "www", "3 ttl 20");
    assert_non_null(fake_find("192.0.2.3"));
    rig_fini(&rig);
    free(zone);
    free(other);
}

/* The next version comes while the one before is still being followed, and the next zone of the name too. */
static void test_versions_and_zones_overtake(void **state)
{
    (void)state;
    char *zone = many_names(SLICED_CNT);
    RIG(rig, SLICED, zone);
    rig_zone_now(&rig, "x 60 A 1\n"); /* SLICED_CNT are lost */
    assert_false(balance_settled(rig.balance));
    rig_zone_now(&rig, zone);
    rig_plan_now(&rig, GROUPS("{ below = \"@\"; ttl = 7; }"));
    rig_zone_now(&rig, zone);
    rig_spin(&rig);
    assert_int_equal(balance_pool_cnt(rig.balance), SLICED_CNT);
    expect_answer(&rig, "n3", "3 255 ttl 7");
    struct balance_counts counts;
    balance_count(&counts, rig.balance);
    assert_int_equal(counts.pools[POOL_LIVE], SLICED_CNT);
    assert_int_equal(counts.members[HEALTH_UP], 2 * SLICED_CNT);
    balance_zone_gone(rig.balance, rig.zone);
    assert_false(balance_settled(rig.balance));
    struct zone_version *last = rig.zone->current;
    rig.zone->current = rig.zone->latest = NULL;
    zone_version_put(last);
    rig_zone_now(&rig, "n3 60 A 9\n");
    expect_answer(&rig, "n3", "9 ttl 7");
    rig_spin(&rig);
    expect_answer(&rig, "n3", "9 ttl 7");
    assert_int_equal(balance_pool_cnt(rig.balance), 1);
    balance_count(&counts, rig.balance);
    assert_int_equal(counts.pools[POOL_LIVE], 1);
    assert_int_equal(counts.members[HEALTH_UP], 1);
    rig_fini(&rig);
    free(zone);
}

/* More than one slice's work, and plans and versions that come in the middle of it. */
static void test_slices(void **state)
{
    (void)state;
    enum { CNT = 3000 };
    char *zone = many_names(CNT), owner[16];
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"));
    rig_zone_now(&rig, zone);
    assert_false(balance_settled(rig.balance));
    rig_plan_now(&rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; ttl = 10; }"));
    rig_turn(&rig);
    rig_plan_now(&rig, GROUPS("{ below = \"@\"; probe = \"other\"; ttl = 11; }"));
    rig_turn(&rig);
    rig_zone_now(&rig, zone);
    rig_plan_now(&rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; ttl = 12; }, { name = \"n7\"; ttl = 13; }"));
    rig_spin(&rig);
    assert_int_equal(balance_pool_cnt(rig.balance), CNT);
    for (unsigned i = 0; i < CNT; i++) {
        char expected[64];
        snprintf(owner, sizeof owner, "n%u", i);
        snprintf(expected, sizeof expected, "%u 255 ttl %u", i % 200, i == 7 ? 13 : 12);
        expect_answer(&rig, owner, expected);
    }
    assert_null(rig.balance->old_plans);
    rig_zone_now(&rig, "x 60 TXT x\n");
    rig_plan_now(&rig, "");
    rig_fini(&rig);
    free(zone);
}

/* ---- settled */

static void test_settled(void **state)
{
    (void)state;
    struct rig rig;
    unsigned calls = 0, more = 0;
    uint64_t first_within_ms;
    rig_init(&rig, true);
    assert_true(balance_settled(rig.balance));
    rig_plan(&rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"));
    rig_zone(&rig, "a 60 A 1\na 60 A 2\nb 60 A 3\nb 60 A 4\n");
    assert_false(balance_settled(rig.balance));
    assert_int_equal(balance_start(rig.balance, 2000), ERR_OK);
    assert_true(fake_runs(&first_within_ms));
    assert_int_equal(first_within_ms, 1000);
    balance_when_settled(rig.balance, count, &calls);
    say(&rig, "192.0.2.1", HEALTH_UP); /* an up member is enough */
    say(&rig, "192.0.2.3", HEALTH_DOWN);
    assert_false(balance_settled(rig.balance));
    assert_int_equal(calls, 0);
    say(&rig, "192.0.2.4", HEALTH_DOWN); /* or a verdict for each */
    assert_true(balance_settled(rig.balance));
    assert_int_equal(calls, 1);
    balance_when_settled(rig.balance, count, &more);
    balance_when_settled(rig.balance, count, &more);
    assert_int_equal(more, 0); /* on the loop */
    rig_spin(&rig);
    assert_int_equal(more, 2);
    assert_int_equal(calls, 1);
    rig_fini(&rig);
}

/* An up member that would not be answered is not enough: of a tier behind, or drained. */
static void test_settled_by_who_is_answered(void **state)
{
    (void)state;
    static const char *const plans[] = {
        GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.2\"; tier = 2; } ); }"),
        GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.2\"; weight = 0; } ); }"),
    };
    for (unsigned i = 0; i < 4; i++) {
        RIG(rig, plans[i % 2], two);
        say(&rig, "192.0.2.2", HEALTH_UP);
        expect_answer(&rig, "www", "1 ttl 20");
        assert_false(balance_settled(rig.balance));
        say(&rig, "192.0.2.1", i < 2 ? HEALTH_UP : HEALTH_DOWN);
        assert_true(balance_settled(rig.balance));
        rig_fini(&rig);
    }
}

/* And who is not answered need not be known. */
static void test_settled_without_the_others(void **state)
{
    (void)state;
    static const char *const plans[] = {
        GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.2\"; tier = 2; } ); }"),
        GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.2\"; weight = 0; } ); }"),
        WWW,
    };
    for (unsigned i = 0; i < 3; i++) {
        RIG(rig, plans[i], two);
        assert_false(balance_settled(rig.balance));
        say(&rig, "192.0.2.1", HEALTH_UP);
        assert_true(balance_settled(rig.balance));
        rig_plan(&rig, ""); /* it waits for nobody any more */
        assert_true(balance_settled(rig.balance));
        rig_fini(&rig);
    }
}

static void test_gone_while_waiting(void **state)
{
    (void)state;
    RIG(rig, WWW, two);
    unsigned calls = 0;
    balance_when_settled(rig.balance, count, &calls);
    rig_spin(&rig);
    assert_int_equal(calls, 0);
    rig_zone(&rig, "x 60 A 1\n");
    assert_int_equal(calls, 1);
    balance_when_settled(rig.balance, count, &calls);
    rig_fini(&rig);
    assert_int_equal(calls, 1);
}

/* For a validation. */
static void test_without_probing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, false);
    rig_plan(&rig, WWW);
    rig_zone_now(&rig, two);
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_true(balance_settled(rig.balance));
    assert_int_equal(balance_start(rig.balance, 1000), ERR_OK);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_annotated_names),
        cmocka_unit_test(test_families_apart),
        cmocka_unit_test(test_version_keeps_pools),
        cmocka_unit_test(test_member_comes_and_goes),
        cmocka_unit_test(test_ttl_of_the_record),
        cmocka_unit_test(test_retire),
        cmocka_unit_test(test_back_before_grace),
        cmocka_unit_test(test_zone_gone),
        cmocka_unit_test(test_no_handle_left),
        cmocka_unit_test(test_plan_changes_settings_of_an_unchanged_zone),
        cmocka_unit_test(test_plan_waits_for_its_version),
        cmocka_unit_test(test_plan_overtaken_while_it_waits),
        cmocka_unit_test(test_plan_keeps_verdicts),
        cmocka_unit_test(test_annotation_vanishes_and_comes_back),
        cmocka_unit_test(test_plan_warns_of_sleepers),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_version_in_slices),
        cmocka_unit_test(test_versions_and_zones_overtake),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_settled_by_who_is_answered),
        cmocka_unit_test(test_settled_without_the_others),
        cmocka_unit_test(test_gone_while_waiting),
        cmocka_unit_test(test_without_probing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
