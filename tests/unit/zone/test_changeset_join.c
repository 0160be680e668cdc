/* Changesets joined: what they lead to is what they lead to one by one, and nothing is in them that came and went. */
#include "unit/store/history_rig.h"

#include "zone/changeset_join.h"

static struct changeset *numbered(const char *removed, const char *added, uint32_t from)
{
    struct changeset *changes = changeset_of(removed, added);
    changes->serial_from = from;
    changes->serial_to = from + 1;
    return changes;
}

/* Frees them. */
static struct changeset *join(struct changeset **changes, size_t cnt)
{
    struct changeset *joined = changeset_join((const struct changeset *const *)changes, cnt);
    for (size_t i = 0; i < cnt; i++)
        changeset_free(changes[i]);
    return joined;
}

static void expect(struct changeset *joined, const char *removed, const char *added)
{
    struct changeset *want = changeset_of(removed, added);
    want->serial_from = joined->serial_from;
    want->serial_to = joined->serial_to;
    rig_expect_same_changes(joined, want);
    changeset_free(want);
    changeset_free(joined);
}

#define SOA(serial) "@ 60 SOA " #serial " 60\n"

static void what_comes_and_goes_cancels_out(void **state)
{
    (void)state;
    struct changeset *three[] = {
        numbered(SOA(1) "a 60 A 1\nb 60 A 1\nc 60 A 1\n", SOA(2) "n 60 A 1\nm 60 A 1\n", 1),
        numbered(SOA(2) "n 60 A 1\n", SOA(3) "a 60 A 1\nb 30 A 1\n", 2),
        numbered(SOA(3), SOA(4) "n 60 A 2\n", 3),
    };
    struct changeset *joined = join(three, 3);
    assert_int_equal(joined->serial_from, 1);
    assert_int_equal(joined->serial_to, 4);
    expect(joined, SOA(1) "b 60 A 1\nc 60 A 1\n", SOA(4) "b 30 A 1\nm 60 A 1\nn 60 A 2\n");
}

/* Another TTL or another spelling is another record, and back again is none. */
static void spellings_and_ttls_count(void **state)
{
    (void)state;
    struct changeset *there[] = {numbered(SOA(1) "a 60 NS x\n", SOA(2) "a 60 NS X\n", 1),
                                 numbered(SOA(2) "a 60 NS X\n", SOA(3) "a 30 NS X\n", 2)};
    expect(join(there, 2), SOA(1) "a 60 NS x\n", SOA(3) "a 30 NS X\n");
    struct changeset *back[] = {numbered(SOA(1) "a 60 NS x\n", SOA(2) "a 60 NS X\n", 1),
                                numbered(SOA(2) "a 60 NS X\n", SOA(3) "a 60 NS x\n", 2)};
    expect(join(back, 2), SOA(1), SOA(3));
}

static void one_stays_what_it_is(void **state)
{
    (void)state;
    struct changeset *one = numbered(SOA(1) "a 60 A 1\n", SOA(2) "a 30 A 1\n", 1);
    expect(join(&one, 1), SOA(1) "a 60 A 1\n", SOA(2) "a 30 A 1\n");
    struct changeset *empty = numbered("", "", 1);
    expect(join(&empty, 1), "", "");
}

static void they_lead_to_the_same_version(void **state)
{
    (void)state;
    struct random_state rng = {{5, 6}};
    enum { STEPS = 8 };
    for (unsigned round = 0; round < 60; round++) {
        struct rig_zone zone_state = {.serial = UINT32_MAX - 6};
        struct changeset *changes[STEPS];
        rig_change(&zone_state, &rng, random_below(&rng, 80));
        struct rig_zone first = zone_state;
        struct zone *zone = rig_build(&zone_state), *lagging = rig_build(&first);
        size_t bytes = 0;
        unsigned steps = 1 + random_below(&rng, STEPS);
        for (unsigned i = 0; i < steps; i++) {
            rig_change(&zone_state, &rng, random_below(&rng, 20));
            changes[i] = rig_advance(zone, &zone_state);
            bytes += changeset_wire_bytes(changes[i]);
        }
        assert_true(changeset_joins(lagging->current, (const struct changeset *const *)changes, steps));
        struct changeset *joined = join(changes, steps), *want;
        struct zone_records *records = rig_records(&zone_state);
        struct zone_version *version;
        want = changeset_diff(lagging->current, records);
        rig_expect_same_changes(joined, want);
        assert_true(changeset_wire_bytes(joined) <= bytes);
        assert_int_equal(zone_apply(&version, lagging->current, joined, NULL), ERR_OK);
        rig_expect_version(version, &zone_state);
        zone_records_free(records);
        changeset_free(want);
        changeset_free(joined);
        zone_free(zone);
        zone_free(lagging);
    }
}

