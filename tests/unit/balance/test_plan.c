#include "balance/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "dns/name.h"
#include "probe/probe.h"
#include "unit/balance/rig.h"

static const uint8_t com[] = "\7example\3com", org[] = "\7example\3org", net[] = "\7example\3net";

static struct balance_plan *good(const char *text)
{
    struct diag *diag = diag_new(100);
    struct balance_plan *plan = plan_of(text, diag);
    if (!plan || diag_cnt(diag, DIAG_WARNING))
        fail_msg("%s", diag_text(diag));
    diag_free(diag);
    return plan;
}

static const struct plan_group *find(const struct balance_plan *plan, const uint8_t *apex, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    unsigned len;
    assert_int_equal(name_from_text(wire, &len, name, strlen(name), apex), ERR_OK);
    return plan_find(plan, apex, wire);
}

/* Groups tell themselves apart by their `ttl`; 0: none. */
static unsigned ttl_of(const struct balance_plan *plan, const uint8_t *apex, const char *name)
{
    const struct plan_group *group = find(plan, apex, name);
    return group ? group->ttl_sec : 0;
}

static void test_matching(void **state)
{
    (void)state;
    struct balance_plan *plan =
        good("zones = (\n"
             "{ balance = ( { name = \"WWW\"; ttl = 1; }, { name = \"@\"; ttl = 2; }, { below = \"apps\"; ttl = 3; },\n"
             "  { below = \"deep.apps\"; ttl = 4; }, { name = \"*.apps\"; ttl = 5; }, { name = \"apps\"; ttl = 6; },\n"
             "  { name = \"x.deep.apps.example.com.\"; ttl = 7; } ); },\n"
             "{ balance = ( { below = \"@\"; ttl = 9; } ); } );");
    static const struct {
        const char *name;
        unsigned ttl;
    } of_com[] = {{"www", 1},           {"a.www", 0},       {"@", 2},           {"other", 0},
                  {"apps", 6},          {"a.apps", 3},      {"*.apps", 5},      {"b.a.apps", 3},
                  {"deep.apps", 3},     {"a.deep.apps", 4}, {"*.deep.apps", 4}, {"x.deep.apps", 7},
                  {"y.x.deep.apps", 4}, {"xapps", 0}};
    for (size_t i = 0; i < sizeof of_com / sizeof *of_com; i++)
        assert_int_equal(ttl_of(plan, com, of_com[i].name), of_com[i].ttl);
    assert_int_equal(ttl_of(plan, org, "@"), 0);
    assert_int_equal(ttl_of(plan, org, "www"), 9);
    assert_int_equal(ttl_of(plan, org, "a.b.c.d"), 9);
    assert_int_equal(ttl_of(plan, net, "www"), 0);
    assert_true(plan_find_zone(plan, com) && plan_find_zone(plan, org) && !plan_find_zone(plan, net));
    balance_plan_free(plan);
}

static void test_defaults(void **state)
{
    (void)state;
    struct balance_plan *plan =
        good("zones = ( { balance = ( { name = \"a\"; }, { name = \"b\"; policy = \"weighted\"; },\n"
             "{ name = \"c\"; policy = \"hash\"; answers = \"all\"; }, { name = \"d\"; answers = 3; min_up = 0.3334; } "
             "); } );");
    const struct plan_group *a = find(plan, com, "a"), *b = find(plan, com, "b"), *c = find(plan, com, "c"),
                            *d = find(plan, com, "d");
    assert_int_equal(a->policy, POOL_ROUND_ROBIN);
    assert_int_equal(a->answers, 16);
    assert_int_equal(a->ttl_sec, 20);
    assert_int_equal(a->ttl_min_sec, 5);
    assert_true(a->min_up == 0);
    assert_int_equal(a->all_down, POOL_SERVE_ALL);
    assert_false(a->ignore_others || a->is_below);
    assert_int_equal(a->probes.cnt + a->member_cnt + a->fallback_cnt, 0);
    assert_int_equal(b->policy, POOL_WEIGHTED);
    assert_int_equal(b->answers, 1);
    assert_int_equal(c->answers, 16);
    assert_int_equal(d->answers, 3);
    assert_true(d->min_up == UINT64_C(333400000000000));
    balance_plan_free(plan);
}

