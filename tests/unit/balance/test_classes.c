/* Pools whose members have sites: tables by class, and their handles. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "unit/balance/rig.h"

#define HEAD "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n" \
    "sites = ( { name = \"eu\"; networks = \"10.0.0.0/8\"; }, { name = \"us\"; networks = \"11.0.0.0/8\"; } );\n"
#define GROUPS(text) HEAD "zones = ( { balance = (\n" text "\n); } );"
#define MEMBER(last, site) "{ address = \"192.0.2." last "\"; site = \"" site "\"; }"

static const char four[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\nwww 60 A 4\n";
static const char two_sites[] = GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( " MEMBER("1", "eu") ", "
    MEMBER("2", "eu") ", " MEMBER("3", "us") " ); }");

static const struct balance_pool *pool_of(const struct rig *rig)
{
    return rig->balance->by_handle[rig_handle(rig, "www")];
}

/* The last bytes of the addresses that a class gets. */
static const char *given(const struct rig *rig, unsigned class)
{
    static char text[8192];
    const struct pool_table *table = pool_classes_table(rig_table(rig, "www", ADDR_V4), class);
    size_t len = 0;
    text[0] = '\0';
    if (!table || table->outcome != POOL_ANSWER)
        return table ? "none" : "whole";
    bool is_given[256] = {false};
    for (unsigned s = 0; s < table->set_cnt; s++)
        is_given[table->bytes[table->sets[s].at + table->rr_len - 1u]] = true;
    for (unsigned i = 0; i < 256; i++)
        if (is_given[i])
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%u", len ? " " : "", i);
    return text;
}

static void say(struct rig *rig, unsigned last, enum health_verdict verdict)
{
    char address[32];
    snprintf(address, sizeof address, "192.0.2.%u", last);
    fake_say(address, verdict, false, "x");
    rig_spin(rig);
}

static void test_sites_get_their_own(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, two_sites);
    rig_zone(&rig, four);
    assert_int_equal(pool_of(&rig)->class_cnt, 2);
    for (unsigned last = 1; last <= 4; last++)
        say(&rig, last, HEALTH_UP);
    assert_string_equal(given(&rig, 0), "1 2 3 4");
    assert_string_equal(given(&rig, 1), "1 2");
    assert_string_equal(given(&rig, 2), "3");
    assert_string_equal(given(&rig, 3), "1 2 3 4");
    say(&rig, 1, HEALTH_DOWN);
    assert_string_equal(given(&rig, 0), "2 3 4");
    assert_string_equal(given(&rig, 1), "2");
    say(&rig, 3, HEALTH_DOWN);
    assert_string_equal(given(&rig, 2), "2 4");
    say(&rig, 3, HEALTH_UP);
    assert_string_equal(given(&rig, 2), "3");
    rig_fini(&rig);
}

/* What a reload changes of sites; handles of classes that stay do too, and all come back in the end: rig_fini
 * looks. */
static void test_plans_change_sites(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, two_sites);
    rig_zone(&rig, four);
    for (unsigned last = 1; last <= 4; last++)
        say(&rig, last, HEALTH_UP);
    uint32_t us = pool_of(&rig)->classes[1].handle;
    assert_true(us && us != pool_of(&rig)->handle && us != pool_of(&rig)->classes[0].handle);
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( " MEMBER("4", "us") " ); }"));
    assert_int_equal(pool_of(&rig)->class_cnt, 1);
    assert_int_equal(pool_of(&rig)->classes[0].site, 2);
    assert_int_equal(pool_of(&rig)->classes[0].handle, us);
    assert_string_equal(given(&rig, 1), "1 2 3 4");
    assert_string_equal(given(&rig, 2), "4");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"));
    assert_int_equal(pool_of(&rig)->class_cnt, 0);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->outcome, POOL_ANSWER);
    rig_plan(&rig, two_sites);
    assert_string_equal(given(&rig, 1), "1 2");
    rig_plan(&rig, GROUPS("{ name = \"other\"; }"));
    assert_string_equal(given(&rig, 1), "whole");
    rig_plan(&rig, two_sites);
    rig_zone(&rig, "www 60 A 9\n"); /* the members that have sites are gone */
    assert_int_equal(pool_of(&rig)->class_cnt, 0);
    rig_zone(&rig, four);
    assert_int_equal(pool_of(&rig)->class_cnt, 2);
    rig_fini(&rig);
}