/* ---- what another server sends may be anything */

enum { RECORDS = 4, LIST_MAX = 200 };

static const char *list(char out[LIST_MAX], uint32_t serial, unsigned set)
{
    int len = snprintf(out, LIST_MAX, "@ 60 SOA %u 60\n", serial);
    for (unsigned i = 0; i < RECORDS; i++)
        if (set >> i & 1)
            len += snprintf(out + len, LIST_MAX - (size_t)len, "a 60 A %u\n", i + 1);
    return out;
}

/* Steps fit joined just when they fit one by one. */
static void joined_is_as_good_as_one_by_one(void **state)
{
    (void)state;
    struct random_state rng = {{7, 8}};
    unsigned fit_cnt = 0;
    for (unsigned round = 0; round < 4000; round++) {
        enum { STEPS = 3 };
        struct changeset *changes[STEPS];
        char removed[LIST_MAX], added[LIST_MAX];
        unsigned begin = random_below(&rng, 1 << RECORDS), is = begin;
        bool fits = true;
        for (uint32_t i = 0; i < STEPS; i++) {
            unsigned go = is & random_below(&rng, 1 << RECORDS), come = ~is & random_below(&rng, 1 << RECORDS);
            if (!random_below(&rng, 4))
                (random_below(&rng, 2) ? &go : &come)[0] ^= 1u << random_below(&rng, RECORDS);
            fits &= !(go & ~is) && !(come & is & ~go);
            is = (is & ~go) | (come & ((1 << RECORDS) - 1));
            changes[i] = numbered(list(removed, i + 1, go), list(added, i + 2, come), i + 1);
        }
        struct zone *zone = zone_of(list(removed, 1, begin));
        bool joins = changeset_joins(zone->current, (const struct changeset *const *)changes, STEPS);
        struct changeset *joined = join(changes, STEPS);
        struct zone_version *version;
        bool is_applied = !zone_apply(&version, zone->current, joined, NULL);
        assert_int_equal(joins && is_applied, fits);
        if (fits) {
            struct zone_records *have = rig_records_of(version), *want = records_of(list(added, STEPS + 1, is));
            rig_expect_same(have, want);
            zone_records_free(have);
            zone_records_free(want);
            fit_cnt++;
        }
        changeset_free(joined);
        zone_free(zone);
    }
    assert_true(fit_cnt > 500 && fit_cnt < 3500);
}

static void serials_follow(void **state)
{
    (void)state;
    struct zone *zone = zone_of(SOA(1));
    struct changeset *changes[] = {numbered(SOA(1), SOA(2), 1), numbered(SOA(2), SOA(3), 2)};
    const struct changeset *const *both = (const struct changeset *const *)changes;
    assert_true(changeset_joins(zone->current, both, 2));
    assert_false(changeset_joins(zone->current, both + 1, 1));
    changes[1]->serial_from = 7;
    assert_false(changeset_joins(zone->current, both, 2));
    changeset_free(changes[0]);
    changeset_free(changes[1]);
    zone_free(zone);
}

static void sizes_are_those_of_a_transfer(void **state)
{
    (void)state;
    struct changeset *changes = changeset_of("a 60 A 1\na 60 A 2\n", "@ 60 TXT abc\n");
    assert_int_equal(changeset_wire_bytes(changes), (4 + 10 + 4) + (2 + 10 + 4) + (2 + 10 + 4));
    changeset_free(changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_and_goes_cancels_out), cmocka_unit_test(spellings_and_ttls_count),
        cmocka_unit_test(one_stays_what_it_is), cmocka_unit_test(they_lead_to_the_same_version),
        cmocka_unit_test(joined_is_as_good_as_one_by_one), cmocka_unit_test(serials_follow),
        cmocka_unit_test(sizes_are_those_of_a_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
