/* What each rule of RFC 2136 makes of a small zone. */
#include "update_help.h"

#include "sync/update_state.h"

#define SOA1 "@ 3600 SOA 1 60\n"
#define SOA2 "@ 3600 SOA 2 60\n"
#define NS0 "@ 3600 NS ns.example.net.\n"

static struct update_bytes bytes;

enum { NEXT_SERIAL = 2 };

struct rule {
    const char *what;
    const char *zone; /* without SOA */
    const char *prerequisites, *updates;
    enum rcode rcode;
    const char *after; /* with SOA; NULL: nothing changes */
};

static void expect(const char *what, struct zone *zone, const struct changeset *changes, const char *after)
{
    struct zone_version *v;
    if (!changes != !after)
        fail_msg("%s: %s change", what, changes ? "a" : "no");
    if (!changes)
        return;
    struct zone_records *wanted = records_of(after);
    assert_int_equal(zone_apply(&v, zone->current, changes, NULL), ERR_OK);
    assert_int_equal(changes->serial_from, zone->current->serial);
    assert_int_equal(changes->serial_to, v->serial);
    struct zone_records *got = records_in(v);
    zone_records_sort(got);
    if (got->cnt != wanted->cnt)
        fail_msg("%s: %zu records, not %zu", what, got->cnt, wanted->cnt);
    for (size_t i = 0; i < got->cnt; i++) {
        const struct rr *g = &got->recs[i].rr, *w = &wanted->recs[i].rr;
        if (!name_equal(g->owner, w->owner) || g->type != w->type || g->ttl != w->ttl || g->rdata_len != w->rdata_len ||
            memcmp(g->rdata, w->rdata, g->rdata_len) != 0)
            fail_msg("%s: record %zu (type %u, TTL %u) is not the one wanted", what, i, g->type, g->ttl);
    }
    zone_records_free(got);
    zone_records_free(wanted);
    zone_discard(v);
}

static void check_rule(const struct rule *rule)
{
    char text[4096];
    struct update_msg msg;
    snprintf(text, sizeof text, SOA1 "%s", rule->zone);
    struct zone *zone = zone_of(text);
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    update_bytes_of(&bytes, rule->prerequisites, rule->updates);
    enum rcode rcode = update_judge(update, &msg, &bytes);
    if (rcode != rule->rcode)
        fail_msg("%s: %s, not %s", rule->what, rcode_text(rcode), rcode_text(rule->rcode));
    struct changeset *changes = update_changes(update);
    update_msg_fini(&msg);
    expect(rule->what, zone, changes, rule->after);
    changeset_free(changes);
    update_free(update);
    zone_free(zone);
}

static void check_rules(const struct rule *rules, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++)
        check_rule(&rules[i]);
}

#define CHECK_RULES(rules) check_rules(rules, sizeof(rules) / sizeof(rules)[0])

