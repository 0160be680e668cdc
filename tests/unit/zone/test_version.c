/* The life of versions, and the memory that they share. */
#include "version_help.h"

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

/* What is packed or built anew has a pool of its own, which is counted once, and goes with the last version in it, be
 * it the newest that is thrown away, the oldest, or one between them. */
static void test_each_pool_counts_once(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "a 60 A 1\n");
    struct zone_version *held = zone->current, *second;
    struct chunk_pool *first_pool = zone->pool;
    zone_version_get(held);
    for (unsigned i = 0; i < 20; i++)
        change(zone, i % 2 ? "a 60 A 2\n" : "a 60 A 1\n", i % 2 ? "a 60 A 1\n" : "a 60 A 2\n", NULL);
    assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(first_pool));
    struct zone_records *records = records_of(APEX "a 60 A 3\n");
    for (unsigned i = 0; i < 2; i++) {
        struct zone_version *v = zone_build(zone, records, NULL);
        assert_ptr_equal(zone_newest(zone), v);
        if (i)
            zone_pack(v);
        assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(first_pool) + chunk_total_bytes(zone->pool));
        zone_discard(v);
        assert_ptr_equal(zone_newest(zone), zone->current);
        assert_ptr_equal(zone->pool, first_pool);
        assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(first_pool));
    }
    second = zone_build(zone, records, NULL);
    zone_version_put(zone_publish(zone, second));
    struct zone_version *third = zone_build(zone, records, NULL);
    struct chunk_pool *second_pool = second->pool;
    zone_version_put(zone_publish(zone, third));
    assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(first_pool) + chunk_total_bytes(second_pool) +
                                                  chunk_total_bytes(zone->pool));
    zone_version_put(held);
    assert_ptr_equal(zone->oldest, third);
    assert_int_equal(zone_memory_bytes(zone), chunk_total_bytes(zone->pool));
    zone_records_free(records);
    zone_free(zone);
}

/* To let the oldest go frees all that waited for it, and to let go what others hold, or what an older one keeps,
 * nothing. */
static void test_what_a_put_costs(void **state)
{
    (void)state;
    enum { CHANGES = 50 };
    struct zone *zone = zone_of(APEX "a 60 A 1\n");
    struct zone_version *held = zone->current, *second = NULL;
    zone_version_get(held);
    zone_version_get(held);
    size_t alone = 0;
    for (unsigned i = 0; i < CHANGES; i++) {
        change(zone, i % 2 ? "a 60 A 2\n" : "a 60 A 1\n", i % 2 ? "a 60 A 1\n" : "a 60 A 2\n", NULL);
        if (i == 0) {
            second = zone->current;
            zone_version_get(second);
            alone = second->replaced.cnt;
        }
    }
    assert_int_equal(zone_version_put_cost(held), 0);
    zone_version_put(held);
    assert_int_equal(zone_version_put_cost(second), 0);
    assert_int_equal(zone_version_put_cost(held), alone); /* the second is held */
    zone_version_put(second);
    assert_int_equal(zone_version_put_cost(held), CHANGES * alone);
    zone_version_put(held);
    assert_ptr_equal(zone->oldest, zone->current);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_are_freed_in_order),
        cmocka_unit_test(test_a_second_build),
        cmocka_unit_test(test_a_first_version_can_be_thrown_away),
        cmocka_unit_test(test_rrsets_that_grow_with_each_reload),
        cmocka_unit_test(test_a_packed_version_leaves_older_ones_alone),
        cmocka_unit_test(test_each_pool_counts_once),
        cmocka_unit_test(test_what_a_put_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
