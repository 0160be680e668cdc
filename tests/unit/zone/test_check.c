/* The verdicts of named-checkzone are compared zone by zone in tests/functional/test_zonetext.py; here: what is told
 * and where, what is removed and unified, and the limits. */
#include "zone_help.h"

#include "base/mem.h"

/* "LEVEL LINE" of each diagnostic of a zone of these records; the line is the record's number. */
struct checked {
    struct zone_records *records;
    struct diag *diag;
    enum err e;
};

static void put(struct zone_records *records, const char *owner, uint32_t ttl, uint16_t type, const void *rdata,
                size_t len)
{
    uint8_t name[NAME_MAX_LEN];
    put_wire(name, owner);
    struct rr rr = {.owner = name, .rdata = rdata, .ttl = ttl, .type = type, .rdata_len = (uint16_t)len};
    zone_records_add(records, &rr, "zone", (unsigned)records->cnt + 1);
}

static void put_name(struct zone_records *records, const char *owner, uint32_t ttl, uint16_t type, const char *target)
{
    uint8_t rdata[NAME_MAX_LEN];
    unsigned len = put_wire(rdata, target);
    put(records, owner, ttl, type, rdata, len);
}

static void put_a(struct zone_records *records, const char *owner, uint32_t ttl, uint8_t last)
{
    uint8_t rdata[4] = {192, 0, 2, last};
    put(records, owner, ttl, RR_A, rdata, 4);
}

/* With an SOA and an NS outside of the zone: lines 1 and 2. */
static struct checked start(void)
{
    static const uint8_t soa[22] = {0};
    struct checked c = {zone_records_new(test_apex, &test_key), diag_new(1000), ERR_OK};
    put(c.records, "@", 300, RR_SOA, soa, sizeof(soa));
    put_name(c.records, "@", 300, RR_NS, "ns.other.");
    return c;
}

static void expect(struct checked *c, enum err e, const char *told)
{
    char text[4096] = "", line[1024];
    c->e = zone_records_check(c->records, c->diag);
    for (size_t i = 0; diag_at(c->diag, i); i++) {
        diag_format(line, sizeof(line), diag_at(c->diag, i));
        strncat(text, line, sizeof(text) - strlen(text) - 2);
        strcat(text, "\n");
    }
    assert_string_equal(text, told);
    assert_int_equal(c->e, e);
}

static void end(struct checked *c)
{
    zone_records_free(c->records);
    diag_free(c->diag);
}

/* What an included file has stands where it is included, before what follows in the including one. */
static void test_first_ttl_may_be_an_included_files(void **state)
{
    struct checked c = start();
    uint8_t name[NAME_MAX_LEN], rdata[4] = {192, 0, 2, 9};
    (void)state;
    put_wire(name, "www");
    struct rr rr = {.owner = name, .rdata = rdata, .ttl = 100, .type = RR_A, .rdata_len = 4};
    zone_records_add(c.records, &rr, "inc", 1);
    put_a(c.records, "www", 200, 1);
    expect(&c, ERR_OK, "zone:4: warning: \"www.example.com.\" A has differing TTLs: 100 is taken\n");
    for (size_t i = 0; i < c.records->cnt; i++)
        if (c.records->recs[i].rr.type == RR_A)
            assert_int_equal(c.records->recs[i].rr.ttl, 100);
    end(&c);
}

/* Each CDS must have a key of its algorithm; that this isn't searched for among all records shows in the time. */
static void test_many_cds(void **state)
{
    struct checked c = start();
    enum { CDS = 3000, TXT = 3000 };
    (void)state;
    for (unsigned i = 0; i < TXT; i++) {
        uint8_t rdata[3] = {2, (uint8_t)(i >> 8), (uint8_t)i};
        put(c.records, "@", 300, RR_TXT, rdata, sizeof(rdata));
    }
    for (unsigned i = 0; i < CDS; i++) {
        uint8_t rdata[8] = {(uint8_t)(i >> 8), (uint8_t)i, i % 2 ? 13 : 15, 2, 1};
        put(c.records, "@", 300, RR_CDS, rdata, sizeof(rdata));
    }
    put(c.records, "@", 300, RR_DNSKEY, "\1\1\3\15xxxx", 8);
    assert_int_equal(zone_records_check(c.records, c.diag), ERR_INVALID);
    assert_int_equal(diag_cnt(c.diag, DIAG_ERROR), 100 + 1);
    end(&c);
}

