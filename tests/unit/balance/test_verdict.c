/* From verdicts to answers and log lines. */
#include "balance/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "dns/name.h"
#include "unit/balance/rig.h"

#define PROBES "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

static const char three[] = "www 60 A 1\nwww 60 A 2\nwww 60 A 3\n";

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))

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

static void test_out_and_back(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), three);
    log_begin();
    expect_answer(&rig, "www", "1 2 3 ttl 20"); /* nobody is known */
    say(&rig, "192.0.2.2", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20"); /* one is, so the unknown must wait */
    say(&rig, "192.0.2.1", HEALTH_UP);
    say(&rig, "192.0.2.3", HEALTH_UP);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "2 3 ttl 20");
    say(&rig, "192.0.2.1", HEALTH_UP);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    const char *log = log_end();
    assert_string_equal(log, "notice: pool \"www.example.com\": 192.0.2.2 is up (connected), 1 of 3 up\n"
                             "notice: pool \"www.example.com\": 192.0.2.1 is up (connected), 2 of 3 up\n"
                             "notice: pool \"www.example.com\": 192.0.2.3 is up (connected), 3 of 3 up\n"
                             "warning: pool \"www.example.com\": 192.0.2.1 is down (connection refused), 2 of 3 up\n"
                             "notice: pool \"www.example.com\": 192.0.2.1 is up (connected), 3 of 3 up\n");
    rig_fini(&rig);
}

/* What on_change is told, in lines. */
static char heard[1024];

static void hear(void *arg, const struct balance_change *change)
{
    char address[ADDR_TEXT_MAX], owner[NAME_TEXT_MAX];
    size_t len = strlen(heard);
    assert_ptr_equal(arg, heard);
    snprintf(heard + len, sizeof heard - len, "%s %s %s %s %s\n", name_to_text_bare(owner, change->owner),
             addr_to_text(address, change->member), change->before, change->now, change->reason);
}

static void test_changes_are_told(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), three);
    heard[0] = '\0';
    say(&rig, "192.0.2.3", HEALTH_UP);
    balance_on_change(rig.balance, hear, heard);
    say(&rig, "192.0.2.2", HEALTH_UP);
    say(&rig, "192.0.2.2", HEALTH_UP); /* no news */
    fake_say("192.0.2.2", HEALTH_UP, true, "no answer within 1s"); /* nor this */
    rig_spin(&rig);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    assert_string_equal(heard, "www.example.com 192.0.2.2 unknown up connected\n"
                               "www.example.com 192.0.2.2 up down connection refused\n"
                               "www.example.com 192.0.2.2 down up connected\n");
    rig_fini(&rig);
}

/* Another probe of a known state may be what takes a member out, or back. */
static void test_changes_by_a_reload_are_told(void **state)
{
    (void)state;
#define TWO(list)                                                                                                      \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"two\"; type = \"tcp\"; port = 444; } );"   \
    "zones = ( { balance = ( { name = \"www\"; probe = [ " list " ]; }, { name = \"b\"; probe = \"two\"; } ); } );"
    RIG(rig, TWO("\"tcp\""), "www 60 A 1\nwww 60 A 2\nb 60 A 1\n");
    say(&rig, "192.0.2.1@443", HEALTH_UP);
    say(&rig, "192.0.2.2@443", HEALTH_UP);
    fake_say("192.0.2.1@444", HEALTH_DOWN, false, "refused");
    rig_spin(&rig);
    heard[0] = '\0';
    balance_on_change(rig.balance, hear, heard);
    log_begin();
    rig_plan(&rig, TWO("\"tcp\", \"two\""));
    expect_said(log_end(), "warning: pool \"www.example.com\": 192.0.2.1 is down (refused), 1 of 2 up\n");
    assert_string_equal(heard, "www.example.com 192.0.2.1 up down refused\n");
    expect_answer(&rig, "www", "2 ttl 20");
    heard[0] = '\0';
    rig_plan(&rig, TWO("\"tcp\""));
    assert_string_equal(heard, "www.example.com 192.0.2.1 down up connected\n");
    rig_fini(&rig);
#undef TWO
}

