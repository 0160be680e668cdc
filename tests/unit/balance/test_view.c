/* Pools as they are shown. */
#include "balance/private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dns/name.h"
#include "unit/balance/rig.h"

#define PROBES                                                                                                         \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 443; }, { name = \"web\"; type = \"http\"; },"                \
    "{ name = \"slow\"; type = \"tcp\"; port = 80; interval = \"10s\"; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

#define RIG(name, plan, zone)                                                                                          \
    struct rig name;                                                                                                   \
    rig_init(&name, true);                                                                                             \
    rig_plan(&name, (plan));                                                                                           \
    rig_zone(&name, (zone))

/* What one call showed, in words. */
struct shown {
    char text[8192];
    size_t len;
};

static void add(struct shown *shown, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void add(struct shown *shown, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    shown->len += (size_t)vsnprintf(shown->text + shown->len, sizeof shown->text - shown->len, fmt, args);
    va_end(args);
    assert_true(shown->len < sizeof shown->text);
}

static void show(void *arg, const struct balance_pool_view *view)
{
    static const char *const policies[] = {"round_robin", "weighted", "random", "hash"};
    static const char *const states[] = {"live", "all down", "all drained", "empty"};
    struct shown *shown = arg;
    char owner[NAME_TEXT_MAX], address[ADDR_TEXT_MAX];
    add(shown, "%s %d %s %s tier %u ttl %u answers %u%s%s\n", name_to_text_bare(owner, view->owner), (int)view->family,
        policies[view->policy], states[view->state], view->tier, view->ttl_sec, view->answers,
        view->probed ? " probed" : "", view->exact ? "" : " inexact");
    for (size_t i = 0; i < view->member_cnt; i++) {
        const struct balance_member_view *m = &view->members[i];
        add(shown, " %s w%u t%u%s%s%s%s%s %s %llu \"%s\" %.3f\n", addr_to_text(address, &m->address), m->weight,
            m->tier, m->drained ? " drained" : "", m->sleeping ? " sleeping" : "", m->probed ? " probed" : "",
            m->unsettled ? " unsettled" : "", m->used ? " used" : "", health_verdict_name(m->verdict),
            (unsigned long long)(m->since_wall_ms ? 1 : 0), m->reason, m->share);
    }
}

static const char *view_of(const struct rig *rig, const char *owner)
{
    static struct shown shown;
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    shown.len = 0;
    shown.text[0] = '\0';
    if (owner)
        assert_int_equal(name_from_text(wire, &len, owner, strlen(owner), NULL), ERR_OK);
    balance_each_pool(rig->balance, owner ? wire : NULL, show, &shown);
    return shown.text;
}

static void test_members(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; policy = \"weighted\"; probe = \"tcp\"; members = ( { address = \"192.0.2.1\"; "
               "weight = 4; },\n"
               "{ address = \"192.0.2.3\"; weight = 0; }, { address = \"192.0.2.4\"; tier = 2; }, { address = "
               "\"192.0.2.9\"; weight = 7; } ); }"),
        "www 60 A 1\nwww 60 A 2\nwww 60 A 3\nwww 60 A 4\nwww 60 AAAA 5\n");
    fake_say("192.0.2.1", HEALTH_UP, true, "no answer within 1s");
    fake_say("192.0.2.2", HEALTH_UP, false, "connected");
    fake_say("192.0.2.4", HEALTH_DOWN, false, "connection refused");
    rig_spin(&rig);
    assert_string_equal(view_of(&rig, "WWW.example.com"),
                        "www.example.com 4 weighted live tier 1 ttl 5 answers 1 probed\n"
                        " 192.0.2.1 w4 t1 probed unsettled used up 1 \"no answer within 1s\" 0.800\n"
                        " 192.0.2.2 w1 t1 probed used up 1 \"connected\" 0.200\n"
                        " 192.0.2.3 w0 t1 drained probed unknown 0 \"not checked yet\" 0.000\n"
                        " 192.0.2.4 w1 t2 probed down 1 \"connection refused\" 0.000\n"
                        " 192.0.2.9 w7 t1 sleeping probed unknown 0 \"\" 0.000\n"
                        "www.example.com 6 weighted live tier 1 ttl 20 answers 1 probed\n"
                        " 2001:db8::5 w1 t1 probed used unknown 0 \"not checked yet\" 1.000\n");
    assert_string_equal(view_of(&rig, "x.example.com"), "");
    assert_string_equal(view_of(&rig, "."), "");
    rig_fini(&rig);
}

