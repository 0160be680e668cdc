/* Orders of operators: whom they are for, what is answered, when the last answer was. */
#include "balance/operate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "balance/private.h"
#include "base/clock.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

#define GROUPS(text) "zones = ( { balance = (\n" text "\n); } );"

static const char www_plan[] = GROUPS("{ name = \"www\"; }");
static const char three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n";
static const uint8_t www[] = "\3www\7example\3com";

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone));                                                                                           \
    name.balance->answering = true

static struct operate_member member_of(const char *address)
{
    struct operate_member member = {test_apex, www, {.family = ADDR_NONE}};
    assert_int_equal(addr_from_text(&member.address, address), ERR_OK);
    return member;
}

static void set_now(struct rig *rig, const char *address, enum operate_kind kind, const struct operate_order *order)
{
    const struct operate_member member = member_of(address);
    operate_set(rig->balance, &member, kind, order);
}

static void set(struct rig *rig, const char *address, enum operate_kind kind, const struct operate_order *order)
{
    set_now(rig, address, kind, order);
    rig_spin(rig);
}

static const struct operate_order drain = {.since_wall_ms = 1, .uid = 5, .pid = 6, .reason = "disks"};
static const struct operate_order down = {.forced = HEALTH_DOWN, .reason = ""};
static const struct operate_order up = {.forced = HEALTH_UP, .reason = ""};

static const struct operate_order *get(struct rig *rig, const char *address, enum operate_kind kind)
{
    const struct operate_member member = member_of(address);
    return operate_get(rig->balance, &member, kind);
}

static uint64_t last_answer(struct rig *rig, const char *address)
{
    const struct operate_order *order = get(rig, address, OPERATE_DRAIN);
    assert_non_null(order);
    return order->last_answer_wall_ms;
}

/* ---- drains */

static void test_a_drain(void **state)
{
    (void)state;
    RIG(rig, www_plan, three);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    uint64_t before = clock_wall_ms();
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    expect_answer(&rig, "www", "1 3 ttl 20");
    const struct operate_order *order = get(&rig, "192.0.2.2", OPERATE_DRAIN);
    assert_in_range(order->last_answer_wall_ms, before, clock_wall_ms());
    assert_int_equal(order->ttl_sec, 20);
    assert_string_equal(order->reason, "disks");
    assert_null(get(&rig, "192.0.2.2", OPERATE_FORCE));
    assert_null(get(&rig, "192.0.2.1", OPERATE_DRAIN));
    set(&rig, "192.0.2.2", OPERATE_DRAIN, NULL);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    assert_null(get(&rig, "192.0.2.2", OPERATE_DRAIN));
    set(&rig, "192.0.2.2", OPERATE_DRAIN, NULL);
    rig_fini(&rig);
}

