/* Hosts whose addresses are members: when they are asked for, who becomes a member by them and of which weight, and
 * what stays when they change. */
#include "balance/hosts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"
#include "unit/balance/rig.h"

#define APP "app.example.net"
#define PROBES "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"
#define ONE_HOST GROUPS("{ name = \"www\"; members = ( { host = \"app.example.net\"; } ); }")

/* The loop is part of the rig, which therefore stays where it is. */
#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))

static struct balance_family *family_of(const struct rig *rig, const char *owner, unsigned index)
{
    return &rig->balance->by_handle[rig_handle(rig, owner)]->families[index];
}

static void resolve(struct rig *rig, const char *name, const char *numbers)
{
    fake_resolve(name, ADDR_V4, 60, numbers);
    rig_spin(rig);
}

/* The clock goes on, and whoever is due asks. */
static uint64_t now_us;

static void later(struct rig *rig, unsigned sec)
{
    now_us += sec * UINT64_C(1000000);
    clock_fake_us(now_us);
    work_post(rig->balance);
    rig_spin(rig);
}

static int stop_clock(void **state)
{
    (void)state;
    now_us = UINT64_C(1000000000);
    clock_fake_us(now_us);
    return 0;
}

static int start_clock(void **state)
{
    (void)state;
    clock_fake_us(UINT64_MAX);
    return 0;
}

static void test_addresses_become_members(void **state)
{
    (void)state;
    RIG(rig, ONE_HOST, "www 60 TXT x\n");
    assert_true(fake_is_asked(APP, ADDR_V4) && fake_is_asked(APP, ADDR_V6));
    expect_answer(&rig, "www", "nodata");
    assert_false(balance_settled(rig.balance));
    resolve(&rig, APP, "2 1");
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_false(balance_settled(rig.balance)); /* it may have others */
    fake_resolve_fails(APP, ADDR_V6, true);
    rig_spin(&rig);
    assert_true(balance_settled(rig.balance));
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "nodata");
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 0);
    rig_fini(&rig);
}

static void test_the_rrset_serves_meanwhile(void **state)
{
    (void)state;
    RIG(rig, ONE_HOST, "www 10 A 7\n");
    expect_answer(&rig, "www", "7 ttl 10");
    resolve(&rig, APP, "1");
    expect_answer(&rig, "www", "1 7 ttl 10");
    rig_fini(&rig);
}

/* "BYTE:WEIGHT/TIER, that part of it withheld" of each member. */
static const char *members_of(const struct rig *rig)
{
    static char text[500];
    const struct balance_family *family = family_of(rig, "www", 0);
    size_t len = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < family->cnt; i++) {
        const struct pool_member *m = &family->members[i];
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u:%u/%u", i ? " " : "", m->address.bytes[3],
                                m->weight, m->tier);
        if (m->withheld)
            len += (size_t)snprintf(text + len, sizeof text - len, "-%.2f", (double)m->withheld / POOL_PART_ONE);
    }
    return text;
}

