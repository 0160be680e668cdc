#include "zone_help.h"

#include "base/diag.h"
#include "base/mem.h"
#include "base/random.h"
#include "zone/version.h"

#define APEX "@ 3600 SOA 1 60\n@ 3600 NS ns.example.net.\n"

static struct zone *zone_of(const char *text)
{
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of(text);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}

static const struct zone_node *node_of(const struct zone_version *v, const char *name)
{
    uint8_t wire[NAME_MAX_LEN];
    put_wire(wire, name);
    return zone_version_find(v, wire);
}

/* "2 A MX cut" : children, types, flags. */
static const char *describe(const struct zone_version *v, const char *name)
{
    static const char *const flags[] = {"cut", "dname", "cname", "wildcard", "apex", "extra", "sibling"};
    static char text[300];
    const struct zone_node *n = node_of(v, name);
    if (!n)
        return "none";
    int len = snprintf(text, sizeof(text), "%u", n->child_cnt);
    for (unsigned i = 0; i < n->rrset_cnt; i++) {
        char type[RR_TYPE_TEXT_MAX];
        len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", rr_type_to_text(type, n->rrsets[i].type));
    }
    for (unsigned i = 0; i < 7; i++)
        if (n->flags & 1u << i)
            len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", flags[i]);
    return text;
}

/* Every type is found, and none beside them, however many there are. */
static void test_names_of_many_types(void **state)
{
    (void)state;
    for (unsigned cnt = 1; cnt < 100; cnt++) {
        char text[100 * 32] = "";
        for (unsigned i = 0; i < cnt; i++)
            sprintf(text + strlen(text), "x 60 TYPE%u x\n", 1000 + 2 * i);
        char *all = mem_printf("%s%s", APEX, text);
        struct zone *zone = zone_of(all);
        const struct zone_node *n = node_of(zone->current, "x");
        for (uint16_t type = 998; type < 1000 + 2 * cnt + 2; type++) {
            const struct zone_rrset *rrset = zone_node_rrset(n, type);
            bool there = type >= 1000 && type % 2 == 0 && type < 1000 + 2 * cnt;
            assert_int_equal(rrset ? rrset->type : 0, there ? type : 0);
        }
        zone_free(zone);
        free(all);
    }
}

static void test_nodes_of_a_zone(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "WWW 60 A 1\nwww 60 A 2\nwww 60 MX 10 mail\n"
                                     "a.b.c 60 A 1\nx.b.c 60 A 1\n"
                                     "alias 60 CNAME www\nd 60 DNAME www\nunder.d 60 A 1\n"
                                     "*.wild 60 A 1\n*.ent.wild 60 TXT x\nbelow.*.ent.wild 60 TXT x\n"
                                     "deep.*.star 60 A 1\n"
                                     "sub 60 NS ns.sub\nsub 60 DS x\nns.sub 60 A 1\nother 60 NS ns.sub\nout 60 NS ns.example.net.\n");
    const struct zone_version *v = zone->current;
    static const char *const want[][2] = {
        {"@", "9 NS SOA apex extra"}, {"www", "0 A MX"},
        {"c", "1"}, {"b.c", "2"}, {"a.b.c", "0 A"}, {"x.b.c", "0 A"}, {"y.b.c", "none"},
        {"alias", "0 CNAME cname"}, {"d", "1 DNAME dname"}, {"under.d", "0 A"},
        {"wild", "2 wildcard"}, {"*.wild", "0 A"}, {"ent.wild", "1 wildcard"}, {"*.ent.wild", "1 TXT"},
        {"star", "1 wildcard"}, {"*.star", "1"}, {"deep.*.star", "0 A"},
        {"sub", "1 NS DS cut extra"}, {"ns.sub", "0 A"}, {"other", "0 NS cut sibling"}, {"out", "0 NS cut"},
    };
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_string_equal(describe(v, want[i][0]), want[i][1]);
    assert_ptr_equal(v->apex, node_of(v, "@"));
    assert_int_equal(v->node_cnt, 21);
    assert_int_equal(v->rr_cnt, 19);
    assert_int_equal(v->serial, 1);
    assert_true(v->cut_depths[0] == 8 && !v->cut_depths[1] && v->dname_depths[0] == 8 && !v->dname_depths[1]);
    assert_int_equal(v->depth_cnt[3][0], 3);
    assert_int_equal(v->depth_cnt[3][1], 1);
    zone_free(zone);
}

static void test_the_negative_soa(void **state)
{
    (void)state;
    static const struct { const char *text; uint32_t ttl, negative_ttl; } cases[] = {
        {"@ 3600 SOA 1 60\n", 3600, 60}, {"@ 30 SOA 1 60\n", 30, 30}, {"@ 0 SOA 1 60\n", 0, 0}, {"@ 60 SOA 1 0\n", 60, 0},
    };
    for (unsigned i = 0; i < 4; i++) {
        struct zone *zone = zone_of(cases[i].text);
        const struct zone_node *apex = zone->current->apex;
        const struct zone_rrset *soa = zone_node_rrset(apex, RR_SOA), *negative = zone_node_extra(apex);
        assert_int_equal(be32_get(zone_node_image(apex, soa) + 6), cases[i].ttl);
        assert_int_equal(be32_get(zone_node_image(apex, negative) + 6), cases[i].negative_ttl);
        assert_int_equal(negative->type, RR_SOA);
        assert_int_equal(negative->image_len, soa->image_len);
        unsigned cnt, negative_cnt;
        const uint16_t *p = image_pointers(zone_node_image(apex, soa), soa, &cnt);
        const uint16_t *q = image_pointers(zone_node_image(apex, negative), negative, &negative_cnt);
        assert_int_equal(cnt, 1); /* "ns" and the zone's name; the other name is in another domain */
        assert_int_equal(negative_cnt, cnt);
        assert_memory_equal(p, q, 2 * cnt);
        zone_free(zone);
    }
}

/* The glue of a cut as text, read from a message as a referral for "QNAME.cut" has it: "OWNER TTL TYPE LASTBYTE\n"… */
static const char *glue_of(const struct zone_version *v, const char *cut, const char *qname)
{
    static char text[20000];
    static uint8_t bytes[60000];
    uint8_t q[NAME_MAX_LEN];
    const struct zone_node *n = node_of(v, cut);
    const struct zone_rrset *ns = zone_node_rrset(n, RR_NS), *glue = zone_node_extra(n);
    unsigned q_len = put_wire(q, qname), at = 12 + q_len + 4, owner_at = 12 + q_len - n->name_len;
    struct image_move move = {(uint16_t)(0xc000 | owner_at), (int)owner_at - 12, (int)at - (int)(16 + n->name_len)};
    struct message m = {bytes, 0};
    text[0] = '\0';
    if (!glue)
        return text;
    memcpy(bytes + 12, q, q_len);
    memcpy(bytes + at, zone_node_image(n, ns), ns->image_len);
    image_patch(bytes + at, zone_node_image(n, ns), ns, n->name_len, &move);
    at += ns->image_len;
    memcpy(bytes + at, zone_node_image(n, glue), glue->image_len);
    image_patch(bytes + at, zone_node_image(n, glue), glue, n->name_len, &move);
    m.len = at + glue->image_len;
    for (unsigned i = 0; i < glue->rr_cnt; i++) {
        uint8_t owner[NAME_MAX_LEN];
        unsigned owner_len;
        char owner_text[NAME_TEXT_MAX], type[RR_TYPE_TEXT_MAX];
        size_t p = decode_name(owner, &owner_len, &m, at);
        at = (unsigned)p + 10 + be16_get(bytes + p + 8);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s %u %s %u\n", name_to_text(owner_text, owner),
                 be32_get(bytes + p + 4), rr_type_to_text(type, be16_get(bytes + p)), bytes[at - 1]);
    }
    assert_int_equal(at, m.len);
    return text;
}

