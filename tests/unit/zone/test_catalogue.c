#include "zone_help.h"

#include "zone/catalogue.h"

/* Wire form of an absolute name. */
static const uint8_t *wire(const char *text)
{
    static uint8_t out[4][NAME_MAX_LEN];
    static unsigned next;
    uint8_t *p = out[next++ % 4];
    put_wire(p, text);
    return p;
}

static struct zone *find(const struct catalogue *c, const char *text, unsigned depth_max)
{
    struct name_split split;
    name_split_valid(&split, wire(text), &test_key);
    return catalogue_find(c, &split, depth_max);
}

static void test_an_empty_catalogue(void **state)
{
    (void)state;
    struct catalogue *c = catalogue_new(NULL, 0);
    assert_null(find(c, "example.com.", 127));
    assert_null(find(c, ".", 127));
    assert_null(catalogue_get(c, wire("example.com."), &test_key));
    catalogue_free(c);
}

static void test_the_longest_apex_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"com.", "Example.com.", "a.b.c.example.com.", "org.", "2.0.192.in-addr.arpa."};
    struct zone *zones[5];
    for (unsigned i = 0; i < 5; i++)
        zones[i] = zone_new(wire(names[i]), &test_key);
    struct catalogue *c = catalogue_new(zones, 5);
    assert_int_equal(c->zone_cnt, 5);
    assert_ptr_equal(find(c, "www.EXAMPLE.com.", 127), zones[1]);
    assert_ptr_equal(find(c, "example.com.", 127), zones[1]);
    assert_ptr_equal(find(c, "example.com.", 1), zones[0]); /* as for DS: the parent */
    assert_ptr_equal(find(c, "b.c.example.com.", 127), zones[1]);
    assert_ptr_equal(find(c, "x.a.b.c.example.com.", 127), zones[2]);
    assert_ptr_equal(find(c, "x.a.b.c.example.com.", 4), zones[1]);
    assert_ptr_equal(find(c, "other.com.", 127), zones[0]);
    assert_null(find(c, "net.", 127));
    assert_null(find(c, ".", 127));
    assert_null(find(c, "com.", 0));
    assert_ptr_equal(catalogue_get(c, wire("EXAMPLE.COM."), &test_key), zones[1]);
    assert_null(catalogue_get(c, wire("www.example.com."), &test_key));
    catalogue_free(c);
    for (unsigned i = 0; i < 5; i++)
        zone_free(zones[i]);
}

static void test_the_root_and_the_deepest_zone(void **state)
{
    (void)state;
    char deep[300] = "", deeper[400];
    for (unsigned i = 0; i < 126; i++)
        strcat(deep, "x.");
    snprintf(deeper, sizeof(deeper), "y.%s", deep);
    struct zone *zones[3] = {zone_new(wire("."), &test_key), zone_new(wire(deep), &test_key),
                             zone_new(wire(deep + 2 * 62), &test_key)};
    struct catalogue *c = catalogue_new(zones, 3);
    assert_ptr_equal(find(c, ".", 127), zones[0]);
    assert_ptr_equal(find(c, "www.example.com.", 127), zones[0]);
    assert_ptr_equal(find(c, deeper, 127), zones[1]);
    assert_ptr_equal(find(c, deep, 127), zones[1]);
    assert_ptr_equal(find(c, deep, 125), zones[2]);
    assert_ptr_equal(find(c, deep, 64), zones[2]);
    assert_ptr_equal(find(c, deep, 63), zones[0]);
    assert_ptr_equal(find(c, deep + 2 * 63, 127), zones[0]);
    catalogue_free(c);
    for (unsigned i = 0; i < 3; i++)
        zone_free(zones[i]);
}

static void test_many_zones(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static struct zone *zones[MANY];
    char text[40];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "zone%u.example.", i);
        zones[i] = zone_new(wire(text), &test_key);
    }
    struct catalogue *c = catalogue_new(zones, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(text, sizeof(text), "a.b.zone%u.example.", i);
        assert_ptr_equal(find(c, text, 127), zones[i]);
        snprintf(text, sizeof(text), "zone%u.example.", i + MANY);
        assert_null(find(c, text, 127));
    }
    catalogue_free(c);
    for (unsigned i = 0; i < MANY; i++)
        zone_free(zones[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_catalogue),
        cmocka_unit_test(test_the_longest_apex_is_found),
        cmocka_unit_test(test_the_root_and_the_deepest_zone),
        cmocka_unit_test(test_many_zones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