static void test_who_is_a_member_and_of_which_weight(void **state)
{
    static const struct {
        const char *members, *others, *zone, *app, *other, *expected;
    } rows[] = {
        {"{ host = \"app.example.net\"; weight = 3; tier = 2; }", "member", "", "1 2", NULL, "1:3/2-0.50 2:3/2-0.50"},
        {"{ host = \"app.example.net\"; weight = 3; }", "member", "www 60 A 7\n", "1 2 3 4", NULL,
         "1:3/1-0.75 2:3/1-0.75 3:3/1-0.75 4:3/1-0.75 7:1/1"},
        /* The rrset goes before hosts, and whoever is left has all of the weight. */
        {"{ host = \"app.example.net\"; weight = 3; }", "member", "www 60 A 1\n", "1 2", NULL, "1:1/1 2:3/1"},
        {"{ host = \"app.example.net\"; weight = 3; }", "ignore", "www 60 A 1\n", "1 2", NULL, "1:3/1-0.50 2:3/1-0.50"},
        {"{ host = \"app.example.net\"; weight = 3; }", "ignore", "www 60 A 7\n", "", NULL, ""},
        /* An address of `members` before all, be it in the rrset or not. */
        {"{ address = \"192.0.2.1\"; weight = 5; }, { host = \"app.example.net\"; weight = 3; }", "member", "", "1 2",
         NULL, "1:5/1 2:3/1"},
        {"{ address = \"192.0.2.1\"; weight = 5; tier = 4; }, { host = \"app.example.net\"; weight = 3; }", "member",
         "www 60 A 1\n", "1 2 3", NULL, "1:5/4 2:3/1-0.50 3:3/1-0.50"},
        /* Of two hosts the first. */
        {"{ host = \"app.example.net\"; weight = 3; }, { host = \"other.example.net\"; weight = 6; }", "member", "",
         "1 2", "2 3 4", "1:3/1-0.50 2:3/1-0.50 3:6/1-0.50 4:6/1-0.50"},
        {"{ host = \"other.example.net\"; weight = 6; }, { host = \"app.example.net\"; weight = 3; }", "member", "",
         "1 2", "2 3 4", "1:3/1 2:6/1-0.67 3:6/1-0.67 4:6/1-0.67"},
        {"{ host = \"app.example.net\"; weight = 0; }", "member", "www 60 A 7\n", "1 2", NULL,
         "1:0/1-0.50 2:0/1-0.50 7:1/1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char plan[1000], zone[100];
        snprintf(plan, sizeof plan,
                 GROUPS("{ name = \"www\"; policy = \"weighted\"; others = \"%s\"; members = ( %s ); }"),
                 rows[i].others, rows[i].members);
        snprintf(zone, sizeof zone, "www 60 TXT x\n%s", rows[i].zone);
        RIG(rig, plan, zone);
        resolve(&rig, APP, rows[i].app);
        if (rows[i].other)
            resolve(&rig, "other.example.net", rows[i].other);
        if (strcmp(members_of(&rig), rows[i].expected) != 0)
            fail_msg("row %zu: %s", i, members_of(&rig));
        rig_fini(&rig);
    }
}

static void test_who_stays_keeps_verdict_and_checks(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { host = \"app.example.net\"; } ); }"),
        "www 60 TXT x\n");
    resolve(&rig, APP, "1 2");
    fake_say("192.0.2.1", HEALTH_UP, false, "up");
    fake_say("192.0.2.2", HEALTH_DOWN, false, "down");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 ttl 20");
    size_t before = fake_subscriptions();
    later(&rig, 66);
    resolve(&rig, APP, "1 2 3");
    assert_int_equal(fake_subscriptions(), before + 1);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_int_equal(family_of(&rig, "www", 0)->members[1].verdict, HEALTH_DOWN);
    later(&rig, 66);
    resolve(&rig, APP, "2 3");
    assert_null(fake_find("192.0.2.1"));
    fake_say("192.0.2.3", HEALTH_UP, false, "up");
    rig_spin(&rig);
    expect_answer(&rig, "www", "3 ttl 20");
    rig_fini(&rig);
}

static void test_when_it_is_asked_again(void **state)
{
    (void)state;
    RIG(rig, ONE_HOST, "www 60 TXT x\n");
    resolve(&rig, APP, "1");
    fake_resolve(APP, ADDR_V6, 3600, "1");
    later(&rig, 59);
    assert_int_equal(fake_asked(), 2);
    later(&rig, 7);
    assert_int_equal(fake_asked(), 3);
    assert_true(fake_is_asked(APP, ADDR_V4));
    /* One family fails, the other is as it was. */
    fake_resolve_fails(APP, ADDR_V4, false);
    later(&rig, 2);
    assert_true(fake_is_asked(APP, ADDR_V4) && !fake_is_asked(APP, ADDR_V6));
    expect_answer(&rig, "www", "1 ttl 20");
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "1 ttl 20");
    /* Denied for ten minutes. */
    for (unsigned sec = 0; sec < 600; sec += 34) {
        fake_resolve_fails(APP, ADDR_V4, true);
        later(&rig, 34);
        expect_answer(&rig, "www", "1 ttl 20");
    }
    fake_resolve_fails(APP, ADDR_V4, true);
    rig_spin(&rig);
    expect_answer(&rig, "www", "nodata");
    assert_string_equal(rig_answer(&rig, "www", ADDR_V6), "1 ttl 20");
    rig_fini(&rig);
}