static void test_order(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ below = \"@\"; }, { name = \"@\"; }"), "z 60 A 1\na.b 60 A 2\nb 60 A 3\n@ 60 A 4\nc 60 A 5\n");
    char expected[600] = "";
    static const struct {
        const char *name;
        unsigned byte;
    } order[] = {
        {"example.com", 4}, {"b.example.com", 3}, {"a.b.example.com", 2}, {"c.example.com", 5}, {"z.example.com", 1}};
    for (size_t i = 0; i < 5; i++) {
        size_t len = strlen(expected);
        snprintf(expected + len, sizeof expected - len,
                 "%s 4 round_robin live tier 1 ttl 20 answers 16\n 192.0.2.%u w1 t1 used up 0 \"\" 1.000\n",
                 order[i].name, order[i].byte);
    }
    assert_string_equal(view_of(&rig, NULL), expected);
    rig_fini(&rig);
}

/* In slices: who is there all the time is shown once, whoever else comes and goes. */
static void note_shown(void *arg, const struct balance_pool_view *view)
{
    unsigned *shown = arg;
    shown[view->members[0].address.bytes[3]]++;
}

static void test_walk(void **state)
{
    (void)state;
    enum { CNT = 250 };
    char *zone = mem_zalloc(CNT, 32);
    unsigned shown[256] = {0}, slices = 1;
    uint32_t at = 0;
    size_t len = 0;
    for (unsigned i = 0; i < CNT; i++)
        len += (size_t)sprintf(zone + len, "n%u 60 A %u\n", i, i);
    RIG(rig, GROUPS("{ below = \"@\"; }"), zone);
    for (; !balance_walk_pools(rig.balance, &at, 0, note_shown, shown); slices++)
        if (slices == 100) {
            memcpy(zone, "x0", 2); /* another name, so another pool */
            rig_zone(&rig, zone);
        }
    assert_true(slices >= CNT);
    for (unsigned i = 1; i < CNT; i++)
        assert_int_equal(shown[i], 1);
    at = 0;
    memset(shown, 0, sizeof shown);
    assert_true(balance_walk_pools(rig.balance, &at, 10000000, note_shown, shown));
    for (unsigned i = 0; i < CNT; i++)
        assert_int_equal(shown[i], 1);
    rig_fini(&rig);
    free(zone);
}

static void test_states(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"a\"; probe = \"tcp\"; all_down = \"serve_none\"; }, { name = \"b\"; members = ( { address = "
               "\"192.0.2.1\"; weight = 0; } ); },\n"
               "{ name = \"c\"; others = \"ignore\"; members = ( { address = \"192.0.2.9\"; } ); }"),
        "a 60 A 1\nb 60 A 1\nc 60 A 1\n");
    fake_say("192.0.2.1", HEALTH_DOWN, false, "refused");
    rig_spin(&rig);
    assert_string_equal(view_of(&rig, NULL), "a.example.com 4 round_robin all down tier 0 ttl 20 answers 16 probed\n"
                                             " 192.0.2.1 w1 t1 probed down 1 \"refused\" 0.000\n"
                                             "b.example.com 4 round_robin all drained tier 1 ttl 20 answers 16\n"
                                             " 192.0.2.1 w0 t1 drained used up 0 \"\" 1.000\n"
                                             "c.example.com 4 round_robin empty tier 0 ttl 20 answers 16\n"
                                             " 192.0.2.9 w1 t1 sleeping unknown 0 \"\" 0.000\n");
    rig_fini(&rig);
}

/* Several probes: whose reason is told. */
static void test_reasons(void **state)
{
    (void)state;
    RIG(rig, GROUPS("{ name = \"www\"; probe = [ \"tcp\", \"web\" ]; }"), "www 60 A 1\n");
    fake_say("192.0.2.1@443", HEALTH_UP, false, "connected");
    rig_spin(&rig);
    expect_said(view_of(&rig, NULL), "unknown 0 \"not checked yet\"");
    fake_say("192.0.2.1@80", HEALTH_UP, false, "status 200");
    rig_spin(&rig);
    expect_said(view_of(&rig, NULL), "up 1 \"status 200\""); /* with which it was up */
    fake_say("192.0.2.1@80", HEALTH_DOWN, false, "status 500");
    rig_spin(&rig);
    fake_say("192.0.2.1@443", HEALTH_DOWN, false, "refused");
    rig_spin(&rig);
    expect_said(view_of(&rig, NULL), "down 1 \"status 500\""); /* with which it was down */
    rig_fini(&rig);
}

