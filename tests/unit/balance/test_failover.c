/* Tiers of both families, ways back that wait, and our own failures. */
#include "balance/private.h"

#include <stdio.h>
#include <string.h>

#include "balance/failback.h"
#include "balance/hold.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

#define PROBES "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; interval = 1; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"
#define TIERS                                                                                                          \
    "members = ( { address = \"192.0.2.2\"; tier = 2; }, { address = \"192.0.2.3\"; tier = 3; },"                      \
    " { address = \"2001:db8::2\"; tier = 2; } );"

#define TIERS_OF_TWO                                                                                                   \
    "members = ( { address = \"192.0.2.2\"; tier = 2; }, { address = \"192.0.2.3\"; tier = 2; } );"

static const char three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n";

static uint64_t now_ms;

static void set_clock(uint64_t ms)
{
    now_ms = ms;
    clock_fake_us(ms * 1000);
}

static void begin(struct rig *rig, const char *plan, const char *zone)
{
    set_clock(1000000);
    rig_init(rig, true);
    rig_plan(rig, plan);
    rig_zone(rig, zone);
}

static void finish(struct rig *rig)
{
    rig_fini(rig);
    clock_fake_us(UINT64_MAX);
}

static void pass_ms(struct rig *rig, uint64_t ms)
{
    set_clock(now_ms + ms);
    work_post(rig->balance); /* the timer is a real one, and sleeps */
    rig_spin(rig);
}

static void say(struct rig *rig, const char *address, enum health_verdict verdict)
{
    fake_say(address, verdict, false, verdict == HEALTH_UP ? "connected" : "connection refused");
    rig_spin(rig);
}

static void all_up(struct rig *rig)
{
    say(rig, "192.0.2.1", HEALTH_UP);
    say(rig, "192.0.2.2", HEALTH_UP);
    say(rig, "192.0.2.3", HEALTH_UP);
}

static const struct balance_pool *www(const struct rig *rig)
{
    return rig->balance->by_handle[rig_handle(rig, "www")];
}

/* ---- families */

static const char both[] = "www 60 A 1\nwww 60 A 2\nwww 60 AAAA 1\nwww 60 AAAA 2\n";

#define expect_answer6(rig, owner, text) assert_string_equal(rig_answer((rig), (owner), ADDR_V6), (text))

static void test_together(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; families = \"together\"; " TIERS " }"), both);
    static const char *const names[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"};
    for (unsigned i = 0; i < 4; i++)
        say(&rig, names[i], HEALTH_UP);
    expect_answer(&rig, "www", "1 ttl 20");
    expect_answer6(&rig, "www", "1 ttl 20");
    log_begin();
    say(&rig, "2001:db8::1", HEALTH_DOWN);
    expect_said(log_end(), "warning: pool \"www.example.com\": A and AAAA answered from tier 2, was tier 1\n");
    expect_answer(&rig, "www", "2 ttl 20");
    expect_answer6(&rig, "www", "2 ttl 20");
    say(&rig, "192.0.2.2", HEALTH_DOWN); /* neither tier is good for both: the first one with anybody */
    expect_answer(&rig, "www", "1 ttl 20");
    expect_answer6(&rig, "www", "2 ttl 20");
    say(&rig, "2001:db8::1", HEALTH_UP);
    expect_answer(&rig, "www", "1 ttl 20");
    expect_answer6(&rig, "www", "1 ttl 20");
    /* a family that leaves has no say */
    say(&rig, "2001:db8::1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_zone(&rig, "www 60 A 1\nwww 60 A 2\n");
    expect_answer(&rig, "www", "1 ttl 20");
    finish(&rig);
}

static void test_apart(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; " TIERS " }"), both);
    say(&rig, "192.0.2.2", HEALTH_UP);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "2001:db8::1", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    expect_answer6(&rig, "www", "1 ttl 20");
    finish(&rig);
}

/* ---- failback */

#define MANUAL GROUPS("{ name = \"www\"; probe = \"tcp\"; failback = \"manual\"; " TIERS " }")