/* Tells nothing of the last answer while readers may have the table from before. */
static void test_readers_are_waited_for(void **state)
{
    (void)state;
    RIG(rig, www_plan, three);
    rcu_reader_start();
    set_now(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    for (int i = 0; i < 50; i++)
        rig_turn(&rig);
    expect_answer(&rig, "www", "1 3 ttl 20");
    assert_true(last_answer(&rig, "192.0.2.2") == 0);
    rcu_reader_stop();
    rig_spin(&rig);
    assert_true(last_answer(&rig, "192.0.2.2") != 0);
    rig_fini(&rig);
}

/* The largest TTL that may still be kept, not that of the last table. */
static void test_the_largest_ttl(void **state)
{
    (void)state;
    RIG(rig, "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
             "zones = ( { balance = ( { name = \"www\"; probe = \"tcp\"; ttl = 30; ttl_min = 3; } ); } );", three);
    for (unsigned i = 1; i <= 3; i++) {
        char address[] = "192.0.2.0";
        address[8] = (char)('0' + i);
        fake_say(address, HEALTH_UP, false, "connected");
        rig_spin(&rig);
    }
    fake_say("192.0.2.1", HEALTH_UP, true, "no answer");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 2 3 ttl 3");
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    assert_int_equal(get(&rig, "192.0.2.2", OPERATE_DRAIN)->ttl_sec, 30);
    clock_fake_us(clock_mono_us() + UINT64_C(3600) * 1000000); /* nobody has that one any more */
    set(&rig, "192.0.2.3", OPERATE_DRAIN, &drain);
    assert_int_equal(get(&rig, "192.0.2.3", OPERATE_DRAIN)->ttl_sec, 3);
    clock_fake_us(UINT64_MAX);
    rig_fini(&rig);
}

static void test_the_last_one_is_answered_yet(void **state)
{
    (void)state;
    RIG(rig, www_plan, "www 60 A 1\nwww 60 A 2\n");
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    assert_true(last_answer(&rig, "192.0.2.1") != 0);
    log_begin();
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    expect_said(log_end(), "every A member is drained, so drains are ignored");
    expect_answer(&rig, "www", "1 2 ttl 20");
    assert_true(last_answer(&rig, "192.0.2.1") == 0); /* again */
    assert_true(last_answer(&rig, "192.0.2.2") == 0);
    set(&rig, "192.0.2.1", OPERATE_DRAIN, NULL);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_true(last_answer(&rig, "192.0.2.2") != 0);
    rig_fini(&rig);
}

/* What was known of a last answer is known yet when the drain is given again, or came out of a file. */
static void test_a_drain_anew(void **state)
{
    struct operate_order kept = drain;
    (void)state;
    RIG(rig, www_plan, three);
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    uint64_t last = last_answer(&rig, "192.0.2.1");
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    assert_true(last_answer(&rig, "192.0.2.1") == last);
    kept.last_answer_wall_ms = 4711;
    kept.ttl_sec = 99;
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &kept);
    assert_true(last_answer(&rig, "192.0.2.2") == 4711);
    assert_int_equal(get(&rig, "192.0.2.2", OPERATE_DRAIN)->ttl_sec, 99);
    rig_fini(&rig);
}

/* ---- forced states */

static void test_forced(void **state)
{
    (void)state;
    RIG(rig, www_plan, three);
    set(&rig, "192.0.2.2", OPERATE_FORCE, &down);
    expect_answer(&rig, "www", "1 3 ttl 20");
    set(&rig, "192.0.2.2", OPERATE_FORCE, &up);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    set(&rig, "192.0.2.1", OPERATE_FORCE, &down);
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    expect_answer(&rig, "www", "2 3 ttl 20");
    set(&rig, "192.0.2.1", OPERATE_FORCE, NULL);
    expect_answer(&rig, "www", "2 3 ttl 20");
    set(&rig, "192.0.2.1", OPERATE_DRAIN, NULL);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    rig_fini(&rig);
}

static void test_forced_over_verdicts(void **state)
{
    (void)state;
    RIG(rig, "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
             "zones = ( { balance = ( { name = \"www\"; probe = \"tcp\"; } ); } );", "www 60 A 1\nwww 60 A 2\n");
    fake_say("192.0.2.1", HEALTH_UP, false, "connected");
    fake_say("192.0.2.2", HEALTH_DOWN, false, "connection refused");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 ttl 20");
    set(&rig, "192.0.2.2", OPERATE_FORCE, &up);
    expect_answer(&rig, "www", "1 2 ttl 20");
    set(&rig, "192.0.2.1", OPERATE_FORCE, &down);
    expect_answer(&rig, "www", "2 ttl 20");
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    rig_spin(&rig);
    set(&rig, "192.0.2.1", OPERATE_FORCE, NULL);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_fini(&rig);
}

/* ---- members that come and go */