static void take_bounds(void *arg, const struct balance_pool_view *view)
{
    uint64_t *bounds = arg;
    bounds[0] = view->detection_ms;
    bounds[1] = view->staleness_ms;
}

static void test_bounds(void **state)
{
    (void)state;
    uint64_t bounds[2];
    RIG(rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"), "www 60 A 1\nwww 60 A 2\n");
    balance_each_pool(rig.balance, NULL, take_bounds, bounds);
    assert_int_equal(bounds[0], 8550); /* DESIGN's 8.6 s and 26.6 s */
    assert_int_equal(bounds[1], 26550);
    rig_plan(
        &rig,
        GROUPS("{ name = \"www\"; probe = \"tcp\"; members = ( { address = \"192.0.2.1\"; probe = \"slow\"; } ); }"));
    balance_each_pool(rig.balance, NULL, take_bounds, bounds);
    assert_int_equal(bounds[0], 14050); /* the worst */
    assert_int_equal(bounds[1], 32050);
    rig_plan(&rig, GROUPS("{ name = \"www\"; }"));
    balance_each_pool(rig.balance, NULL, take_bounds, bounds);
    assert_int_equal(bounds[0] + bounds[1], 0);
    rig_fini(&rig);
}

/* 5,000 to 1 does not fit 4,096 slots. */
static void test_inexact(void **state)
{
    (void)state;
    RIG(rig,
        GROUPS("{ name = \"www\"; policy = \"weighted\"; members = ( { address = \"192.0.2.1\"; weight = 5000; } ); }"),
        "www 60 A 1\nwww 60 A 2\n");
    expect_said(view_of(&rig, NULL), "answers 1 inexact\n");
    rig_plan(&rig, GROUPS("{ name = \"www\"; policy = \"hash\"; }"));
    expect_said(view_of(&rig, NULL), "hash live tier 1 ttl 20 answers 1\n");
    rig_fini(&rig);
}

/* Ours, made in one pass, are the pool's. */
static void compare_shares(void *arg, const struct balance_pool_view *view)
{
    const struct pool_table *table = arg;
    for (size_t i = 0; i < view->member_cnt; i++)
        assert_true(fabs(view->members[i].share - pool_table_share(table, &view->members[i].address)) < 1e-9);
    assert_int_equal(view->member_cnt, 20);
}

static void test_shares(void **state)
{
    (void)state;
    static const char *const plans[] = {
        GROUPS("{ name = \"www\"; policy = \"weighted\"; answers = 3; members = ( { address = \"192.0.2.1\"; weight = "
               "9; } ); }"),
        GROUPS("{ name = \"www\"; policy = \"hash\"; answers = 2; }"),
        GROUPS("{ name = \"www\"; }"),
        GROUPS("{ name = \"www\"; policy = \"random\"; members = ( { address = \"192.0.2.1\"; weight = 0; } ); }"),
    };
    char zone[20 * 16] = "";
    for (unsigned i = 0; i < 20; i++)
        sprintf(zone + strlen(zone), "www 60 A %u\n", i);
    RIG(rig, plans[0], zone);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        rig_plan(&rig, plans[i]);
        balance_each_pool(rig.balance, NULL, compare_shares, rig_table(&rig, "www", ADDR_V4));
    }
    rig_fini(&rig);
}

static void test_not_probed(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, false);
    rig_plan(&rig, GROUPS("{ name = \"www\"; probe = \"tcp\"; }"));
    rig_zone(&rig, "www 60 A 1\n");
    assert_string_equal(view_of(&rig, NULL), "www.example.com 4 round_robin live tier 1 ttl 20 answers 16 probed\n"
                                             " 192.0.2.1 w1 t1 probed used unknown 0 \"\" 1.000\n");
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walk),    cmocka_unit_test(test_members), cmocka_unit_test(test_order),
        cmocka_unit_test(test_states),  cmocka_unit_test(test_reasons), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_inexact), cmocka_unit_test(test_shares),  cmocka_unit_test(test_not_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