static size_t order_back(struct rig *rig, const char *owner)
{
    uint8_t wire[NAME_MAX_LEN];
    size_t cnt = 99;
    put_wire(wire, owner);
    if (balance_failback(rig->balance, wire, &cnt))
        return 77;
    rig_spin(rig);
    return cnt;
}

static void test_manual(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, MANUAL, three);
    all_up(&rig);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_int_equal(order_back(&rig, "www"), 0);
    assert_int_equal(order_back(&rig, "nobody"), 77);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "2 ttl 20");
    assert_int_equal(order_back(&rig, "www"), 0);
    log_begin();
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_said(log_end(), "notice: pool \"www.example.com\": A stays on tier 2, tier 1 is good again\n");
    expect_answer(&rig, "www", "2 ttl 20");
    pass_ms(&rig, 1000000000);
    expect_answer(&rig, "www", "2 ttl 20");
    /* reloads and other versions change nothing */
    rig_plan(&rig, MANUAL);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_zone(&rig, "www 61 A 1\nwww 61 A 2\nwww 61 A 3\n");
    expect_answer(&rig, "www", "2 ttl 20");
    assert_int_equal(rig.balance->staying_cnt, 1);
    assert_int_equal(order_back(&rig, "www"), 1);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_int_equal(rig.balance->staying_cnt, 0);
    /* not with the dead */
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "1 ttl 20");
    /* and another word ends it */
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_answer(&rig, "www", "3 ttl 20");
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; " TIERS " }"));
    expect_answer(&rig, "www", "1 ttl 20");
    assert_int_equal(rig.balance->staying_cnt, 0);
    finish(&rig);
}

static void test_back_with_all(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; failback = \"manual\"; " TIERS " }"),
          "a 60 A 1\na 60 A 2\nb 60 A 1\nb 60 A 2\nc 60 A 1\nc 60 A 2\nc 60 AAAA 2\n");
    say(&rig, "192.0.2.2", HEALTH_UP);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_answer(&rig, "a", "2 ttl 20");
    assert_int_equal(balance_failback_all(rig.balance), 3);
    rig_spin(&rig);
    expect_answer(&rig, "a", "1 ttl 20");
    expect_answer(&rig, "b", "1 ttl 20");
    expect_answer(&rig, "c", "1 ttl 20");
    assert_int_equal(balance_failback_all(rig.balance), 0);
    finish(&rig);
}

static void test_back_after_a_time(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; failback = \"30s\"; " TIERS " }"), three);
    all_up(&rig);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    pass_ms(&rig, 5000);
    say(&rig, "192.0.2.1", HEALTH_UP);
    pass_ms(&rig, 29999);
    expect_answer(&rig, "www", "2 ttl 20");
    assert_int_equal(www(&rig)->families[0].alarm.due_ms, now_ms + 1);
    pass_ms(&rig, 1);
    expect_answer(&rig, "www", "1 ttl 20");
    assert_int_equal(www(&rig)->families[0].alarm.place, 0);
    finish(&rig);
}

