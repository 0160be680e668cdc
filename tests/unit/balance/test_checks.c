/* Checks of a pool of many members are opened and closed in pieces, in which verdicts, plans and versions go on; and
 * what is known of a member stays whatever becomes of its checks. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"same\"; type = \"tcp\"; port = 443; }, { " \
    "name = \"other\"; type = \"tcp\"; port = 80; }," \
    "{ name = \"slow\"; type = \"tcp\"; port = 443; interval = 60; rise = 5; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

enum { MANY = 200, PIECE = 64 };

static struct rig *rig_of_many(void)
{
    struct rig *rig = mem_zalloc(1, sizeof *rig);
    char zone[MANY * 20] = "";
    size_t len = 0;
    for (unsigned i = 0; i < MANY; i++)
        len += (size_t)sprintf(zone + len, "www 60 A %u\n", i);
    rig_init(rig, true);
    rig_plan(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"));
    rig_zone(rig, zone);
    for (unsigned i = 0; i < MANY; i++) {
        char text[32];
        snprintf(text, sizeof text, "192.0.2.%u", i);
        fake_say(text, i == 5 ? HEALTH_DOWN : HEALTH_UP, false, "x");
    }
    log_begin();
    rig_spin(rig);
    log_end();
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, MANY - 1);
    return rig;
}

/* From now on by another plan, of which nothing has been done yet. */
static void begin_to_follow(struct rig *rig, const char *plan)
{
    rig_plan_later(rig, plan);
    work_follow_plan(rig->balance, balance_find_zone(rig->balance, rig->zone->name));
}

static void end(struct rig *rig)
{
    rig_fini(rig);
    free(rig);
}

/* The same checks by another name, so that nobody's verdict may be lost; the table stays until all of them are open. */
static void test_checks_in_pieces(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    const struct pool_table *table = rig_table(rig, "www", ADDR_V4);
    unsigned pieces = 0, both = 0;
    begin_to_follow(rig, GROUPS("{ name = \"www\"; probe = \"same\"; ttl = 7; }"));
    for (; rig_table(rig, "www", ADDR_V4) == table; pieces++) {
        assert_true(pieces < 100);
        if (pieces == 2) {
            log_begin();
            fake_say("192.0.2.7", HEALTH_DOWN, false, "x");   /* checked by the new ones already */
            fake_say("192.0.2.199", HEALTH_DOWN, false, "x"); /* and by the old ones alone */
        }
        work_slice(rig->balance, 0);
        both += fake_subscribed() > MANY;
    }
    log_end();
    assert_true(pieces >= 2 * MANY / PIECE && both >= MANY / PIECE);
    assert_int_equal(fake_subscribed(), MANY);
    rig_spin(rig);
    assert_int_equal(rig_table(rig, "www", ADDR_V4)->set_cnt, MANY - 3);
    assert_int_equal(be32_get(rig_table(rig, "www", ADDR_V4)->bytes + 6), 7);
    end(rig);
}

/* Another plan, another version and the end, all in the middle of it. */
static void test_checks_in_pieces_overtaken(void **state)
{
    (void)state;
    static const char *const plans[] = {
        GROUPS("{ name = \"www\"; probe = \"other\"; }"), GROUPS("{ name = \"www\"; probe = [ \"tcp\", \"other\" ]; }"),
        GROUPS("{ name = \"x\"; }"), GROUPS("{ name = \"www\"; probe = \"tcp\"; ttl = 9; }")};
    for (unsigned pieces = 1; pieces < 12; pieces++) {
        struct rig *rig = rig_of_many();
        for (unsigned i = 0; i < 4; i++) {
            begin_to_follow(rig, plans[i]);
            for (unsigned n = 0; n < pieces; n++)
                work_slice(rig->balance, 0);
        }
        log_begin();
        if (pieces % 3 == 0) {
            rig_zone_now(rig, "www 60 A 1\nwww 60 A 5\n");
            rig_spin(rig);
            assert_int_equal(fake_subscribed(), 2);
            assert_non_null(rig_table(rig, "www", ADDR_V4));
        } else if (pieces % 3 == 1) {
            rig_zone_now(rig, "x 60 A 1\n");
            rig_spin(rig);
            assert_int_equal(fake_subscribed(), 0);
        }
        end(rig);
        log_end();
    }
}