static void test_glue_points_into_the_ns_image(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "sub 60 NS a.ns.sub\nsub 60 NS sub\nsub 60 NS ns.SUB\nsub 60 NS ns.example.net.\nsub 60 NS b.sub\n"
                                     "sub 60 NS away\nsub 60 NS missing.sub\n"
                                     "a.ns.sub 10 AAAA 1\na.ns.sub 10 A 2\nns.sub 20 A 3\nns.sub 20 A 4\nsub 30 A 5\nb.sub 40 TXT x\naway 60 A 9\n");
    /* In canonical order of the NS records. */
    const char *want = "a.ns.sub.example.com. 10 A 2\na.ns.sub.example.com. 10 AAAA 1\n"
                       "ns.sub.example.com. 20 A 3\nns.sub.example.com. 20 A 4\n"
                       "sub.example.com. 30 A 5\n";
    static const char *const qnames[] = {"sub", "x.sub", "much.longer.name.below.sub"};
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(glue_of(zone->current, "sub", qnames[i]), want);
    assert_string_equal(describe(zone->current, "sub"), "2 A NS cut extra sibling");
    zone_free(zone);
}

/* More than are looked up in step, with parents that have to be made while their children are linked. */
static void test_many_delegations(void **state)
{
    (void)state;
    enum { CNT = 300 };
    struct zone_records *records = records_of(APEX);
    char text[200], want[300];
    for (unsigned i = 0; i < CNT; i++) {
        static const struct { const char *owner, *type, *target; } lines[] = {
            {"", "NS", "ns1."}, {"", "NS", "NS2."}, {"", "NS", "a.b.ns3."}, {"ns1.", "A", NULL}, {"ns2.", "AAAA", NULL},
            {"a.b.ns3.", "A", NULL}, {"x.b.ns3.", "TXT", NULL},
        };
        for (unsigned j = 0; j < sizeof(lines) / sizeof(*lines); j++) {
            int len = snprintf(text, sizeof(text), "%scut%u 60 %s ", lines[j].owner, i, lines[j].type);
            if (lines[j].target)
                snprintf(text + len, sizeof(text) - (size_t)len, "%scut%u", lines[j].target, i);
            else
                snprintf(text + len, sizeof(text) - (size_t)len, "%u", i % 250);
            add_line(records, text, 1);
        }
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    for (unsigned i = 0; i < CNT; i++) {
        snprintf(text, sizeof(text), "cut%u", i);
        snprintf(want, sizeof(want), "a.b.ns3.cut%u.example.com. 60 A %u\nns1.cut%u.example.com. 60 A %u\nNS2.cut%u.example.com. 60 AAAA %u\n",
                 i, i % 250, i, i % 250, i, i % 250);
        assert_string_equal(glue_of(zone->current, text, text), want);
        assert_string_equal(describe(zone->current, text), "3 NS cut extra");
        snprintf(text, sizeof(text), "ns3.cut%u", i);
        assert_string_equal(describe(zone->current, text), "1");
        snprintf(text, sizeof(text), "b.ns3.cut%u", i);
        assert_string_equal(describe(zone->current, text), "2");
    }
    assert_int_equal(zone->current->node_cnt, 1 + 7 * CNT);
    assert_int_equal(zone->current->apex->child_cnt, CNT);
    zone_free(zone);
}

static struct zone *zone_of_servers(unsigned cnt, unsigned glue_each, unsigned every)
{
    struct zone_records *records = records_of(APEX);
    for (unsigned i = 0; i < cnt; i++) {
        char line[100];
        snprintf(line, sizeof(line), i % every ? "sub 60 NS n%u.example.net." : "sub 60 NS n%u.b.sub", i);
        add_line(records, line, 1);
        for (unsigned j = 0; j < glue_each && !(i % every); j++) {
            snprintf(line, sizeof(line), "n%u.b.sub 60 AAAA %u", i, j);
            add_line(records, line, 1);
        }
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    return zone;
}

/* More NS records than pointers reach: all in-domain glue is there (RFC 9471), wherever the question ends. */
static void test_all_glue_is_there(void **state)
{
    (void)state;
    enum { CNT = 900 };
    struct zone *zone = zone_of_servers(CNT, 1, 2);
    static const char *const qnames[] = {"sub", "much.longer.name.below.sub"};
    const struct zone_node *n = node_of(zone->current, "sub");
    assert_true(zone_node_rrset(n, RR_NS)->image_len > 2 * IMAGE_TARGET_MAX);
    for (unsigned q = 0; q < 2; q++) {
        const char *text = glue_of(zone->current, "sub", qnames[q]);
        for (unsigned i = 0; i < CNT; i += 2) {
            char line[100];
            snprintf(line, sizeof(line), "n%u.b.sub.example.com. 60 AAAA 0\n", i);
            assert_non_null(strstr(text, line));
        }
    }
    assert_int_equal(zone_node_extra(n)->rr_cnt, CNT / 2);
    zone_free(zone);
}

/* More glue than a message holds: what is kept does not fit behind the NS rrset either, so the referral is truncated. */
static void test_glue_has_limits(void **state)
{
    (void)state;
    struct zone *zone = zone_of_servers(900, 7, 1);
    const struct zone_node *n = node_of(zone->current, "sub");
    const struct zone_rrset *glue = zone_node_extra(n);
    assert_true(glue && glue->image_len <= 65535 && glue->rr_cnt > 1000);
    assert_true(glue->image_len + zone_node_rrset(n, RR_NS)->image_len > 65535);
    zone_free(zone);
}

static void count_record(void *arg, const struct rr *rr)
{
    (void)rr;
    ++*(size_t *)arg;
}

static struct changeset *changeset_of(const char *removed, const char *added)
{
    struct changeset *c = mem_zalloc(1, sizeof(*c));
    c->removed = records_of(removed);
    c->added = records_of(added);
    return c;
}

static void test_apply_refuses_what_does_not_fit(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"www 60 A 9\n", ""},                 /* record not there */
        {"www 60 A 1\nwww 60 A 9\n", ""},     /* one of two not there */
        {"no 60 A 1\n", ""},                  /* owner not there */
        {"www 60 TXT x\n", ""},               /* type not there */
        {"c 60 A 1\n", ""},                   /* an empty non-terminal */
        {"", "www 60 A 1\n"},                 /* there already */
        {"", "www 60 MX 10 MAIL\n"},          /* there already, in another case */
        {"www 60 A 2\n", "www 60 A 1\n"},
        {"", "www.example.org. 60 A 1\n"},    /* not in the zone */
        {"", "com. 60 A 1\n"},
        {"", "xexample.com. 60 A 1\n"},
        {"www.example.org. 60 A 1\n", ""},
        {"@ 3600 SOA 1 60\n", ""},            /* no SOA left */
        {"", "@ 3600 SOA 2 60\n"},            /* two */
        {"@ 3600 SOA 1 60\n@ 3600 NS ns.example.net.\n", ""},
    };
    struct zone *zone = zone_of(APEX "www 60 A 1\nwww 60 A 2\nwww 60 MX 10 mail\na.b.c 60 A 1\n");
    size_t used = chunk_used_bytes(zone->pool);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct changeset *c = changeset_of(cases[i][0], cases[i][1]);
        struct zone_version *v = NULL;
        assert_int_equal(zone_apply(&v, zone->current, c, NULL), ERR_INVALID);
        assert_null(v);
        assert_null(zone->current->newer);
        assert_int_equal(chunk_used_bytes(zone->pool), used);
        changeset_free(c);
    }
    zone_free(zone);
}