static void test_unsettled(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; ttl_min = 3; }"), three);
    all_up(&rig);
    fake_say("192.0.2.2", HEALTH_UP, true, "no answer within 1s");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 2 3 ttl 3");
    fake_say("192.0.2.2", HEALTH_UP, false, "connected");
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 2 3 ttl 20");
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    fake_say("192.0.2.2", HEALTH_DOWN, true, "connected"); /* not in use */
    rig_spin(&rig);
    expect_answer(&rig, "www", "1 3 ttl 20");
    rig_fini(&rig);
}

static void test_tiers(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.3\"; tier = 2; } ); }"),
        three);
    all_up(&rig);
    expect_answer(&rig, "www", "1 2 ttl 20");
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_answer(&rig, "www", "3 ttl 20");
    say(&rig, "192.0.2.2", HEALTH_UP);
    expect_answer(&rig, "www", "2 ttl 20");
    rig_fini(&rig);
}

static void test_min_up(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; probe = \"tcp\"; min_up = 0.75; members = ( { address = \"192.0.2.3\"; tier = 2; } "
               "); }"),
        three);
    all_up(&rig);
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    expect_answer(&rig, "www", "3 ttl 20");
    rig_fini(&rig);
}

static void test_drain(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.3\"; weight = 0; } ); }"),
        three);
    all_up(&rig);
    expect_answer(&rig, "www", "1 2 ttl 20");
    log_begin();
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_DOWN);
    expect_said(
        log_end(),
        "error: pool \"www.example.com\": every A member that is not drained is down, answered as if all were up\n");
    expect_answer(&rig, "www", "1 2 ttl 20");
    rig_fini(&rig);
}

static void test_all_drained(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan(&rig, GROUPS("{ name = \"www\"; members = ( { address = \"192.0.2.1\"; weight = 0; }, { address = "
                          "\"192.0.2.2\"; weight = 0; } ); }"));
    log_begin();
    rig_zone(&rig, "www 60 A 1\nwww 60 A 2\n");
    assert_string_equal(log_end(),
                        "warning: pool \"www.example.com\": every A member is drained, so drains are ignored\n");
    expect_answer(&rig, "www", "1 2 ttl 20");
    log_begin();
    rig_zone(&rig, three);
    assert_string_equal(log_end(), "notice: pool \"www.example.com\": no longer is every A member drained\n");
    expect_answer(&rig, "www", "3 ttl 20");
    rig_fini(&rig);
}

static void test_all_down(void **state)
{
    (void)state;
    static const struct {
        const char *value, *answer, *said;
    } cases[] = {
        {"\"serve_all\"", "1 2 3 ttl 20", "every A member is down, answered as if all were up"},
        {"\"serve_none\"", "nodata", "every A member is down, answered without addresses"},
        {"\"servfail\"", "fail", "every A member is down, answered SERVFAIL"},
        {"[ \"192.0.2.8\", \"192.0.2.9\", \"2001:db8::7\" ]", "8 9 ttl 20",
         "every A member is down, answered with the addresses of"},
        {"\"2001:db8::7\"", "nodata", "every A member is down, answered without addresses, as"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *plan = mem_printf(GROUPS("{ name = \"www\"; probe = \"tcp\"; all_down = %s; }"), cases[i].value);
        RIG(rig, plan, three);
        all_up(&rig);
        say(&rig, "192.0.2.1", HEALTH_DOWN);
        say(&rig, "192.0.2.2", HEALTH_DOWN);
        log_begin();
        say(&rig, "192.0.2.3", HEALTH_DOWN);
        const char *log = log_end();
        expect_said(log, cases[i].said);
        expect_said(log, "error: pool");
        expect_answer(&rig, "www", cases[i].answer);
        log_begin();
        say(&rig, "192.0.2.2", HEALTH_UP);
        expect_said(log_end(), "notice: pool \"www.example.com\": A members are up again\n");
        expect_answer(&rig, "www", "2 ttl 20");
        rig_fini(&rig);
        free(plan);
    }
}

/* Several events in one wake: all are taken before anything is compiled. */
static void test_one_wake(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), three);
    all_up(&rig);
    fake_say("192.0.2.1", HEALTH_DOWN, false, "x");
    fake_say("192.0.2.2", HEALTH_DOWN, false, "x");
    fake_say("192.0.2.2", HEALTH_UP, false, "x"); /* never seen as down */
    rig_turn(&rig);
    expect_answer(&rig, "www", "2 3 ttl 20");
    rig_spin(&rig);
    rig_fini(&rig);
}

