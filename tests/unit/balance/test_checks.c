/* Checks of a pool of many members are opened and closed in pieces, in which verdicts, plans and versions go on. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"same\"; type = \"tcp\"; port = 443; }, { " \
    "name = \"other\"; type = \"tcp\"; port = 80; } );\n"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_in_pieces),
        cmocka_unit_test(test_checks_in_pieces_overtaken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