/* RFC 2136 2.4, 3.2. Each with an update, to see whether it is made. */
static void test_prerequisites(void **state)
{
    (void)state;
#define ZONE NS0 "www 60 A 1\nwww 60 A 2\nbelow.ent 60 A 3\n"
#define ADD "IN new 5 A 9\n"
#define ADDED SOA2 ZONE "new 5 A 9\n"
    static const struct rule rules[] = {
        {"2.4.1 rrset exists", ZONE, "ANY www 0 A\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.1 other type", ZONE, "ANY www 0 AAAA\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.1 no such name", ZONE, "ANY nowhere 0 A\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.1 case", ZONE, "ANY WWW.Example.COM. 0 A\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 by value", ZONE, "IN www 0 A 2\nIN www 0 A 1\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 given twice", ZONE, "IN www 0 A 2\nIN www 0 A 1\nIN www 0 A 2\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 one is missing", ZONE, "IN www 0 A 1\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.2 one too many", ZONE, "IN www 0 A 1\nIN www 0 A 2\nIN www 0 A 3\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.2 another", ZONE, "IN www 0 A 1\nIN www 0 A 3\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.2 no such rrset", ZONE, "IN www 0 TXT x\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.2 two rrsets", ZONE, "IN www 0 A 1\nIN below.ent 0 A 3\nIN www 0 A 2\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 two rrsets, one wrong", ZONE, "IN www 0 A 1\nIN below.ent 0 A 4\nIN www 0 A 2\n", ADD, RCODE_NXRRSET,
         NULL},
        {"2.4.2 names by value in any case", ZONE, "IN @ 0 NS NS.Example.Net.\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 the serial", ZONE, "IN @ 0 SOA 1 60\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.2 another serial", ZONE, "IN @ 0 SOA 2 60\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.2 a type that no zone has", ZONE, "IN www 0 MAILA\n", ADD, RCODE_NXRRSET, NULL},
        {"2.4.3 no rrset", ZONE, "NONE www 0 AAAA\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.3 there is one", ZONE, "NONE www 0 A\n", ADD, RCODE_YXRRSET, NULL},
        {"2.4.4 name in use", ZONE, "ANY www 0 ANY\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.4 not in use", ZONE, "ANY nowhere 0 ANY\n", ADD, RCODE_NXDOMAIN, NULL},
        {"2.4.4 an empty non-terminal is not in use", ZONE, "ANY ent 0 ANY\n", ADD, RCODE_NXDOMAIN, NULL},
        {"2.4.5 name not in use", ZONE, "NONE ent 0 ANY\n", ADD, RCODE_NOERROR, ADDED},
        {"2.4.5 it is", ZONE, "NONE www 0 ANY\n", ADD, RCODE_YXDOMAIN, NULL},
        {"3.2 the first that fails", ZONE, "ANY www 0 A\nNONE www 0 ANY\nANY x 0 ANY\n", ADD, RCODE_YXDOMAIN, NULL},
        {"3.2 values come last", ZONE, "IN www 0 A 7\nANY x 0 ANY\n", ADD, RCODE_NXDOMAIN, NULL},
        {"3.2 TTL", ZONE, "ANY www 1 A\n", ADD, RCODE_FORMERR, NULL},
        {"3.2 outside", ZONE, "ANY www.example.net. 0 A\n", ADD, RCODE_NOTZONE, NULL},
        {"3.2 before the updates are looked at", ZONE, "ANY x 0 ANY\n", "IN www.example.net. 0 A 1\n", RCODE_NXDOMAIN,
         NULL},
        {"alone", ZONE, "ANY www 0 A\n", "", RCODE_NOERROR, NULL},
        {"nothing at all", ZONE, "", "", RCODE_NOERROR, NULL},
    };
    CHECK_RULES(rules);
}

/* RFC 2136 3.4.1: one bad record and nothing is done. */
static void test_prescan(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"MAILA", ZONE, "", ADD "IN www 0 MAILA\n", RCODE_FORMERR, NULL},
        {"MAILB deleted", ZONE, "", ADD "ANY www 0 MAILB\n", RCODE_FORMERR, NULL},
        {"a TTL on a delete of an rrset", ZONE, "", ADD "ANY www 60 A\n", RCODE_FORMERR, NULL},
        {"a TTL on a delete of a record", ZONE, "", ADD "NONE www 60 A 1\n", RCODE_FORMERR, NULL},
        {"rdata on a delete of an rrset", ZONE, "", ADD "ANY www 0 A 1\n", RCODE_FORMERR, NULL},
        {"another class", ZONE, "", ADD "CH www 0 A 1\n", RCODE_FORMERR, NULL},
        {"outside", ZONE, "", ADD "IN www.example.net. 0 A 1\n", RCODE_NOTZONE, NULL},
        {"the first is told", ZONE, "", ADD "IN example.net. 0 A 1\nCH www 0 A 1\n", RCODE_NOTZONE, NULL},
    };
    CHECK_RULES(rules);
}