/* ---- what is known stays */

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))
#define TWO(name) name " 60 A 1\n" name " 60 A 2\n"

static void say(struct rig *rig, const char *address, enum health_verdict verdict)
{
    fake_say(address, verdict, false, "x");
    rig_spin(rig);
}

static void expect_not_said(const char *log, const char *part)
{
    if (strstr(log, part))
        fail_msg("\"%s\" is in:\n%s", part, log);
}

/* Where another check is the member's, the old verdict counts until the first result. */
static void test_another_check(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), TWO("www"));
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    log_begin();
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"other\"; }"));
    expect_answer(&rig, "www", "2 ttl 20");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = [ \"other\", \"tcp\" ]; }")); /* nor has that one a result */
    expect_answer(&rig, "www", "2 ttl 20");
    assert_string_equal(log_end(), "");
    log_begin();
    say(&rig, "192.0.2.1@80", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    assert_string_equal(log_end(), "");
    say(&rig, "192.0.2.1@443", HEALTH_UP);
    expect_answer(&rig, "www", "1 2 ttl 20");
    say(&rig, "192.0.2.2@443", HEALTH_DOWN);
    expect_answer(&rig, "www", "1 ttl 20");
    say(&rig, "192.0.2.2@443", HEALTH_UP); /* and the other still without result */
    expect_answer(&rig, "www", "1 2 ttl 20");
    rig_fini(&rig);
}

/* What was known of a member before it was unprobed for a while is long past. */
static void test_unprobed_between(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), TWO("www"));
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    rig_plan(&rig, GROUPS("{ name = \"www\"; }"));
    expect_answer(&rig, "www", "1 2 ttl 20");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"other\"; }"));
    expect_answer(&rig, "www", "1 2 ttl 20");
    say(&rig, "192.0.2.2@80", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_fini(&rig);
}

/* A pool that is down is up again when somebody is. */
static void test_up_again_is_true(void **state)
{
    (void)state;
    static const char all[] = TWO("www") "www 60 A 3\n";
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; all_down = \"serve_none\"; }"), TWO("www"));
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "nodata");
    log_begin();
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"other\"; all_down = \"serve_none\"; }"));
    expect_answer(&rig, "www", "nodata");
    rig_zone(&rig, all); /* one whom nobody has checked */
    expect_answer(&rig, "www", "3 ttl 20");
    assert_string_equal(log_end(), "");
    log_begin();
    say(&rig, "192.0.2.3@80", HEALTH_DOWN);
    expect_answer(&rig, "www", "nodata");
    expect_not_said(log_end(), "every A member"); /* once more */
    log_begin();
    say(&rig, "192.0.2.1@80", HEALTH_UP);
    expect_said(log_end(), "A members are up again");
    expect_answer(&rig, "www", "1 ttl 20");
    rig_fini(&rig);
}

/* The same check with other timing. */
static void test_changed_timing(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), TWO("www"));
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    fake_say("192.0.2.2", HEALTH_UP, true, "x");
    rig_spin(&rig);
    uint32_t id = fake_find("192.0.2.1")->id;
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"slow\"; }"));
    assert_int_not_equal(fake_find("192.0.2.1")->id, id);
    assert_int_equal(fake_find("192.0.2.1")->timing.rise, 5);
    assert_int_equal(fake_subscribed(), 2);
    expect_answer(&rig, "www", "2 ttl 5");
    say(&rig, "192.0.2.2", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_fini(&rig);
}

/* ---- targets are parked while a load is under way */