static void test_fine(void **state)
{
    struct checked c = start();
    (void)state;
    put_a(c.records, "www", 300, 1);
    put_a(c.records, "www", 300, 2);
    put_name(c.records, "alias", 60, RR_CNAME, "www");
    put_name(c.records, "sub", 60, RR_NS, "ns.sub");
    put_a(c.records, "ns.sub", 300, 2);
    put_name(c.records, "old", 60, RR_DNAME, "other.");
    put_a(c.records, "x.old", 300, 2);
    expect(&c, ERR_OK, "");
    assert_int_equal(c.records->cnt, 9);
    assert_true(c.records->sorted);
    end(&c);
}

static void test_out_of_zone(void **state)
{
    struct checked c = start();
    (void)state;
    put_a(c.records, "www.other.", 300, 1);
    put_a(c.records, "www.other.", 300, 2);
    put_a(c.records, "www", 300, 1);
    put_a(c.records, "xexample.com.", 300, 2);
    expect(&c, ERR_OK, "zone:3: warning: \"www.other.\" is outside of the zone: ignored\n"
                       "zone:6: warning: \"xexample.com.\" is outside of the zone: ignored\n");
    assert_int_equal(c.records->cnt, 3);
    end(&c);
}

/* Another zone's file. */
static void test_much_out_of_zone(void **state)
{
    struct checked c = start();
    char owner[32];
    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        snprintf(owner, sizeof owner, "h%u.other.", i / 2);
        put_a(c.records, owner, 300, (uint8_t)i);
    }
    assert_int_equal(zone_records_check(c.records, c.diag), ERR_OK);
    assert_int_equal(diag_cnt(c.diag, DIAG_WARNING), 11);
    assert_string_equal(diag_at(c.diag, 9)->text, "\"h9.other.\" is outside of the zone: ignored");
    assert_string_equal(diag_at(c.diag, 10)->text, "and 10 more records outside of the zone");
    assert_int_equal(diag_at(c.diag, 10)->line, 23);
    assert_int_equal(c.records->cnt, 2);
    end(&c);
}

static void test_apex_sets(void **state)
{
    struct checked c = {zone_records_new(test_apex, &test_key), diag_new(10), ERR_OK};
    (void)state;
    put_a(c.records, "www", 300, 1);
    expect(&c, ERR_INVALID, "zone: error: the zone has no SOA record\nzone: error: the zone has no NS records\n");
    end(&c);
    c = (struct checked){zone_records_new(test_apex, &test_key), diag_new(10), ERR_OK};
    expect(&c, ERR_INVALID, "error: the zone has no SOA record\nerror: the zone has no NS records\n");
    end(&c);
    c = start();
    put_name(c.records, "@", 300, RR_NS, "ns1");
    expect(&c, ERR_INVALID, "zone:3: error: \"example.com.\" NS: \"ns1.example.com.\" has no address (A or AAAA)\n");
    end(&c);
}

static void test_singles(void **state)
{
    static const uint8_t soa[22] = {[5] = 1};
    struct checked c = start();
    (void)state;
    put(c.records, "@", 300, RR_SOA, soa, sizeof(soa));
    expect(&c, ERR_INVALID, "zone:3: error: \"example.com.\" has 2 SOA records\n");
    end(&c);
    c = start();
    put_name(c.records, "x", 300, RR_CNAME, "a");
    put_name(c.records, "x", 300, RR_CNAME, "b");
    expect(&c, ERR_INVALID, "zone:4: error: \"x.example.com.\" has 2 CNAME records\n");
    end(&c);
    c = start();
    put_name(c.records, "x", 300, RR_CNAME, "a");
    put_a(c.records, "x", 300, 1);
    expect(&c, ERR_INVALID, "zone:4: error: \"x.example.com.\" has CNAME and other data\n");
    end(&c);
}

