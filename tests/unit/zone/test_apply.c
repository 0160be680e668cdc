/* Single changes of a zone; any changes at all: test_apply_random.c. */
#include "version_help.h"

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
        /* a name: its parent's count too (old nodes replaced: 1) */
        {"", "new.z5 60 A 2\n", 1, "@"},
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
        struct zone *zone =
            zone_of(APEX "w 60 A 1\nw 7200 TXT x\nw 60 RRSIG A 1\nw 60 RRSIG A 2\nw 7200 RRSIG TXT 1\n");
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
        cmocka_unit_test(test_apply_refuses_what_does_not_fit),
        cmocka_unit_test(test_an_rrset_too_large_is_refused),
        cmocka_unit_test(test_a_change_touches_only_what_it_must),
        cmocka_unit_test(test_rrsigs_keep_their_ttls),
        cmocka_unit_test(test_the_root_zone_and_the_deepest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