/* Each family has the tables, whichever family's members name the site. */
static void test_both_families(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, GROUPS("{ name = \"www\"; members = ( { address = \"2001:db8::1\"; site = \"eu\"; }, "
                          MEMBER("3", "us") " ); }"));
    rig_zone(&rig, "www 60 A 2\nwww 60 A 3\nwww 60 AAAA 1\nwww 60 AAAA 2\n");
    assert_int_equal(pool_of(&rig)->class_cnt, 2);
    assert_string_equal(given(&rig, 1), "2 3");
    assert_string_equal(given(&rig, 2), "3");
    assert_int_equal(rig_table(&rig, "www", ADDR_V6)->outcome, POOL_BY_CLASS);
    rig_fini(&rig);
}

/* Whoever may be given without a verdict is waited for at the start. */
static void test_starts_wait_for_all_classes(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; others = \"ignore\"; members = ( " MEMBER("1", "eu") ", "
                          "{ address = \"192.0.2.3\"; site = \"us\"; tier = 2; } ); }"));
    rig_zone(&rig, four);
    assert_false(balance_settled(rig.balance));
    say(&rig, 1, HEALTH_UP);
    assert_string_equal(given(&rig, 0), "1");
    assert_string_equal(given(&rig, 2), "3");
    assert_false(balance_settled(rig.balance));
    say(&rig, 3, HEALTH_DOWN);
    assert_string_equal(given(&rig, 2), "1");
    assert_true(balance_settled(rig.balance));
    rig_fini(&rig);
}

/* Hundreds of members in many sites: the tables are a job, and what happens meanwhile is not lost. */
static void test_many_classes_are_a_job(void **state)
{
    (void)state;
    enum { CNT = 200, SITES = 90 };
    struct rig rig;
    char *text = mem_zalloc(1, 1 << 16), *zone = mem_zalloc(CNT, 64);
    size_t len = (size_t)sprintf(text, "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\nsites = (\n");
    for (unsigned i = 0; i < SITES; i++)
        len += (size_t)sprintf(text + len, "%s{ name = \"s%u\"; networks = \"10.%u.0.0/16\"; }\n", i ? "," : "", i, i);
    len += (size_t)sprintf(text + len, ");\nzones = ( { balance = ( { name = \"www\"; probe = \"tcp\"; members = (\n");
    for (unsigned i = 0; i < CNT; i++) {
        sprintf(zone + strlen(zone), "www 60 A %u\n", i);
        len += (size_t)sprintf(text + len, "%s{ address = \"192.0.2.%u\"; site = \"s%u\"; }\n", i ? "," : "", i,
                               i % SITES);
    }
    sprintf(text + len, "); } ); } );");
    rig_init(&rig, true);
    rig_plan(&rig, text);
    rig_zone_now(&rig, zone);
    work_slice(rig.balance, 1000000);
    assert_int_equal(rig.balance->job_cnt, 1);
    rig_spin(&rig);
    for (unsigned i = 0; i < CNT; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.2.%u", i);
        fake_say(address, HEALTH_UP, false, "x");
    }
    rig_spin(&rig);
    assert_string_equal(given(&rig, 5), "4 94 184");
    fake_say("192.0.2.94", HEALTH_DOWN, false, "x");
    work_slice(rig.balance, 1000000);
    assert_int_equal(rig.balance->job_cnt, 1);
    fake_say("192.0.2.4", HEALTH_DOWN, false, "x");
    rig_spin(&rig);
    assert_string_equal(given(&rig, 5), "184");
    assert_string_equal(given(&rig, 6), "5 95 185");
    rig_fini(&rig);
    free(text);
    free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sites_get_their_own),         cmocka_unit_test(test_plans_change_sites),
        cmocka_unit_test(test_both_families),               cmocka_unit_test(test_starts_wait_for_all_classes),
        cmocka_unit_test(test_many_classes_are_a_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