static void test_members_and_probes(void **state)
{
    (void)state;
    struct balance_plan *plan = good(
        "probes = ( { name = \"web\"; type = \"http\"; path = \"/h\"; }, { name = \"tcp\"; type = \"tcp\"; port = 443; "
        "} );\n"
        "zones = ( { balance = ( { name = \"a\"; policy = \"weighted\"; probe = [ \"web\", \"tcp\", \"web\" ]; others "
        "= \"ignore\"; members = (\n"
        "{ address = \"2001:db8::1\"; }, { address = \"192.0.2.2\"; weight = 0; tier = 3; probe = \"tcp\"; "
        "check_address = \"192.0.2.99\"; },\n"
        "{ address = \"192.0.2.1\"; weight = 65535; } ); all_down = [ \"2001:db8::9\", \"192.0.2.9\" ]; } ); } );");
    const struct plan_group *a = find(plan, com, "a");
    char text[ADDR_TEXT_MAX];
    assert_int_equal(a->probes.cnt, 2);
    assert_string_equal(a->probes.rows[0]->name, "web");
    assert_string_equal(a->probes.rows[0]->path, "/h");
    assert_int_equal(a->probes.rows[0]->expect_status.cnt, 1);
    assert_int_equal(a->probes.rows[1]->port, 443);
    assert_true(a->ignore_others);
    assert_int_equal(a->member_cnt, 3);
    assert_string_equal(addr_to_text(text, &a->members[0].address), "192.0.2.1");
    assert_string_equal(addr_to_text(text, &a->members[1].address), "192.0.2.2");
    assert_string_equal(addr_to_text(text, &a->members[2].address), "2001:db8::1");
    assert_int_equal(a->members[1].weight, 0);
    assert_int_equal(a->members[1].tier, 3);
    assert_string_equal(addr_to_text(text, &a->members[1].check_address), "192.0.2.99");
    assert_int_equal(plan_probes_of(a, &a->members[1])->cnt, 1);
    assert_int_equal(plan_probes_of(a, &a->members[0])->cnt, 2);
    assert_int_equal(plan_probes_of(a, NULL)->cnt, 2);
    assert_ptr_equal(plan_find_member(a, &a->members[2].address), &a->members[2]);
    assert_null(plan_find_member(a, &a->members[1].check_address));
    assert_int_equal(a->all_down, POOL_FALLBACK);
    assert_int_equal(a->fallback_cnt, 2);
    assert_int_equal(a->fallback[0].family, ADDR_V4);
    balance_plan_free(plan);
}

static void expect_refused(const char *text, const char *part)
{
    struct diag *diag = diag_new(100);
    struct balance_plan *plan = plan_of(text, diag);
    if (plan)
        fail_msg("not refused: %s", text);
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    assert_string_equal(diag_at(diag, 0)->file, "rondo.conf");
    expect_said(diag_text(diag), part);
    diag_free(diag);
}

#define PROBES                                                                                                         \
    "probes = ( { name = \"web\"; type = \"http\"; }, { name = \"hosted\"; type = \"http\"; host = \"h\"; } );\n"
#define GROUPS(text) PROBES "zones = ( { balance = (\n" text "\n); } );"

