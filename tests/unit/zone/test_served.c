/* Where names lead in the zones that are served. */
#include "zone_help.h"

#include "zone/served.h"

static const char com[] = "@ 300 SOA 1 300\n@ 300 NS ns.example.net.\nwww 300 A 1\nalias 60 CNAME www\n"
                          "far 300 CNAME alias\nout 30 CNAME host.example.net.\nother 300 CNAME www.example.org.\n"
                          "sub 300 NS ns.sub\nns.sub 300 A 9\n*.wild 300 A 2\n*.aliases 20 CNAME www\n"
                          "tree 45 DNAME example.org.\nloop1 300 CNAME loop2\nloop2 300 CNAME loop1\n"
                          "a.b.empty 300 A 3\nself 300 CNAME self\n";
static const char org[] = "example.org. 300 SOA 1 300\nexample.org. 300 NS ns.example.net.\n"
                          "www.example.org. 300 A 7\nback.example.org. 300 CNAME www.example.com.\n";

struct fixture {
    struct zone *zones[3];
    struct catalogue *catalogue;
};

static struct zone *load(const uint8_t *apex, const char *lines)
{
    struct zone *zone = zone_new(apex, &test_key);
    if (!lines)
        return zone;
    struct zone_records *records = records_within(apex, lines);
    struct zone_version *version = zone_build(zone, records, NULL);
    assert_null(zone_publish(zone, version));
    zone_records_free(records);
    return zone;
}

static void begin(struct fixture *f)
{
    f->zones[0] = load(test_apex, com);
    f->zones[1] = load((const uint8_t *)"\7example\3org", org);
    f->zones[2] = load((const uint8_t *)"\5later\3com", NULL);
    f->catalogue = catalogue_new(f->zones, 3);
}

static void end(struct fixture *f)
{
    catalogue_free(f->catalogue);
    for (unsigned i = 0; i < 3; i++)
        zone_free(f->zones[i]);
}

static void expect(const struct fixture *f, const char *name, enum zone_served_kind kind, const char *last,
                   unsigned link_cnt, uint32_t ttl_sec)
{
    uint8_t wire[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];
    struct zone_served served;
    put_wire(wire, name);
    zone_served_find(&served, f->catalogue, &test_key, wire);
    if (served.kind != kind || served.link_cnt != link_cnt || served.ttl_sec != ttl_sec ||
        strcmp(name_to_text_bare(text, served.name), last) != 0)
        fail_msg("%s: kind %d, %u links, ttl %u, %s", name, (int)served.kind, served.link_cnt, served.ttl_sec,
                 name_to_text_bare(text, served.name));
    assert_true((kind == ZONE_SERVED_NODE) == (served.node != NULL));
}

static void test_names(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect(&f, "www", ZONE_SERVED_NODE, "www.example.com", 0, UINT32_MAX);
    expect(&f, "WWW.Example.COM.", ZONE_SERVED_NODE, "www.example.com", 0, UINT32_MAX);
    expect(&f, "@", ZONE_SERVED_NODE, "example.com", 0, UINT32_MAX);
    expect(&f, "b.empty", ZONE_SERVED_NODE, "b.empty.example.com", 0, UINT32_MAX);
    expect(&f, "x.y.wild", ZONE_SERVED_NODE, "x.y.wild.example.com", 0, UINT32_MAX);
    expect(&f, "missing", ZONE_SERVED_NONE, "missing.example.com", 0, UINT32_MAX);
    expect(&f, "x.www", ZONE_SERVED_NONE, "x.www.example.com", 0, UINT32_MAX);
    expect(&f, "host.example.net.", ZONE_SERVED_ELSEWHERE, "host.example.net", 0, UINT32_MAX);
    expect(&f, "x.later.com.", ZONE_SERVED_UNLOADED, "x.later.com", 0, UINT32_MAX);
    /* Delegated: others know it. */
    expect(&f, "sub", ZONE_SERVED_ELSEWHERE, "sub.example.com", 0, UINT32_MAX);
    expect(&f, "ns.sub", ZONE_SERVED_ELSEWHERE, "ns.sub.example.com", 0, UINT32_MAX);
    end(&f);
}

static void test_aliases(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect(&f, "alias", ZONE_SERVED_NODE, "www.example.com", 1, 60);
    expect(&f, "far", ZONE_SERVED_NODE, "www.example.com", 2, 60);
    expect(&f, "out", ZONE_SERVED_ELSEWHERE, "host.example.net", 1, 30);
    expect(&f, "other", ZONE_SERVED_NODE, "www.example.org", 1, 300);
    expect(&f, "x.aliases", ZONE_SERVED_NODE, "www.example.com", 1, 20);
    expect(&f, "www.tree", ZONE_SERVED_NODE, "www.example.org", 1, 45);
    expect(&f, "back.tree", ZONE_SERVED_NODE, "www.example.com", 2, 45);
    expect(&f, "none.tree", ZONE_SERVED_NONE, "none.example.org", 1, 45);
    expect(&f, "tree", ZONE_SERVED_NODE, "tree.example.com", 0, UINT32_MAX);
    end(&f);
}

static void test_circles(void **state)
{
    struct fixture f;
    (void)state;
    begin(&f);
    expect(&f, "self", ZONE_SERVED_ENDLESS, "self.example.com", ZONE_SERVED_LINKS_MAX + 1, 300);
    expect(&f, "loop1", ZONE_SERVED_ENDLESS, "loop2.example.com", ZONE_SERVED_LINKS_MAX + 1, 300);
    end(&f);
}

static void test_the_wildcards_node(void **state)
{
    struct fixture f;
    struct zone_served served;
    uint8_t wire[NAME_MAX_LEN];
    char text[NAME_TEXT_MAX];
    (void)state;
    begin(&f);
    put_wire(wire, "x.wild");
    zone_served_find(&served, f.catalogue, &test_key, wire);
    assert_string_equal(name_to_text_bare(text, zone_node_name(served.node)), "*.wild.example.com");
    assert_ptr_equal(served.zone, f.zones[0]);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_circles),
        cmocka_unit_test(test_the_wildcards_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