static void test_back_together(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig,
          GROUPS("{ name = \"www\"; probe = \"tcp\"; families = \"together\"; failback = \"manual\"; " TIERS " }"),
          both);
    static const char *const names[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"};
    for (unsigned i = 0; i < 4; i++)
        say(&rig, names[i], HEALTH_UP);
    say(&rig, "2001:db8::1", HEALTH_DOWN);
    say(&rig, "2001:db8::1", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    expect_answer6(&rig, "www", "2 ttl 20");
    assert_int_equal(order_back(&rig, "www"), 1);
    expect_answer(&rig, "www", "1 ttl 20");
    expect_answer6(&rig, "www", "1 ttl 20");
    finish(&rig);
}

/* ---- slow start */

static unsigned percent(const struct rig *rig, unsigned last)
{
    const struct pool_table *table = rig_table(rig, "www", ADDR_V4);
    struct addr address = {.family = ADDR_V4, .bytes = {192, 0, 2, (uint8_t)last}};
    return (unsigned)(pool_table_share(table, &address) * 100 + 0.5);
}

#define SLOW(more)                                                                                                     \
    GROUPS("{ name = \"www\"; probe = \"tcp\"; policy = \"weighted\"; slow_start = \"60s\"; " more " }")

static void test_slow_start(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, SLOW(""), "www 60 A 1\nwww 60 A 2\n");
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_UP);
    assert_int_equal(percent(&rig, 1), 50); /* nobody came back */
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    assert_int_equal(percent(&rig, 1), 5); /* 5 in 105 */
    unsigned last = 5;
    for (unsigned step = 1; step < 20; step++) {
        pass_ms(&rig, 3000);
        unsigned now = percent(&rig, 1), weight = 5 * 20 + 95 * step;
        assert_true(now >= last);
        assert_in_range(now, weight * 100 / (weight + 2000) - 1, weight * 100 / (weight + 2000) + 1);
        last = now;
    }
    /* a reload goes on where it was */
    rig_plan(&rig, SLOW(""));
    assert_int_equal(percent(&rig, 1), last);
    pass_ms(&rig, 3000);
    assert_int_equal(percent(&rig, 1), 50);
    assert_int_equal(www(&rig)->families[0].alarm.place, 0);
    assert_int_equal(rig_table(&rig, "www", ADDR_V4)->slot_cnt, 2);
    finish(&rig);
}

static void test_all_start_slowly(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, SLOW("members = ( { address = \"192.0.2.1\"; weight = 3; } );"), "www 60 A 1\nwww 60 A 2\n");
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    assert_int_equal(percent(&rig, 1), 100);
    say(&rig, "192.0.2.2", HEALTH_UP);
    assert_int_equal(percent(&rig, 1), 75);
    /* who dies in between begins anew */
    pass_ms(&rig, 30000);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    assert_int_equal(percent(&rig, 1), 100);
    pass_ms(&rig, 30000);
    say(&rig, "192.0.2.2", HEALTH_UP);
    assert_int_equal(percent(&rig, 2), 2); /* 5 in 305 */
    /* and without the key it is over */
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; policy = \"weighted\"; }"));
    assert_int_equal(percent(&rig, 2), 50);
    finish(&rig);
}

/* An operator's drain is another way to be away. */
static void test_slow_start_after_a_drain(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, SLOW(""), "www 60 A 1\nwww 60 A 2\n");
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_UP);
    struct balance_family *family = &rig.balance->by_handle[rig_handle(&rig, "www")]->families[0];
    for (unsigned drained = 2; drained-- > 0;) {
        family->sides[0].drained_by_operator = drained;
        assert_true(members_refresh(family, 0));
    }
    work_queue(family->pool, TODO_COMPILE_A, false);
    pass_ms(&rig, 0);
    assert_int_equal(percent(&rig, 1), 5);
    finish(&rig);
}

/* ---- trickle */

/* More standbys than slots: all of them are proven to work, some at a time. */
static void test_trickle_by_turns(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ name = \"www\"; policy = \"weighted\"; trickle = 0.0002; " TIERS_OF_TWO " }"), three);
    assert_string_equal(rig_answer(&rig, "www", ADDR_V4), "1 2 ttl 20");
    assert_int_equal(www(&rig)->families[0].alarm.due_ms, now_ms + 60000);
    pass_ms(&rig, 60000);
    assert_string_equal(rig_answer(&rig, "www", ADDR_V4), "1 3 ttl 20");
    finish(&rig);
}

/* ---- flap_hold */

static void test_flap_hold(void **state)
{
    (void)state;
    struct rig rig;
    static const char plan[] = GROUPS("{ name = \"www\"; probe = \"tcp\"; flap_hold = \"10s\"; }");
    begin(&rig, plan, three);
    all_up(&rig);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "2 3 ttl 20");
    pass_ms(&rig, 2000);
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_answer(&rig, "www", "2 3 ttl 20");
    assert_int_equal(www(&rig)->families[0].alarm.due_ms, now_ms + 8000);
    rig_plan(&rig, plan); /* survives */
    expect_answer(&rig, "www", "2 3 ttl 20");
    pass_ms(&rig, 7999);
    expect_answer(&rig, "www", "2 3 ttl 20");
    log_begin();
    pass_ms(&rig, 1);
    expect_said(log_end(), "192.0.2.1 is up (flap_hold is over), 3 of 3 up\n");
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    /* going down never waits; and nobody else is up: nor does coming back */
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "3 ttl 20");
    say(&rig, "192.0.2.3", HEALTH_DOWN);
    expect_answer(&rig, "www", "1 ttl 20");
    finish(&rig);
}

