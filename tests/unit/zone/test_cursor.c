/* A walk that stops and goes on sees what zone_version_each sees, in its order. */
#include "zone/cursor.h"

#include "version_help.h"

static void add(void *arg, const struct rr *rr) { zone_records_add(arg, rr, NULL, 0); }

static void walk_from(struct zone_cursor *c, struct zone_records *to, unsigned most)
{
    const struct zone_rrset *rrset;
    while (most-- && (rrset = zone_cursor_next(c)) != NULL)
        image_each(zone_node_image(c->node, rrset), rrset, zone_node_name(c->node), add, to);
}

static void assert_same(const struct zone_records *a, const struct zone_records *b)
{
    assert_int_equal(a->cnt, b->cnt);
    for (size_t i = 0; i < a->cnt; i++) {
        const struct rr *x = &a->recs[i].rr, *y = &b->recs[i].rr;
        assert_true(name_equal(x->owner, y->owner) && x->type == y->type && x->rdata_len == y->rdata_len);
        assert_memory_equal(x->rdata, y->rdata, x->rdata_len);
    }
}

/* In slices of `slice` rrsets, each by a copy of the cursor. */
static void check(const struct zone_version *v, unsigned slice)
{
    struct zone_records *each = zone_records_new(test_apex, &test_key);
    struct zone_records *walked = zone_records_new(test_apex, &test_key);
    struct zone_cursor c;
    size_t before;
    zone_version_each(v, add, each);
    zone_cursor_init(&c, v);
    do {
        struct zone_cursor copy = c;
        before = walked->cnt;
        walk_from(&copy, walked, slice);
        c = copy;
    } while (walked->cnt > before);
    assert_int_equal(walked->cnt, v->rr_cnt);
    assert_same(walked, each);
    assert_null(zone_cursor_next(&c));
    assert_null(zone_cursor_next_node(&c));
    zone_records_free(each);
    zone_records_free(walked);
}

static void test_walks(void **state)
{
    (void)state;
    static const char *const zones[] = {
        "@ 3600 SOA 1 60\n",
        APEX "www 60 A 1\nwww 60 A 2\nwww 60 AAAA 1\n",
        APEX "a.b.c.d.e 60 A 1\n",                                     /* empty non-terminals */
        APEX "sub 60 NS ns.sub\nns.sub 60 A 1\n",                      /* glue is an extra entry */
        APEX "collide-1 60 A 1\ncollide-2 60 A 2\ncollide-3 60 A 3\na.collide-2 60 A 4\n", /* a list */
    };
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct zone *zone = zone_of(zones[i]);
        for (unsigned slice = 1; slice < 5; slice++)
            check(zone->current, slice);
        zone_free(zone);
    }
}

static void test_many(void **state)
{
    (void)state;
    struct zone_records *records = records_of(APEX);
    for (unsigned i = 0; i < 5000; i++) {
        char line[100];
        snprintf(line, sizeof line, "x%u.%u.y 60 A %u\n", i, i % 50, i % 200);
        add_line(records, line, i);
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    check(zone->current, 1);
    check(zone->current, 7);
    check(zone->current, 100000);
    zone_free(zone);
}

/* The rest of a node can be left out. */
static void test_nodes(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "www 60 A 1\nwww 60 AAAA 1\nwww 60 TXT x\na.b 60 A 1\n");
    struct zone_cursor c;
    const struct zone_node *n;
    unsigned nodes = 0, with_rrsets = 0;
    zone_cursor_init(&c, zone->current);
    while ((n = zone_cursor_next_node(&c)) != NULL) {
        nodes++;
        if (n->rrset_cnt)
            assert_ptr_equal(zone_cursor_next(&c), n->rrsets);
        with_rrsets += n->rrset_cnt > 0;
    }
    assert_int_equal(nodes, zone->current->node_cnt);
    assert_int_equal(nodes, 4);
    assert_int_equal(with_rrsets, 3);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