static void test_errors(void **state)
{
    (void)state;
    expect_refused(GROUPS("{ ttl = 1; }"),
                   "3: error: zone \"example.com\", balance \"\": expected either \"name\" or \"below\", got neither");
    expect_refused(GROUPS("{ name = \"a\"; below = \"b\"; }"), "got both");
    expect_refused(GROUPS("{ name = \"a..b\"; }"),
                   "3: error: zone \"example.com\", balance \"a..b\": no name: expected labels");
    expect_refused(GROUPS("{ name = \"www.example.org.\"; }"), "is outside the zone");
    expect_refused(GROUPS("{ name = \"a\"; },\n{ name = \"A.example.com.\"; }"),
                   "4: error: a second balance group with name \"a.example.com\", the first is at rondo.conf:3");
    expect_refused(GROUPS("{ below = \"a\"; },\n{ below = \"a\"; }"), "4: error: a second balance group with below");
    expect_refused(GROUPS("{ name = \"a\"; probe = \"wbe\"; }"),
                   "3: error: zone \"example.com\", balance \"a\": there is no probe \"wbe\"; did you mean \"web\"?");
    expect_refused(GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1\";\n probe = \"zzzzzzz\"; } ); }"),
                   "there is no probe \"zzzzzzz\"\n");
    expect_refused(GROUPS("{ name = \"*\"; probe = \"web\"; }"), "probe \"web\" has no \"host\"");
    expect_refused(
        GROUPS("{ name = \"*.a\"; probe = \"hosted\"; members = (\n{ address = \"192.0.2.1\"; probe = \"web\"; } ); }"),
        "4: error: zone \"example.com\", balance \"*.a\": probe \"web\" has no \"host\"");
    expect_refused(
        GROUPS("{ name = \"a\"; members = (\n{ address = \"192.0.2.1\"; },\n{ address = \"192.0.2.1\"; } ); }"),
        "5: error: zone \"example.com\", balance \"a\": member 192.0.2.1 stands twice, first at rondo.conf:4");
    expect_refused(GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1@80\"; } ); }"),
                   "an address without a port");
    expect_refused(GROUPS("{ name = \"a\"; others = \"ignore\"; }"), "nobody is left");
    expect_refused(GROUPS("{ name = \"a\"; ttl = \"1500ms\"; }"),
                   "\"ttl\": a TTL is counted in whole seconds, got 1500ms");
    expect_refused(GROUPS("{ name = \"a\"; ttl_min = \"10ms\"; }"), "\"ttl_min\"");
    expect_refused(GROUPS("{ name = \"a\"; all_down = \"serve_some\"; }"), "got \"serve_some\"");
    expect_refused(GROUPS("{ name = \"a\"; all_down = [ \"servfail\", \"192.0.2.1\" ]; }"), "got \"servfail\"");
    expect_refused(GROUPS("{ name = \"a\"; all_down = ( ); }"), "an empty list");
    expect_refused(GROUPS("{ name = \"a\"; all_down = [ \"192.0.2.1\", \"192.0.2.1\" ]; }"), "names 192.0.2.1 twice");
    expect_refused(GROUPS("{ name = \"a\"; answers = 17; }"), "expected \"all\" or a whole number from 1 to 16");
    expect_refused(GROUPS("{ name = \"a\"; answers = \"1x\"; }"), "expected \"all\"");
    expect_refused(GROUPS("{ name = \"a\"; policy = \"fastest\"; }"), "policy");
    expect_refused(GROUPS("{ name = \"a\"; failback = \"never\"; }"),
                   "expected \"auto\", \"manual\" or a duration of at most a week");
    expect_refused(GROUPS("{ name = \"a\"; failback = \"8d\"; }"), "failback");
    expect_refused(GROUPS("{ name = \"a\"; policy = \"weighted\"; trickle = 0.6; }"), "trickle");
    expect_refused(GROUPS("{ name = \"a\"; trickle = 0.1; }"),
                   "\"trickle\": round_robin gives every member the same share");
    expect_refused(GROUPS("{ name = \"a\"; policy = \"hash\"; trickle = 0.1; }"),
                   "\"trickle\": hash would send the same clients to the next tier");
    expect_refused(GROUPS("{ name = \"a\"; family = \"apart\"; }"), "unknown key \"family\"");
    expect_refused(GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1\"; weight = 65536; } ); }"), "weight");
    expect_refused(GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1\"; tier = 0; } ); }"), "tier");
    expect_refused(GROUPS("{ name = \"a\"; min_up = 1.1; }"), "min_up");
    expect_refused("probes = ( { name = \"p\"; type = \"http\"; },\n{ name = \"p\"; type = \"http\"; } );",
                   "2: error: probe \"p\" stands twice, first at rondo.conf:1");
}

/* Not the first alone. */
static void test_all_errors(void **state)
{
    (void)state;
    struct diag *diag = diag_new(100);
    assert_null(
        plan_of(GROUPS("{ name = \"a..b\"; },\n{ name = \"b\"; probe = \"none\"; ttl = \"1ms\"; },\n{ }"), diag));
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 4);
    diag_free(diag);
}

static void expect_all(const char *text, const char *expected)
{
    struct diag *diag = diag_new(100);
    assert_null(plan_of(text, diag));
    assert_string_equal(diag_text(diag), expected);
    diag_free(diag);
}

