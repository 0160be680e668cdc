/* What a plan says of a zone's names, and of names that other zones point to. */
#include "balance/marking.h"

#include "balance/private.h"
#include "dns/name.h"
#include "unit/balance/rig.h"
#include "unit/zone/zone_help.h"

#define ZONES(com, org) "zones = ( { balance = (" com "); }, { balance = (" org "); } );"

static const struct balance_marked never = {false, 0};

static struct balance_plan *good(const char *text)
{
    struct diag *diag = diag_new(10);
    struct balance_plan *plan = plan_of(text, diag);
    if (!plan)
        fail_msg("%s", diag_text(diag));
    diag_free(diag);
    return plan;
}

/* How "example.com", "example.org" or another zone is told of a name to which it points. */
static enum zone_mark foreign(const struct balance_plan *plan, const char *apex, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    put_wire(wire, apex);
    struct zone *zone = zone_new(wire, &test_key);
    struct balance_marking marking;
    put_wire(wire, name);
    balance_marking_init(&marking, plan, zone, &never);
    enum zone_mark mark = ZONE_MARK_NONE;
    if (marking.used)
        mark = marking.marks.match_foreign(marking.marks.arg, zone, wire);
    balance_marking_fini(&marking);
    zone_free(zone);
    return mark;
}

static void test_names_of_other_zones(void **state)
{
    (void)state;
    struct balance_plan *plan =
        good(ZONES("{ below = \"apps\"; }, { name = \"mail\"; }, { name = \"x.apps\"; }", "{ below = \"@\"; }"));
    static const struct {
        const char *from, *name;
        enum zone_mark mark;
    } cases[] = {
        {"example.org.", "mail", ZONE_MARK_BY_NAME},
        {"example.org.", "a.apps", ZONE_MARK_BY_BELOW},
        {"example.org.", "x.apps", ZONE_MARK_BY_NAME},
        {"example.org.", "apps", ZONE_MARK_NONE},
        {"example.org.", "other", ZONE_MARK_NONE},
        {"test.", "mail.example.com.", ZONE_MARK_BY_NAME},
        {"test.", "a.b.example.org.", ZONE_MARK_BY_BELOW},
        {"test.", "example.org.", ZONE_MARK_NONE},
        {"test.", "mail.example.net.", ZONE_MARK_NONE},
        {"test.", ".", ZONE_MARK_NONE},
        {".", "a.apps.example.com.", ZONE_MARK_BY_BELOW}, /* from above, as a delegation does */
        {"example.com.", "a.apps", ZONE_MARK_NONE},       /* its own */
        {"sub.apps", "a.apps", ZONE_MARK_BY_BELOW},
        {"sub.apps", "a.sub.apps", ZONE_MARK_NONE}, /* its own, whoever annotates above */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (foreign(plan, cases[i].from, cases[i].name) != cases[i].mark)
            fail_msg("from %s to %s", cases[i].from, cases[i].name);
    balance_plan_free(plan);
}

/* Whether a zone that was marked by the one plan must be looked at again for the other. */
static bool looks_again(const char *before, const char *after)
{
    struct balance_plan *first = good(before), *second = good(after);
    struct zone *zone = zone_new((const uint8_t *)"\4test", &test_key);
    struct balance_marking marking;
    balance_marking_init(&marking, first, zone, &never);
    const struct balance_marked was = marking.marked;
    assert_false(was.annotated);
    balance_marking_fini(&marking);
    balance_marking_init(&marking, second, zone, &was);
    bool again = marking.remark;
    assert_int_equal(again, marking.marks.foreign_anew);
    balance_marking_fini(&marking);
    zone_free(zone);
    balance_plan_free(first);
    balance_plan_free(second);
    return again;
}

/* Zones without groups, be they of millions of names, are looked at again only when other names have groups. */
static void test_looks_again(void **state)
{
    (void)state;
    static const char one[] = ZONES("{ name = \"a\"; }, { below = \"b\"; }", "");
    assert_false(looks_again("", ""));
    assert_false(looks_again(one, one));
    assert_false(looks_again(one, ZONES("{ below = \"B\"; ttl = 7; }, { name = \"a\"; policy = \"hash\"; }", "")));
    assert_true(looks_again("", one));
    assert_true(looks_again(one, ""));
    assert_true(looks_again(one, ZONES("{ name = \"a\"; }, { name = \"b\"; }", "")));
    assert_true(looks_again(one, ZONES("{ name = \"a\"; }, { below = \"b\"; }, { name = \"c\"; }", "")));
    assert_true(looks_again(one, ZONES("", "{ name = \"a\"; }, { below = \"b\"; }")));
}

#define GROUPS                                                                                                         \
    "zones = ( { balance = (\n{ name = \"www\"; },\n{ name = \"gone\"; },\n{ below = \"apps\"; },\n{ below = "         \
    "\"deep.apps\"; },"                                                                                                \
    "\n{ below = \"void\"; },\n{ name = \"@\"; },\n{ name = \"ns.cut\"; } ); } );"

static void test_groups_for_nothing(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig, true);
    rig_plan_later(&rig, GROUPS);
    rig_zone(&rig, "www 60 A 1\na.deep.apps 60 A 1\nx.void 60 TXT x\ncut 60 NS ns.cut\nns.cut 60 A 1\n");
    assert_string_equal(
        diag_text(rig.diag),
        "3: warning: zone \"example.com\", balance \"gone.example.com\": nothing matches: the zone has no A or AAAA "
        "records of its own with this name\n"
        "4: warning: zone \"example.com\", balance below \"apps.example.com\": nothing matches: the zone has no A or "
        "AAAA "
        "records of its own there that no closer group applies to\n"
        "6: warning: zone \"example.com\", balance below \"void.example.com\": nothing matches: the zone has no A or "
        "AAAA "
        "records of its own there that no closer group applies to\n"
        "7: warning: zone \"example.com\", balance \"example.com\": nothing matches: the zone has no A or AAAA "
        "records of its own with this name\n"
        "8: warning: zone \"example.com\", balance \"ns.cut.example.com\": nothing matches: the zone has no A or AAAA "
        "records of its own with this name\n");
    size_t before = diag_cnt(rig.diag, DIAG_WARNING);
    rig_zone(
        &rig,
        "www 60 A 1\na.deep.apps 60 A 1\nx.apps 60 A 1\nx.void 60 AAAA 1\nns.cut 60 A 1\n@ 60 A 1\ngone 60 AAAA 1\n");
    assert_int_equal(diag_cnt(rig.diag, DIAG_WARNING), before);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_other_zones),
        cmocka_unit_test(test_looks_again),
        cmocka_unit_test(test_groups_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