static void test_a_load_asks_again_and_loses_nothing(void **state)
{
    struct addr server = {.family = ADDR_V4, .bytes = {127, 0, 0, 1}, .port = 5353};
    (void)state;
    RIG(rig, ONE_HOST, "www 60 TXT x\nmore 60 TXT x\n");
    resolve(&rig, APP, "1");
    fake_resolve_fails(APP, ADDR_V6, true);
    balance_set_resolvers(rig.balance, &server, 1);
    assert_string_equal(fake_resolvers(), "127.0.0.1@5353");
    /* Another pool uses it from now on: it has not to wait for the answer. */
    rig_plan_later(&rig, GROUPS("{ name = \"more\"; members = ( { host = \"APP.example.net.\"; } ); }"));
    rig_zone(&rig, "www 60 TXT x\nmore 60 TXT x\n");
    expect_answer(&rig, "more", "1 ttl 20");
    assert_int_equal(fake_asked(), 4);
    /* With another hold it is another host. */
    rig_plan(&rig, GROUPS("{ name = \"more\"; host_hold = 0; members = ( { host = \"app.example.net\"; } ); }"));
    expect_answer(&rig, "more", "nodata");
    resolve(&rig, APP, "1");
    expect_answer(&rig, "more", "1 ttl 20");
    later(&rig, 66);
    fake_resolve_fails(APP, ADDR_V4, true);
    rig_spin(&rig);
    expect_answer(&rig, "more", "nodata");
    rig_plan(&rig, GROUPS("{ name = \"more\"; members = ( { address = \"192.0.2.9\"; } ); }"));
    later(&rig, 3600);
    assert_true(ring_is_empty(&rig.balance->hosts->all));
    rig_fini(&rig);
}

static void test_many_pools_have_one_host(void **state)
{
    enum { CNT = 300 };
    char *zone = mem_zalloc(CNT, 40);
    (void)state;
    for (unsigned i = 0, len = 0; i < CNT; i++)
        len += (unsigned)sprintf(zone + len, "n%u.b 60 A 7\n", i);
    RIG(rig, GROUPS("{ below = \"b\"; members = ( { host = \"app.example.net\"; } ); }"), zone);
    free(zone);
    assert_int_equal(fake_asked(), 2);
    resolve(&rig, APP, "1 2");
    expect_answer(&rig, "n0.b", "1 2 7 ttl 20");
    expect_answer(&rig, "n299.b", "1 2 7 ttl 20");
    rig_zone(&rig, "n5.b 60 A 7\n");
    later(&rig, 66);
    resolve(&rig, APP, "3");
    expect_answer(&rig, "n5.b", "3 7 ttl 20");
    rig_fini(&rig);
}