/* Rows with errors of their own, which conf has told: what is wrong besides is told too, what only follows is not. */
static void test_broken_rows(void **state)
{
    (void)state;
    /* A probe is there by its name, whatever else it lacks; one without a name may be any. */
    expect_all("probes = ( { name = \"web\"; type = \"http\"; rise = 0; },\n"
               "{ name = \"api\"; type = \"http\"; host = 5; } );\n"
               "zones = ( { balance = ( { name = \"*\"; probe = [ \"web\", \"api\" ]; }, \n"
               "{ name = \"b\"; probe = \"none\"; } ); } );",
               "1: error: \"probes.rise\": expected a whole number from 1 to 100 checks, got 0\n"
               "2: error: \"probes.host\": expected a string of 1 to 255 bytes, got 5\n"
               "4: error: zone \"example.com\", balance \"b\": there is no probe \"none\"\n");
    expect_all("probes = ( { name = \"web\"; type = \"http\"; },\n{ type = \"http\"; } );\n"
               "zones = ( { balance = ( { name = \"*\"; probe = [ \"api\" ]; } ); } );",
               "2: error: \"probes.name\" is missing: a string of 1 to 63 bytes\n");
    expect_all("probes = 5;\nzones = ( { balance = ( { name = \"a\"; probe = \"web\"; }, { name = \"a\"; } ); } );",
               "1: error: \"probes\": expected groups, ( { ... }, { ... } ), got 5\n"
               "2: error: a second balance group with name \"a.example.com\", the first is at rondo.conf:2\n");
    expect_all("prboes = ( { name = \"web\"; type = \"http\"; } );\n"
               "zones = ( { balance = ( { name = \"a\"; probe = [ \"web\",\n\"wbe\" ]; } ); } );",
               "1: error: unknown group \"prboes\"; did you mean \"probes\"?\n"
               "2: error: zone \"example.com\", balance \"a\": there is no probe \"wbe\"; did you mean \"web\"?\n");
}

static void test_broken_groups(void **state)
{
    (void)state;
    expect_all(
        GROUPS("{ name = 5; probe = \"none\"; },\n{ nmae = \"b\"; },\n{ name = \"b\"; },\n"
               "{ name = \"a..b\"; ttl = \"10ms\"; },\n5"),
        "3: error: \"zones.balance.name\": expected a string of 1 to 1009 bytes, got 5\n"
        "4: error: unknown key \"nmae\" in \"zones.balance\"; did you mean \"name\"?\n"
        "7: error: \"zones.balance\": expected groups, ( { ... }, { ... } ), got 5\n"
        "3: error: zone \"example.com\", balance \"\": there is no probe \"none\"\n"
        "5: error: a second balance group with name \"b.example.com\", the first is at rondo.conf:4\n"
        "6: error: zone \"example.com\", balance \"a..b\": no name: expected labels with dots between them\n"
        "6: error: zone \"example.com\", balance \"a..b\": \"ttl\": a TTL is counted in whole seconds, got 10ms\n");
    expect_all(GROUPS("{ name = \"a\"; all_down = [ 5 ]; },\n{ name = \"b\"; policy = \"x\"; members = (\n"
                      "{ address = \"192.0.2.1\"; weight = 3; }, { address = \"192.0.2.1\"; } ); }"),
               "3: error: \"zones.balance.all_down\": expected a string of 1 to 63 bytes, got 5\n"
               "4: error: \"zones.balance.policy\": expected \"round_robin\", \"weighted\", \"random\", \"hash\", "
               "\"fastest\", \"least_connections\" or \"least_load\", got \"x\"\n"
               "5: error: zone \"example.com\", balance \"b\": member 192.0.2.1 stands twice, first at rondo.conf:5\n");
}