static void test_deaths_come_first(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"),
        "a 60 A 1\na 60 A 2\nb 60 A 3\nb 60 A 4\nc 60 A 5\nc 60 A 6\n");
    for (unsigned i = 2; i <= 6; i++) {
        char text[32];
        snprintf(text, sizeof text, "192.0.2.%u", i);
        say(&rig, text, HEALTH_UP);
    }
    fake_say("192.0.2.1", HEALTH_UP, false, "x");
    fake_say("192.0.2.3", HEALTH_UP, true, "x");
    fake_say("192.0.2.6", HEALTH_DOWN, false, "x");
    work_slice(rig.balance, 0); /* one piece of work */
    expect_answer(&rig, "a", "2 ttl 20");
    expect_answer(&rig, "b", "3 4 ttl 20");
    expect_answer(&rig, "c", "5 ttl 20");
    rig_spin(&rig);
    expect_answer(&rig, "a", "1 2 ttl 20");
    expect_answer(&rig, "b", "3 4 ttl 5");
    rig_fini(&rig);
}

static unsigned lines(const char *text)
{
    unsigned cnt = 0;
    for (; *text; text++)
        cnt += *text == '\n';
    return cnt;
}

static void test_flapping_does_not_flood_the_log(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), three);
    log_begin();
    for (unsigned i = 0; i < 100; i++) {
        say(&rig, "192.0.2.1", HEALTH_UP);
        say(&rig, "192.0.2.1", HEALTH_DOWN);
    }
    const char *log = log_end();
    assert_true(lines(log) >= 20 && lines(log) <= 60);
    log_begin();
    verdict_summary(rig.balance);
    log = log_end();
    expect_said(log, "members went down 80 times and came up 80 times");
    log_begin();
    verdict_summary(rig.balance);
    assert_string_equal(log_end(), "");
    rig_fini(&rig);
}

/* `cnt` pools named PREFIXn, n from `first` on, each of one address. */
static char *pools_text(const char *prefix, unsigned first, unsigned cnt, unsigned address)
{
    char *text = mem_zalloc(cnt + 1, 64);
    size_t len = 0;
    for (unsigned i = first; i < first + cnt; i++)
        len += (size_t)sprintf(text + len, "%s%u 60 A %u\n", prefix, i, address);
    return text;
}

static size_t down_cnt(const struct rig *rig)
{
    struct balance_counts counts;
    balance_count(&counts, rig->balance);
    return counts.members[HEALTH_DOWN];
}

/* One target, a thousand pools. */
static void test_shared_by_many(void **state)
{
    (void)state;
    enum { CNT = 1000 };
    char *zone = mem_zalloc(CNT, 64);
    size_t len = 0;
    for (unsigned i = 0; i < CNT; i++)
        len += (size_t)sprintf(zone + len, "n%u 60 A 1\nn%u 60 A 2\n", i, i);
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), zone);
    say(&rig, "192.0.2.2", HEALTH_UP);
    log_begin();
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    log_end();
    for (unsigned i = 0; i < CNT; i++) {
        char owner[16];
        snprintf(owner, sizeof owner, "n%u", i);
        expect_answer(&rig, owner, "2 ttl 20");
    }
    log_begin();
    rig_fini(&rig);
    expect_said(log_end(), "members went down 980 times");
    free(zone);
}

/* What a target says reaches its members in pieces, and all of them, whatever happens in between. */
static void test_shared_by_many_in_pieces(void **state)
{
    (void)state;
    enum { CNT = 1000 };
    char *zone = pools_text("n", 0, CNT, 1), *fewer = pools_text("n", 100, CNT / 2, 1);
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), zone);
    say(&rig, "192.0.2.1", HEALTH_UP);
    log_begin();
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    size_t first = down_cnt(&rig);
    assert_true(first > 0 && first < CNT / 4);
    assert_true(verdict_one(rig.balance));
    assert_int_equal(down_cnt(&rig), 2 * first);
    assert_false(balance_settled(rig.balance));
    /* It speaks again: who knew, hears of it; who did not, never heard of the other. */
    fake_say("192.0.2.1", HEALTH_UP, false, "connected");
    assert_false(verdict_take(rig.balance, 0));
    assert_int_equal(down_cnt(&rig), 2 * first);
    work_slice(rig.balance, UINT64_MAX);
    assert_int_equal(down_cnt(&rig), 0);
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    fake_say("192.0.2.1", HEALTH_UP, false, "connected");
    assert_false(verdict_take(rig.balance, 0));
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    work_slice(rig.balance, UINT64_MAX);
    assert_int_equal(down_cnt(&rig), CNT);
    /* Pools go, among them those that would be next. */
    fake_say("192.0.2.1", HEALTH_UP, false, "connected");
    assert_false(verdict_take(rig.balance, 0));
    assert_int_equal(down_cnt(&rig), CNT - first);
    rig_zone(&rig, fewer);
    assert_int_equal(down_cnt(&rig), 0);
    assert_true(balance_settled(rig.balance));
    /* The last leave their target to itself. */
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    rig_zone(&rig, "");
    assert_int_equal(fake_subscribed(), 0);
    rig_fini(&rig);
    log_end();
    free(zone);
    free(fewer);
}

