/* Members out of rrset and annotations: who is one, with which settings and checks. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"web\"; type = \"http\"; port = 8080; path = \"/up\"; }, { name = \"tcp\"; type = \"tcp\"; " \
    "port = 443; },"                                                                                                   \
    "{ name = \"hosted\"; type = \"http\"; host = \"the.host\"; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

static const char three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\nwww 60 AAAA 1\n";

/* The loop is part of the rig, which therefore stays where it is. */
#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))

static const struct balance_family *family_of(const struct rig *rig, const char *owner, unsigned index)
{
    return &rig->balance->by_handle[rig_handle(rig, owner)]->families[index];
}

static void expect_member(const struct rig *rig, uint32_t index, unsigned byte, uint32_t weight, uint32_t tier,
                          bool probed)
{
    const struct balance_family *family = family_of(rig, "www", 0);
    assert_true(index < family->cnt);
    assert_int_equal(family->members[index].address.bytes[3], byte);
    assert_int_equal(family->members[index].weight, weight);
    assert_int_equal(family->members[index].tier, tier);
    assert_int_equal(family->members[index].probed, probed);
}

static void test_others_are_members(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; policy = \"weighted\"; members = ( { address = \"192.0.2.2\"; weight = 4; tier = 2; "
               "probe = \"tcp\"; } ); }"),
        three);
    assert_int_equal(family_of(&rig, "www", 0)->cnt, 3);
    expect_member(&rig, 0, 1, 1, 1, false);
    expect_member(&rig, 1, 2, 4, 2, true);
    expect_member(&rig, 2, 3, 1, 1, false);
    assert_int_equal(family_of(&rig, "www", 1)->cnt, 1);
    assert_int_equal(fake_subscribed(), 1);
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 0);
    rig_fini(&rig);
}

static void test_others_are_ignored(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; others = \"ignore\"; members = ( { address = \"192.0.2.3\"; }, { address = "
               "\"192.0.2.1\"; } ); }"),
        three);
    assert_int_equal(family_of(&rig, "www", 0)->cnt, 2);
    expect_member(&rig, 0, 1, 1, 1, false);
    expect_member(&rig, 1, 3, 1, 1, false);
    expect_answer(&rig, "www", "1 3 ttl 20");
    /* Nobody of the other family is listed. */
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "nodata");
    expect_said(diag_text(rig.diag), "3: warning: pool \"www.example.com\" has no AAAA member");
    rig_fini(&rig);
}

static void test_sleeping(void **state)
{
    (void)state;
    static const char plan[] = GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.1\"; },\n{ "
                                      "address = \"192.0.2.9\"; weight = 0; } ); }");
    RIG(rig, plan, three);
    expect_said(diag_text(rig.diag),
                "4: warning: pool \"www.example.com\": member 192.0.2.9 sleeps, as the zone has no such A record");
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 1);
    assert_null(fake_find("192.0.2.9"));
    rig_zone(&rig, "www 60 A 1\nwww 60 A 9\n");
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 1);
    assert_non_null(fake_find("192.0.2.9"));
    expect_answer(&rig, "www", "1 ttl 20");
    rig_fini(&rig);
}

/* A group for many names lists the addresses of all. */
static void test_below_does_not_warn(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS(
            "{ below = \"@\"; members = ( { address = \"192.0.2.1\"; weight = 0; }, { address = \"192.0.2.9\"; } ); }"),
        three);
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 0);
    expect_answer(&rig, "www", "2 3 ttl 20");
    rig_fini(&rig);
}

static void test_specs(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; probe = [ \"web\", \"tcp\" ]; members = ( { address = \"192.0.2.2\"; check_address = "
               "\"192.0.2.102\"; },\n"
               "{ address = \"192.0.2.3\"; probe = \"hosted\"; } ); }"),
        three);
    const struct fake_target *web = fake_find("192.0.2.1@8080"), *hosted = fake_find("192.0.2.3@80");
    assert_non_null(web);
    assert_non_null(hosted);
    assert_string_equal(web->host, "www.example.com");
    assert_string_equal(web->path, "/up");
    assert_int_equal(web->timing.interval_ms, 5000);
    assert_string_equal(hosted->host, "the.host");
    assert_non_null(fake_find("192.0.2.1@443"));
    assert_non_null(fake_find("192.0.2.102@8080"));
    assert_non_null(fake_find("192.0.2.102@443"));
    assert_null(fake_find("192.0.2.2"));
    assert_null(fake_find("192.0.2.3@443"));
    assert_non_null(fake_find("2001:db8::1@8080"));
    assert_int_equal(fake_subscribed(), 7);
    rig_fini(&rig);
}

