/* When a zone is signed, what is told of it at load, and what its annotations are worth. test_apply_random.c has the
 * lists of such zones. */
#include "version_help.h"

#include <time.h>

#include "base/clock.h"
#include "base/diag.h"
#include "zone/check_chain.h"
#include "zone/signed.h"

#define KEYS "@ 60 DNSKEY key\n@ 60 RRSIG SOA 1\n"
#define SIGNED APEX KEYS "@ 60 NSEC www\nwww 60 NSEC @\n"
#define APEX_HASH "kkso3op7vejj7hlpa5b43n4daae845a2" /* with salt 01 and no iterations */

static const char *kind_of(const char *text)
{
    struct zone *zone = zone_of(text);
    const char *kind = zone_signed_kind(zone->current);
    assert_int_equal(zone->current->is_signed, strcmp(kind, "no") != 0);
    zone_free(zone);
    return kind;
}

static void test_kinds(void **state)
{
    (void)state;
    assert_string_equal(kind_of(APEX), "no");
    assert_string_equal(kind_of(SIGNED), "nsec");
    assert_string_equal(kind_of(APEX KEYS), "no");
    assert_string_equal(kind_of(APEX "@ 60 DNSKEY key\n@ 60 NSEC @\n"), "no");
    assert_string_equal(kind_of(APEX "@ 60 RRSIG SOA 1\n@ 60 NSEC @\n"), "no");
    assert_string_equal(kind_of(APEX KEYS "www 60 NSEC @\n"), "no");
    assert_string_equal(kind_of(APEX KEYS "@ 60 NSEC3PARAM 0 1\n"), "no");
    assert_string_equal(kind_of(APEX KEYS APEX_HASH " 60 NSEC3 0 1\n"), "no");
    assert_string_equal(kind_of(APEX KEYS "@ 60 NSEC3PARAM 0 1\n" APEX_HASH " 60 NSEC3 0 1\n"), "nsec3");
    assert_string_equal(kind_of(APEX KEYS "@ 60 NSEC3PARAM 0 1\n" APEX_HASH " 60 NSEC3 1 1\n"), "no");
    assert_string_equal(kind_of(APEX KEYS "@ 60 NSEC3PARAM 0 1\n" APEX_HASH ".a 60 NSEC3 0 1\n"), "no");
    /* too many iterations: no chain is used, but NSEC if there is any */
    assert_string_equal(kind_of(APEX KEYS "@ 60 NSEC3PARAM 501 1\n"), "nsec3");
    assert_string_equal(kind_of(SIGNED "@ 60 NSEC3PARAM 501 1\n"), "nsec");
    assert_string_equal(kind_of(SIGNED "@ 60 NSEC3PARAM 0 1\n"), "nsec");
    assert_string_equal(kind_of(SIGNED "@ 60 NSEC3PARAM 0 1\n" APEX_HASH " 60 NSEC3 0 1\n"), "nsec3");
}

/* ---- what a load says */

static char told[4096];

static const char *format(struct diag *diag)
{
    char line[1024];
    told[0] = '\0';
    for (size_t i = 0; diag_at(diag, i); i++) {
        diag_format(line, sizeof(line), diag_at(diag, i));
        strcat(strcat(told, line), "\n");
    }
    diag_free(diag);
    return told;
}

/* The diagnostics of these records; frees them. */
static const char *check(struct zone_records *records)
{
    struct diag *diag = diag_new(100);
    assert_int_equal(zone_records_check(records, diag), ERR_OK);
    zone_records_free(records);
    return format(diag);
}

/* A signature that is valid from `from` to `to` seconds from now. */
static void add_rrsig(struct zone_records *records, const char *owner, uint16_t covered, int64_t from, int64_t to)
{
    uint8_t name[NAME_MAX_LEN], rdata[20] = {0};
    uint32_t now = (uint32_t)(clock_wall_ms() / 1000);
    struct rr rr = {.owner = name, .rdata = rdata, .ttl = 60, .type = RR_RRSIG, .rdata_len = sizeof(rdata)};
    put_wire(name, owner);
    be16_put(rdata, covered);
    be32_put(rdata + 8, (uint32_t)(now + to));
    be32_put(rdata + 12, (uint32_t)(now + from));
    zone_records_add(records, &rr, "test", 99);
}