/* Up with a single result (rise = 1), while nobody else is: no reason to wait. */
static void test_flap_hold_of_the_only_one(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; flap_hold = \"10s\"; all_down = \"serve_none\"; }"),
          "www 60 A 1\n");
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "nodata");
    log_begin();
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_said(log_end(), "192.0.2.1 is up (does not wait for flap_hold: no other is up), 1 of 1 up\n");
    expect_answer(&rig, "www", "1 ttl 20");
    finish(&rig);
}

/* ---- holds */

static void give_anchors(struct rig *rig, const char *text)
{
    static const struct opt_table *const tables[] = {&probe_opt_table, &balance_zone_opt_table,
                                                     &balance_health_opt_table};
    struct conf *conf;
    struct diag *diag = diag_new(10);
    assert_int_equal(conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, 3, diag), ERR_OK);
    struct opt_list zones = conf_list(conf, &balance_zone_opt_table), probes = conf_list(conf, &probe_opt_table);
    const uint8_t *apexes[] = {test_apex};
    struct balance_plan *plan;
    assert_int_equal(balance_plan_make(&plan, &zones, apexes, &probes, NULL, diag), ERR_OK);
    assert_int_equal(balance_plan_set_health(plan, conf_group(conf, &balance_health_opt_table), &probes, diag),
                     ERR_OK);
    balance_set_plan(rig->balance, &plan);
    balance_zone_ready(rig->balance, rig->zone);
    rig_spin(rig);
    conf_free(conf);
    diag_free(diag);
}

#define ANCHORS "health: { anchors = [ \"198.51.100.1 probe tcp\", \"198.51.100.2@80\" ]; hold_max = 60; };\n"

static void test_anchors(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, MANUAL, three);
    give_anchors(&rig, ANCHORS MANUAL);
    assert_int_equal(fake_find("198.51.100.1")->address.port, 443);
    assert_int_equal(fake_find("198.51.100.1")->timing.interval_ms, 1000);
    assert_int_equal(fake_find("198.51.100.2")->address.port, 80);
    assert_int_equal(fake_find("198.51.100.2")->timing.interval_ms, 5000);
    all_up(&rig);
    say(&rig, "198.51.100.1", HEALTH_UP);
    say(&rig, "198.51.100.2", HEALTH_UP);
    say(&rig, "192.0.2.3", HEALTH_DOWN);
    pass_ms(&rig, 20000);
    /* everything fails, and the pool has left its tier before anybody knows why */
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "2 ttl 20");
    say(&rig, "198.51.100.1", HEALTH_DOWN);
    log_begin();
    say(&rig, "198.51.100.2", HEALTH_DOWN);
    const char *log = log_end();
    expect_said(log, "warning: anchor 198.51.100.2@80 is down (connection refused), 2 of 2 down\n");
    expect_said(log, "error: hold: every anchor (2) is down, so the failure is taken for our own: verdicts stay what "
                     "they were, for at most 1m; 4 of 5 targets fail; \"rondoctl release\" ends it\n");
    expect_said(log, "192.0.2.1 is up (as before the failure of our own), 2 of 3 up\n");
    expect_answer(&rig, "www", "1 ttl 5");
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "1 ttl 5");
    struct balance_hold_view view;
    balance_hold_look(&view, rig.balance);
    assert_true(view.is_on && view.cause == HOLD_BY_ANCHORS);
    assert_int_equal(view.until_wall_ms - view.since_wall_ms, 60000);
    assert_int_equal(view.target_cnt, 5);
    assert_int_equal(view.failing_cnt, 5);
    assert_int_equal(view.held_cnt, 2);
    /* reloads keep it, also where the probe changes */
    give_anchors(&rig, ANCHORS MANUAL);
    expect_answer(&rig, "www", "1 ttl 5");
    give_anchors(&rig, ANCHORS "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; interval = 2; } );\n"
                               "zones = ( { balance = ( { name = \"www\"; probe = \"tcp\"; " TIERS " } ); } );");
    expect_answer(&rig, "www", "1 ttl 5");
    log_begin();
    say(&rig, "198.51.100.1", HEALTH_UP);
    expect_said(log_end(), "warning: hold ended after 0s: an anchor answers again; ");
    fake_say("192.0.2.2", HEALTH_DOWN, true, "connected");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 ttl 5");
    pass_ms(&rig, 10000);
    expect_answer(&rig, "www", "2 ttl 5");
    say(&rig, "192.0.2.2", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    finish(&rig);
}