static void test_more_than_a_pool_may_have(void **state)
{
    enum { HOSTS = 17 };
    char plan[4000], numbers[RESOLUTION_ADDRESSES_MAX * 6], name[40];
    int len = snprintf(plan, sizeof plan, "%s", PROBES "zones = ( { balance = ( { name = \"www\"; members = (");
    (void)state;
    for (unsigned i = 0; i < HOSTS; i++)
        len += snprintf(plan + len, sizeof plan - (size_t)len, "%s{ host = \"h%u.example.net\"; }", i ? ", " : "", i);
    snprintf(plan + len, sizeof plan - (size_t)len, "); } ); } );");
    RIG(rig, plan, "www 60 A 255\n");
    log_begin();
    for (unsigned i = 0; i < HOSTS; i++) {
        int at = 0;
        for (unsigned k = 0; k < RESOLUTION_ADDRESSES_MAX; k++)
            at += sprintf(numbers + at, " %u", 300 + i * RESOLUTION_ADDRESSES_MAX + k);
        snprintf(name, sizeof name, "h%u.example.net", i);
        resolve(&rig, name, numbers);
    }
    expect_said(log_end(), "warning: pool \"www.example.com\": 65 A addresses of its hosts are left out, for it may "
                           "have 1024 members");
    const struct balance_family *family = family_of(&rig, "www", 0);
    assert_int_equal(family->cnt, POOL_MEMBERS_MAX);
    assert_int_equal(family->members[0].address.bytes[3], 255); /* the rrset's own stays */
    assert_int_equal(family->sides[0].withheld[WITHHELD_HOST], 0);
    assert_int_equal(family->sides[1].withheld[WITHHELD_HOST], POOL_PART_ONE * 63 / 64);
    /* Of the last but one, 63 are left to share. */
    assert_int_equal(family->sides[1023].withheld[WITHHELD_HOST], POOL_PART_ONE * 62 / 63);
    rig_fini(&rig);
}

/* ---- our own zones */

struct own {
    const struct rig *rig;
    struct catalogue *catalogue;
};

static void find_own(void *arg, const uint8_t *name, struct zone_served *served)
{
    const struct own *own = arg;
    static const struct hash_key key = {{0x0123456789abcdef, 0x2d6564696c6c6f63, 0x1357924680acebdf}};
    assert_memory_equal(own->rig->zone->key, &key, sizeof key);
    zone_served_find(served, own->catalogue, own->rig->zone->key, name);
}

static void begin_own(struct own *own, struct rig *rig)
{
    struct zone *zones[2] = {rig->zone, rig->other};
    *own = (struct own){rig, catalogue_new(zones, 2)};
    balance_set_own_zones(rig->balance, find_own, own);
}

static void test_names_of_our_own(void **state)
{
    struct rig rig;
    struct own own;
    (void)state;
    rig_init(&rig, true);
    begin_own(&own, &rig);
    rig_plan(&rig, GROUPS("{ name = \"www\"; members = ( { host = \"a.example.org\"; } ); },"
                          "{ name = \"far\"; members = ( { host = \"far.example.org\"; } ); }"));
    rig_other(&rig, "a.example.org. 60 A 1\na.example.org. 60 A 2\nfar.example.org. 30 CNAME app.example.net.\n");
    rig_zone(&rig, "www 60 TXT x\nfar 60 TXT x\n");
    later(&rig, 1);
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_int_equal(fake_asked(), 2); /* for what is far */
    fake_resolve(APP, ADDR_V4, 600, "9");
    rig_spin(&rig);
    expect_answer(&rig, "far", "9 ttl 20");
    later(&rig, 34); /* by the alias's TTL */
    assert_true(fake_is_asked(APP, ADDR_V4));
    /* What a new version says counts at once: other addresses, none, another way. */
    rig_other(&rig, "a.example.org. 60 A 3\nfar.example.org. 30 CNAME other.example.net.\n");
    later(&rig, 1);
    expect_answer(&rig, "www", "3 ttl 20");
    assert_true(!fake_is_asked(APP, ADDR_V4) && fake_is_asked("other.example.net", ADDR_V4));
    expect_answer(&rig, "far", "9 ttl 20");
    rig_other(&rig, "far.example.org. 30 A 4\n");
    later(&rig, 1);
    expect_answer(&rig, "www", "nodata");
    expect_answer(&rig, "far", "4 ttl 20");
    assert_false(fake_is_asked("other.example.net", ADDR_V4));
    rig_fini(&rig);
    catalogue_free(own.catalogue);
}