static void test_an_rrset_too_large_is_refused(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX);
    for (unsigned more = 0; more < 2; more++) {
        struct changeset *c = changeset_of("", "");
        for (unsigned i = 0; i < 4093 + more; i++) { /* 12 + 17 + 4 + 4,093 × 16 = 65,521 */
            uint8_t a[4] = {10, 0, (uint8_t)(i >> 8), (uint8_t)i};
            zone_records_add(c->added, &(struct rr){(const uint8_t *)"\3www\7example\3com", a, 60, RR_A, 4}, NULL, 0);
        }
        zone_records_sort(c->added);
        struct zone_version *v = NULL;
        assert_int_equal(zone_apply(&v, zone->current, c, NULL), more ? ERR_INVALID : ERR_OK);
        if (v)
            zone_discard(v);
        changeset_free(c);
    }
    zone_free(zone);
}

static void test_a_change_touches_only_what_it_must(void **state)
{
    (void)state;
    struct zone_records *records = records_of(APEX "sub 60 NS ns.sub\nns.sub 60 A 1\n");
    for (unsigned i = 0; i < 3000; i++) {
        char line[60];
        snprintf(line, sizeof(line), "n%u.z%u 60 A 1", i, i % 100);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    static const struct { const char *removed, *added; size_t nodes; const char *same; } cases[] = {
        {"n5.z5 60 A 1\n", "n5.z5 60 A 2\n", 1, "z5"},                       /* an address */
        {"@ 3600 SOA 1 60\n", "@ 3600 SOA 2 60\n", 1, "z5"},                 /* the apex */
        {"", "new.z5 60 A 2\n", 1, "@"},                                     /* a name: its parent's count too (old nodes replaced: 1) */
        {"ns.sub 60 A 1\n", "ns.sub 60 A 2\n", 2, "@"},                      /* glue: the cut too */
        {"", "x.sub 60 A 2\n", 1, "@"},
        {"n5.z5 60 A 1\n", "", 2, "@"},
    };
    for (unsigned i = 0; i < 6; i++) {
        struct changeset *c = changeset_of(cases[i].removed, cases[i].added);
        struct zone_version *v;
        assert_int_equal(zone_apply(&v, zone->current, c, NULL), ERR_OK);
        size_t branches = 0;
        for (size_t j = 0; j < v->replaced.cnt; j++) {
            const struct zone_node *n = v->replaced.items[j].p;
            branches += !(n->size == v->replaced.items[j].size); /* a branch begins with its bitmap */
        }
        assert_int_equal(v->replaced.cnt - branches, cases[i].nodes);
        assert_true(branches <= 4 * cases[i].nodes + 4);
        assert_ptr_equal(node_of(v, cases[i].same), node_of(zone->current, cases[i].same));
        zone_discard(v);
        changeset_free(c);
    }
    zone_free(zone);
}

/* Random zones: some owners, for each some records that may be there, with TTLs and cases that change. */
static const char *const owners[] = {
    "@", "a", "b", "c", "*", "a.a", "b.a", "*.a", "a.b", "c.b", "*.b", "a.a.a", "b.a.a", "*.a.a", "a.*.a", "a.a.b", "x.c.b", "a.*",
    "x.y.z.a", "y.z.a", "v.w.x.y.z.c", "x.y.z.c", "ns.a", "ns.b", "ns.a.a", "ns.c.b",
    "collide-1", "collide-2", "collide-3", "collide-4", "a.collide-2", "a.a.collide-5", "*.collide-2", "collide-1.a", "collide-2.a",
};
static const char *const datas[][2] = { /* one in two spellings */
    {"A 1", "A 1"}, {"A 2", "A 2"}, {"AAAA 1", "AAAA 1"}, {"AAAA 2", "AAAA 2"}, {"TXT x", "TXT x"}, {"MX 10 a.a", "MX 10 A.A"},
    {"MX 10 b.org.", "MX 10 B.org."}, {"MX 20 A.b.org.", "MX 20 a.B.org."}, {"NS ns.a", "NS NS.a"}, {"NS ns.a.a", "NS ns.A.a"},
    {"NS ns.b", "NS ns.B"}, {"NS a.org.", "NS A.org."}, {"NS a", "NS A"}, {"CNAME a", "CNAME A"}, {"DNAME a", "DNAME A"},
};
enum { OWNERS = sizeof(owners) / sizeof(owners[0]), DATAS = sizeof(datas) / sizeof(datas[0]), STEPS = 7 };

struct state {
    unsigned serial;
    unsigned plan; /* how names are annotated, 0: not at all */
    uint8_t there[OWNERS][DATAS];
    uint8_t spelling[OWNERS][DATAS];
    unsigned ttl[OWNERS][DATAS]; /* by the first data of the type */
};

static unsigned first_of_type(unsigned data)
{
    unsigned first = data;
    while (first && !strncmp(datas[first - 1][0], datas[data][0], strcspn(datas[data][0], " ") + 1))
        first--;
    return first;
}

enum { PLANS = 6, PLAN_OTHERS = 5 /* annotates other zones' names alone */ };

static enum zone_mark match(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct state *s = arg;
    uint8_t a[NAME_MAX_LEN], aa[NAME_MAX_LEN];
    put_wire(a, "a");
    put_wire(aa, "a.a");
    assert_true(name_within(lower, zone->name));
    bool is_aa = name_equal(lower, aa);
    switch (s->plan) {
    case 1:
        return lower[1] & 1 ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    case 2:
        return name_within(lower, a) && !name_equal(lower, a) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case 3:
        return is_aa ? ZONE_MARK_BY_NAME : name_equal(lower, zone->name) ? ZONE_MARK_NONE : ZONE_MARK_BY_BELOW;
    default:
        return ZONE_MARK_BY_NAME;
    }
}

/* Names of org., and one within the zone, as if it were another zone's. */
static enum zone_mark match_foreign(void *arg, const struct zone *zone, const uint8_t *lower)
{
    const struct state *s = arg;
    uint8_t b_org[NAME_MAX_LEN], org[NAME_MAX_LEN], ns_a[NAME_MAX_LEN];
    put_wire(b_org, "b.org.");
    put_wire(org, "org.");
    put_wire(ns_a, "ns.a");
    assert_true(zone->name_len > 0);
    switch (s->plan) {
    case 1:
        return name_equal(lower, b_org) ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    case 2:
        return name_within(lower, b_org) && !name_equal(lower, b_org) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case 3:
        return name_within(lower, org) || name_equal(lower, ns_a) ? ZONE_MARK_BY_BELOW : ZONE_MARK_NONE;
    case PLAN_OTHERS:
        return name_equal(lower, ns_a) ? ZONE_MARK_BY_NAME : ZONE_MARK_NONE;
    default:
        return ZONE_MARK_NONE;
    }
}

static const struct zone_marks *marks_of(struct zone_marks *marks, const struct state *s, bool anew)
{
    *marks = (struct zone_marks){.match = s->plan == PLAN_OTHERS ? NULL : match, .match_foreign = match_foreign,
                                 .arg = (void *)(uintptr_t)s, .anew = anew, .foreign_anew = anew};
    return s->plan ? marks : NULL;
}

static const uint8_t *listed(const struct zone_names *names, const uint8_t *name)
{
    for (size_t at = 0; at < names->len; at += name_len(names->bytes + at))
        if (name_equal(names->bytes + at, name))
            return names->bytes + at;
    return NULL;
}

static size_t count_names(const struct zone_names *names)
{
    size_t cnt = 0;
    for (size_t at = 0; at < names->len; at += name_len(names->bytes + at))
        cnt++;
    return cnt;
}

static const struct zone_names *foreign_of(const struct zone_version *v)
{
    static const struct zone_names none;
    return v->foreign ? &v->foreign->names : &none;
}

/* What is told to come and go is what makes the one list of the other. */
static void expect_foreign_told(const struct zone_version *before, const struct zone_version *v)
{
    const struct zone_names *was = foreign_of(before), *now = foreign_of(v);
    for (size_t at = 0; at < was->len; at += name_len(was->bytes + at))
        assert_int_equal(!listed(now, was->bytes + at), listed(&v->lost_foreign, was->bytes + at) != NULL);
    for (size_t at = 0; at < now->len; at += name_len(now->bytes + at))
        assert_int_equal(!listed(was, now->bytes + at), listed(&v->fresh_foreign, now->bytes + at) != NULL);
    assert_int_equal(count_names(was) + count_names(&v->fresh_foreign), count_names(now) + count_names(&v->lost_foreign));
}

static void expect_same_foreign(const struct zone_foreign *a, const struct zone_foreign *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (!a)
        return;
    assert_int_equal(a->cnt, b->cnt);
    assert_int_equal(a->names.len, b->names.len);
    assert_memory_equal(a->names.bytes, b->names.bytes, a->names.len);
    assert_memory_equal(a->uses, b->uses, a->cnt * sizeof(*a->uses));
}

static uint32_t handle_of(const struct zone_node *n) { return (uint32_t)name_hash(zone_node_name(n), &test_key) | 1; }

/* Gives each fresh pool a handle, the same one each time. */
static void give_handles(struct zone_version *v)
{
    for (size_t i = 0; i < v->fresh_pool_cnt; i++) {
        struct zone_node *n = v->fresh_pools[i];
        assert_true((n->flags & NODE_POOL) && !n->pool);
        assert_ptr_equal(zone_version_find(v, zone_node_name(n)), n);
        n->pool = handle_of(n);
    }
    zone_version_forget_pools(v);
}

struct losses {
    const struct zone_version *v;
    size_t lost, kept;
};

static void count_lost(void *arg, const struct zone_node *old)
{
    struct losses *l = arg;
    if (!(old->flags & NODE_POOL))
        return;
    if (zone_version_find(l->v, zone_node_name(old)) == old) {
        l->kept++;
        return;
    }
    l->lost++;
    for (size_t i = 0; i < l->v->lost_pool_cnt; i++)
        if (l->v->lost_pools[i] == old->pool)
            return;
    fail_msg("a lost pool is not told");
}

static void expect_losses(const struct zone_version *before, const struct zone_version *v)
{
    struct losses l = {.v = v};
    trie_each(before->root, count_lost, &l);
    assert_int_equal(v->lost_pool_cnt, l.lost);
    assert_int_equal(v->pool_cnt, l.kept + v->fresh_pool_cnt);
}

static struct zone_records *state_records(const struct state *s)
{
    char line[200];
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    snprintf(line, sizeof(line), "@ 3600 SOA %u 60", s->serial);
    add_line(records, line, 1);
    for (unsigned o = 0; o < OWNERS; o++)
        for (unsigned d = 0; d < DATAS; d++)
            if (s->there[o][d]) {
                snprintf(line, sizeof(line), "%s %u %s", owners[o], s->ttl[o][first_of_type(d)], datas[d][s->spelling[o][d]]);
                add_line(records, line, 1);
            }
    zone_records_sort(records);
    return records;
}

static void state_change(struct state *s, struct random_state *rng, unsigned changes)
{
    if (random_below(rng, 8))
        s->serial++;
    for (unsigned i = 0; i < changes; i++) {
        unsigned o = random_below(rng, OWNERS), d = random_below(rng, DATAS);
        unsigned what = random_below(rng, 10);
        if (what < 5)
            s->there[o][d] ^= 1;
        else if (what < 6)
            memset(s->there[o], 0, DATAS);
        else if (what < 8)
            s->ttl[o][first_of_type(d)] = 1 + random_below(rng, 5);
        else
            s->spelling[o][d] ^= 1;
    }
}

static void expect_same_shape(uint64_t a, uint64_t b, int shift)
{
    assert_int_equal(trie_is_node(a), trie_is_node(b));
    if (trie_is_node(a) || !a)
        return;
    assert_int_equal(trie_branch(a)->bitmap, trie_branch(b)->bitmap);
    for (int i = 0; shift >= 4 && i < __builtin_popcountll(trie_branch(a)->bitmap); i++)
        expect_same_shape(trie_branch(a)->refs[i], trie_branch(b)->refs[i], shift - TRIE_BITS);
}

static void expect_same_node(void *arg, const struct zone_node *want)
{
    const struct zone_version *v = arg;
    const struct zone_node *n = zone_version_find(v, zone_node_name(want));
    assert_non_null(n);
    assert_int_equal(n->flags, want->flags);
    assert_int_equal(n->child_cnt, want->child_cnt);
    assert_int_equal(n->size, want->size);
    assert_memory_equal(n, want, want->size);
}

/* `v` is in every byte what its records would build anew. Returns the bytes that they take. */
static size_t expect_built(const struct zone_version *v, const struct state *s)
{
    struct zone_records *records = state_records(s);
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_marks marks;
    struct zone_version *want = zone_build(zone, records, marks_of(&marks, s, false));
    static uint32_t none[NAME_MAX_LABELS + 1][2];
    size_t used = chunk_used_bytes(zone->pool), rr_cnt = 0;
    give_handles(want);
    assert_int_equal(v->pool_cnt, want->pool_cnt);
    expect_same_foreign(v->foreign, want->foreign);
    trie_each(want->root, expect_same_node, (void *)v);
    expect_same_shape(v->root, want->root, 58);
    assert_int_equal(v->node_cnt, want->node_cnt);
    assert_int_equal(v->rr_cnt, want->rr_cnt);
    assert_int_equal(v->serial, want->serial);
    assert_memory_equal(v->cut_depths, want->cut_depths, sizeof(v->cut_depths));
    assert_memory_equal(v->dname_depths, want->dname_depths, sizeof(v->dname_depths));
    assert_memory_equal(v->depth_cnt ? v->depth_cnt : none, want->depth_cnt ? want->depth_cnt : none, sizeof(none));
    assert_ptr_equal(v->apex, node_of(v, "@"));
    zone_version_each(v, count_record, &rr_cnt);
    assert_int_equal(rr_cnt, records->cnt);
    assert_null(zone_publish(zone, want));
    zone_records_free(records);
    zone_free(zone);
    return used;
}

static struct zone_version *step(struct zone *zone, const struct state *from, const struct state *to, bool discard_first, bool pack)
{
    struct zone_records *records = state_records(to);
    struct changeset *c = changeset_diff(zone->current, records);
    struct zone_version *v = NULL;
    struct zone_marks marks;
    const struct zone_marks *given = marks_of(&marks, to, to->plan != from->plan);
    size_t used = chunk_used_bytes(zone->pool);
    if (discard_first) {
        assert_int_equal(zone_apply(&v, zone->current, c, given), ERR_OK);
        if (to->serial & 1)
            zone_pack(v);
        zone_discard(v);
        assert_int_equal(chunk_used_bytes(zone->pool), used);
        assert_null(zone->current->newer);
    }
    bool same = !c->removed->cnt && !c->added->cnt;
    v = same ? zone_remark(zone->current, given) : NULL;
    assert_true(v || !zone->current->newer);
    if (!v)
        assert_int_equal(zone_apply(&v, zone->current, c, given), ERR_OK);
    expect_losses(zone->current, v);
    expect_foreign_told(zone->current, v);
    if (pack)
        zone_pack(v);
    give_handles(v);
    changeset_free(c);
    c = changeset_diff(v, records);
    assert_int_equal(c->removed->cnt + c->added->cnt, 0);
    changeset_free(c);
    zone_records_free(records);
    return v;
}

static void random_chain(struct random_state *rng)
{
    static struct state states[STEPS];
    struct zone_version *versions[STEPS];
    bool held[STEPS] = {false};
    memset(&states[0], 0, sizeof(states[0]));
    state_change(&states[0], rng, random_below(rng, 200));
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = state_records(&states[0]);
    struct zone_marks marks;
    states[0].plan = random_below(rng, PLANS);
    versions[0] = zone_build(zone, records, marks_of(&marks, &states[0], false));
    if (random_below(rng, 4) == 0)
        zone_pack(versions[0]);
    give_handles(versions[0]);
    zone_records_free(records);
    assert_null(zone_publish(zone, versions[0]));
    for (unsigned i = 1; i < STEPS; i++) {
        states[i] = states[i - 1];
        unsigned what = random_below(rng, 4);
        if (what)
            state_change(&states[i], rng, 1 + random_below(rng, random_below(rng, 3) ? 4 : 150));
        if (what < 2)
            states[i].plan = random_below(rng, PLANS);
        versions[i] = step(zone, &states[i - 1], &states[i], random_below(rng, 4) == 0, random_below(rng, 3) == 0);
        held[i - 1] = random_below(rng, 2);
        if (held[i - 1])
            zone_version_get(versions[i - 1]);
        struct zone_version *before = zone_publish(zone, versions[i]);
        assert_ptr_equal(before, versions[i - 1]);
        zone_version_put(before);
        for (unsigned j = 0; j < i; j++)
            if (held[j] && random_below(rng, 4) == 0) {
                expect_built(versions[j], &states[j]);
                zone_version_put(versions[j]);
                held[j] = false;
            }
    }
    for (unsigned i = 0; i < STEPS - 1; i++)
        if (held[i]) {
            expect_built(versions[i], &states[i]);
            zone_version_put(versions[i]);
        }
    /* Alone now: exactly the bytes of a zone that was built. */
    assert_ptr_equal(zone->oldest, versions[STEPS - 1]);
    assert_int_equal(chunk_used_bytes(zone->pool), expect_built(zone->current, &states[STEPS - 1]));
    rcu_publish(zone->current, NULL);
    zone_version_put(versions[STEPS - 1]);
    assert_null(zone->oldest);
    assert_int_equal(chunk_used_bytes(zone->pool), 0);
    zone_free(zone);
}

static void test_apply_makes_what_build_makes(void **state)
{
    (void)state;
    struct random_state rng = {{2026, 1}};
    for (unsigned round = 0; round < 150; round++)
        random_chain(&rng);
}

/* The pools of a zone as text, and what its version tells of them. */
static void add_pool_name(void *arg, const struct zone_node *node)
{
    char name[NAME_TEXT_MAX], *text = arg;
    if (node->flags & NODE_POOL)
        sprintf(text + strlen(text), "%.*s ", (int)strcspn(name_to_text(name, zone_node_name(node)), "."), name);
}

static const char *pools_of(const struct zone_version *v)
{
    static const char *const known[] = {"@", "www", "mail", "cut", "below", "dn", "deep", "ns", "*"};
    static char text[1000], all[1000];
    text[0] = all[0] = '\0';
    trie_each(v->root, add_pool_name, all);
    size_t found = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        char word[20];
        snprintf(word, sizeof(word), "%s ", strcmp(known[i], "@") ? known[i] : "example");
        if (strstr(all, word)) {
            strcat(text, word);
            found++;
        }
    }
    assert_int_equal(found, v->pool_cnt);
    return text;
}