static void test_orders_before_members(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, true);
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    set(&rig, "192.0.2.9", OPERATE_FORCE, &down);
    rig_plan(&rig, www_plan);
    rig_zone(&rig, three);
    expect_answer(&rig, "www", "1 3 ttl 20");
    rig_zone(&rig, "www 60 A 1\nwww 60 A 3\n");
    rig_zone(&rig, "www 60 A 1\nwww 60 A 2\nwww 60 A 9\n");
    expect_answer(&rig, "www", "1 ttl 20");
    rig_plan(&rig, GROUPS("{ name = \"www\"; ttl = 7; }"));
    expect_answer(&rig, "www", "1 ttl 7");
    rig_zone(&rig, "");
    rig_zone(&rig, three);
    expect_answer(&rig, "www", "1 3 ttl 7");
    rig_fini(&rig);
}

static unsigned each_cnt;

static void note_each(void *arg, const struct operate_member *member, enum operate_kind kind,
                      const struct operate_order *order)
{
    (void)order;
    assert_true(name_equal(member->owner, www) && name_equal(member->apex, test_apex));
    *(unsigned *)arg |= 1u << (member->address.bytes[3] * 2 + kind);
    each_cnt++;
}

static void test_all_orders(void **state)
{
    unsigned seen = 0;
    (void)state;
    RIG(rig, www_plan, three);
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    set(&rig, "192.0.2.1", OPERATE_FORCE, &up);
    set(&rig, "192.0.2.9", OPERATE_DRAIN, &drain);
    each_cnt = 0;
    operate_each(rig.balance, note_each, &seen);
    assert_int_equal(each_cnt, 3);
    assert_int_equal(seen, 1u << 2 | 1u << 3 | 1u << 18);
    rig_fini(&rig);
}

/* Clients of another site may still get whom those of none don't. */
static void test_sites(void **state)
{
    (void)state;
    RIG(rig, "sites = ( { name = \"eu\"; networks = \"10.0.0.0/8\"; } );\n"
             "zones = ( { balance = ( { name = \"www\"; members = ( { address = \"192.0.2.1\"; site = \"eu\"; }, "
             "{ address = \"192.0.2.2\"; site = \"eu\"; } ); } ); } );", three);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->outcome, POOL_BY_CLASS);
    set(&rig, "192.0.2.1", OPERATE_DRAIN, &drain);
    assert_true(last_answer(&rig, "192.0.2.1") != 0);
    assert_int_equal(get(&rig, "192.0.2.1", OPERATE_DRAIN)->ttl_sec, 20);
    set(&rig, "192.0.2.3", OPERATE_DRAIN, &drain);
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain); /* now all are */
    assert_true(last_answer(&rig, "192.0.2.1") == 0);
    rig_fini(&rig);
}

/* ---- who waits */

static void note_served(void *arg) { ++*(unsigned *)arg; }