/* RFC 2136 3.4.2.2 */
static void test_add(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"a new name", NS0, "", "IN a.b.c 5 A 1\n", RCODE_NOERROR, SOA2 NS0 "a.b.c 5 A 1\n"},
        {"a record more", NS0 "a 5 A 1\n", "", "IN a 5 A 3\nIN a 5 A 2\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 A 1\na 5 A 2\na 5 A 3\n"},
        {"it is there already", NS0 "a 5 A 1\n", "", "IN a 5 A 1\n", RCODE_NOERROR, NULL},
        {"a duplicate with another TTL gives it to the rrset", NS0 "a 5 A 1\na 5 A 2\n", "", "IN a 9 A 1\n",
         RCODE_NOERROR, SOA2 NS0 "a 9 A 1\na 9 A 2\n"},
        {"so does a new record", NS0 "a 5 A 1\na 5 A 2\n", "", "IN a 9 A 3\n", RCODE_NOERROR,
         SOA2 NS0 "a 9 A 1\na 9 A 2\na 9 A 3\n"},
        {"the last one's TTL stays", NS0 "a 5 A 1\n", "", "IN a 9 A 3\nIN a 8 A 1\nIN a 7 A 3\n", RCODE_NOERROR,
         SOA2 NS0 "a 7 A 1\na 7 A 3\n"},
        {"and back again", NS0 "a 5 A 1\n", "", "IN a 9 A 1\nIN a 5 A 1\n", RCODE_NOERROR, NULL},
        {"the case of a name in rdata", NS0 "a 5 MX 1 b\n", "", "IN a 5 MX 1 B\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 MX 1 B\n"},
        {"a case that its image has not", NS0 "a.b 5 MX 1 b\n", "", "IN a.b 5 MX 1 B\n", RCODE_NOERROR, NULL},
        {"a CNAME beside other data is ignored", NS0 "a 5 A 1\n", "", "IN a 5 CNAME b\n", RCODE_NOERROR, NULL},
        {"other data beside a CNAME", NS0 "a 5 CNAME b\n", "", "IN a 5 A 1\nIN a 5 DNAME x\n", RCODE_NOERROR, NULL},
        {"a CNAME for a CNAME", NS0 "a 5 CNAME b\n", "", "IN a 6 CNAME c\n", RCODE_NOERROR, SOA2 NS0 "a 6 CNAME c\n"},
        {"a CNAME at the apex", NS0, "", "IN @ 5 CNAME b\n", RCODE_NOERROR, NULL},
        {"a CNAME after what was there", NS0 "a 5 A 1\n", "", "ANY a 0 A\nIN a 5 CNAME b\nIN a 5 A 2\n",
         RCODE_NOERROR, SOA2 NS0 "a 5 CNAME b\n"},
        {"a second DNAME replaces the first", NS0 "d 5 DNAME x\n", "", "IN d 6 DNAME a\n", RCODE_NOERROR,
         SOA2 NS0 "d 6 DNAME a\n"},
        {"two DNAMEs in one", NS0, "", "IN d 6 DNAME z\nIN d 6 DNAME a\n", RCODE_NOERROR, SOA2 NS0 "d 6 DNAME a\n"},
        {"a DNAME at a CNAME (RFC 6672 5.2)", NS0 "d 5 CNAME x\n", "", "IN d 6 DNAME a\n", RCODE_NOERROR, NULL},
        {"a CNAME at a DNAME", NS0 "d 5 DNAME x\n", "", "IN d 6 CNAME a\n", RCODE_NOERROR, NULL},
        {"a DNAME at the apex", NS0, "", "IN @ 6 DNAME example.org.\n", RCODE_NOERROR,
         SOA2 NS0 "@ 6 DNAME example.org.\n"},
        {"a delegation and its glue", NS0, "", "IN sub 5 NS ns.sub\nIN ns.sub 5 A 1\n", RCODE_NOERROR,
         SOA2 NS0 "sub 5 NS ns.sub\nns.sub 5 A 1\n"},
    };
    CHECK_RULES(rules);
}

static bool has_type(const struct zone_records *r, uint16_t type)
{
    for (size_t i = 0; i < r->cnt; i++)
        if (r->recs[i].rr.type == type)
            return true;
    return false;
}

static struct changeset *changes_of(struct zone *zone, const char *updates, enum rcode rcode)
{
    struct update_msg msg;
    struct update *update = update_new(zone->current, zone->current->serial + 1);
    update_bytes_of(&bytes, "", updates);
    enum rcode got = update_judge(update, &msg, &bytes);
    if (got != rcode)
        fail_msg("%s: %s", updates, rcode_text(got));
    struct changeset *changes = update_changes(update);
    update_msg_fini(&msg);
    update_free(update);
    return changes;
}

/* RFC 4034 2.5 */
static void test_key_beside_cname(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA1 NS0 "a 5 CNAME b\n");
    struct changeset *changes = changes_of(zone, "IN a 5 KEY # 0000030801\nIN a 5 CNAME c\n", RCODE_NOERROR);
    assert_non_null(changes);
    assert_true(has_type(changes->added, RR_KEY) && has_type(changes->added, RR_CNAME));
    assert_true(has_type(changes->removed, RR_CNAME));
    changeset_free(changes);
    zone_free(zone);
}

/* RFC 2136 3.4.2.2: of WKS records those of one address and protocol are the same. */
static void test_wks(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA1 NS0);
    struct changeset *changes = changes_of(zone,
                                           "IN a 5 WKS # c0000201060040\nIN a 5 WKS # c0000201060001\n"
                                           "IN a 5 WKS # c000020106ff\nIN a 5 WKS # c0000201110040\n",
                                           RCODE_NOERROR);
    assert_non_null(changes);
    assert_int_equal(changes->added->cnt, 3); /* the SOA is one */
    changeset_free(changes);
    zone_free(zone);
}