static enum zone_mark match_all(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)zone;
    (void)lower;
    return *(const enum zone_mark *)arg;
}

static void change(struct zone *zone, const char *removed, const char *added, const struct zone_marks *marks)
{
    struct changeset *c = changeset_of(removed, added);
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, c, marks), ERR_OK);
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    changeset_free(c);
}

static void test_only_authoritative_names_are_pools(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_BELOW;
    struct zone_marks marks = {.match = match_all, .arg = &mark};
    struct zone_records *records = records_of(APEX "@ 60 A 1\nwww 60 A 1\nmail 60 AAAA 1\n@ 60 MX 10 Mail\nalone 60 TXT x\n*.w 60 A 1\n"
                                              "cut 60 NS ns.cut\ncut 60 A 1\nns.cut 60 A 1\nbelow.cut 60 A 1\n"
                                              "dn 60 DNAME www\ndn 60 A 1\ndeep.dn 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    assert_int_equal(v->fresh_pool_cnt, 4);
    give_handles(v);
    assert_null(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "@ 60 MX 10 mail\n", "", &marks); /* nothing points to it any more */
    assert_string_equal(pools_of(zone->current), "example www mail dn * ");
    change(zone, "", "www 60 MX 10 mail\n", &marks);
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "cut 60 NS ns.cut\n", "", &marks); /* no cut any more, and nothing points to ns.cut */
    assert_string_equal(pools_of(zone->current), "example www cut below dn ns * ");
    change(zone, "dn 60 DNAME www\n", "", &marks);
    assert_string_equal(pools_of(zone->current), "example www cut below dn deep ns * ");
    change(zone, "", "cut 60 NS ns.example.net.\ndn 60 DNAME www\n", &marks);
    assert_string_equal(pools_of(zone->current), "example www dn * ");
    change(zone, "www 60 A 1\n", "", &marks);
    assert_string_equal(pools_of(zone->current), "example dn * ");
    v = zone_remark(zone->current, &marks);
    assert_null(v);
    v = zone_remark(zone->current, NULL);
    assert_int_equal(v->lost_pool_cnt, 3);
    zone_version_put(zone_publish(zone, v));
    zone_version_forget_pools(v);
    assert_string_equal(pools_of(zone->current), "");
    zone_free(zone);
}

