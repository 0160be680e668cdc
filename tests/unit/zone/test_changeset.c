#include "zone_help.h"

#include "zone/version.h"

#define SOA "@ 3600 SOA 1 60\n"
#define SOA2 "@ 3600 SOA 2 60\n"

static struct changeset *diff(const char *old, const char *new)
{
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *a = records_of(old), *b = records_of(new);
    struct zone_version *v = zone_build(zone, a, NULL);
    struct changeset *c = changeset_diff(v, b);
    zone_records_free(a);
    zone_records_free(b);
    zone_discard(v);
    zone_free(zone);
    return c; /* owns its records: nothing of the zone is needed any more */
}

static void expect_records(const struct zone_records *got, const char *want_text)
{
    struct zone_records *want = records_of(want_text);
    assert_true(got->sorted);
    assert_int_equal(got->cnt, want->cnt);
    for (size_t i = 0; i < want->cnt; i++) {
        const struct rr *a = &got->recs[i].rr, *b = &want->recs[i].rr;
        assert_true(name_equal(a->owner, b->owner));
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->ttl, b->ttl);
        assert_int_equal(a->rdata_len, b->rdata_len);
        assert_memory_equal(a->rdata, b->rdata, a->rdata_len);
    }
    zone_records_free(want);
}

static void test_differences(void **state)
{
    (void)state;
    static const struct { const char *what, *old, *new, *removed, *added; } cases[] = {
        {"nothing", "a 60 A 1\nb 60 MX 1 a\n", "b 60 MX 1 a\nA 60 A 1\n", "", ""},
        {"only the SOA", SOA, SOA2, SOA, SOA2},
        {"a name more", "a 60 A 1\n", "a 60 A 1\nb 60 A 1\nb 60 TXT x\n", "", "b 60 A 1\nb 60 TXT x\n"},
        {"a name less", "a 60 A 1\nb 60 A 1\nb 60 TXT x\n", "a 60 A 1\n", "b 60 A 1\nb 60 TXT x\n", ""},
        {"a type more, one less", "a 60 A 1\na 60 MX 1 b\n", "a 60 A 1\na 60 TXT x\na 60 NS n\n",
         "a 60 MX 1 b\n", "a 60 NS n\na 60 TXT x\n"},
        {"records of one type", "a 60 A 1\na 60 A 3\na 60 A 4\n", "a 60 A 2\na 60 A 3\na 60 A 5\n",
         "a 60 A 1\na 60 A 4\n", "a 60 A 2\na 60 A 5\n"},
        {"the TTL alone", "a 60 A 1\na 60 A 2\n", "a 30 A 1\na 30 A 2\n",
         "a 60 A 1\na 60 A 2\n", "a 30 A 1\na 30 A 2\n"},
        {"the TTL and a record", "a 60 A 1\na 60 A 2\n", "a 30 A 1\n", "a 60 A 1\na 60 A 2\n", "a 30 A 1\n"},
        {"the case of a target", "a 60 MX 1 x.org.\n", "a 60 MX 1 X.org.\n",
         "a 60 MX 1 x.org.\n", "a 60 MX 1 X.org.\n"},
        {"a case that compression hides", "a 60 MX 1 b\n", "a 60 MX 1 b.EXAMPLE.com.\n", "", ""},
        {"compressed data", "a 60 NS a.b\na 60 NS c.b\n", "a 60 NS c.b\na 60 NS d.b\n",
         "a 60 NS a.b\n", "a 60 NS d.b\n"},
        {"the TTL of RRSIGs of one type", "a 60 RRSIG A 1\na 60 RRSIG A 2\na 7200 RRSIG TXT 1\n",
         "a 60 RRSIG A 1\na 60 RRSIG A 2\na 300 RRSIG TXT 1\n", "a 7200 RRSIG TXT 1\n", "a 300 RRSIG TXT 1\n"},
        {"an RRSIG, whatever the TTLs of others", "a 60 RRSIG A 1\na 7200 RRSIG TXT 1\n",
         "a 60 RRSIG A 1\na 7200 RRSIG TXT 2\n",
         "a 7200 RRSIG TXT 1\n", "a 7200 RRSIG TXT 2\n"},
        {"an empty non-terminal gets data", "a.b 60 A 1\n", "a.b 60 A 1\nb 60 A 2\n", "", "b 60 A 2\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char old[300], new[300];
        bool soa = cases[i].old[0] == '@';
        snprintf(old, sizeof(old), "%s%s", soa ? "" : SOA, cases[i].old);
        snprintf(new, sizeof(new), "%s%s", soa ? "" : SOA, cases[i].new);
        struct changeset *c = diff(old, new);
        expect_records(c->removed, cases[i].removed);
        expect_records(c->added, cases[i].added);
        assert_int_equal(c->serial_from, 1);
        assert_int_equal(c->serial_to, soa ? 2 : 1);
        changeset_free(c);
    }
}

/* All of a zone of many names goes and another one comes. */
static void test_everything_changes(void **state)
{
    (void)state;
    enum { NAMES = 3000 };
    struct zone_records *a = records_of(SOA), *b = records_of(SOA2);
    for (unsigned i = 0; i < NAMES; i++) {
        char line[50];
        snprintf(line, sizeof(line), "n%u 60 A %u", i, i % 250);
        add_line(a, line, 1);
        snprintf(line, sizeof(line), "n%u 60 A %u", i + NAMES / 2, i % 250);
        add_line(b, line, 1);
    }
    zone_records_sort(a);
    zone_records_sort(b);
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, a, NULL);
    struct changeset *c = changeset_diff(v, b);
    assert_int_equal(c->removed->cnt, NAMES / 2 + 1); /* halfway round, addresses agree: 1,500 is a multiple of 250 */
    assert_int_equal(c->added->cnt, NAMES / 2 + 1);
    changeset_free(c);
    zone_records_free(a);
    zone_records_free(b);
    zone_discard(v);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_everything_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