enum { HOUR = 3600 };

/* Of what stands at the apex SOA and DNSKEY are left to be signed. */
static struct zone_records *signed_records(const char *more)
{
    char text[2000];
    snprintf(text, sizeof(text), APEX "@ 60 DNSKEY key\n@ 60 NSEC @\n%s", more);
    struct zone_records *records = records_of(text);
    add_rrsig(records, "@", RR_NS, -HOUR, HOUR);
    add_rrsig(records, "@", RR_NSEC, -HOUR, HOUR);
    return records;
}

static void test_valid_signatures(void **state)
{
    (void)state;
    struct zone_records *r = signed_records("");
    add_rrsig(r, "@", RR_SOA, -HOUR, HOUR);
    add_rrsig(r, "@", RR_DNSKEY, -HOUR, HOUR);
    add_rrsig(r, "@", RR_DNSKEY, -9 * HOUR, -8 * HOUR); /* one that is valid is enough */
    add_rrsig(r, "@", RR_DNSKEY, HOUR, 2 * HOUR);
    add_rrsig(r, "www", RR_A, -INT64_C(60) * 365 * 24 * HOUR, HOUR); /* serial numbers, half the circle apart */
    assert_string_equal(check(r), "");
}

static void test_signatures_that_are_not_valid(void **state)
{
    (void)state;
    struct zone_records *r = signed_records("www 60 A 1\nmail 60 A 1\n");
    add_rrsig(r, "@", RR_SOA, -9 * HOUR, -2 * HOUR);
    add_rrsig(r, "@", RR_SOA, -9 * HOUR, -HOUR);
    add_rrsig(r, "@", RR_DNSKEY, HOUR, 2 * HOUR);
    add_rrsig(r, "www", RR_A, -9 * HOUR, -HOUR);
    add_rrsig(r, "mail", RR_A, -9 * HOUR, HOUR);
    add_rrsig(r, "mail", RR_NSEC, HOUR, 2 * HOUR);
    time_t now = (time_t)(clock_wall_ms() / 1000);
    char day[2][32];
    for (unsigned i = 0; i < 2; i++) {
        time_t at = now + (i ? HOUR : -HOUR);
        struct tm tm;
        strftime(day[i], sizeof(day[i]), "%Y-%m-%d %H:", gmtime_r(&at, &tm));
    }
    char soa[200], key[200];
    snprintf(soa, sizeof(soa), "test:99: warning: the signature of the zone's SOA expired on %s", day[0]);
    snprintf(key, sizeof(key), "test:99: warning: the signature of the zone's DNSKEY is not valid before %s", day[1]);
    check(r);
    /* A test that runs across the turn of an hour may see the next one. */
    if (now / HOUR == (time_t)(clock_wall_ms() / 1000) / HOUR) {
        assert_non_null(strstr(told, soa));
        assert_non_null(strstr(told, key));
    }
    assert_non_null(strstr(told, "test:99: warning: 2 rrsets have no signature that is valid now: the first is "
                                 "\"www.example.com.\" A\n"));
}

/* What the check says of `more` beside an apex that is signed. */
static const char *check_missing(const char *more)
{
    struct zone_records *r = signed_records(more);
    add_rrsig(r, "@", RR_SOA, -HOUR, HOUR);
    add_rrsig(r, "@", RR_DNSKEY, -HOUR, HOUR);
    add_rrsig(r, "www", RR_A, -HOUR, HOUR);
    add_rrsig(r, "cut", RR_DS, -HOUR, HOUR);
    add_rrsig(r, "cut", RR_NSEC, -HOUR, HOUR);
    add_rrsig(r, "alias", RR_DNAME, -HOUR, HOUR);
    return check(r);
}

static void test_missing_signatures(void **state)
{
    (void)state;
    assert_string_equal(check_missing("www 60 A 1\nwww 60 A 2\n"), "");
    assert_string_equal(check_missing("www 60 AAAA 1\nwww 60 A 1\n"),
                        "test:5: warning: 1 rrset has no signature: \"www.example.com.\" AAAA\n");
    assert_string_equal(check_missing("c 60 TXT x\nb 60 A 1\nb 60 A 2\na 60 A 1\nb 60 AAAA 1\n"),
                        "test:5: warning: 4 rrsets have no signature: the first is \"c.example.com.\" TXT\n");
    assert_string_equal(check_missing("www 60 A 1\nwww 60 MX 1 www\n@ 60 CAA x\n"),
                        "test:6: warning: 2 rrsets have no signature: the first is \"www.example.com.\" MX\n");
}