static void test_release(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, MANUAL, three);
    give_anchors(&rig, ANCHORS MANUAL);
    all_up(&rig);
    assert_false(balance_release(rig.balance));
    say(&rig, "198.51.100.1", HEALTH_DOWN);
    say(&rig, "198.51.100.2", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "1 ttl 5");
    log_begin();
    assert_true(balance_release(rig.balance));
    rig_spin(&rig);
    const char *log = log_end();
    expect_said(log, "hold ended after 0s: released by an operator");
    expect_said(log, "192.0.2.1 is down (connection refused), 2 of 3 up\n");
    expect_answer(&rig, "www", "2 ttl 20");
    /* not again while nothing has changed; and without anchors in the plan there is none at all */
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "3 ttl 20");
    assert_false(balance_release(rig.balance));
    give_anchors(&rig, MANUAL);
    assert_null(fake_find("198.51.100.1"));
    assert_int_equal(rig.balance->hold.target_cnt, 3);
    finish(&rig);
}

static void test_hold_max(void **state)
{
    (void)state;
    struct rig rig;
    begin(&rig, MANUAL, three);
    give_anchors(&rig, ANCHORS MANUAL);
    all_up(&rig);
    say(&rig, "198.51.100.1", HEALTH_DOWN);
    say(&rig, "198.51.100.2", HEALTH_DOWN);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    pass_ms(&rig, 59999);
    expect_answer(&rig, "www", "1 ttl 5");
    log_begin();
    pass_ms(&rig, 1);
    expect_said(log_end(), "hold ended after 1m: hold_max has passed");
    expect_answer(&rig, "www", "2 ttl 20");
    finish(&rig);
}

/* Restored members have lost nothing: neither do they start slowly nor wait. */
static void test_restored_are_as_before(void **state)
{
    (void)state;
    struct rig rig;
    static const char plan[] = ANCHORS SLOW("flap_hold = \"1h\";");
    begin(&rig, SLOW("flap_hold = \"1h\";"), "www 60 A 1\nwww 60 A 2\n");
    give_anchors(&rig, plan);
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_UP);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    assert_int_equal(percent(&rig, 1), 0);
    say(&rig, "198.51.100.1", HEALTH_DOWN);
    say(&rig, "198.51.100.2", HEALTH_DOWN);
    assert_int_equal(percent(&rig, 1), 50);
    finish(&rig);
}

