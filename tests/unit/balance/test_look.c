/* Checks that somebody asks for. */
#include "balance/look.h"

#include <string.h>

#include "balance/private.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

static const char plan[] =
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"web\"; type = \"http\"; } );\n"
    "zones = ( { balance = ( { name = \"www\"; probe = [ \"web\", \"tcp\" ]; }, { name = \"x\"; } ); } );";
static const char zone[] = "www 60 A 1\nwww 60 A 2\nx 60 A 1\n";
static const uint8_t www[] = "\3www\7example\3com", x[] = "\1x\7example\3com";

#define RIG(name)                                                                                                      \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, plan);                                                                                             \
    rig_zone(&name, zone)

static struct operate_member member_of(const uint8_t *owner, uint8_t last)
{
    return (struct operate_member){test_apex, owner, {.bytes = {192, 0, 2, last}, .family = ADDR_V4}};
}

struct seen {
    unsigned cnt;
    size_t check_cnt, ended_cnt;
};

static void note(void *arg, const struct look *look)
{
    struct seen *seen = arg;
    seen->cnt++;
    seen->check_cnt = look->cnt;
    seen->ended_cnt = 0;
    assert_string_equal(look->checks[0].probe, "web");
    assert_string_equal(look->checks[0].type, "http");
    assert_int_equal(look->checks[0].address.port, 80);
    assert_string_equal(look->checks[1].probe, "tcp");
    assert_int_equal(look->checks[1].address.port, 443);
    for (size_t i = 0; i < look->cnt; i++)
        seen->ended_cnt += look->checks[i].ended;
}

static void test_all_checks_are_waited_for(void **state)
{
    struct seen seen = {0}, other = {0};
    (void)state;
    RIG(rig);
    const struct operate_member member = member_of(www, 2);
    assert_int_equal(look_start(rig.balance, &member, note, &seen), ERR_OK);
    assert_int_equal(look_start(rig.balance, &member, note, &other), ERR_OK);
    fake_end_asked("192.0.2.2@443");
    rig_spin(&rig);
    assert_int_equal(seen.cnt, 0);
    fake_end_asked("192.0.2.2@80");
    rig_spin(&rig);
    assert_int_equal(seen.cnt, 1);
    assert_int_equal(seen.check_cnt, 2);
    assert_int_equal(seen.ended_cnt, 2);
    assert_int_equal(other.cnt, 1);
    rig_fini(&rig);
}

static void test_what_is_not_checked(void **state)
{
    struct seen seen = {0};
    (void)state;
    RIG(rig);
    const struct operate_member none = member_of(www, 9), unprobed = member_of(x, 1), no_pool = member_of(test_apex, 1);
    assert_int_equal(look_start(rig.balance, &none, note, &seen), ERR_NOT_FOUND);
    assert_int_equal(look_start(rig.balance, &no_pool, note, &seen), ERR_NOT_FOUND);
    assert_int_equal(look_start(rig.balance, &unprobed, note, &seen), ERR_INVALID);
    rig_fini(&rig);
    assert_int_equal(seen.cnt, 0);
}

/* The member leaves, then the balance ends: who waits is told. */
static void test_who_leaves(void **state)
{
    struct seen seen = {0}, last = {0};
    (void)state;
    RIG(rig);
    const struct operate_member first = member_of(www, 1), second = member_of(www, 2);
    assert_int_equal(look_start(rig.balance, &second, note, &seen), ERR_OK);
    fake_end_asked("192.0.2.2@443");
    rig_spin(&rig);
    rig_zone(&rig, "www 60 A 1\n");
    assert_int_equal(seen.cnt, 1);
    assert_int_equal(seen.ended_cnt, 1);
    assert_int_equal(look_start(rig.balance, &first, note, &last), ERR_OK);
    rig_fini(&rig);
    assert_int_equal(last.cnt, 1);
    assert_int_equal(last.ended_cnt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_checks_are_waited_for),
        cmocka_unit_test(test_what_is_not_checked),
        cmocka_unit_test(test_who_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