/* RFC 2136 3.4.2.2, 3.6 */
static void test_soa(void **state)
{
    (void)state;
    static const struct rule rules[] = {
        {"a later serial", NS0, "", "IN @ 7 SOA 5 61\n", RCODE_NOERROR, "@ 7 SOA 5 61\n" NS0},
        {"a later serial, and more", NS0, "", "IN a 5 A 1\nIN @ 7 SOA 5 61\n", RCODE_NOERROR,
         "@ 7 SOA 5 61\n" NS0 "a 5 A 1\n"},
        {"the next one", NS0, "", "IN @ 3600 SOA 2 60\n", RCODE_NOERROR, SOA2 NS0},
        {"the same serial", NS0, "", "IN @ 7 SOA 1 61\n", RCODE_NOERROR, NULL},
        {"an earlier serial", NS0, "", "IN @ 7 SOA 0 61\n", RCODE_NOERROR, NULL},
        {"earlier by the circle", NS0, "", "IN @ 7 SOA 4000000000 61\n", RCODE_NOERROR, NULL},
        {"half the circle away", NS0, "", "IN @ 7 SOA 2147483649 61\n", RCODE_NOERROR, NULL},
        {"later by the most there is", NS0, "", "IN @ 7 SOA 2147483648 61\n", RCODE_NOERROR,
         "@ 7 SOA 2147483648 61\n" NS0},
        {"an earlier serial, and more", NS0, "", "IN a 5 A 1\nIN @ 7 SOA 1 61\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 A 1\n"},
        {"two of them", NS0, "", "IN @ 7 SOA 5 61\nIN @ 8 SOA 4 62\nIN @ 9 SOA 6 63\n", RCODE_NOERROR,
         "@ 9 SOA 6 63\n" NS0},
        {"not at the apex", NS0 "a 5 A 1\n", "", "IN a 7 SOA 5 61\n", RCODE_NOERROR, NULL},
    };
    CHECK_RULES(rules);
}

/* RFC 2136 3.4.2.3, 3.4.2.4 */
static void test_delete(void **state)
{
    (void)state;
#define NS1 "@ 3600 NS ns2.example.net.\n"
#define HOST "a 5 A 1\na 5 A 2\na 5 MX 1 b\n"
    static const struct rule rules[] = {
        {"an rrset", NS0 HOST, "", "ANY a 0 A\n", RCODE_NOERROR, SOA2 NS0 "a 5 MX 1 b\n"},
        {"an rrset that is not there", NS0 HOST, "", "ANY a 0 AAAA\nANY x 0 A\n", RCODE_NOERROR, NULL},
        {"a name", NS0 HOST, "", "ANY a 0 ANY\n", RCODE_NOERROR, SOA2 NS0},
        {"a name, not those below", NS0 HOST "b.a 5 A 3\n", "", "ANY a 0 ANY\n", RCODE_NOERROR,
         SOA2 NS0 "b.a 5 A 3\n"},
        {"a name that is not there", NS0 HOST, "", "ANY x 0 ANY\n", RCODE_NOERROR, NULL},
        {"a name with what has just come", NS0 HOST, "", "IN a 5 TXT x\nANY a 0 ANY\nIN a 7 A 1\n", RCODE_NOERROR,
         SOA2 NS0 "a 7 A 1\n"},
        {"a record", NS0 HOST, "", "NONE a 0 A 1\n", RCODE_NOERROR, SOA2 NS0 "a 5 A 2\na 5 MX 1 b\n"},
        {"a record, its name in another case", NS0 HOST, "", "NONE A 0 MX 1 B\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 A 1\na 5 A 2\n"},
        {"a record that is not there", NS0 HOST, "", "NONE a 0 A 3\nNONE x 0 A 1\n", RCODE_NOERROR, NULL},
        {"the last record", NS0 HOST, "", "NONE a 0 MX 1 b\n", RCODE_NOERROR, SOA2 NS0 "a 5 A 1\na 5 A 2\n"},
        {"gone and there again", NS0 HOST, "", "ANY a 0 A\nIN a 5 A 2\nIN a 5 A 1\n", RCODE_NOERROR, NULL},
        {"there and gone again", NS0 HOST, "", "IN x 5 A 2\nANY x 0 ANY\n", RCODE_NOERROR, NULL},
        {"the apex keeps SOA and NS", NS0 NS1 "@ 5 A 1\n@ 5 TXT x\n", "", "ANY @ 0 ANY\n", RCODE_NOERROR,
         SOA2 NS0 NS1},
        {"the apex's NS", NS0 NS1, "", "ANY @ 0 NS\n", RCODE_NOERROR, NULL},
        {"the apex's SOA", NS0, "", "ANY @ 0 SOA\nNONE @ 0 SOA 1 60\n", RCODE_NOERROR, NULL},
        {"another rrset of the apex", NS0 "@ 5 A 1\n", "", "ANY @ 0 A\n", RCODE_NOERROR, SOA2 NS0},
        {"an NS of the apex", NS0 NS1, "", "NONE @ 0 NS ns.example.net.\n", RCODE_NOERROR, SOA2 NS1},
        {"the last NS of the apex", NS0, "", "NONE @ 0 NS ns.example.net.\n", RCODE_NOERROR, NULL},
        {"both NS of the apex", NS0 NS1, "", "NONE @ 0 NS ns.example.net.\nNONE @ 0 NS ns2.example.net.\n",
         RCODE_NOERROR, SOA2 NS1},
        {"the last NS after a new one", NS0, "", "IN @ 3600 NS ns2.example.net.\nNONE @ 0 NS ns.example.net.\n",
         RCODE_NOERROR, SOA2 NS1},
        {"the NS of a delegation", NS0 "sub 5 NS ns.sub\n", "", "ANY sub 0 NS\n", RCODE_NOERROR, SOA2 NS0},
        {"the last NS of a delegation", NS0 "sub 5 NS ns.sub\n", "", "NONE sub 0 NS ns.sub\n", RCODE_NOERROR,
         SOA2 NS0},
        {"an NS of the apex that is not there", NS0, "", "NONE @ 0 NS other.\n", RCODE_NOERROR, NULL},
        {"the SOA of a name that has none", NS0 HOST, "", "ANY a 0 SOA\n", RCODE_NOERROR, NULL},
        {"what a signer left", NS0 "a 5 A 1\na 5 RRSIG A 1\na 6 RRSIG TXT 2\n", "", "ANY a 0 RRSIG\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 A 1\n"},
        {"one record of what a signer left", NS0 "a 5 RRSIG A 1\na 6 RRSIG TXT 2\n", "", "ANY a 0 NSEC\nIN a 1 A 1\n",
         RCODE_NOERROR, SOA2 NS0 "a 1 A 1\na 5 RRSIG A 1\na 6 RRSIG TXT 2\n"},
    };
    CHECK_RULES(rules);
}