static void test_ttls(void **state)
{
    static const uint8_t sig_a[20] = {0, RR_A}, sig_mx[20] = {0, RR_MX};
    struct checked c = start();
    size_t cnt;
    (void)state;
    put_a(c.records, "x", 60, 9);
    put_a(c.records, "y", 60, 1);
    put_a(c.records, "x", 120, 1);
    put_a(c.records, "x", 180, 2);
    put(c.records, "y", 60, RR_RRSIG, sig_a, sizeof(sig_a));
    put(c.records, "y", 120, RR_RRSIG, sig_mx, sizeof(sig_mx));
    expect(&c, ERR_OK, "zone:5: warning: \"x.example.com.\" A has differing TTLs: 60 is taken\n");
    const struct zone_record *recs = zone_records_find(c.records, (const uint8_t *)"\1x\7example\3com", &cnt);
    assert_int_equal(cnt, 3);
    for (size_t i = 0; i < cnt; i++)
        assert_int_equal(recs[i].rr.ttl, 60);
    end(&c);
}

static void test_glue(void **state)
{
    struct checked c = start();
    (void)state;
    put_name(c.records, "sub", 60, RR_NS, "ns.sub");
    expect(
        &c, ERR_OK,
        "zone:3: warning: \"sub.example.com.\" NS: \"ns.sub.example.com.\" has no required glue address (A or AAAA)\n");
    end(&c);
    c = start();
    put_name(c.records, "sub", 60, RR_NS, "ns.tub");
    put_name(c.records, "tub", 60, RR_NS, "ns.other.");
    expect(
        &c, ERR_OK,
        "zone:3: warning: \"sub.example.com.\" NS: \"ns.tub.example.com.\" has no sibling glue address (A or AAAA)\n");
    end(&c);
    /* A wildcard gives an address too, but not below a name that exists. */
    c = start();
    put_name(c.records, "sub", 60, RR_NS, "ns");
    put_a(c.records, "*", 60, 1);
    put_name(c.records, "tub", 60, RR_NS, "a.b");
    put_a(c.records, "b", 60, 1);
    expect(&c, ERR_OK, "zone:5: warning: \"tub.example.com.\" NS: \"a.b.example.com.\" has no address (A or AAAA)\n");
    end(&c);
}

/* More than are looked up together; every tenth lacks what it needs. */
static void test_glue_of_many(void **state)
{
    enum { CNT = 500 };
    struct checked c = start();
    char owner[40], target[40], told[40 * 1024] = "";
    (void)state;
    for (unsigned i = 0; i < CNT; i++) {
        snprintf(owner, sizeof(owner), "sub%u", i);
        snprintf(target, sizeof(target), "ns.sub%u", i);
        put_name(c.records, owner, 60, RR_NS, target);
        if (i % 10)
            put_a(c.records, target, 60, (uint8_t)i);
        else
            put_name(c.records, target, 60, RR_PTR, "www");
    }
    assert_int_equal(zone_records_check(c.records, c.diag), ERR_OK);
    for (size_t i = 0; i < CNT / 10; i++) {
        assert_non_null(diag_at(c.diag, i));
        diag_format(told, sizeof(told), diag_at(c.diag, i));
        assert_non_null(strstr(told, "has no required glue address (A or AAAA)"));
        assert_int_equal(strtoul(told + strlen("zone:"), NULL, 10) % 20, 3); /* the NS of a tenth: lines 3, 23, … */
    }
    assert_null(diag_at(c.diag, CNT / 10));
    end(&c);
}