static void test_broken_members(void **state)
{
    (void)state;
    expect_all(
        GROUPS("{ name = \"a\"; others = \"ignore\"; members = ( { address = \"x\"; },\n{ weight = 2; },\n"
               "{ address = \"192.0.2.3\"; check_address = \"192.0.2.4\"; probe = 7; },\n"
               "{ address = \"192.0.2.5\"; check_address = \"192.0.2.6\"; probe = \"none\"; } ); },\n"
               "{ name = \"b\"; others = \"ignore\"; members = 5; }"),
        "3: error: \"zones.balance.members.address\": expected an address without a port, such as \"192.0.2.1\" or "
        "\"2001:db8::1\", got \"x\"\n"
        "5: error: \"zones.balance.members.probe\": expected a string of 1 to 63 bytes, got 7\n"
        "7: error: \"zones.balance.members\": expected groups, ( { ... }, { ... } ), got 5\n"
        "4: error: zone \"example.com\", balance \"a\": a member has either \"address\" or \"host\", this one has "
        "neither\n"
        "6: error: zone \"example.com\", balance \"a\": there is no probe \"none\"\n");
}

#define SITES "sites = ( { name = \"eu\"; networks = \"10.0.0.0/8\"; }, { name = \"asia\"; networks = \"::/0\"; } );\n"

static void test_sites(void **state)
{
    (void)state;
    struct balance_plan *plan = good(SITES GROUPS("{ name = \"a\"; hash_prefix4 = 24; hash_prefix6 = 128; members = (\n"
                                                  "{ address = \"192.0.2.1\"; site = \"asia\"; },\n"
                                                  "{ address = \"192.0.2.2\"; }, \n"
                                                  "{ address = \"192.0.2.3\"; site = \"eu\"; } ); },\n"
                                                  "{ name = \"b\"; }"));
    const struct plan_group *a = find(plan, com, "a"), *b = find(plan, com, "b");
    assert_int_equal(a->members[0].site, 2);
    assert_int_equal(a->members[1].site, 0);
    assert_int_equal(a->members[2].site, 1);
    assert_int_equal(a->hash_prefix4, 24);
    assert_int_equal(a->hash_prefix6, 128);
    assert_int_equal(b->hash_prefix4, 32);
    assert_int_equal(b->hash_prefix6, 56);
    balance_plan_free(plan);
}

static void test_sites_that_are_none(void **state)
{
    (void)state;
    struct diag *diag = diag_new(100);
    static const char groups[] = GROUPS("{ name = \"a\"; hash_prefix4 = 7; hash_prefix6 = 129; members = (\n"
                                        "{ address = \"192.0.2.1\"; site = \"asai\"; },\n"
                                        "{ address = \"192.0.2.2\"; site = \"moon\"; },\n"
                                        "{ address = \"192.0.2.3\"; site = \"\"; } ); }");
    char *text = mem_printf("%s%s", SITES, groups);
    assert_null(plan_of(text, diag));
    expect_said(diag_text(diag), "error: \"zones.balance.hash_prefix4\": expected a whole number from 8 to 32 bits");
    expect_said(diag_text(diag), "error: \"zones.balance.hash_prefix6\": expected a whole number from 16 to 128 bits");
    expect_said(diag_text(diag), "error: zone \"example.com\", balance \"a\": there is no site \"asai\"; did you mean "
                                 "\"asia\"?\n");
    expect_said(diag_text(diag), "error: zone \"example.com\", balance \"a\": there is no site \"moon\"\n");
    expect_said(diag_text(diag), "error: \"zones.balance.members.site\": expected a string of 1 to 63 bytes");
    diag_free(diag);
    free(text);
    /* The name that is missed may be that of the site that was refused, which was told. */
    diag = diag_new(100);
    assert_null(plan_of("sites = ( { name = 5; networks = \"::/0\"; } );\n"
                        GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1\"; site = \"moon\"; } ); }"),
                        diag));
    assert_int_equal(diag_cnt(diag, DIAG_ERROR), 1);
    diag_free(diag);
}

