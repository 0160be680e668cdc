/* Names that another zone's NS or MX records point to are pools by their exact name alone, as zones and plans come and
 * go. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/balance/rig.h"

#define BELOW "zones = ( { balance = ( { below = \"apps\"; } ); } );"
#define BY_NAME "zones = ( { balance = ( { below = \"apps\"; }, { name = \"mail.apps\"; ttl = 7; } ); } );"
#define MX "example.org. 60 MX 10 Mail.Apps.example.com.\n"

static const char apps[] = "mail.apps 60 A 1\nmail.apps 60 A 2\nwww.apps 60 A 3\n";

#define RIG(name, plan)                                                                                                \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan_later(&name, (plan))

static void test_zones_come_and_go(void **state)
{
    (void)state;
    RIG(rig, BELOW);
    rig_zone(&rig, apps);
    expect_answer(&rig, "mail.apps", "1 2 ttl 20");
    uint32_t handle = rig_handle(&rig, "mail.apps");
    rig_other(&rig, MX);
    expect_answer(&rig, "mail.apps", "whole");
    expect_answer(&rig, "www.apps", "3 ttl 20");
    assert_int_equal(balance_pool_cnt(rig.balance), 1);
    assert_int_equal(rig_handle(&rig, "mail.apps"), handle);
    rig_zone(&rig, "mail.apps 60 A 4\n"); /* known before its records are */
    expect_answer(&rig, "mail.apps", "whole");
    rig_other(&rig, "example.org. 60 MX 10 www.apps.example.com.\nexample.org. 60 MX 20 mail.example.com.\n");
    expect_answer(&rig, "mail.apps", "4 ttl 20");
    rig_other(&rig, "sub.example.org. 60 NS mail.apps.example.com.\nb.example.org. 60 MX 10 mail.apps.example.com.\n");
    expect_answer(&rig, "mail.apps", "whole");
    rig_other(&rig, "b.example.org. 60 MX 10 mail.apps.example.com.\n"); /* one of two is left */
    expect_answer(&rig, "mail.apps", "whole");
    balance_zone_gone(rig.balance, rig.other);
    rig_spin(&rig);
    expect_answer(&rig, "mail.apps", "4 ttl 20");
    assert_int_equal(rig.balance->pointed.cnt, 0);
    rig_fini(&rig);
}

static void test_pointed_to_before_it_comes(void **state)
{
    (void)state;
    RIG(rig, BELOW);
    rig_other(&rig, MX);
    rig_zone(&rig, apps);
    expect_answer(&rig, "mail.apps", "whole");
    expect_answer(&rig, "www.apps", "3 ttl 20");
    rig_zone(&rig, "x 60 A 1\n");
    rig_other(&rig, "");
    rig_zone(&rig, apps);
    expect_answer(&rig, "mail.apps", "1 2 ttl 20");
    rig_fini(&rig);
}

static void test_an_exact_name_stays(void **state)
{
    (void)state;
    RIG(rig, BY_NAME);
    rig_zone(&rig, apps);
    rig_other(&rig, MX);
    expect_answer(&rig, "mail.apps", "1 2 ttl 7");
    expect_said(diag_text(rig.diag), "warning: \"mail.apps.example.com.\" is balanced although NS or MX records of "
                                     "zone \"example.org\" point to it");
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), 1);
    rig_plan(&rig, BELOW); /* the zone that points keeps its list: the name was and is annotated */
    expect_answer(&rig, "mail.apps", "whole");
    rig_plan(&rig, BY_NAME);
    expect_answer(&rig, "mail.apps", "1 2 ttl 7");
    rig_fini(&rig);
}

/* Only what some group matches is kept and told. */
static void test_nothing_of_no_matter_is_told(void **state)
{
    (void)state;
    enum { CNT = 5000 };
    char *lines = mem_zalloc(CNT, 80);
    size_t len = 0;
    for (unsigned i = 0; i < CNT; i++)
        len += (size_t)sprintf(lines + len, "n%u.example.org. 60 NS ns%u.example.%s.\n", i, i, i % 2 ? "com" : "net");
    strcpy(lines + len, MX);
    RIG(rig, BELOW);
    rig_zone(&rig, apps);
    rig_other(&rig, lines);
    assert_int_equal(rig.other->current->foreign->cnt, 1);
    assert_int_equal(rig.balance->pointed.cnt, 1);
    expect_answer(&rig, "mail.apps", "whole");
    rig_plan_later(&rig, "");
    rig_other(&rig, lines);
    assert_null(rig.other->current->foreign);
    assert_int_equal(rig.balance->pointed.cnt, 0);
    rig_fini(&rig);
    free(lines);
}

/* And where much is of matter, it is taken in slices. */
static void test_slices(void **state)
{
    (void)state;
    enum { CNT = 20000 };
    char *lines = mem_zalloc(CNT, 80), *zone = mem_zalloc(CNT, 40), owner[24];
    size_t len = 0, zone_len = 0;
    for (unsigned i = 0; i < CNT; i++) {
        len += (size_t)sprintf(lines + len, "n%u.example.org. 60 NS n%u.apps.example.com.\n", i, i);
        zone_len += (size_t)sprintf(zone + zone_len, "n%u.apps 60 A %u\n", i, i % 200);
    }
    RIG(rig, BELOW);
    rig_zone(&rig, zone);
    assert_int_equal(balance_pool_cnt(rig.balance), CNT);
    rig_other(&rig, lines);
    assert_int_equal(balance_pool_cnt(rig.balance), 0);
    assert_int_equal(rig.balance->pointed.cnt, CNT);
    rig_other_now(&rig, "");
    assert_false(balance_settled(rig.balance)); /* more than one slice's work */
    rig_spin(&rig);
    assert_int_equal(balance_pool_cnt(rig.balance), CNT);
    for (unsigned i = 0; i < CNT; i += 997) {
        char expected[24];
        snprintf(owner, sizeof owner, "n%u.apps", i);
        snprintf(expected, sizeof expected, "%u ttl 20", i % 200);
        expect_answer(&rig, owner, expected);
    }
    rig_other_now(&rig, lines);
    rig_other_now(&rig, ""); /* what was begun is overtaken */
    rig_spin(&rig);
    assert_int_equal(balance_pool_cnt(rig.balance), CNT);
    rig_other_now(&rig, lines); /* the end comes in the middle of it */
    rig_fini(&rig);
    free(lines);
    free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zones_come_and_go),
        cmocka_unit_test(test_pointed_to_before_it_comes),
        cmocka_unit_test(test_an_exact_name_stays),
        cmocka_unit_test(test_nothing_of_no_matter_is_told),
        cmocka_unit_test(test_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