/* Only DS and NSEC of a cut, and nothing below it or a DNAME. */
static void test_what_needs_no_signature(void **state)
{
    (void)state;
    assert_string_equal(check_missing("cut 60 NS ns.cut\ncut 60 DS digest\ncut 60 NSEC @\ncut 60 A 1\nns.cut 60 A 1\n"
                                      "a.b.cut 60 TXT x\nalias 60 DNAME www\na.alias 60 A 1\nns 60 NS ns.ns\n"
                                      "ns.ns 60 AAAA 1\nns.ns 60 NS x.ns.ns\nx.ns.ns 60 A 1\nns.ns 60 DS digest\n"),
                        "");
    assert_string_equal(check_missing("b 60 NS ns.b\nb 60 DS digest\nb 60 NSEC @\nns.b 60 A 1\nx.alias 60 DNAME www\n"),
                        "test:6: warning: 3 rrsets have no signature: the first is \"b.example.com.\" DS\n");
}

static void test_missing_signatures_of_the_apex(void **state)
{
    (void)state;
    struct zone_records *r = signed_records("@ 60 TXT x\n");
    assert_string_equal(check(r), "test:1: warning: the zone's SOA has no signature: validating resolvers fail\n"
                                  "test:3: warning: the zone's DNSKEY has no signature: validating resolvers fail\n"
                                  "test:5: warning: 1 rrset has no signature: \"example.com.\" TXT\n");
}

#define AS_UNSIGNED ": it is served as an unsigned zone\n"

static void test_zones_that_lack_a_part(void **state)
{
    (void)state;
    struct zone_records *r = records_of(APEX "@ 60 NSEC @\n");
    add_rrsig(r, "@", RR_SOA, -HOUR, HOUR);
    assert_string_equal(check(r), "test:99: warning: the zone has RRSIG records, but no DNSKEY" AS_UNSIGNED);
    assert_string_equal(check(records_of(APEX "@ 60 DNSKEY key\n@ 60 NSEC @\n")),
                        "test:3: warning: the zone has DNSKEY records, but no RRSIG at its top" AS_UNSIGNED);
    assert_string_equal(check(records_of(APEX "@ 60 NSEC @\n")), "");
    r = records_of(APEX);
    add_rrsig(r, "@", RR_SOA, -HOUR, HOUR);
    assert_string_equal(check(r), "");
}

static const char *check_params(const char *params, const char *more)
{
    char text[1000];
    snprintf(text, sizeof(text), APEX "@ 3600 NS ns.example.org.\n@ 60 DNSKEY key\n@ 60 NSEC3PARAM %s\n%s", params,
             more);
    struct zone_records *r = records_of(text);
    static const uint16_t types[] = {RR_SOA, RR_NS, RR_DNSKEY, RR_NSEC, RR_NSEC3PARAM};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        add_rrsig(r, "@", types[i], -HOUR, HOUR);
    add_rrsig(r, APEX_HASH, RR_NSEC3, -HOUR, HOUR);
    add_rrsig(r, "po7h7iv3sbf19rmje6nto5vc1csbr1kd", RR_NSEC3, -HOUR, HOUR);
    return check(r);
}

#define NONE_THERE \
    "test:5: warning: NSEC3PARAM: its chain is not used: it has no NSEC3 record for the top of the zone\n"
#define UNSIGNED \
    "test:4: warning: the zone has DNSKEY and RRSIG records, but neither NSEC at its top nor an NSEC3 chain: it is " \
    "served as an unsigned zone\n"