static void test_hosts(void **state)
{
    char text[NAME_TEXT_MAX];
    (void)state;
    struct balance_plan *plan =
        good(GROUPS("{ name = \"a\"; policy = \"weighted\"; host_hold = \"5m\"; members = ("
                    "{ host = \"App.Example.NET.\"; weight = 3; tier = 2; probe = \"web\"; },"
                    "{ address = \"192.0.2.1\"; }, { host = \"b.example.net\"; } ); },\n{ name = \"b\"; }"));
    const struct plan_group *a = find(plan, com, "a");
    assert_int_equal(a->member_cnt, 1);
    assert_int_equal(a->host_cnt, 2);
    assert_int_equal(a->host_hold_ms, 300000);
    assert_string_equal(name_to_text(text, a->hosts[0].name), "app.example.net.");
    assert_int_equal(a->hosts[0].member.weight, 3);
    assert_int_equal(a->hosts[0].member.tier, 2);
    assert_int_equal(a->hosts[0].member.probes.cnt, 1);
    assert_int_equal(a->hosts[0].member.address.family, ADDR_NONE);
    assert_string_equal(name_to_text(text, a->hosts[1].name), "b.example.net.");
    assert_int_equal(find(plan, com, "b")->host_hold_ms, 600000);
    assert_true(plan_find_zone(plan, com)->has_hosts);
    balance_plan_free(plan);
}

static void test_refused_hosts(void **state)
{
    (void)state;
#define WITH(member) GROUPS("{ name = \"a\"; members = ( { " member " } ); }")
    expect_refused(WITH("host = \"192.0.2.1\";"), "host \"192.0.2.1\": that is an address; \"address\" is the key");
    expect_refused(WITH("host = \"2001:db8::1\";"), "that is an address");
    expect_refused(WITH("host = \"app\";"), "expected a whole name");
    expect_refused(WITH("host = \".\";"), "expected a whole name");
    expect_refused(WITH("host = \"a b.example\";"), "no host name");
    expect_refused(WITH("host = \"a..example\";"), "no host name");
    expect_refused(WITH("host = \"a\\\\.b.example\";"), "no host name");
    expect_refused(WITH("host = \"x.example.net\"; address = \"192.0.2.1\";"), "this one has both");
    expect_refused(WITH("weight = 1;"), "this one has neither");
    expect_refused(WITH("host = \"x.example.net\"; check_address = \"192.0.2.1\"; probe = \"web\";"),
                   "\"check_address\" is for one address");
    expect_refused(WITH("host = \"x.example.net\"; }, { host = \"X.example.net.\";"),
                   "stands twice, first at rondo.conf:3");
    expect_refused(GROUPS("{ name = \"*\"; members = ( { host = \"x.example.net\"; probe = \"web\"; } ); }"),
                   "probe \"web\" has no \"host\"");
}

static void test_circles_of_hosts(void **state)
{
    enum { LONG = 5000 };
    (void)state;
#define POOL(name, host) "{ name = \"" name "\"; members = ( { host = \"" host "\"; } ); }"
    expect_refused(GROUPS(POOL("a", "a.example.com")),
                   "3: error: member host \"a.example.com\" is a name of the pool itself");
    expect_refused(GROUPS(POOL("@", "Example.com.")), "is a name of the pool itself");
    expect_refused(GROUPS("{ below = \"a\"; members = ( { host = \"x.a.example.com\"; } ); }"),
                   "a name of the pool itself");
    expect_refused(GROUPS(POOL("a", "b.example.com") ",\n" POOL("b", "a.example.com")),
                   "is a pool whose own hosts lead back to this one");
    expect_refused(PROBES "zones = ( { balance = (" POOL("a", "b.example.org") "); },\n"
                          "{ balance = (" POOL("b", "a.example.com") "); } );",
                   "is a pool whose own hosts lead back to this one");
    /* A long way that ends is none. */
    char *text = mem_zalloc(LONG, 100);
    size_t len = (size_t)sprintf(text, "%s", PROBES "zones = ( { balance = (");
    for (unsigned i = 0; i < LONG; i++)
        len += (size_t)sprintf(text + len, "%s{ name = \"n%u\"; members = ( { host = \"n%u.example.com\"; } ); }",
                               i ? "," : "", i, i + 1);
    sprintf(text + len, "); } );");
    balance_plan_free(good(text));
    free(text);
}

