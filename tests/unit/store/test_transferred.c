/* A secondary's changes: whole zones and steps, what is refused of them, and what the next process has of them. */
#include "door_rig.h"

static const struct model first = {.serial = 5, .last = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}};

static struct model after(struct model model, uint32_t serial, unsigned name, uint8_t last)
{
    model.serial = serial;
    model.last[name] = last;
    return model;
}

static void begin(struct door *d)
{
    d->is_secondary = true;
    door_load(d);
    door_expect_state(d, STORE_ZONE_EMPTY);
    assert_null(door_zone(d)->current);
    assert_int_equal(door_whole(d, &first, false), ERR_OK);
    door_expect(d, &first);
    door_expect_state(d, STORE_ZONE_SERVED);
}

static void test_from_nothing_to_a_restart(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 9, 3, 0), fourth = after(third, 10, 15, 9);
    begin(d);
    assert_int_equal(door_steps(d, (struct model[]){first, second, third}, 3), ERR_OK);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &first, &third), 2);
    for (unsigned i = 0; i < 2; i++) {
        door_restart(d);
        assert_string_equal(d->said, "");
        door_expect(d, &third);
        door_expect_state(d, STORE_ZONE_SERVED);
        assert_int_equal(door_expect_history(d, &second, &third), 1);
        door_load(d);
        assert_int_equal(d->unchanged, 1);
    }
    assert_int_equal(door_steps(d, (struct model[]){third, fourth}, 2), ERR_OK);
    door_restart(d);
    door_expect(d, &fourth);
    assert_int_equal(door_expect_history(d, &first, &fourth), 3);
}

static void test_the_file_is_of_no_account(void **state)
{
    struct door *d = *state;
    struct model text = after(first, 100, 0, 9);
    door_write(d, &text, "");
    begin(d);
    door_restart(d);
    door_expect(d, &first);
}

/* ---- what is refused changes nothing, and the next change works */

static void expect_refused(struct door *d, enum err err, enum err want, const struct model *served)
{
    struct model next = after(*served, served->serial + 1, 14, (uint8_t)(served->serial % 3 + 1));
    assert_int_equal(err, want);
    door_expect(d, served);
    assert_int_equal(door_steps(d, (struct model[]){*served, next}, 2), ERR_OK);
    door_expect(d, &next);
    door_restart(d);
    door_expect(d, &next);
}

static void test_steps_from_another_serial(void **state)
{
    struct door *d = *state;
    struct model other = after(first, 4, 3, 3), second = after(other, 6, 3, 7);
    begin(d);
    expect_refused(d, door_steps(d, (struct model[]){other, second}, 2), ERR_INVALID, &first);
}

static void test_steps_for_another_zone(void **state)
{
    struct door *d = *state;
    struct model other = after(first, 5, 3, 9), second = after(other, 6, 3, 7);
    begin(d);
    expect_refused(d, door_steps(d, (struct model[]){other, second}, 2), ERR_INVALID, &first);
}

/* The second leads on from a serial that the first does not lead to: another server may send anything. */
static void test_steps_with_a_gap(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7), third = after(second, 7, 4, 9), fourth = after(third, 8, 5, 9);
    struct wanted wanted;
    begin(d);
    wanted_init(&wanted);
    wanted.transferred.change_cnt = 2;
    wanted.transferred.changes = mem_zalloc(2, sizeof(struct changeset *));
    wanted.transferred.changes[0] = model_changes(&first, &second);
    wanted.transferred.changes[1] = model_changes(&third, &fourth);
    store_change(d->store, test_apex, &wanted.transferred.change);
    door_wait(d);
    expect_refused(d, wanted.err, ERR_INVALID, &first);
}

/* Each fits its serials, but the first takes away what is not there, and the second brings it: joined, that looks like
 * nothing. */
static void test_steps_that_do_not_fit_one_another(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 15, 0), odd = after(first, 5, 15, 9), third = after(second, 7, 15, 9);
    struct wanted wanted;
    begin(d);
    wanted_init(&wanted);
    wanted.transferred.change_cnt = 2;
    wanted.transferred.changes = mem_zalloc(2, sizeof(struct changeset *));
    wanted.transferred.changes[0] = model_changes(&odd, &second); /* takes n15 away, which is not there */
    wanted.transferred.changes[1] = model_changes(&second, &third);
    store_change(d->store, test_apex, &wanted.transferred.change);
    door_wait(d);
    expect_refused(d, wanted.err, ERR_INVALID, &first);
}

static void test_a_record_that_comes_twice(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 15, 9), odd = after(first, 6, 14, 1), third = after(odd, 7, 15, 9);
    struct wanted wanted;
    begin(d);
    wanted_init(&wanted);
    wanted.transferred.change_cnt = 2;
    wanted.transferred.changes = mem_zalloc(2, sizeof(struct changeset *));
    wanted.transferred.changes[0] = model_changes(&first, &second);
    wanted.transferred.changes[1] = model_changes(&odd, &third); /* n15 once more */
    store_change(d->store, test_apex, &wanted.transferred.change);
    door_wait(d);
    expect_refused(d, wanted.err, ERR_INVALID, &first);
}

static void test_steps_of_nothing(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    d->is_secondary = true;
    door_load(d);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_INVALID);
    assert_null(door_zone(d)->current);
    door_expect_state(d, STORE_ZONE_EMPTY);
}

static void test_a_whole_zone_that_is_not_later(void **state)
{
    struct door *d = *state;
    struct model same = after(first, 5, 3, 7), half = after(first, 5 + 0x80000000u, 3, 7);
    begin(d);
    assert_int_equal(door_whole(d, &same, false), ERR_INVALID);
    assert_int_equal(door_whole(d, &half, false), ERR_INVALID);
    same.serial = 4;
    expect_refused(d, door_whole(d, &same, false), ERR_INVALID, &first);
}