static void test_mail_servers_are_pools_by_name_alone(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_NAME;
    struct diag *diag = diag_new(10);
    struct zone_marks marks = {.match = match_all, .arg = &mark, .diag = diag};
    struct zone_records *records = records_of(APEX "www 60 A 1\nmail 60 A 1\nwww 60 MX 10 mail\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    give_handles(v);
    assert_null(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "www mail ");
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    assert_string_equal(diag_at(diag, 0)->text, "\"mail.example.com.\" is balanced although NS or MX records point to it");
    mark = ZONE_MARK_BY_BELOW;
    v = zone_remark(zone->current, &marks);
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    assert_string_equal(pools_of(zone->current), "www ");
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    diag_free(diag);
    zone_free(zone);
}

static void note_all_asked(void *arg, const struct zone *zone, struct diag *diag)
{
    (void)arg;
    diag_warning(diag, NULL, 0, "%u", zone->depth);
}

static enum zone_mark match_by_name(void *arg, const struct zone *zone, const uint8_t *lower)
{
    (void)arg;
    (void)zone;
    return lower[0] == 4 ? ZONE_MARK_BY_NAME : ZONE_MARK_BY_BELOW;
}

/* Whoever marks hears which names of other zones a version points to, is warned of those that stay balanced, and hears when all was asked. */
static void test_what_a_zone_points_to(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_BELOW;
    struct diag *diag = diag_new(10);
    struct zone_marks marks = {.match_foreign = match_by_name, .arg = &mark, .diag = diag, .all_asked = note_all_asked};
    struct zone_records *records = records_of(APEX "@ 60 MX 10 Mail.B.org.\nwww 60 MX 10 mail.b.org.\nwww 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    assert_int_equal(count_names(&v->fresh_foreign), 2); /* and the name server */
    assert_non_null(listed(&v->fresh_foreign, (const uint8_t *)"\4mail\1b\3org"));
    assert_int_equal(v->pool_cnt, 0);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 1);
    assert_string_equal(diag_at(diag, 0)->text,
                        "\"mail.b.org.\" is balanced although NS or MX records of zone \"example.com\" point to it");
    give_handles(v);
    assert_null(zone_publish(zone, v));
    change(zone, "www 60 MX 10 mail.b.org.\n", "", &marks);
    assert_ptr_not_equal(zone->current->foreign, v); /* one points to it still */
    assert_int_equal(zone->current->foreign->cnt, 2);
    change(zone, "@ 60 MX 10 mail.b.org.\n", "x 60 MX 5 y.b.org.\n", &marks);
    assert_non_null(listed(foreign_of(zone->current), (const uint8_t *)"\1y\1b\3org"));
    assert_null(listed(foreign_of(zone->current), (const uint8_t *)"\4mail\1b\3org"));
    const struct zone_foreign *shared = zone->current->foreign;
    change(zone, "", "x 60 A 5\n", &marks);
    assert_ptr_equal(zone->current->foreign, shared);
    assert_int_equal(diag_cnt(diag, DIAG_WARNING), 2); /* the second time with the first change */
    marks.match = match_all;
    assert_non_null(v = zone_remark(zone->current, &marks));
    assert_int_equal(v->fresh_foreign.len + v->lost_foreign.len, 0);
    assert_string_equal(diag_at(diag, 2)->text, "2");
    give_handles(v);
    zone_version_put(zone_publish(zone, v));
    marks.match = NULL;
    marks.match_foreign = NULL;
    marks.foreign_anew = true;
    assert_non_null(v = zone_remark(zone->current, &marks));
    assert_null(v->foreign);
    assert_int_equal(count_names(&v->lost_foreign), 2);
    assert_int_equal(v->pool_cnt, 0);
    zone_discard(v);
    diag_free(diag);
    zone_free(zone);
}

/* What got no handle is offered again with the next annotations, and nothing else is copied. */
static void test_a_pool_without_handle(void **state)
{
    (void)state;
    enum zone_mark mark = ZONE_MARK_BY_NAME;
    struct zone_marks marks = {.match = match_all, .arg = &mark};
    struct zone_records *records = records_of(APEX "www 60 A 1\nmail 60 A 1\n");
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_version *v = zone_build(zone, records, &marks);
    zone_records_free(records);
    ((struct zone_node *)(uintptr_t)node_of(v, "www"))->pool = 7;
    zone_version_forget_pools(v);
    assert_null(zone_publish(zone, v));
    v = zone_remark(zone->current, &marks);
    assert_int_equal(v->fresh_pool_cnt, 1);
    assert_int_equal(v->lost_pool_cnt, 0);
    assert_int_equal(v->pool_cnt, 2);
    assert_ptr_equal(v->fresh_pools[0], node_of(v, "mail"));
    assert_ptr_equal(node_of(v, "www"), node_of(zone->current, "www"));
    zone_version_put(zone_publish(zone, v));
    struct zone_records *again = records_of(APEX "www 60 A 1\n");
    v = zone_build(zone, again, NULL);
    assert_int_equal(v->lost_pool_cnt, 1);
    assert_int_equal(v->lost_pools[0], 7);
    assert_int_equal(v->pool_cnt, 0);
    zone_records_free(again);
    zone_free(zone);
}

static void test_the_tests_meet_collisions(void **state)
{
    (void)state;
    uint8_t a[NAME_MAX_LEN], b[NAME_MAX_LEN];
    put_wire(a, "a.collide-1");
    put_wire(b, "a.collide-2");
    assert_int_equal(name_hash(a, &test_key), name_hash(b, &test_key));
}

/* A changeset for another zone's content: refused without a trace, or applied to something that is whole. */
static void test_changes_that_belong_elsewhere(void **state)
{
    (void)state;
    struct random_state rng = {{77, 1}};
    unsigned refused = 0;
    for (unsigned round = 0; round < 300; round++) {
        static struct state a, b;
        memset(&a, 0, sizeof(a));
        state_change(&a, &rng, 100);
        b = a;
        state_change(&b, &rng, random_below(&rng, 60));
        b.serial = a.serial;
        struct zone_records *a_records = state_records(&a), *b_records = state_records(&b);
        struct zone *zone_a = zone_new(test_apex, &test_key), *zone_b = zone_new(test_apex, &test_key);
        assert_null(zone_publish(zone_a, zone_build(zone_a, a_records, NULL)));
        assert_null(zone_publish(zone_b, zone_build(zone_b, b_records, NULL)));
        state_change(&a, &rng, 6);
        struct zone_records *next = state_records(&a);
        struct changeset *c = changeset_diff(zone_a->current, next);
        struct zone_version *v = NULL;
        size_t used = chunk_used_bytes(zone_b->pool);
        if (zone_apply(&v, zone_b->current, c, NULL)) {
            refused++;
            assert_null(v);
        } else {
            zone_discard(v);
        }
        assert_int_equal(chunk_used_bytes(zone_b->pool), used);
        assert_null(zone_b->current->newer);
        changeset_free(c);
        zone_records_free(next);
        zone_records_free(a_records);
        zone_records_free(b_records);
        zone_free(zone_a);
        zone_free(zone_b);
    }
    assert_true(refused > 10 && refused < 290);
}

/* Held versions keep what they need, and nothing goes before they are all put, in whatever order. */
static void test_versions_are_freed_in_order(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "www 60 A 1\n");
    struct zone_version *first = zone->current, *second, *third;
    struct changeset *c = changeset_of("www 60 A 1\n", "www 60 A 2\n"), *d = changeset_of("www 60 A 2\n", "");
    zone_version_get(first);
    assert_int_equal(zone_apply(&second, zone->current, c, NULL), ERR_OK);
    zone_version_put(zone_publish(zone, second));
    zone_version_get(second);
    assert_int_equal(zone_apply(&third, zone->current, d, NULL), ERR_OK);
    zone_version_put(zone_publish(zone, third));
    size_t used = chunk_used_bytes(zone->pool);
    zone_version_put(second); /* the first still has what the third replaced of the second … */
    assert_int_equal(chunk_used_bytes(zone->pool), used);
    assert_ptr_equal(zone->oldest, first);
    assert_string_equal(describe(first, "www"), "0 A");
    assert_null(node_of(zone->current, "www"));
    zone_version_put(first); /* … and both go */
    assert_ptr_equal(zone->oldest, third);
    assert_true(chunk_used_bytes(zone->pool) < used);
    changeset_free(c);
    changeset_free(d);
    zone_free(zone);
}