static void test_parameters(void **state)
{
    (void)state;
    assert_string_equal(check_params("0 1", APEX_HASH " 60 NSEC3 0 1\n"), "");
    assert_string_equal(check_params("0 1", "@ 60 NSEC @\n"), NONE_THERE);
    assert_string_equal(check_params("0 1", APEX_HASH " 60 NSEC3 0 2\n"), NONE_THERE UNSIGNED);
    assert_string_equal(check_params("51 1", "po7h7iv3sbf19rmje6nto5vc1csbr1kd 60 NSEC3 51 1\n"),
                        "test:5: warning: NSEC3PARAM: 51 iterations: resolvers take the zone for insecure or fail, and "
                        "each negative answer costs 156 hashes; RFC 9276 asks for 0\n");
    assert_string_equal(check_params("501 1", ""),
                        "test:5: warning: NSEC3PARAM: more than 500 iterations: the chain is not used, negative "
                        "answers prove nothing\n");
    assert_string_equal(check(records_of(APEX "@ 60 DNSKEY key\n")), "");
}

static const char *chain_of(const char *text)
{
    struct zone *zone = zone_of(text);
    struct diag *diag = diag_new(10);
    zone_check_chain(zone->current, diag);
    zone_free(zone);
    return format(diag);
}

static void test_chains(void **state)
{
    (void)state;
    assert_string_equal(chain_of(APEX), "");
    assert_string_equal(chain_of(SIGNED), "");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC @\n"), "");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC A.b\na.b 60 NSEC z\nz 60 NSEC @\n"), "");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC a\na 60 NSEC b\nz 60 NSEC @\n"),
                        "warning: zone \"example.com\": the NSEC chain is broken in 1 place: the one at "
                        "\"a.example.com.\" names \"b.example.com.\" as the next, but the next one is at "
                        "\"z.example.com.\"\n");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC b\na 60 NSEC b\nb 60 NSEC a\n"),
                        "warning: zone \"example.com\": the NSEC chain is broken in 2 places, first: the one at "
                        "\"example.com.\" names \"b.example.com.\" as the next, but the next one is at "
                        "\"a.example.com.\"\n");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC3PARAM 0 1\n" APEX_HASH " 60 NSEC3 0 1\n"),
                        "warning: zone \"example.com\": the NSEC3 chain is broken in 1 place: the one at \"" APEX_HASH
                        ".example.com.\" names \"00000000000000000000000000000000.example.com.\" as the next, but the "
                        "next one is at \"" APEX_HASH ".example.com.\"\n");
    assert_string_equal(chain_of(APEX KEYS "@ 60 NSEC3PARAM 501 1\n"), "");
}

/* ---- names that are there for NSEC3 alone */

static bool is_nsec3(const struct zone *zone, const char *name)
{
    return node_of(zone->current, name)->flags & NODE_NSEC3;
}

static void test_nsec3_names_are_nobodys_children(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "h1 60 NSEC3 0 1\nh1 60 RRSIG NSEC3 1\nh2 60 NSEC3 0 1\nx.h2 60 TXT x\n"
                                     "h3 60 NSEC3 0 1\nh3 60 TXT x\nh4.deep 60 NSEC3 0 1\n* 60 NSEC3 0 1\n");
    assert_true(is_nsec3(zone, "h1"));
    assert_true(is_nsec3(zone, "h4.deep"));
    assert_true(is_nsec3(zone, "*"));
    assert_false(is_nsec3(zone, "h2"));
    assert_false(is_nsec3(zone, "h3"));
    assert_string_equal(describe(zone->current, "@"), "2 NS SOA apex extra");
    assert_string_equal(describe(zone->current, "deep"), "none");
    change(zone, "x.h2 60 TXT x\nh3 60 TXT x\n", "h1 60 TXT x\n", NULL);
    assert_false(is_nsec3(zone, "h1"));
    assert_true(is_nsec3(zone, "h2"));
    assert_true(is_nsec3(zone, "h3"));
    assert_string_equal(describe(zone->current, "@"), "1 NS SOA apex extra");
    change(zone, "", "a.h4.deep 60 TXT x\n* 60 TXT x\n", NULL);
    assert_string_equal(describe(zone->current, "deep"), "1");
    assert_false(is_nsec3(zone, "h4.deep"));
    assert_string_equal(describe(zone->current, "@"), "3 NS SOA wildcard apex extra");
    zone_free(zone);
}

/* ---- balancing */

static enum zone_mark match_all(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)arg;
    (void)zone;
    (void)lower;
    return ZONE_MARK_BY_NAME;
}