static void test_pools_of_our_own(void **state)
{
    struct rig rig;
    struct own own;
    (void)state;
    rig_init(&rig, true);
    begin_own(&own, &rig);
    rig_plan(&rig, PROBES "zones = ( { balance = ("
                          "{ name = \"www\"; members = ( { host = \"pool.example.org\"; } ); },"
                          "{ name = \"all\"; members = ( { host = \"www.example.com\"; } ); } ); }, { balance = ("
                          "{ name = \"pool.example.org.\"; probe = \"tcp\"; members = ("
                          "{ host = \"app.example.net\"; } ); } ); } );");
    rig_other(&rig, "pool.example.org. 60 A 1\n");
    rig_zone(&rig, "www 60 TXT x\nall 60 A 5\n");
    later(&rig, 1);
    resolve(&rig, APP, "2");
    fake_say("192.0.2.1", HEALTH_DOWN, false, "down");
    fake_say("192.0.2.2", HEALTH_UP, false, "up");
    rig_spin(&rig);
    later(&rig, 1);
    later(&rig, 1);
    /* Whoever is down there is for this pool to find out. */
    expect_answer(&rig, "www", "1 2 ttl 20");
    expect_answer(&rig, "all", "1 2 5 ttl 20");
    later(&rig, 66);
    resolve(&rig, APP, "3");
    for (unsigned i = 0; i < 3; i++)
        later(&rig, 1);
    expect_answer(&rig, "all", "1 3 5 ttl 20");
    rig_fini(&rig);
    catalogue_free(own.catalogue);
}

static void test_a_circle_is_told_and_ignored(void **state)
{
    struct rig rig;
    struct own own;
    (void)state;
    rig_init(&rig, true);
    begin_own(&own, &rig);
    log_begin();
    rig_plan(&rig, GROUPS("{ name = \"a\"; members = ( { host = \"to-b.example.com\"; } ); },"
                          "{ name = \"b\"; members = ( { host = \"to-a.example.com\"; } ); }"));
    rig_zone(&rig, "a 60 A 1\nb 60 A 2\nto-a 60 CNAME a\nto-b 60 CNAME b\n");
    for (unsigned i = 0; i < 4; i++)
        later(&rig, 1);
    expect_answer(&rig, "a", "1 2 ttl 20");
    expect_answer(&rig, "b", "1 2 ttl 20");
    /* What leaves does not live on in a circle. */
    rig_zone(&rig, "a 60 A 1\nb 60 A 3\nto-a 60 CNAME a\nto-b 60 CNAME b\n");
    for (unsigned i = 0; i < 4; i++)
        later(&rig, 1);
    expect_answer(&rig, "a", "1 3 ttl 20");
    expect_answer(&rig, "b", "1 3 ttl 20");
    const char *log = log_end();
    expect_said(log, "error: host \"to-a.example.com\" leads to pool \"a.example.com\", whose hosts lead back to it");
    expect_said(log, "error: host \"to-b.example.com\" leads to pool \"b.example.com\", whose hosts lead back to it");
    assert_null(strstr(strstr(log, "to-a.example.com\" leads") + 1, "to-a.example.com\" leads")); /* once */
    assert_int_equal(fake_asked(), 0);
    rig_fini(&rig);
    catalogue_free(own.catalogue);
}

/* ---- what is shown */

static void check_view(void *arg, const struct balance_pool_view *pool)
{
    char name[NAME_TEXT_MAX];
    if (pool->family != ADDR_V4)
        return;
    ++*(unsigned *)arg;
    assert_int_equal(pool->host_cnt, 2);
    const struct balance_host_view *app = &pool->hosts[0], *other = &pool->hosts[1];
    assert_string_equal(name_to_text_bare(name, app->name), APP);
    assert_true(app->known && !app->own);
    assert_int_equal(app->address_cnt, 2);
    assert_int_equal(app->weight, 3);
    assert_string_equal(app->problem, "no such name");
    assert_int_equal(app->ttl_left_ms, -16000);
    assert_true(app->found_wall_ms && app->denied_wall_ms - app->found_wall_ms == 66000);
    assert_false(other->known);
    assert_int_equal(other->ttl_left_ms, INT64_MAX);
    assert_string_equal(other->problem, "");
    assert_int_equal(pool->member_cnt, 3);
    assert_true(name_equal(pool->members[0].host, app->name));
    assert_null(pool->members[2].host);
}