/* The caller tells of the zone; its groups are looked at all the same, and not compared with those of its namesake. */
static void test_zones_without_name_or_twice(void **state)
{
    (void)state;
    static const struct opt_table *const tables[] = {&probe_opt_table, &balance_zone_opt_table};
    static const char text[] = "zones = ( { balance = ( { name = \"a\"; }, { name = \"b.c.\"; probe = \"p\"; } ); },\n"
                               "{ balance = ( { name = \"a\"; }, { name = \"b\"; } ); },\n"
                               "{ balance = ( { name = \"a\"; }, { name = \"a\"; } ); } );";
    const uint8_t *apexes[] = {NULL, com, com};
    struct diag *diag = diag_new(100);
    struct balance_plan *plan;
    struct conf *conf;
    assert_int_equal(conf_load_text(&conf, "rondo.conf", text, strlen(text), tables, 2, diag), ERR_OK);
    struct opt_list zones = conf_list(conf, &balance_zone_opt_table), probes = conf_list(conf, &probe_opt_table);
    assert_int_equal(balance_plan_make(&plan, &zones, apexes, &probes, NULL, diag), ERR_INVALID);
    assert_null(plan);
    assert_string_equal(diag_text(diag),
                        "1: error: balance \"b.c.\": there is no probe \"p\"\n"
                        "3: error: a second balance group with name \"a.example.com\", the first is at rondo.conf:3\n");
    conf_free(conf);
    diag_free(diag);
}

static void test_warnings(void **state)
{
    (void)state;
    struct diag *diag = diag_new(100);
    struct balance_plan *plan = plan_of(GROUPS("{ name = \"a\"; members = ( { address = \"192.0.2.1\"; weight = 0; },\n"
                                               "{ address = \"192.0.2.2\"; weight = 4; },\n"
                                               "{ address = \"192.0.2.3\"; check_address = \"192.0.2.4\"; } ); }"),
                                        diag);
    assert_non_null(plan);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 2);
    expect_said(diag_text(diag), "4: warning: zone \"example.com\", balance \"a\": member 192.0.2.2: to round_robin a "
                                 "weight of 4 is as good as 1");
    expect_said(diag_text(diag),
                "5: warning: zone \"example.com\", balance \"a\": member 192.0.2.3: \"check_address\" has no effect");
    balance_plan_free(plan);
    diag_free(diag);
}

/* What a policy by load goes by must be reported by somebody. */
static void test_policies_by_load(void **state)
{
    (void)state;
#define REPORTING(text)                                                                                                \
    "probes = ( { name = \"tcp\"; type = \"tcp\"; port = 1; }, { name = \"web\"; type = \"http\"; },\n"               \
    "{ name = \"orca\"; type = \"http\"; load = \"orca\"; }, { name = \"queue\"; type = \"http\"; load = "          \
    "\"orca\"; load_metric = \"queue\"; },\n"                                                                         \
    "{ name = \"body\"; type = \"http\"; load = \"body\"; load_pattern = \"n: ([0-9]+)\"; } );\n"                   \
    "zones = ( { balance = (\n" text "\n); } );"
    static const char fastest[] = "policy \"fastest\" goes by response times: it needs a probe, of any type";
    static const char connections[] = "policy \"least_connections\" needs a probe that reports them: of type \"http\", "
                                      "with load = \"body\" and a load_pattern, or load = \"orca\" and a load_metric";
    static const char load[] =
        "policy \"least_load\" needs a probe that reports load: of type \"agent\", or \"http\" with a load";
    static const struct {
        const char *text, *problem; /* NULL: none */
    } cases[] = {
        {REPORTING("{ name = \"a\"; policy = \"fastest\"; }"), fastest},
        {REPORTING("{ name = \"a\"; policy = \"fastest\"; probe = \"tcp\"; }"), NULL},
        {REPORTING("{ name = \"a\"; policy = \"least_connections\"; }"), connections},
        {REPORTING("{ name = \"a\"; policy = \"least_connections\"; probe = [ \"tcp\", \"orca\" ]; }"), connections},
        {REPORTING("{ name = \"a\"; policy = \"least_connections\"; probe = [ \"tcp\", \"queue\" ]; }"), NULL},
        {REPORTING("{ name = \"a\"; policy = \"least_connections\"; probe = \"body\"; }"), NULL},
        {REPORTING("{ name = \"a\"; policy = \"least_load\"; probe = [ \"tcp\", \"web\" ]; }"), load},
        {REPORTING("{ name = \"a\"; policy = \"least_load\"; probe = \"orca\"; }"), NULL},
        {REPORTING("{ name = \"a\"; policy = \"least_load\"; probe = \"body\"; }"), NULL},
        /* Members' own: all of them, or there may be others. */
        {REPORTING("{ name = \"a\"; policy = \"fastest\"; members = ( { address = \"192.0.2.1\"; probe = "
                   "\"tcp\"; } ); }"),
         fastest},
        {REPORTING("{ name = \"a\"; policy = \"fastest\"; others = \"ignore\"; members = ( { address = \"192.0.2.1\"; "
                   "probe = \"tcp\"; } ); }"),
         NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].problem)
            expect_refused(cases[i].text, cases[i].problem);
        else
            balance_plan_free(good(cases[i].text));
    struct diag *diag = diag_new(100);
    struct balance_plan *plan = plan_of(REPORTING("{ name = \"a\"; policy = \"least_load\"; probe = \"orca\"; "
                                                  "members = (\n{ address = \"192.0.2.1\"; probe = \"tcp\"; } ); }"),
                                        diag);
    assert_non_null(plan);
    expect_said(diag_text(diag), "6: warning: zone \"example.com\", balance \"a\": member 192.0.2.1 keeps its weight: "
                                 "policy \"least_load\" needs a probe that reports load");
    balance_plan_free(plan);
    diag_free(diag);
    /* Nothing that only follows from another error. */
    expect_all(REPORTING("{ name = \"a\"; policy = \"fastest\"; probe = \"none\"; }"),
               "5: error: zone \"example.com\", balance \"a\": there is no probe \"none\"\n");
}