#define HOSTS "c 60 A 1\na 60 A 1\nb 60 AAAA 1\nd 60 A 1\n"
#define WHOLE_AFTER \
    " served whole, not balanced: what balancing leaves out or changes fails validation, and to sign what is " \
    "balanced is not possible yet\n"

static void test_annotated_names_are_served_whole(void **state)
{
    (void)state;
    struct zone_marks marks = {.match = match_all, .diag = diag_new(10)};
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of(SIGNED HOSTS);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    assert_int_equal(v->pool_cnt + v->fresh_pool_cnt, 0);
    assert_null(zone_publish(zone, v));
    assert_string_equal(format(marks.diag),
                        "warning: zone \"example.com\" is signed: its 4 annotated names (\"a.example.com\", "
                        "\"b.example.com\", \"c.example.com\", ...) are" WHOLE_AFTER);
    marks.diag = diag_new(10);
    marks.anew = true;
    assert_null(zone_remark(zone->current, &marks));
    change(zone, "a 60 A 1\nb 60 AAAA 1\nc 60 A 1\n", "", &marks);
    assert_int_equal(zone->current->pool_cnt, 0);
    format(marks.diag);
    assert_non_null(strstr(told, "its 4 annotated names (\"a."));
    assert_non_null(strstr(told, "is signed: its 1 annotated name (\"d.example.com\") is" WHOLE_AFTER));
    zone_free(zone);
}

static enum zone_mark match_below(void *arg, const struct zone *zone, const uint8_t *lower)
{
    uint8_t own[NAME_MAX_LEN];
    (void)arg;
    (void)zone;
    put_wire(own, "b");
    return name_equal(lower, own) ? ZONE_MARK_BY_NAME : ZONE_MARK_BY_BELOW;
}

/* What NS or MX point to is no pool in an unsigned zone either, but by an annotation of its own. */
static void test_names_that_would_be_no_pools_are_not_counted(void **state)
{
    (void)state;
    struct zone_marks marks = {.match = match_below, .diag = diag_new(10)};
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of(SIGNED HOSTS "@ 60 NS a\n@ 60 MX 1 b\n@ 60 MX 2 c\n");
    assert_null(zone_publish(zone, zone_build(zone, records, &marks)));
    zone_records_free(records);
    assert_string_equal(format(marks.diag), "warning: zone \"example.com\" is signed: its 2 annotated names "
                                            "(\"b.example.com\", \"d.example.com\") are" WHOLE_AFTER);
    marks.diag = diag_new(10);
    change(zone, "@ 60 MX 2 c\n", "", &marks);
    format(marks.diag);
    assert_non_null(strstr(told, "its 3 annotated names (\"b.example.com\", \"c.example.com\", \"d."));
    zone_free(zone);
}

static void test_pools_come_and_go_with_the_signature(void **state)
{
    (void)state;
    struct zone_marks marks = {.match = match_all};
    struct zone *zone = zone_of(APEX);
    change(zone, "", HOSTS, &marks);
    assert_int_equal(zone->current->pool_cnt, 4);
    struct changeset *c = changeset_of("", KEYS "@ 60 NSEC @\nb 60 A 1\n");
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, c, &marks), ERR_OK);
    changeset_free(c);
    assert_int_equal(v->pool_cnt + v->fresh_pool_cnt, 0);
    assert_int_equal(v->lost_pool_cnt, 4);
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    assert_int_equal(zone_order_cnt(zone->current->nsec), 1);
    change(zone, "@ 60 NSEC @\n", "", &marks);
    assert_null(zone->current->nsec);
    assert_int_equal(zone->current->pool_cnt, 4);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_valid_signatures),
        cmocka_unit_test(test_signatures_that_are_not_valid),
        cmocka_unit_test(test_missing_signatures),
        cmocka_unit_test(test_what_needs_no_signature),
        cmocka_unit_test(test_missing_signatures_of_the_apex),
        cmocka_unit_test(test_zones_that_lack_a_part),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_nsec3_names_are_nobodys_children),
        cmocka_unit_test(test_annotated_names_are_served_whole),
        cmocka_unit_test(test_names_that_would_be_no_pools_are_not_counted),
        cmocka_unit_test(test_pools_come_and_go_with_the_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