/* Once the hold is over they are as all others: also by the probe that the hold had nothing to do with. */
static void test_restored_no_longer(void **state)
{
    (void)state;
    struct rig rig;
    static const char plan[] = ANCHORS
        "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; interval = 1; },\n"
        "           { name = \"two\"; type = \"tcp\"; port = 444; interval = 1; } );\n"
        "zones = ( { balance = ( { name = \"www\"; probe = [ \"tcp\", \"two\" ]; policy = \"weighted\";"
        " flap_hold = \"1h\"; slow_start = \"60s\"; } ); } );";
    static const char *const targets[] = {"192.0.2.1@443", "192.0.2.1@444", "192.0.2.2@443", "192.0.2.2@444"};
    begin(&rig, strstr(plan, "probes"), "www 60 A 1\nwww 60 A 2\n");
    give_anchors(&rig, plan);
    for (unsigned i = 0; i < 4; i++)
        say(&rig, targets[i], HEALTH_UP);
    say(&rig, "192.0.2.1@443", HEALTH_DOWN);
    say(&rig, "198.51.100.1", HEALTH_DOWN);
    say(&rig, "198.51.100.2", HEALTH_DOWN);
    assert_int_equal(percent(&rig, 1), 50);
    say(&rig, "192.0.2.1@443", HEALTH_UP);
    say(&rig, "198.51.100.1", HEALTH_UP);
    pass_ms(&rig, 100000);
    say(&rig, "192.0.2.1@444", HEALTH_DOWN);
    assert_int_equal(percent(&rig, 1), 0);
    pass_ms(&rig, 100000);
    say(&rig, "192.0.2.1@444", HEALTH_UP);
    assert_int_equal(percent(&rig, 1), 0); /* flap_hold */
    pass_ms(&rig, 3500000);
    assert_int_equal(percent(&rig, 1), 5); /* slow_start */
    finish(&rig);
}

/* ---- what can be wrong in the group `health` */

static void expect_refused(const char *text, const char *part)
{
    static const struct opt_table *const tables[] = {&probe_opt_table, &balance_health_opt_table};
    struct conf *conf;
    struct diag *diag = diag_new(10);
    struct balance_plan *plan;
    struct opt_list none = {NULL, 0};
    const uint8_t *apexes[] = {NULL};
    enum err loaded = conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, 2, diag);
    struct opt_list probes = conf_list(conf, &probe_opt_table);
    assert_int_equal(balance_plan_make(&plan, &none, apexes, &probes, NULL, diag), ERR_OK);
    enum err made = balance_plan_set_health(plan, conf_group(conf, &balance_health_opt_table), &probes, diag);
    assert_true(!part == (!loaded && !made));
    if (part)
        expect_said(diag_text(diag), part);
    balance_plan_free(plan);
    conf_free(conf);
    diag_free(diag);
}

#define ANCHOR(text) PROBES "health: { anchors = [ \"" text "\" ]; };"

static void test_words(void **state)
{
    (void)state;
    static const char expected[] = "2: error: health.anchors: expected ADDRESS[@PORT] [probe NAME]";
    static const char *const bad[] = {ANCHOR("192.0.2.1"),         ANCHOR("192.0.2.1 probe"),
                                      ANCHOR("192.0.2.1 prob tcp"), ANCHOR("192.0.2.1@0"),
                                      ANCHOR("192.0.2.1@80 tcp"),  ANCHOR("ns1.example.com@53"),
                                      ANCHOR("192.0.2.1 probe tcp tcp"), ANCHOR("")};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(bad[i], "2: error: ");
    expect_refused(bad[0], expected + sizeof "2: error: health.anchors: " - 1);
    expect_refused(ANCHOR("192.0.2.1 probe tpc"),
                   "2: error: anchors: there is no probe \"tpc\"; did you mean \"tcp\"?");
    expect_refused(PROBES "health: { hold_max = \"2d\"; };", "hold_max");
    expect_refused(ANCHOR("192.0.2.1@443"), NULL);
    expect_refused(ANCHOR(" 2001:db8::1@443\\tprobe  tcp "), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_manual),
        cmocka_unit_test(test_back_with_all),
        cmocka_unit_test(test_back_after_a_time),
        cmocka_unit_test(test_back_together),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_all_start_slowly),
        cmocka_unit_test(test_slow_start_after_a_drain),
        cmocka_unit_test(test_trickle_by_turns),
        cmocka_unit_test(test_flap_hold),
        cmocka_unit_test(test_flap_hold_of_the_only_one),
        cmocka_unit_test(test_anchors),
        cmocka_unit_test(test_release),
        cmocka_unit_test(test_hold_max),
        cmocka_unit_test(test_restored_are_as_before),
        cmocka_unit_test(test_restored_no_longer),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
