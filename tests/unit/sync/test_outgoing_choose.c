/* Which answer to an IXFR is the shortest. */
#include "sync/outgoing_choose.h"

#include "../zone/version_help.h"

#include "zone/changeset_join.h"
#include "zone/cursor.h"

/* A changeset from `from` to the next serial; besides its SOAs it removes and adds these records. */
static struct changeset *step_of(uint32_t from, const char *removed, const char *added)
{
    enum { TEXT_MAX = 100000 };
    char *old = mem_zalloc(TEXT_MAX, 1), *new = mem_zalloc(TEXT_MAX, 1);
    snprintf(old, TEXT_MAX, "@ 3600 SOA %u 60\n%s", from, removed);
    snprintf(new, TEXT_MAX, "@ 3600 SOA %u 60\n%s", from + 1, added);
    struct changeset *changes = changeset_of(old, new);
    changes->serial_from = from;
    changes->serial_to = from + 1;
    free(old);
    free(new);
    return changes;
}

/* `cnt` records, each 18 bytes at least. */
static const char *many(unsigned first, unsigned cnt)
{
    static char text[100000];
    size_t len = 0;
    text[0] = '\0';
    for (unsigned i = first; i < first + cnt; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "h%u 60 A %u\n", i, i % 256);
    return text;
}

static void add(struct history_list *list, struct changeset *changes)
{
    list->changes = mem_realloc(list->changes, list->cnt + 1, sizeof(struct changeset *));
    list->changes[list->cnt++] = changes;
}

/* ---- the choice */

struct row {
    const char *what;
    unsigned steps;
    const char *removed[3], *added[3];
    size_t zone_bytes;
    enum outgoing_way way;
};

static const struct row rows[] = {
    {"one step", 1, {""}, {"a 60 A 1\n"}, 1000000, OUTGOING_STEPS},
    {"one step, larger than its zone, but little", 1, {""}, {"a 60 A 1\n"}, 50, OUTGOING_STEPS},
    {"only the serial changed", 1, {""}, {""}, 1000000, OUTGOING_STEPS},
    {"two steps share SOAs", 2, {"", ""}, {"a 60 A 1\n", "b 60 A 1\n"}, 1000000, OUTGOING_JOINED},
    {"two steps, both larger than their zone", 2, {"", ""}, {"a 60 A 1\n", "b 60 A 1\n"}, 50, OUTGOING_JOINED},
    {"what comes goes again", 3, {"", "a 60 A 1\n", ""}, {"a 60 A 1\n", "", "a 60 A 1\n"}, 1000000, OUTGOING_JOINED},
};

static void test_choose(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct history_list list = {.bytes = 12345};
        for (unsigned k = 0; k < row->steps; k++)
            add(&list, step_of(7 + k, row->removed[k], row->added[k]));
        if (outgoing_choose(&list, row->zone_bytes) != row->way)
            fail_msg("%s", row->what);
        assert_int_equal(list.cnt, 1);
        assert_int_equal(list.bytes, changeset_wire_bytes(list.changes[0]));
        assert_int_equal(list.changes[0]->serial_from, 7);
        assert_int_equal(list.changes[0]->serial_to, 7 + row->steps);
        history_list_fini(&list);
    }
}

/* The bound is the zone's size, once changes are more than a few. */
static void test_whole(void **state)
{
    (void)state;
    struct changeset *changes = step_of(1, many(0, 500), many(1000, 500));
    size_t bytes = changeset_wire_bytes(changes);
    assert_true(bytes > OUTGOING_FEW_BYTES);
    struct history_list list = {0};
    add(&list, changes);
    assert_int_equal(outgoing_choose(&list, bytes + 1), OUTGOING_STEPS);
    assert_int_equal(list.cnt, 1);
    assert_int_equal(outgoing_choose(&list, bytes), OUTGOING_WHOLE);
    assert_int_equal(list.cnt, 0);
    assert_int_equal(list.bytes, 0);
    assert_null(list.changes);
}

/* Steps that are larger than the zone become one that is not: records that change again and again. */
static void test_condensed(void **state)
{
    (void)state;
    struct history_list list = {0};
    for (uint32_t i = 0; i < 20; i++)
        add(&list, i % 2 ? step_of(1 + i, "", many(0, 500)) : step_of(1 + i, many(0, 500), ""));
    add(&list, step_of(21, "", "x 60 A 1\n"));
    assert_int_equal(outgoing_choose(&list, 5000), OUTGOING_JOINED);
    assert_int_equal(list.changes[0]->removed->cnt, 1);
    assert_int_equal(list.changes[0]->added->cnt, 2);
    history_list_fini(&list);
}

/* ---- sizes */

/* All records counted one by one. */
static size_t exact_bytes(const struct zone_version *version)
{
    size_t bytes = 0;
    const struct zone_node *last = NULL;
    const struct zone_rrset *rrset;
    struct zone_cursor cursor;
    zone_cursor_init(&cursor, version);
    while ((rrset = zone_cursor_next(&cursor))) {
        const uint8_t *at = zone_node_image(cursor.node, rrset);
        if (cursor.node != last)
            bytes += cursor.node->name_len - sizeof test_apex;
        last = cursor.node;
        for (unsigned i = 0; i < rrset->rr_cnt; i++) {
            bytes += image_rr_len(at);
            at += image_rr_len(at);
        }
    }
    return bytes;
}

static void test_small_zone(void **state)
{
    (void)state;
    struct zone *zone = zone_of(APEX "a 60 A 1\na 60 A 2\na 60 AAAA 1\nx.y.z 60 TXT word\nm 60 MX 10 a\n");
    assert_int_equal(outgoing_zone_bytes(zone->current), exact_bytes(zone->current));
    zone_free(zone);
    zone = zone_of("@ 3600 SOA 1 60\n");
    assert_int_equal(outgoing_zone_bytes(zone->current), exact_bytes(zone->current));
    zone_free(zone);
}

/* Half of the names have a short record, half a long one. */
static void test_large_zone(void **state)
{
    (void)state;
    struct zone_records *records = records_of(APEX);
    char line[200];
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(line, sizeof line, i % 2 ? "h%u 60 A 1" : "h%u.a-longer-name.b 60 TXT a-text-of-some-length-in-bytes",
                 i);
        add_line(records, line, 1);
    }
    zone_records_sort(records);
    struct zone *zone = zone_new(test_apex, &test_key);
    assert_null(zone_publish(zone, zone_build(zone, records, NULL)));
    zone_records_free(records);
    size_t exact = exact_bytes(zone->current), told = outgoing_zone_bytes(zone->current);
    assert_true(told > exact - exact / 10 && told < exact + exact / 10); /* the same in every run: test_key */
    zone_free(zone);
}

static void test_read_bytes(void **state)
{
    (void)state;
    assert_int_equal(outgoing_read_bytes(0), OUTGOING_READ_LEAST);
    assert_int_equal(outgoing_read_bytes(OUTGOING_READ_LEAST / OUTGOING_READ_TIMES), OUTGOING_READ_LEAST);
    assert_int_equal(outgoing_read_bytes(1000000), 1000000 * OUTGOING_READ_TIMES);
    assert_true(outgoing_read_bytes(SIZE_MAX / 2) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choose),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_condensed),
        cmocka_unit_test(test_small_zone),
        cmocka_unit_test(test_large_zone),
        cmocka_unit_test(test_read_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