/* The same address, port and probe: one target, and its verdict is everybody's. */
static void test_shared_targets(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), "a 60 A 1\na 60 A 2\nb 60 A 1\nb 60 A 3\n");
    assert_int_equal(fake_find("192.0.2.1")->ref_cnt, 2);
    fake_say("192.0.2.1", HEALTH_DOWN, false, "refused");
    fake_say("192.0.2.2", HEALTH_UP, false, "connected");
    fake_say("192.0.2.3", HEALTH_UP, false, "connected");
    rig_spin(&rig);
    expect_answer(&rig, "a", "2 ttl 20");
    expect_answer(&rig, "b", "3 ttl 20");
    rig_fini(&rig);
}

static void test_all_probes_must_pass(void **state)
{
    (void)state;
    static const struct {
        enum health_verdict a, b, all;
    } cases[] = {
        {HEALTH_UP, HEALTH_UP, HEALTH_UP},           {HEALTH_UP, HEALTH_DOWN, HEALTH_DOWN},
        {HEALTH_DOWN, HEALTH_UP, HEALTH_DOWN},       {HEALTH_UNKNOWN, HEALTH_UP, HEALTH_UNKNOWN},
        {HEALTH_UP, HEALTH_UNKNOWN, HEALTH_UNKNOWN}, {HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_DOWN},
        {HEALTH_UNKNOWN, HEALTH_DOWN, HEALTH_DOWN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RIG(rig, GROUPS("{ name = \"www\"; probe = [ \"web\", \"tcp\" ]; }"), "www 60 A 1\n");
        const struct pool_member *member = &family_of(&rig, "www", 0)->members[0];
        if (cases[i].a != HEALTH_UNKNOWN)
            fake_say("192.0.2.1@8080", cases[i].a, true, "x");
        if (cases[i].b != HEALTH_UNKNOWN)
            fake_say("192.0.2.1@443", cases[i].b, false, "x");
        rig_spin(&rig);
        assert_int_equal(member->verdict, cases[i].all);
        assert_int_equal(member->unsettled, cases[i].a != HEALTH_UNKNOWN);
        rig_fini(&rig);
    }
}

/* zone_help writes one byte of an address, so the records are changed here. */
static void test_too_many(void **state)
{
    (void)state;
    enum { CNT = 1025 };
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), "www 60 A 1\nwww 60 A 2\nwww 60 AAAA 1\n");
    struct balance_pool *pool = rig.balance->by_handle[rig_handle(&rig, "www")];
    struct balance_family *family = &pool->families[0];
    free(family->records.addresses);
    family->records.addresses = mem_zalloc(CNT, sizeof *family->records.addresses);
    family->records.cnt = CNT;
    for (unsigned i = 0; i < CNT; i++)
        family->records.addresses[i] =
            (struct addr){.bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}, .family = ADDR_V4};
    records_check(pool, pool->group, rig.diag);
    expect_said(
        diag_text(rig.diag),
        "3: warning: \"www.example.com\" A is no pool and answered whole: 1025 addresses are more than the 1024");
    work_queue(pool, TODO_REBUILD, false);
    work_slice(rig.balance, 0);
    rig_spin(&rig);
    expect_answer(&rig, "www", "whole");
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "1 ttl 20");
    assert_int_equal(fake_subscribed(), 1);
    family->records.cnt--;
    work_queue(pool, TODO_REBUILD, false);
    work_slice(rig.balance, 0);
    rig_spin(&rig);
    assert_int_equal(family->cnt, 1024);
    assert_int_equal(fake_subscribed(), 1025);
    assert_non_null(rig_table(&rig, "www", ADDR_V4));
    rig_fini(&rig);
}