/* What the load of a zone's text calls an error. With something good before it that must not stay. */
static void test_refused(void **state)
{
    (void)state;
#define GOOD "IN new 5 A 1\n"
#define NSA "@ 3600 NS ns\nns 60 A 1\n"
    static const struct rule rules[] = {
        {"RRSIG", NS0, "", GOOD "IN a 5 RRSIG # 00010801000000050000000500000001000100016100\n", RCODE_REFUSED, NULL},
        {"NSEC", NS0, "", GOOD "IN a 5 NSEC # 0161000006400000000003\n", RCODE_REFUSED, NULL},
        {"NSEC3", NS0, "", GOOD "IN a 5 NSEC3 # 010000000014" "0000000000000000000000000000000000000000" "000140\n",
         RCODE_REFUSED, NULL},
        {"DS at the apex", NS0, "", GOOD "IN @ 5 DS # 00010802" "00000000000000000000000000000000"
         "00000000000000000000000000000000\n", RCODE_REFUSED, NULL},
        {"NS at a wildcard", NS0, "", GOOD "IN *.a 5 NS b\n", RCODE_REFUSED, NULL},
        {"the address of a name server", NSA, "", GOOD "ANY ns 0 A\n", RCODE_REFUSED, NULL},
        {"the name of a name server", NSA, "", GOOD "ANY ns 0 ANY\n", RCODE_REFUSED, NULL},
        {"a CNAME for it", NSA "o 5 A 1\n", "", GOOD "ANY ns 0 ANY\nIN ns 5 CNAME o\n", RCODE_REFUSED, NULL},
        {"a name server without address", NS0, "", GOOD "IN @ 5 NS ns\n", RCODE_REFUSED, NULL},
        {"and with", NS0, "", "IN @ 3600 NS ns\nIN ns 5 AAAA 1\n", RCODE_NOERROR,
         SOA2 NS0 "@ 3600 NS ns\nns 5 AAAA 1\n"},
        {"another address", NSA, "", "ANY ns 0 A\nIN ns 5 A 2\n", RCODE_NOERROR, SOA2 "@ 3600 NS ns\nns 5 A 2\n"},
        {"a DNAME above it", "@ 3600 NS ns.a\nns.a 60 A 1\n", "", GOOD "IN a 5 DNAME example.org.\n", RCODE_REFUSED,
         NULL},
        {"a DNAME at the apex above it", NSA, "", GOOD "IN @ 5 DNAME example.org.\n", RCODE_REFUSED, NULL},
        {"a cut above it", "@ 3600 NS ns.a\nns.a 60 A 1\n", "", "IN a 5 NS ns.a\n", RCODE_NOERROR,
         SOA2 "@ 3600 NS ns.a\nns.a 60 A 1\na 5 NS ns.a\n"},
        {"one that is delegated", NS0 "a 5 NS ns.a\n", "", "IN @ 3600 NS x.a\n", RCODE_NOERROR,
         SOA2 NS0 "a 5 NS ns.a\n@ 3600 NS x.a\n"},
        {"an address by a wildcard", NS0 "* 5 A 1\n", "", "IN @ 3600 NS x\n", RCODE_NOERROR,
         SOA2 NS0 "* 5 A 1\n@ 3600 NS x\n"},
        {"the wildcard goes", NS0 "* 5 A 1\n@ 3600 NS x\n", "", GOOD "ANY * 0 ANY\n", RCODE_REFUSED, NULL},
        {"a name takes the wildcard's place", NS0 "* 5 A 1\n@ 3600 NS x\n", "", GOOD "IN x 5 TXT y\n", RCODE_REFUSED,
         NULL},
        {"a zone whose name server has no address is not stuck", NS0 "@ 3600 NS x\n", "", "IN a 5 A 1\n",
         RCODE_NOERROR, SOA2 NS0 "@ 3600 NS x\na 5 A 1\n"},
        {"but gets no second one", NS0 "@ 3600 NS x\n", "", GOOD "IN @ 3600 NS y\n", RCODE_REFUSED, NULL},
        {"NSEC3PARAM of an unknown hash", NS0, "", GOOD "IN @ 0 NSEC3PARAM # 0200000100\n", RCODE_REFUSED, NULL},
        {"CDS without its key", NS0, "", GOOD "IN @ 0 CDS # 00010802" "00000000000000000000000000000000"
         "00000000000000000000000000000000\n", RCODE_REFUSED, NULL},
        {"CDNSKEY without its key", NS0, "", GOOD "IN @ 0 CDNSKEY # 0101030d01\n", RCODE_REFUSED, NULL},
        {"the request to delete, and another", NS0, "",
         GOOD "IN @ 0 DNSKEY # 0101030d01\nIN @ 0 CDNSKEY # 0101030d01\nIN @ 0 CDNSKEY # 0000030000\n", RCODE_REFUSED,
         NULL},
    };
    CHECK_RULES(rules);
}