/* A check leaves while a walk is to go on, or to end, with it. */
static void test_walk_goes_past_a_check_that_leaves(void **state)
{
    (void)state;
    enum { CNT = 200 };
    char *zone = pools_text("n", 0, CNT, 1);
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), zone);
    say(&rig, "192.0.2.1", HEALTH_UP);
    log_begin();
    fake_say("192.0.2.1", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    struct balance_target *target = checks_find_target(rig.balance, fake_find("192.0.2.1")->id);
    struct balance_walk *walk = target->walk;
    assert_non_null(walk);
    struct balance_check *check = walk->at;
    verdict_pass_over(target->checks); /* one behind it: nothing changes */
    assert_ptr_equal(walk->at, check);
    fake_say("192.0.2.1", HEALTH_DOWN, true, "connected");
    assert_false(verdict_take(rig.balance, 0));
    assert_ptr_equal(walk->end, check);
    verdict_pass_over(check);
    assert_ptr_equal(walk->at, check->next);
    assert_ptr_equal(walk->end, check->next);
    while (verdict_one(rig.balance)) {
    }
    assert_null(target->walk);
    assert_int_equal(down_cnt(&rig), CNT);
    rig_fini(&rig);
    log_end();
    free(zone);
}

static void test_deaths_are_told_first(void **state)
{
    (void)state;
    enum { CNT = 300 };
    char *ones = pools_text("n", 0, CNT, 1), *twos = pools_text("m", 0, CNT, 2), *zone = mem_printf("%s%s", ones, twos);
    RIG(rig, GROUPS("{ below = \"@\"; probe = \"tcp\"; }"), zone);
    log_begin();
    say(&rig, "192.0.2.1", HEALTH_DOWN);
    say(&rig, "192.0.2.2", HEALTH_UP);
    assert_int_equal(down_cnt(&rig), CNT);
    fake_say("192.0.2.1", HEALTH_UP, false, "connected");
    fake_say("192.0.2.2", HEALTH_DOWN, false, "connection refused");
    assert_false(verdict_take(rig.balance, 0));
    /* A piece of each was told with the event; then the death, and its tables, before the other goes on. */
    size_t down = down_cnt(&rig);
    for (unsigned n = 0; n < 3; n++) {
        assert_true(verdict_one(rig.balance));
        size_t now = down_cnt(&rig);
        assert_true(now > down);
        down = now;
    }
    while (!ring_is_empty(&rig.balance->death_walks))
        assert_true(verdict_one(rig.balance));
    assert_false(verdict_one(rig.balance));
    rig_spin(&rig);
    assert_int_equal(down_cnt(&rig), CNT);
    rig_fini(&rig);
    log_end();
    free(ones);
    free(twos);
    free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_and_back),
        cmocka_unit_test(test_changes_are_told),
        cmocka_unit_test(test_changes_by_a_reload_are_told), cmocka_unit_test(test_unsettled),
        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_min_up),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_all_drained),
        cmocka_unit_test(test_all_down),
        cmocka_unit_test(test_one_wake),
        cmocka_unit_test(test_deaths_come_first),
        cmocka_unit_test(test_flapping_does_not_flood_the_log),
        cmocka_unit_test(test_shared_by_many),
        cmocka_unit_test(test_shared_by_many_in_pieces),
        cmocka_unit_test(test_walk_goes_past_a_check_that_leaves),
        cmocka_unit_test(test_deaths_are_told_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