/* A version that is built anew shares nothing with the one before. */
static void test_a_second_build(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "www 60 A 1\nsub 60 NS ns.sub\nns.sub 60 A 1\n");
    size_t used = chunk_used_bytes(zone->pool);
    struct zone_records *records = records_of(APEX "www 60 A 1\nsub 60 NS ns.sub\nns.sub 60 A 1\n");
    struct zone_version *v = zone_build(zone, records, NULL);
    assert_int_equal(chunk_used_bytes(zone->pool), used);
    assert_ptr_not_equal(zone->pool, zone->current->pool);
    zone_discard(v);
    assert_ptr_equal(zone->pool, zone->current->pool);
    assert_int_equal(chunk_used_bytes(zone->pool), used);
    v = zone_build(zone, records, NULL);
    zone_version_put(zone_publish(zone, v));
    assert_int_equal(chunk_used_bytes(zone->pool), used);
    assert_ptr_equal(zone->oldest, v);
    zone_records_free(records);
    zone_free(zone);
}

static void test_a_first_version_can_be_thrown_away(void **state)
{
    (void)state;
    struct zone *zone = zone_new(test_apex, &test_key);
    struct zone_records *records = records_of(APEX "a.b.c 60 A 1\n");
    zone_discard(zone_build(zone, records, NULL));
    assert_null(zone->oldest);
    assert_int_equal(chunk_used_bytes(zone->pool), 0);
    zone_records_free(records);
    zone_free(zone);
}