static void test_dnssec_that_may_come(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA1 NS0);
    struct changeset *changes =
        changes_of(zone, "IN @ 0 CDNSKEY # 0101030d01\nIN @ 5 DNSKEY # 0101030d01\n", RCODE_NOERROR);
    assert_int_equal(changes->added->cnt, 3);
    changeset_free(changes);
    changes = changes_of(zone, "IN @ 0 CDNSKEY # 0000030000\nIN @ 0 CDS # 0000000000\nIN @ 0 NSEC3PARAM # 0100000000\n",
                         RCODE_NOERROR);
    assert_int_equal(changes->added->cnt, 4);
    changeset_free(changes);
    /* With what is left of a signed zone it would be one again. */
    zone_free(zone);
    zone = zone_of(SOA1 NS0 "@ 5 RRSIG SOA 1\n@ 5 NSEC a\n");
    assert_false(zone->current->is_signed);
    assert_null(changes_of(zone, "IN @ 5 DNSKEY # 0101030d01\n", RCODE_REFUSED));
    changes = changes_of(zone, "ANY @ 0 RRSIG\nANY @ 0 NSEC\nIN @ 5 DNSKEY # 0101030d01\n", RCODE_NOERROR);
    assert_non_null(changes);
    changeset_free(changes);
    zone_free(zone);
}

static void test_signed_zone(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA1 NS0 "@ 5 RRSIG SOA 1\n@ 5 NSEC a\n@ 5 DNSKEY k\n");
    assert_true(zone->current->is_signed);
    assert_null(changes_of(zone, "IN a 5 A 1\n", RCODE_REFUSED));
    assert_null(changes_of(zone, "", RCODE_REFUSED));
    zone_free(zone);
}

static void test_another_zone(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA1 NS0);
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    struct update_msg msg;
    update_bytes_begin(&bytes, (const uint8_t *)"\1a\7example\3com");
    assert_int_equal(update_judge(update, &msg, &bytes), RCODE_NOTAUTH);
    update_msg_fini(&msg);
    update_free(update);
    zone_free(zone);
}