/* Whatever is below a zone with a DNAME at its top is not there. */
static void test_dname_at_the_apex(void **state)
{
    struct checked c = start();
    (void)state;
    put_name(c.records, "@", 60, RR_DNAME, "other.");
    put_name(c.records, "@", 300, RR_NS, "ns");
    put_a(c.records, "ns", 60, 1);
    expect(&c, ERR_INVALID,
           "zone:4: error: \"example.com.\" NS: \"ns.example.com.\" is below the DNAME \"example.com.\"\n");
    end(&c);
}

static void test_too_large(void **state)
{
    struct checked c = start();
    uint8_t txt[256];
    (void)state;
    memset(txt, 'a', sizeof(txt));
    txt[0] = 255;
    /* Header, owner (15), question and each record's 12 + 256 bytes: 244 fit in 65,535, 245 do not. */
    for (unsigned i = 0; i < 244; i++) {
        txt[1] = (uint8_t)i;
        put(c.records, "x", 60, RR_TXT, txt, sizeof(txt));
    }
    expect(&c, ERR_OK, "");
    txt[1] = 244;
    put(c.records, "x", 60, RR_TXT, txt, sizeof(txt));
    assert_int_equal(zone_records_check(c.records, c.diag), ERR_INVALID);
    assert_non_null(strstr(diag_at(c.diag, 0)->text, "245 records do not fit"));
    end(&c);
}

/* An rrset that leaves no room for an OPT record could not be had with EDNS, not even over TCP. */
static void test_too_large_with_an_opt(void **state)
{
    static uint8_t txt[65535];
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        /* Header, question of "x" or of the longest name, the record's fixed part and the OPT record. */
        static const struct { const char *owner; unsigned len; } cases[] = {
            {"x", 12 + 15 + 4 + 12 + 11}, {"*", 12 + 255 + 4 + 12 + 11}};
        for (unsigned i = 0; i < 2; i++) {
            struct checked c = start();
            put(c.records, cases[i].owner, 60, RR_TXT, txt, sizeof(txt) - cases[i].len + more);
            assert_int_equal(zone_records_check(c.records, c.diag), more ? ERR_INVALID : ERR_OK);
            end(&c);
        }
    }
}

/* Errors without end are cut; the work too. */
static void test_many_errors(void **state)
{
    struct checked c = start();
    char owner[32];
    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(owner, sizeof(owner), "h%u", i);
        put_name(c.records, owner, 60, RR_CNAME, "a");
        put_a(c.records, owner, 60, 1);
    }
    assert_int_equal(zone_records_check(c.records, c.diag), ERR_INVALID);
    assert_int_equal(diag_cnt(c.diag, DIAG_ERROR), 101);
    end(&c);
}

/* At the root the apex is above all. */
static void test_root_zone(void **state)
{
    static const uint8_t root[] = "", soa[22] = {0}, ns[] = "\1a";
    struct checked c = {zone_records_new(root, &test_key), diag_new(10), ERR_OK};
    (void)state;
    put(c.records, ".", 300, RR_SOA, soa, sizeof(soa));
    put(c.records, ".", 300, RR_NS, ns, sizeof(ns));
    put_a(c.records, "a.", 60, 1);
    put_name(c.records, "com.", 60, RR_NS, "ns.com.");
    expect(&c, ERR_OK, "zone:4: warning: \"com.\" NS: \"ns.com.\" has no required glue address (A or AAAA)\n");
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),
        cmocka_unit_test(test_first_ttl_may_be_an_included_files),
        cmocka_unit_test(test_many_cds),      cmocka_unit_test(test_out_of_zone),
        cmocka_unit_test(test_much_out_of_zone), cmocka_unit_test(test_apex_sets),
        cmocka_unit_test(test_singles),   cmocka_unit_test(test_ttls),        cmocka_unit_test(test_glue),
        cmocka_unit_test(test_glue_of_many), cmocka_unit_test(test_dname_at_the_apex),
        cmocka_unit_test(test_too_large), cmocka_unit_test(test_many_errors), cmocka_unit_test(test_root_zone),
        cmocka_unit_test(test_too_large_with_an_opt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