/* ---- whole zones */

static void test_an_older_zone_by_force(void **state)
{
    struct door *d = *state;
    struct model older = after(first, 3, 3, 7), next = after(older, 4, 4, 4);
    begin(d);
    assert_int_equal(door_whole(d, &older, true), ERR_OK);
    door_expect(d, &older);
    assert_false(door_has_history(d, 5));
    door_restart(d);
    door_expect(d, &older);
    assert_int_equal(door_whole(d, &next, false), ERR_OK);
    assert_int_equal(door_expect_history(d, &older, &next), 1);
    door_restart(d);
    door_expect(d, &next);
}

/* Whoever follows us gets the difference. */
static void test_a_whole_zone_that_is_little_else(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    begin(d);
    assert_int_equal(door_whole(d, &second, false), ERR_OK);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
    door_restart(d);
    door_expect(d, &second);
    assert_int_equal(door_expect_history(d, &first, &second), 1);
}

static void test_another_zone_begins_anew(void **state)
{
    struct door *d = *state;
    struct model second = {.serial = 6, .last = {9, 9, 9, 9, 9, 9, 9, 9, 9, 9}}, third = after(second, 7, 0, 1);
    begin(d);
    assert_int_equal(door_whole(d, &second, false), ERR_OK);
    door_expect(d, &second);
    assert_false(door_has_history(d, 5));
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_OK);
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    door_restart(d);
    door_expect(d, &third);
    assert_int_equal(door_expect_history(d, &second, &third), 1);
}

/* Changes that take more than may be kept of the zone are kept as its snapshot. */
static void test_a_large_difference_begins_anew(void **state)
{
    struct door *d = *state;
    struct model second = first, third;
    d->most_bytes = 4096;
    begin(d);
    second.serial = 6;
    second.filler_cnt = 2000;
    third = after(second, 7, 0, 3);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    door_expect(d, &second);
    assert_false(door_has_history(d, 5));
    assert_int_equal(door_steps(d, (struct model[]){second, third}, 2), ERR_OK);
    assert_int_equal(door_expect_history(d, &second, &third), 1);
    door_restart(d);
    door_expect(d, &third);
}

/* Serials go round: the history is in order of its numbers (RFC 1982). */
static void test_serials_go_round(void **state)
{
    struct door *d = *state;
    struct model model = first, begun;
    begin(d);
    model.serial = UINT32_MAX - 2;
    assert_int_equal(door_whole(d, &model, true), ERR_OK);
    begun = model;
    for (unsigned i = 0; i < 6; i++) {
        struct model next = after(model, model.serial + 1, i, (uint8_t)(i + 5));
        assert_int_equal(door_steps(d, (struct model[]){model, next}, 2), ERR_OK);
        model = next;
        if (i % 2)
            door_restart(d);
        door_expect(d, &model);
        assert_int_equal(door_expect_history(d, &begun, &model), i + 1);
    }
    assert_int_equal(model.serial, 3);
}

/* ---- expiry */

static void test_expiry(void **state)
{
    struct door *d = *state;
    struct model second = after(first, 6, 3, 7);
    struct store_held held;
    begin(d);
    store_expire(d->store, test_apex);
    assert_null(door_zone(d)->current);
    door_expect_state(d, STORE_ZONE_EXPIRED);
    assert_int_equal(store_hold(d->store, &held, test_apex), ERR_TIMEOUT);
    door_load(d); /* that does not make it newer */
    assert_null(door_zone(d)->current);
    door_expect_state(d, STORE_ZONE_EXPIRED);
    store_revive(d->store, test_apex);
    door_expect(d, &first);
    door_expect_state(d, STORE_ZONE_SERVED);
    store_revive(d->store, test_apex);
    door_expect_state(d, STORE_ZONE_SERVED);
    store_expire(d->store, test_apex);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_OK);
    door_expect(d, &second);
    door_expect_state(d, STORE_ZONE_SERVED);
    store_expire(d->store, test_apex);
    assert_int_equal(door_steps(d, (struct model[]){first, second}, 2), ERR_INVALID);
    door_expect_state(d, STORE_ZONE_EXPIRED);
    door_restart(d); /* whoever knows since when its primaries are gone says so again */
    door_expect(d, &second);
    store_expire(d->store, (const uint8_t *)"\5other");
    store_revive(d->store, (const uint8_t *)"\5other");
}

static void test_what_is_empty_cannot_expire(void **state)
{
    struct door *d = *state;
    d->is_secondary = true;
    door_load(d);
    store_expire(d->store, test_apex);
    door_expect_state(d, STORE_ZONE_EMPTY);
    store_revive(d->store, test_apex);
    door_expect_state(d, STORE_ZONE_EMPTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_CASE(test_from_nothing_to_a_restart),
        DOOR_CASE(test_the_file_is_of_no_account),
        DOOR_CASE(test_steps_from_another_serial),
        DOOR_CASE(test_steps_for_another_zone),
        DOOR_CASE(test_steps_with_a_gap),
        DOOR_CASE(test_steps_that_do_not_fit_one_another),
        DOOR_CASE(test_a_record_that_comes_twice),
        DOOR_CASE(test_steps_of_nothing),
        DOOR_CASE(test_a_whole_zone_that_is_not_later),
        DOOR_CASE(test_an_older_zone_by_force),
        DOOR_CASE(test_a_whole_zone_that_is_little_else),
        DOOR_CASE(test_another_zone_begins_anew),
        DOOR_CASE(test_a_large_difference_begins_anew),
        DOOR_CASE(test_serials_go_round),
        DOOR_CASE(test_expiry),
        DOOR_CASE(test_what_is_empty_cannot_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