/* RRSIGs that come and go leave those that cover other types alone. */
static void test_rrsigs_keep_their_ttls(void **state)
{
    (void)state;
    static const struct { const char *removed, *added; uint32_t ttls[4]; } cases[] = {
        {"", "", {60, 60, 7200}},
        {"w 0 RRSIG A 1\n", "w 30 RRSIG A 3\n", {30, 30, 7200}},
        {"w 0 RRSIG TXT 1\n", "w 300 RRSIG TXT 1\n", {60, 60, 300}},
        {"w 0 RRSIG A 2\n", "", {60, 7200}},
        {"", "w 5 RRSIG NS 1\nw 300 RRSIG TXT 9\n", {60, 60, 5, 300}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone *zone = zone_of(APEX "w 60 A 1\nw 7200 TXT x\nw 60 RRSIG A 1\nw 60 RRSIG A 2\nw 7200 RRSIG TXT 1\n");
        change(zone, cases[i].removed, cases[i].added, NULL);
        const struct zone_node *n = node_of(zone->current, "w");
        const struct zone_rrset *sigs = zone_node_rrset(n, RR_RRSIG);
        const uint8_t *image = zone_node_image(n, sigs);
        if (cases[i].ttls[2] == 5) /* NS is type 2, TXT 16 */
            assert_int_equal(be32_get(image + 4 * 32 + 6), 300);
        for (unsigned j = 0; j < 4 && cases[i].ttls[j]; j++)
            assert_int_equal(be32_get(image + j * 32 + 6), cases[i].ttls[j]);
        zone_free(zone);
    }
}

enum { GROWING = 2000 };

/* Each name has TXT data of `len` bytes, or that many addresses. */
static struct zone_records *records_of_length(unsigned serial, bool txt, unsigned len, unsigned names)
{
    char line[400];
    struct zone_records *records = zone_records_new(test_apex, &test_key);
    snprintf(line, sizeof(line), "@ 60 SOA %u 60", serial);
    add_line(records, line, 1);
    for (unsigned i = 0; i < names; i++)
        for (unsigned j = 0; j < (txt ? 1 : len); j++) {
            if (txt)
                snprintf(line, sizeof(line), "n%u 60 TXT %0*u", i, (int)len, 1u);
            else
                snprintf(line, sizeof(line), "n%u 60 A %u", i, j);
            add_line(records, line, 1);
        }
    zone_records_sort(records);
    return records;
}

static void load(struct zone *zone, struct zone_records *records)
{
    struct changeset *c = changeset_diff(zone->current, records);
    struct zone_version *v;
    assert_int_equal(zone_apply(&v, zone->current, c, NULL), ERR_OK);
    if (zone_wastes_memory(v))
        zone_pack(v);
    zone_version_put(zone_publish(zone, v));
    changeset_free(c);
    zone_records_free(records);
    assert_true(zone_memory_bytes(zone) <= 2 * chunk_used_bytes(zone->pool) + CHUNK_FRESH_BYTES);
}

/* What every node leaves free is too small for what comes; and a zone that shrinks gives back. */
static void test_rrsets_that_grow_with_each_reload(void **state)
{
    (void)state;
    for (unsigned txt = 0; txt < 2; txt++) {
        struct zone *zone = zone_of(APEX);
        for (unsigned k = 1; k <= 30; k++)
            load(zone, records_of_length(k, txt, txt ? k * 8 : k, GROWING));
        size_t grown = zone_memory_bytes(zone);
        for (unsigned k = 31; k < 35; k++)
            load(zone, records_of_length(k, txt, 20, GROWING / (k - 29)));
        assert_true(zone_memory_bytes(zone) < grown / 2);
        zone_free(zone);
    }
}

/* A held version keeps its pool, whole, and only that. */
static void test_a_packed_version_leaves_older_ones_alone(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX);
    load(zone, records_of_length(1, true, 10, GROWING));
    struct zone_version *held = zone->current;
    zone_version_get(held);
    size_t one = chunk_used_bytes(zone->pool);
    for (unsigned k = 2; k < 8; k++) {
        struct zone_records *records = records_of_length(k, true, k * 10, GROWING);
        struct changeset *c = changeset_diff(zone->current, records);
        struct zone_version *v;
        assert_int_equal(zone_apply(&v, zone->current, c, NULL), ERR_OK);
        zone_pack(v);
        zone_version_put(zone_publish(zone, v));
        changeset_free(c);
        zone_records_free(records);
        assert_ptr_not_equal(zone->pool, held->pool);
    }
    assert_ptr_equal(zone->oldest, held);
    assert_int_equal(chunk_used_bytes(held->pool), one);
    assert_int_equal(zone_node_rrset(node_of(held, "n7"), RR_TXT)->image_len, 12 + 1 + 10);
    assert_true(zone_memory_bytes(zone) > chunk_total_bytes(zone->pool));
    assert_true(zone_version_put_cost(held) >= one / 1024);
    zone_version_put(held);
    assert_ptr_equal(zone->oldest, zone->current);
    assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(zone->pool));
    assert_int_equal(zone_node_rrset(node_of(zone->current, "n7"), RR_TXT)->image_len, 12 + 1 + 70);
    zone_free(zone);
}

