/* What a zone is when it has been built: nodes, their images, and the glue at its cuts. */
#include "version_help.h"

static void test_nodes_of_a_zone(void **state)
{
    (void)state;
    struct zone *zone =
        zone_of(APEX "WWW 60 A 1\nwww 60 A 2\nwww 60 MX 10 mail\n"
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

static void test_the_negative_soa(void **state)
{
    (void)state;
    static const struct { const char *text; uint32_t ttl, negative_ttl; } cases[] = {
        {"@ 3600 SOA 1 60\n", 3600, 60},
        {"@ 30 SOA 1 60\n", 30, 30},
        {"@ 0 SOA 1 60\n", 0, 0},
        {"@ 60 SOA 1 0\n", 60, 0},
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
    struct zone *zone = zone_of(
        APEX "sub 60 NS a.ns.sub\nsub 60 NS sub\nsub 60 NS ns.SUB\nsub 60 NS ns.example.net.\n"
        "sub 60 NS b.sub\nsub 60 NS away\nsub 60 NS missing.sub\n"
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
        snprintf(
            want, sizeof(want),
            "a.b.ns3.cut%u.example.com. 60 A %u\nns1.cut%u.example.com. 60 A %u\nNS2.cut%u.example.com. 60 AAAA %u\n",
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

/* More glue than a message holds: what is kept does not fit behind the NS rrset
 * either, so the referral is truncated. */
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