static void test_the_view(void **state)
{
    unsigned seen = 0;
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; policy = \"weighted\"; members = ( { host = \"app.example.net\"; weight = 3; }, "
                    "{ host = \"other.example.net\"; } ); }"),
        "www 60 A 7\n");
    resolve(&rig, APP, "1 2");
    later(&rig, 66);
    fake_resolve_fails(APP, ADDR_V4, true);
    now_us += 10000000;
    clock_fake_us(now_us);
    balance_each_pool(rig.balance, NULL, check_view, &seen);
    assert_int_equal(seen, 1);
    rig_fini(&rig);
}

/* rondod -t asks nobody, but knows what the probes promise. */
static void check_bounds(void *arg, const struct balance_pool_view *pool)
{
    ++*(unsigned *)arg;
    assert_int_equal(pool->member_cnt, 0);
    assert_true(pool->probed && pool->staleness_ms);
}

static void test_validation_asks_nobody(void **state)
{
    struct rig rig;
    unsigned seen = 0;
    (void)state;
    rig_init(&rig, false);
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { host = \"app.example.net\"; } ); }"));
    rig_zone(&rig, "www 60 TXT x\n");
    balance_each_pool(rig.balance, NULL, check_bounds, &seen);
    assert_int_equal(seen, 2);
    assert_true(balance_settled(rig.balance));
    rig_fini(&rig);
}

static void test_what_is_logged(void **state)
{
    (void)state;
    RIG(rig, ONE_HOST, "www 60 TXT x\n");
    log_begin();
    resolve(&rig, APP, "1 2");
    fake_resolve_fails(APP, ADDR_V6, true);
    later(&rig, 66);
    resolve(&rig, APP, "1 2");
    later(&rig, 66);
    fake_resolve_fails(APP, ADDR_V4, false);
    later(&rig, 31);
    fake_resolve_fails(APP, ADDR_V4, false);
    later(&rig, 31);
    resolve(&rig, APP, "1 2");
    later(&rig, 66);
    resolve(&rig, APP, "3 0");
    later(&rig, 66);
    fake_resolve_fails(APP, ADDR_V4, true);
    later(&rig, 601);
    fake_resolve_fails(APP, ADDR_V4, true);
    assert_string_equal(log_end(),
                        "info: host \"app.example.net\" A: 192.0.2.1, 192.0.2.2\n"
                        "info: host \"app.example.net\" AAAA: no such name\n"
                        "warning: host \"app.example.net\" A: SERVFAIL; its addresses are kept\n"
                        "notice: host \"app.example.net\" A: answered again\n"
                        "notice: host \"app.example.net\" A: 192.0.2.0, 192.0.2.3\n"
                        "warning: host \"app.example.net\" A: no such name; its addresses are kept for 10m\n"
                        "error: host \"app.example.net\" A: no such name; its addresses are used no more\n");
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, stop_clock, start_clock)
        TEST(test_addresses_become_members),
        TEST(test_the_rrset_serves_meanwhile),
        TEST(test_who_is_a_member_and_of_which_weight),
        TEST(test_who_stays_keeps_verdict_and_checks),
        TEST(test_when_it_is_asked_again),
        TEST(test_a_load_asks_again_and_loses_nothing),
        TEST(test_many_pools_have_one_host),
        TEST(test_more_than_a_pool_may_have),
        TEST(test_names_of_our_own),
        TEST(test_pools_of_our_own),
        TEST(test_a_circle_is_told_and_ignored),
        TEST(test_the_view),
        TEST(test_validation_asks_nobody),
        TEST(test_what_is_logged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