static void test_when_served(void **state)
{
    unsigned served = 0;
    (void)state;
    RIG(rig, www_plan, three);
    const struct operate_member second = member_of("192.0.2.2"), ninth = member_of("192.0.2.9");
    set_now(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    operate_when_served(rig.balance, &second, note_served, &served);
    operate_when_served(rig.balance, &second, note_served, &served);
    assert_int_equal(served, 0);
    rig_spin(&rig);
    assert_int_equal(served, 2);
    set_now(&rig, "192.0.2.2", OPERATE_DRAIN, NULL);
    operate_when_served(rig.balance, &second, note_served, &served);
    rig_spin(&rig);
    assert_int_equal(served, 3);
    operate_when_served(rig.balance, &ninth, note_served, &served); /* no member; the pool's table tells it */
    rig_spin(&rig);
    assert_int_equal(served, 4);
    rig_zone(&rig, "");
    operate_when_served(rig.balance, &second, note_served, &served); /* no pool: at once */
    assert_int_equal(served, 5);
    rig_fini(&rig);
}

/* The pool goes before its table comes; then the balance does. */
static void test_nobody_waits_for_ever(void **state)
{
    unsigned served = 0;
    (void)state;
    RIG(rig, www_plan, three);
    const struct operate_member second = member_of("192.0.2.2");
    operate_when_served(rig.balance, &second, note_served, &served);
    rig_zone_now(&rig, "");
    rig_spin(&rig);
    assert_int_equal(served, 1);
    rig_zone(&rig, three);
    operate_when_served(rig.balance, &second, note_served, &served);
    rig_fini(&rig);
    assert_int_equal(served, 2);
}

struct changes {
    unsigned cnt;
    uint64_t last;
};

static void note_change(void *arg, const struct operate_member *member, const struct operate_order *order)
{
    struct changes *changes = arg;
    assert_int_equal(member->address.bytes[3], 2);
    changes->cnt++;
    changes->last = order->last_answer_wall_ms;
}

static void test_changes_are_told(void **state)
{
    struct changes changes = {0, 0};
    (void)state;
    RIG(rig, www_plan, "www 60 A 1\nwww 60 A 2\n");
    operate_on_change(rig.balance, note_change, &changes);
    set(&rig, "192.0.2.2", OPERATE_DRAIN, &drain);
    assert_int_equal(changes.cnt, 1);
    assert_true(changes.last != 0);
    rig_zone(&rig, "www 60 A 2\n"); /* alone: answered again */
    assert_int_equal(changes.cnt, 2);
    assert_true(changes.last == 0);
    operate_on_change(rig.balance, NULL, NULL);
    rig_fini(&rig);
}

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* Each of them was looked for in the whole table: for a thousand, the control thread was away for tens of
 * milliseconds. */
static void test_orders_for_many(void **state)
{
    enum { CNT = 250, TIMES = 20 };
    (void)state;
    char zone[CNT * 20] = "", address[32];
    for (unsigned i = 0; i < CNT; i++)
        sprintf(zone + strlen(zone), "www 60 A %u\n", i);
    RIG(rig, GROUPS("{ name = \"www\"; policy = \"weighted\"; answers = 16; }"), zone);
    struct balance_family *family = &rig.balance->by_handle[rig_handle(&rig, "www")]->families[0];
    for (unsigned i = 0; i < CNT; i += 2) {
        snprintf(address, sizeof address, "192.0.2.%u", CNT - 1 - i);
        set_now(&rig, address, OPERATE_DRAIN, &drain);
    }
    rig_spin(&rig);
    for (unsigned i = 0; i < CNT; i++) {
        snprintf(address, sizeof address, "192.0.2.%u", i);
        assert_int_equal(get(&rig, address, OPERATE_DRAIN) != NULL, i % 2);
        assert_true(!(i % 2) || last_answer(&rig, address));
    }
    uint64_t begin_ns = cpu_ns();
    operate_published(family);
    uint64_t all_ns = cpu_ns() - begin_ns;
    begin_ns = cpu_ns();
    for (unsigned i = 0; i < TIMES; i++)
        assert_true(pool_table_inclusion(rig_table(&rig, "www", ADDR_V4), &family->members[1].address) == 0);
    uint64_t one_ns = (cpu_ns() - begin_ns) / TIMES;
    print_message("%u orders of %u members: %.3f ms; one member looked for: %.3f ms\n", CNT / 2, CNT,
                  (double)all_ns / 1e6, (double)one_ns / 1e6);
    assert_true(all_ns < 50 * one_ns);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_drain),
        cmocka_unit_test(test_readers_are_waited_for),
        cmocka_unit_test(test_the_largest_ttl),
        cmocka_unit_test(test_the_last_one_is_answered_yet),
        cmocka_unit_test(test_a_drain_anew),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_forced_over_verdicts),
        cmocka_unit_test(test_orders_before_members),
        cmocka_unit_test(test_all_orders),
        cmocka_unit_test(test_sites),
        cmocka_unit_test(test_when_served),
        cmocka_unit_test(test_nobody_waits_for_ever),
        cmocka_unit_test(test_changes_are_told),
        cmocka_unit_test(test_orders_for_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