static void test_too_many_members(void **state)
{
    (void)state;
    char *text = malloc(100000);
    size_t len = (size_t)sprintf(text, "zones = ( { balance = ( { name = \"a\"; members = (");
    for (unsigned i = 0; i < 1025; i++)
        len += (size_t)sprintf(text + len, "%s{ address = \"10.0.%u.%u\"; }", i ? "," : "", i / 256, i % 256);
    strcpy(text + len, "); } ); } );");
    expect_refused(text, "more than 1024 members of a family");
    free(text);
}

static void test_none(void **state)
{
    (void)state;
    struct balance_plan *plan = good("zones = ( { }, { balance = ( ); } );");
    assert_false(plan_find_zone(plan, com) || plan_find_zone(plan, org));
    assert_null(plan_find(plan, com, com));
    balance_plan_free(plan);
    balance_plan_free(NULL);
}

static void test_failover_without_an_effect(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *said;
    } cases[] = {
        {"failback = \"manual\";", "\"failback\" has no effect, as no member has a tier"},
        {"trickle = 0.1; policy = \"weighted\";", "\"trickle\" has no effect, as no member has a tier"},
        {"trickle = 0.0000004; policy = \"weighted\";", "\"trickle\": less than a millionth is nothing"},
        {"flap_hold = \"1m\";", "\"flap_hold\" has no effect, as no member is checked"},
        {"failback = \"1m\"; members = ( { address = \"192.0.2.1\"; tier = 2; site = \"eu\"; } );",
         "\"failback\" goes by all members together: "},
        {"failback = \"1m\"; trickle = 0.1; policy = \"weighted\";"
         " members = ( { address = \"192.0.2.1\"; tier = 2; } );",
         NULL},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        struct diag *diag = diag_new(10);
        snprintf(text, sizeof text,
                 "sites = ( { name = \"eu\"; networks = [ \"192.0.2.0/24\" ]; } );\n"
                 "zones = ( { balance = ( { name = \"www\"; %s } ); } );",
                 cases[i].keys);
        balance_plan_free(plan_of(text, diag));
        if (cases[i].said)
            expect_said(diag_text(diag), cases[i].said);
        else
            assert_string_equal(diag_text(diag), "");
        diag_free(diag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),           cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_members_and_probes), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_all_errors),         cmocka_unit_test(test_sites),
        cmocka_unit_test(test_sites_that_are_none),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_too_many_members),   cmocka_unit_test(test_none),
        cmocka_unit_test(test_broken_rows),        cmocka_unit_test(test_broken_groups),
        cmocka_unit_test(test_broken_members),     cmocka_unit_test(test_zones_without_name_or_twice),
        cmocka_unit_test(test_policies_by_load),   cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_refused_hosts),      cmocka_unit_test(test_failover_without_an_effect),
        cmocka_unit_test(test_circles_of_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