static void test_wildcard_without_host(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"web\"; }"), "*.x 60 A 1\na.x 60 A 2\n");
    expect_said(diag_text(rig.diag),
                "3: warning: \"*.x.example.com\" A is no pool and answered whole: probe \"web\" has no \"host\"");
    expect_answer(&rig, "*.x", "whole");
    expect_answer(&rig, "a.x", "2 ttl 20");
    assert_int_equal(fake_subscribed(), 1);
    rig_fini(&rig);
}

static void test_wildcard(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"*.x\"; probe = \"hosted\"; }"), "*.x 60 A 1\na.x 60 A 2\n");
    expect_answer(&rig, "*.x", "1 ttl 20");
    expect_answer(&rig, "a.x", "whole");
    assert_int_equal(rig_handle(&rig, "a.x"), 0);
    rig_fini(&rig);
}

static void test_apex(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"@\"; }"), "@ 60 A 1\n@ 60 A 2\n");
    expect_answer(&rig, "@", "1 2 ttl 20");
    rig_fini(&rig);
}

/* ---- settings */

static void test_ttl_is_cut(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; ttl = 30; ttl_min = 10; }"), "a 60 A 1\nb 25 A 1\nc 7 A 1\n");
    const struct pool_settings *c = &family_of(&rig, "c", 0)->settings;
    expect_answer(&rig, "a", "1 ttl 30");
    expect_answer(&rig, "b", "1 ttl 25");
    expect_answer(&rig, "c", "1 ttl 7");
    assert_int_equal(c->ttl_min_sec, 7);
    assert_int_equal(family_of(&rig, "a", 0)->settings.ttl_min_sec, 10);
    assert_int_equal(c->hash_prefix4, 32);
    assert_int_equal(c->hash_prefix6, 56);
    rig_fini(&rig);
}

/* Nameservers of other versions compute these too: they never change. */
static void test_seed_is_fixed(void **state)
{
    (void)state;
    static const struct plan_group group = {.policy = POOL_HASH, .answers = 1};
    struct pool_settings settings;
    settings_make(&settings, &group, (const uint8_t *)"\3www\7example\3com", 60);
    assert_true(settings.seed == UINT64_C(0xd76a91e7e0b598c4));
    settings_make(&settings, &group, (const uint8_t *)"", 60);
    assert_true(settings.seed == UINT64_C(0xb9034ad37056f5fb));
}

/* Targets that no check is left of keep their subscription until they are let go. */
static size_t subscribed(struct balance *balance)
{
    while (checks_release_one(balance))
        continue;
    return fake_subscribed();
}

/* Many members with several probes each: a piece is so many checks. */
static void test_checks_in_pieces(void **state)
{
    (void)state;
    enum { MEMBERS = 100, CHECKS = 2 * MEMBERS, PIECE = 128 };
    char *zone = mem_zalloc(MEMBERS, 32);
    size_t len = 0;
    for (unsigned i = 1; i <= MEMBERS; i++)
        len += (size_t)sprintf(zone + len, "www 60 A %u\n", i);
    RIG(rig, GROUPS("{ name = \"www\"; probe = [ \"web\", \"tcp\" ]; }"), zone);
    struct balance_pool *pool = rig.balance->by_handle[rig_handle(&rig, "www")];
    const struct plan_group *group = pool->group;
    assert_int_equal(subscribed(rig.balance), CHECKS);
    pool->group = NULL;
    members_rebuild(&pool->families[0]);
    assert_false(members_work(pool));
    assert_int_equal(subscribed(rig.balance), CHECKS - PIECE);
    assert_true(members_work(pool));
    assert_int_equal(subscribed(rig.balance), 0);
    pool->group = group;
    members_rebuild(&pool->families[0]);
    assert_false(members_work(pool));
    assert_int_equal(subscribed(rig.balance), PIECE);
    assert_true(members_work(pool));
    assert_int_equal(subscribed(rig.balance), CHECKS);
    rig_fini(&rig);
    free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_are_members),
        cmocka_unit_test(test_others_are_ignored),
        cmocka_unit_test(test_sleeping),
        cmocka_unit_test(test_below_does_not_warn),
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_shared_targets),
        cmocka_unit_test(test_all_probes_must_pass),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_wildcard_without_host),
        cmocka_unit_test(test_wildcard),
        cmocka_unit_test(test_apex),
        cmocka_unit_test(test_ttl_is_cut),
        cmocka_unit_test(test_seed_is_fixed),
        cmocka_unit_test(test_checks_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