/* The root zone, and names of 127 labels with non-terminals all the way. */
static void test_the_root_zone_and_the_deepest_name(void **state)
{
    (void)state;
    uint8_t name[NAME_MAX_LEN], root[1] = {0};
    for (unsigned i = 0; i < 127; i++)
        memcpy(name + 2 * i, "\1x", 2);
    name[254] = 0;
    struct zone_records *records = zone_records_new(root, &test_key);
    uint8_t soa[] = "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0";
    zone_records_add(records, &(struct rr){root, soa, 60, RR_SOA, 22}, NULL, 0);
    zone_records_add(records, &(struct rr){name, (const uint8_t *)"\12\0\0\1", 60, RR_A, 4}, NULL, 0);
    zone_records_add(records, &(struct rr){name, (const uint8_t *)"\1n\0", 60, RR_NS, 3}, NULL, 0);
    zone_records_sort(records);
    struct zone *zone = zone_new(root, &test_key);
    struct zone_version *v = zone_build(zone, records, NULL);
    assert_int_equal(v->node_cnt, 128);
    assert_int_equal(v->cut_depths[1], UINT64_C(1) << 63);
    assert_true(zone_depth_has(v->cut_depths, 127));
    for (unsigned d = 0; d < 127; d++)
        assert_int_equal(zone_version_find(v, name + 2 * (127 - d))->child_cnt, 1);
    assert_null(zone_publish(zone, v));
    struct changeset *c = mem_zalloc(1, sizeof(*c));
    c->removed = zone_records_new(root, &test_key);
    c->added = zone_records_new(root, &test_key);
    zone_records_add(c->removed, &(struct rr){name, (const uint8_t *)"\12\0\0\1", 60, RR_A, 4}, NULL, 0);
    zone_records_add(c->removed, &(struct rr){name, (const uint8_t *)"\1n\0", 60, RR_NS, 3}, NULL, 0);
    zone_records_sort(c->removed);
    zone_records_sort(c->added);
    assert_int_equal(zone_apply(&v, zone->current, c, NULL), ERR_OK);
    assert_int_equal(v->node_cnt, 1);
    assert_int_equal(v->cut_depths[1], 0);
    assert_true(trie_is_node(v->root));
    zone_version_put(zone_publish(zone, v));
    changeset_free(c);
    zone_records_free(records);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_of_a_zone),
        cmocka_unit_test(test_names_of_many_types),
        cmocka_unit_test(test_the_negative_soa),
        cmocka_unit_test(test_glue_points_into_the_ns_image),
        cmocka_unit_test(test_many_delegations),
        cmocka_unit_test(test_all_glue_is_there),
        cmocka_unit_test(test_glue_has_limits),
        cmocka_unit_test(test_apply_refuses_what_does_not_fit),
        cmocka_unit_test(test_an_rrset_too_large_is_refused),
        cmocka_unit_test(test_a_change_touches_only_what_it_must),
        cmocka_unit_test(test_the_tests_meet_collisions),
        cmocka_unit_test(test_only_authoritative_names_are_pools),
        cmocka_unit_test(test_mail_servers_are_pools_by_name_alone),
        cmocka_unit_test(test_what_a_zone_points_to),
        cmocka_unit_test(test_a_pool_without_handle),
        cmocka_unit_test(test_apply_makes_what_build_makes),
        cmocka_unit_test(test_changes_that_belong_elsewhere),
        cmocka_unit_test(test_versions_are_freed_in_order),
        cmocka_unit_test(test_a_second_build),
        cmocka_unit_test(test_rrsigs_keep_their_ttls),
        cmocka_unit_test(test_rrsets_that_grow_with_each_reload),
        cmocka_unit_test(test_a_packed_version_leaves_older_ones_alone),
        cmocka_unit_test(test_a_first_version_can_be_thrown_away),
        cmocka_unit_test(test_the_root_zone_and_the_deepest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