/* An rrset of as much as a message holds, and one record more. */
static void test_too_large(void **state)
{
    (void)state;
    enum { EACH = 240 };
    struct zone *zone = zone_of(SOA1 NS0);
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    struct update_msg msgs[400];
    unsigned cnt = 0;
    enum rcode rcode = RCODE_NOERROR;
    while (!rcode) {
        char line[400];
        snprintf(line, sizeof line, "IN big 5 TXT %0*u\n%s", EACH, cnt, cnt % 7 ? "" : GOOD);
        update_bytes_of(&bytes, "", line);
        assert_true(cnt < 400);
        rcode = update_judge(update, &msgs[cnt++], &bytes);
    }
    assert_int_equal(rcode, RCODE_REFUSED);
    struct changeset *changes = update_changes(update);
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, changes, NULL), ERR_OK);
    size_t fit = node_of(v, "big")->rrsets[0].rr_cnt;
    assert_int_equal(fit, cnt - 1);
    assert_int_equal(fit, (IMAGE_SURE_TO_FIT + 255 - 17) / (IMAGE_RR_FIXED_LEN + EACH + 1));
    zone_discard(v);
    changeset_free(changes);
    while (cnt--)
        update_msg_fini(&msgs[cnt]);
    update_free(update);
    zone_free(zone);
}

/* ---- several at once */

struct story {
    const char *prerequisites, *updates;
    enum rcode rcode;
};

static void check_story(const char *what, const char *zone_text, const struct story *story, unsigned cnt,
                        const char *after)
{
    struct update_msg msgs[10];
    struct zone *zone = zone_of(zone_text);
    struct update *update = update_new(zone->current, NEXT_SERIAL);
    assert_true(cnt <= 10);
    for (unsigned i = 0; i < cnt; i++) {
        update_bytes_of(&bytes, story[i].prerequisites, story[i].updates);
        enum rcode rcode = update_judge(update, &msgs[i], &bytes);
        if (rcode != story[i].rcode)
            fail_msg("%s %u: %s, not %s", what, i, rcode_text(rcode), rcode_text(story[i].rcode));
    }
    struct changeset *changes = update_changes(update);
    expect(what, zone, changes, after);
    changeset_free(changes);
    for (unsigned i = 0; i < cnt; i++)
        update_msg_fini(&msgs[i]);
    update_free(update);
    zone_free(zone);
}

#define CHECK_STORY(what, zone, story, after) check_story(what, zone, story, sizeof(story) / sizeof(story)[0], after)

static void test_stories(void **state)
{
    (void)state;
    static const struct story seen[] = {
        {"NONE a 0 ANY\n", "IN a 5 A 1\n", RCODE_NOERROR},
        {"NONE a 0 ANY\n", "IN a 5 A 2\n", RCODE_YXDOMAIN},
        {"IN a 0 A 1\n", "NONE a 0 A 1\nIN a 5 A 3\n", RCODE_NOERROR},
        {"ANY a 0 A\n", "IN b 5 A 1\n", RCODE_NOERROR},
    };
    CHECK_STORY("each sees the ones before it", SOA1 NS0, seen, SOA2 NS0 "a 5 A 3\nb 5 A 1\n");
    static const struct story failing[] = {
        {"", "IN a 5 A 1\n", RCODE_NOERROR},
        {"", "IN a 7 A 2\nANY a 0 TXT\nIN c 5 A 1\nANY ns 0 ANY\n", RCODE_REFUSED},
        {"", "IN a 5 A 2\nIN *.a 5 NS x\n", RCODE_REFUSED},
        {"NONE c 0 ANY\nIN a 0 A 1\n", "IN d 5 A 1\n", RCODE_NOERROR},
    };
    CHECK_STORY("one that fails leaves nothing", SOA1 NSA, failing, SOA2 NSA "a 5 A 1\nd 5 A 1\n");
    static const struct story undone[] = {
        {"", "IN a 5 A 1\nANY b 0 A\n", RCODE_NOERROR},
        {"", "NONE a 0 A 1\nIN b 5 A 2\n", RCODE_NOERROR},
    };
    CHECK_STORY("what is undone is none", SOA1 NS0 "b 5 A 2\n", undone, NULL);
    /* Who goes by the serial must see that somebody was faster. */
    static const struct story locked[] = {
        {"IN @ 0 SOA 1 60\n", "ANY b 0 A\nIN b 5 A 2\n", RCODE_NOERROR}, /* nothing */
        {"IN @ 0 SOA 1 60\n", "IN a 5 A 1\n", RCODE_NOERROR},
        {"IN @ 0 SOA 1 60\n", "IN a 5 A 2\n", RCODE_NXRRSET},
        {"", "IN @ 5 SOA 2 77\n", RCODE_NOERROR}, /* is no later one now */
    };
    CHECK_STORY("the serial rises with the first change", SOA1 NS0 "b 5 A 2\n", locked,
                SOA2 NS0 "a 5 A 1\nb 5 A 2\n");
    static const struct story raised[] = {
        {"", "IN @ 5 SOA 9 77\n", RCODE_NOERROR},
        {"", "IN a 5 A 1\n", RCODE_NOERROR},
        {"", "IN @ 5 SOA 8 77\n", RCODE_NOERROR},
    };
    CHECK_STORY("they share a serial", SOA1 NS0, raised, "@ 5 SOA 9 77\n" NS0 "a 5 A 1\n");
    static const struct story lame[] = {
        {"", "IN @ 3600 NS ns2\nIN ns2 5 A 1\n", RCODE_NOERROR},
        {"", "ANY ns2 0 A\n", RCODE_REFUSED},
        {"", "NONE @ 0 NS ns2\n", RCODE_NOERROR},
        {"", "ANY ns2 0 A\n", RCODE_NOERROR},
    };
    CHECK_STORY("a name server comes and goes", SOA1 NS0, lame, NULL);
    static const struct story healed[] = {
        {"", "NONE @ 0 NS x\n", RCODE_NOERROR},
        {"", "IN @ 3600 NS x\n", RCODE_REFUSED},
    };
    CHECK_STORY("what is mended stays so", SOA1 NS0 "@ 3600 NS x\n", healed, SOA2 NS0);
    static const struct story refused_soa[] = {
        {"", "IN @ 5 SOA 9 77\nIN @ 5 NS x\n", RCODE_REFUSED},
        {"", "IN a 5 A 1\n", RCODE_NOERROR},
        {"", "ANY a 0 A\n", RCODE_NOERROR},
    };
    CHECK_STORY("a refused SOA is forgotten", SOA1 NS0, refused_soa, NULL);
}