/* Two pools change probes, and neither was wanted by anybody in between. */
static void test_probes_change_places(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"a\"; probe = \"tcp\"; }, { name = \"b\"; probe = \"other\"; }"), TWO("a") TWO("b"));
    say(&rig, "192.0.2.1@443", HEALTH_UP);
    say(&rig, "192.0.2.2@443", HEALTH_DOWN);
    say(&rig, "192.0.2.1@80", HEALTH_DOWN);
    say(&rig, "192.0.2.2@80", HEALTH_UP);
    uint32_t tcp = fake_find("192.0.2.1@443")->id, other = fake_find("192.0.2.1@80")->id;
    rig_plan(&rig, GROUPS("{ name = \"a\"; probe = \"other\"; }, { name = \"b\"; probe = \"tcp\"; }"));
    expect_answer(&rig, "a", "2 ttl 20");
    expect_answer(&rig, "b", "1 ttl 20");
    assert_int_equal(fake_find("192.0.2.1@443")->id, tcp);
    assert_int_equal(fake_find("192.0.2.1@80")->id, other);
    assert_int_equal(fake_subscribed(), 4);
    rig_fini(&rig);
}

static void count(void *arg) { ++*(unsigned *)arg; }

/* A pool goes from one zone to another, and the zone that it comes to is the last that is read. */
static void test_from_zone_to_zone(void **state)
{
    (void)state;
    unsigned followed = 0;
    RIG(rig, PROBES "zones = ( { balance = ( { name = \"www\"; probe = \"slow\"; } ); }, { } );", TWO("www"));
    rig_other(&rig, "x.example.org. 60 TXT x\n");
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    uint32_t id = fake_find("192.0.2.1")->id;
    rig_plan_now(&rig, PROBES "zones = ( { }, { balance = ( { name = \"www\"; probe = \"slow\"; } ); } );");
    for (unsigned i = 0; i < 10; i++)
        rig_turn(&rig);
    expect_answer(&rig, "www", "whole");
    assert_int_equal(fake_subscribed(), 2);
    fake_say("192.0.2.2", HEALTH_DOWN, false, "x"); /* who is parked is still checked */
    rig_other_now(&rig, "www.example.org. 60 A 1\nwww.example.org. 60 A 2\nwww.example.org. 60 A 3\n");
    balance_when_followed(rig.balance, rig.diag, count, &followed);
    rig_spin(&rig);
    assert_int_equal(followed, 1);
    assert_int_equal(fake_find("192.0.2.1")->id, id);
    assert_int_equal(fake_subscribed(), 3);
    struct balance_counts counts;
    balance_count(&counts, rig.balance);
    assert_int_equal(counts.members[HEALTH_DOWN], 2);
    assert_int_equal(counts.members[HEALTH_UNKNOWN], 1);
    rig_fini(&rig);
}

/* When the load has ended, and not before. */
static void test_parked_are_released(void **state)
{
    (void)state;
    struct rig *rig = rig_of_many();
    unsigned followed = 0;
    rig_plan_now(rig, "");
    while (rig_table(rig, "www", ADDR_V4))
        work_slice(rig->balance, 0);
    while (!ring_is_empty(&rig->balance->rescans) || !ring_is_empty(&rig->balance->normal))
        work_slice(rig->balance, 0);
    work_slice(rig->balance, UINT64_MAX);
    assert_int_equal(fake_subscribed(), MANY);
    balance_when_followed(rig->balance, rig->diag, count, &followed);
    rig_spin(rig);
    assert_int_equal(followed, 1);
    assert_int_equal(fake_subscribed(), 0);
    assert_int_equal(rig->balance->targets.cnt, 0);
    end(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_in_pieces),
        cmocka_unit_test(test_checks_in_pieces_overtaken),
        cmocka_unit_test(test_another_check),
        cmocka_unit_test(test_unprobed_between),
        cmocka_unit_test(test_up_again_is_true),
        cmocka_unit_test(test_changed_timing),
        cmocka_unit_test(test_probes_change_places),
        cmocka_unit_test(test_from_zone_to_zone),
        cmocka_unit_test(test_parked_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