/* What is kept grows with what updates touch, not with the zone. */
static void test_memory(void **state)
{
    (void)state;
    enum { NAMES = 5000, ARENA_LEAST = 1024 };
    char *text = mem_zalloc(NAMES, 32), *at = text + sprintf(text, SOA1 NS0);
    for (unsigned i = 0; i < NAMES; i++)
        at += sprintf(at, "h%u 5 A 1\n", i);
    struct zone *zone = zone_of(text);
    struct update_state s;
    update_state_init(&s, zone->current);
    for (unsigned step = 0; step < 1000; step++) {
        static const struct rr rr = {.rdata = (const uint8_t *)"\300\0\2\2", .type = RR_A, .rdata_len = 4};
        uint8_t name[NAME_MAX_LEN];
        bool found;
        put_wire(name, "h77");
        struct update_set *set = update_state_set(&s, update_state_owner(&s, name), RR_A);
        unsigned place = update_set_place(set, rr.rdata, rr.rdata_len, &found);
        assert_int_equal(found, step & 1);
        if (found)
            update_state_remove(&s, set, place);
        else
            update_state_insert(&s, set, place, &rr);
        update_state_keep(&s);
    }
    assert_true(s.arena.total_bytes <= ARENA_LEAST);
    struct changeset *changes = update_state_diff(&s);
    assert_int_equal(changes->removed->cnt, 1); /* the TTL is another now */
    assert_int_equal(changes->added->cnt, 1);
    changeset_free(changes);
    update_state_fini(&s);
    zone_free(zone);
    free(text);
}

/* A serial round the circle. */
static void test_wrap(void **state)
{
    (void)state;
    struct zone *zone = zone_of("@ 3600 SOA 4294967295 60\n" NS0);
    struct changeset *changes = changes_of(zone, "IN a 5 A 1\n", RCODE_NOERROR);
    assert_int_equal(changes->serial_from, UINT32_MAX);
    assert_int_equal(changes->serial_to, 0);
    changeset_free(changes);
    changes = changes_of(zone, "IN @ 3600 SOA 7 60\n", RCODE_NOERROR);
    assert_int_equal(changes->serial_to, 7);
    changeset_free(changes);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prerequisites),
        cmocka_unit_test(test_prescan),
        cmocka_unit_test(test_add),
        cmocka_unit_test(test_key_beside_cname),
        cmocka_unit_test(test_wks),
        cmocka_unit_test(test_soa),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_dnssec_that_may_come),
        cmocka_unit_test(test_signed_zone),
        cmocka_unit_test(test_another_zone),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_stories),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
